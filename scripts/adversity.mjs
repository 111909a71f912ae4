// npm run test:adversity: the rows of docs/reliability.md, in full against the newest PostgreSQL and in part against the
// others that can be had here, and their results as that page's table.
//   --majors 18,13   some of them, the first in full
//   --rows cuts,…    some rows, see __test__/adversity/network.mjs; `policy` and `psql` are row 33. The others keep what the
//                    table says of them
//   --no-write       does not touch the page
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildTestkit } from './build-steps.mjs'
import { startCluster } from './clusters.mjs'
import { SERVER_MAJORS } from './packages.mjs'
import { duration, PROGRAMS, ROOT, run, runNode } from './run.mjs'
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
/** Rows that only need servers which follow a script: one PostgreSQL beside them is enough. */
const SCRIPTED = ['hostile', 'endless', 'scram', 'capture']
const REAL = ['cuts', 'pieces', 'silence', 'stalls', 'addresses']
const ELSEWHERE = ['policy', 'psql']

const ALL = [...REAL, ...SCRIPTED, ...ELSEWHERE]
const asked = values.rows?.split(',') ?? ALL
const unknown = asked.filter((name) => !ALL.includes(name))
if (unknown.length > 0) throw new Error(`--rows: there is no ${unknown.join(', ')}`)

const total = { passed: 0, failed: 0 }
/** Results by row, title and network, each with the majors that it ran on. */
const rows = new Map()
const skipped = []

/** The rows of the network against one server, without TLS and with it. */
async function play(major, testkit, isFull) {
  const names = asked.filter((name) => REAL.includes(name) || (isFull && SCRIPTED.includes(name)))
  if (names.length === 0) return
  let cluster
  try {
    cluster = await startCluster({ major, certificate: 'server' })
  } catch (error) {
    const reason = `${error.message} ${error.output ?? ''}`.trim().split('\n')[0]
    console.log(`- PostgreSQL ${major} skipped: ${reason}`)
    skipped.push(major)
    return
  }
  const started = performance.now()
  try {
    const { url, port, logFile } = cluster.primary
    const script = ['__test__/adversity/network.mjs', ...(isFull ? ['--full'] : [])]
    const { stdout } = await run(process.execPath, [...script, '--json', '--rows', names.join(',')], {
      env: {
        OXPG_TEST_URL: url,
        OXPG_TEST_TLS_PORT: `${port}`,
        OXPG_TEST_SERVER_LOG: logFile,
        OXPG_TESTKIT: testkit,
      },
      mayFail: true,
      isLive: true,
    })
    for (const line of stdout.split('\n')) {
      if (line.startsWith('{')) add(JSON.parse(line), major, isFull)
    }
    const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(stdout) ?? [0, 0, 1]
    total.passed += Number(passed)
    total.failed += Number(failed)
    console.log(`PostgreSQL ${major}: ${duration(performance.now() - started)}`)
  } finally {
    await cluster.stop()
  }
}

function add(row, major, isFull) {
  const key = `${row.number} ${row.title} ${row.over}`
  const known = rows.get(key) ?? {
    ...row,
    cases: 0,
    failures: [],
    full: [],
    part: [],
    measured: {},
    beyond: {},
  }
  known.cases += row.cases
  known.failures.push(...row.failures)
  if (major !== undefined && !row.isScripted) known[isFull ? 'full' : 'part'].push(major)
  for (const [label, figure] of Object.entries(row.measured ?? {}))
    known.measured[label] = Math.max(known.measured[label] ?? 0, figure)
  for (const [label, count] of Object.entries(row.beyond ?? {}))
    known.beyond[label] = (known.beyond[label] ?? 0) + count
  rows.set(key, known)
}

/** Row 33: what comes of each combination of policies, and what is said, against a scripted server. */
async function policy() {
  const test = ['test', '-p', 'oxpg-client', '--test', 'open_tls', '--', '--nocapture']
  const { code, output } = await run('cargo', test, { env: { OXPG_ADVERSITY: '1' }, mayFail: true })
  const [told, count] = /(\d+) combinations: .*/.exec(output) ?? []
  const failures = code === 0 && told !== undefined ? [] : ['row 33: crates/client/tests/open_tls.rs fails']
  console.log(failures.length > 0 ? output : `row 33: ${told}`)
  total.passed += Number(count ?? 0)
  total.failed += failures.length
  add({
    number: '33',
    title: 'what policy forbids',
    detail: `sslmode × answer to the request for TLS × authentication × channel_binding × require_auth × roots, by what libpq documents: the outcome, each message, and the password in all bytes (${told?.split(': ')[1]})`,
    over: 'TCP, TLS',
    isScripted: true,
    cases: Number(count ?? 0),
    failures,
  })
}

/** Row 33 once more: the same DSN by psql, where it is installed. */
async function psql() {
  const { code, output, stdout } = await runNode('scripts/compare-with-psql.mjs', [], { mayFail: true })
  const row = { number: '33', title: 'the same DSN with psql and with oxpg', over: 'TCP, TLS, Unix socket' }
  const last = stdout.trim().split('\n').at(-1) ?? ''
  const [, count, differences, tally] = /(\d+) combinations, (\d+) differences; psql: (.*)/.exec(last) ?? []
  console.log(code === 0 ? `row 33: ${last}` : output)
  if (last.startsWith('skipped')) {
    add({ ...row, detail: last, isScripted: true, cases: 0, failures: [] })
    return
  }
  const failed = count === undefined ? 1 : Number(differences)
  total.passed += Number(count ?? 0) - Number(differences ?? 0)
  total.failed += failed
  add(
    {
      ...row,
      detail: `sslmode, user, password, host, roots, channel_binding, client certificate, versions, home folder, at random on servers with twelve certificates or none; psql: ${tally?.replaceAll(/[{}"]/g, '').replaceAll(':', ' ').replaceAll(',', ', ')}`,
      cases: Number(count ?? 0),
      failures: Array.from({ length: failed }, () => 'row 33: psql does otherwise'),
    },
    SERVER_MAJORS.at(-1),
    true,
  )
}

function measuredOf({ measured, beyond }) {
  const figures = Object.entries(measured).map(([label, figure]) => {
    const shown = label.replace('{}', figure < 10 && figure > 0 ? figure.toFixed(1) : `${Math.ceil(figure)}`)
    return beyond[label] ? `${shown} (${beyond[label]} beyond the promise)` : shown
  })
  return figures.length > 0 ? figures.join('; ') : '–'
}

function versionsOf({ full, part, isScripted }) {
  if (isScripted) return 'scripted'
  const list = (majors) => majors.toSorted((a, b) => a - b).join(', ')
  return part.length > 0 ? `${list(full)}; in part ${list(part)}` : list(full)
}

/** What the page says of rows that did not run this time. */
function keptLines(page) {
  if (asked.length === ALL.length) return []
  const lines = page.split('\n').filter((line) => /^\| \d/.test(line))
  const keyOf = (line) => [0, 1, 3].map((cell) => line.split(' | ')[cell].replace('| ', '')).join(' ')
  return lines.filter((line) => !written().has(keyOf(line)))
}

/** Row 35 looks at what all the others do: some of them say too little of it. */
const written = () =>
  new Map([...rows].filter(([, row]) => asked.length === ALL.length || row.number !== '35' || row.isScripted))

function table(page) {
  const today = new Date().toISOString().slice(0, 10)
  const newLines = [...written().values()].map((row) => {
    const { number, title, detail, over, cases, failures } = row
    const counts = [cases, failures.length, measuredOf(row)]
    return `| ${[number, title, detail, over, versionsOf(row), today, ...counts].join(' | ')} |`
  })
  const numberOf = (line) => Number(/\d+/.exec(line)[0])
  const lines = [...keptLines(page), ...newLines].toSorted((a, b) => numberOf(a) - numberOf(b))
  return [
    BEGIN,
    '',
    `Node ${process.versions.node}, ${process.platform}-${process.arch}. TLS is verified in full, with SCRAM bound to it. What is measured is the greatest of all cases, on a machine that did other things as well.`,
    '',
    '| # | fault | what was run | over | PostgreSQL | day | cases | failures | at most |',
    '|---|---|---|---|---|---|---:|---:|---|',
    ...lines,
    ...(skipped.length > 0 ? ['', `Not to be had here: PostgreSQL ${skipped.join(', ')}.`] : []),
    '',
    END,
  ].join('\n')
}

function writePage() {
  const page = readFileSync(PAGE, 'utf8')
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (before < 0 || after < 0) throw new Error(`docs/reliability.md lacks ${BEGIN} or ${END}`)
  writeFileSync(
    PAGE,
    page.slice(0, before) + table(page.slice(before, after)) + page.slice(after + END.length),
  )
}

try {
  await setup()
  const testkit = await buildTestkit()
  await runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
  if (asked.includes('policy')) await policy()
  if (asked.includes('psql')) await psql()
  for (const [index, major] of values.majors.split(',').entries())
    await play(Number(major), testkit, index === 0)
  if (values.write) writePage()
} catch (error) {
  total.failed++
  console.error(error.output ?? error)
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
