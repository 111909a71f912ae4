// npm run test:adversity: the rows of docs/reliability.md in full, against each major of PostgreSQL that can be had here,
// and their results as that page's table.
//   --majors 18,13   some of them; the table is written only when all rows ran
//   --rows cuts,…    some rows, see __test__/adversity/network.mjs
//   --no-write       does not touch the page
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildTestkit } from './build-steps.mjs'
import { start } from './embedded-postgres.mjs'
import { SERVER_MAJORS, serverPackage } from './packages.mjs'
import { duration, PROGRAMS, ROOT, runNode } from './run.mjs'
import { setup } from './setup.mjs'

const PAGE = join(ROOT, 'docs', 'reliability.md')
const BEGIN = '<!-- results: written by `npm run test:adversity` -->'
const END = '<!-- end of results -->'

const { values } = parseArgs({
  options: {
    majors: { type: 'string', default: SERVER_MAJORS.toReversed().join(',') },
    rows: { type: 'string' },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
})
const total = { passed: 0, failed: 0 }
/** Results by row's number, each with the majors that it ran on. */
const rows = new Map()
const skipped = []

/** All rows against one server. */
async function play(major, testkit) {
  let server
  try {
    server = await start({ from: await serverPackage(major) })
  } catch (error) {
    const reason = `${error.message} ${error.output ?? ''}`.trim().split('\n')[0]
    console.log(`- PostgreSQL ${major} skipped: ${reason}`)
    skipped.push(major)
    return
  }
  const started = performance.now()
  try {
    const some = values.rows === undefined ? [] : ['--rows', values.rows]
    const { stdout } = await runNode('__test__/adversity/network.mjs', ['--full', '--json', ...some], {
      env: { OXPG_TEST_URL: server.url, OXPG_TESTKIT: testkit },
      mayFail: true,
    })
    for (const line of stdout.split('\n')) {
      if (!line.startsWith('{')) {
        if (line !== '') console.log(line)
        continue
      }
      const row = JSON.parse(line)
      const known = rows.get(row.number) ?? {
        ...row,
        cases: 0,
        failures: [],
        majors: [],
        latestMs: 0,
        nextMs: 0,
        late: 0,
      }
      known.cases += row.cases
      known.failures.push(...row.failures)
      known.majors.push(major)
      known.latestMs = Math.max(known.latestMs, row.latestMs)
      known.nextMs = Math.max(known.nextMs, row.nextMs)
      known.late += row.late
      rows.set(row.number, known)
    }
    const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(stdout) ?? [0, 0, 1]
    total.passed += Number(passed)
    total.failed += Number(failed)
    console.log(`PostgreSQL ${major}: ${duration(performance.now() - started)}`)
  } finally {
    await server.stop()
  }
}

function table() {
  const lines = [
    BEGIN,
    '',
    `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${process.platform}-${process.arch}, without TLS.`,
    '',
    '| # | fault | what was run | PostgreSQL | cases | failures | settled after the deadline, at most | next query, at most |',
    '|---|---|---|---|---:|---:|---:|---:|',
  ]
  for (const { number, title, detail, cases, failures, majors, latestMs, nextMs } of rows.values()) {
    const versions = majors.toSorted((a, b) => a - b).join(', ')
    const late = latestMs > 0 ? `${Math.ceil(latestMs)} ms` : 'before it'
    const next = nextMs > 0 ? `${Math.ceil(nextMs)} ms` : '–'
    lines.push(
      `| ${number} | ${title} | ${detail} | ${versions} | ${cases} | ${failures.length} | ${late} | ${next} |`,
    )
  }
  if (skipped.length > 0) lines.push('', `Not to be had here: PostgreSQL ${skipped.join(', ')}.`)
  return [...lines, '', END].join('\n')
}

function writePage() {
  const page = readFileSync(PAGE, 'utf8')
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (before < 0 || after < 0) throw new Error(`docs/reliability.md lacks ${BEGIN} or ${END}`)
  writeFileSync(PAGE, page.slice(0, before) + table() + page.slice(after + END.length))
}

try {
  await setup()
  const testkit = await buildTestkit()
  await runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
  for (const major of values.majors.split(',')) await play(Number(major), testkit)
  if (values.write && values.rows === undefined) writePage()
} catch (error) {
  total.failed++
  console.error(error.output ?? error)
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
