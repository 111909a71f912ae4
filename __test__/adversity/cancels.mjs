// Rows 20 and 21 of docs/reliability.md: cancels that race with the end of what they are for, on connections, through a pool
// and through transaction poolers, and aborts by the thousand. The rows are compiled TypeScript (cancels/), which `npm test`
// and `npm run test:adversity` see to.
//
//   node __test__/adversity/cancels.mjs [--full] [--rows races,poolers,storm] [--json] [--node path/to/node]
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { installedPgbouncer, startPgbouncer } from '../../scripts/pgbouncer.mjs'

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    rows: { type: 'string', default: 'races,poolers,storm' },
    json: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
  },
})
const url = process.env.OXPG_TEST_URL
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const program = fileURLToPath(
  new URL('../../.cache/test/__test__/adversity/cancels/main.js', import.meta.url),
)
/** A hang is said by the rows themselves long before. */
const LIMIT_MS = values.full ? 5_400_000 : 300_000

let passed = 0
let failed = 0

function tell(row, line) {
  // A case may have more than one thing wrong with it; a row that has something wrong fails at least once.
  const wrong = row.failures.length === 0 ? 0 : Math.min(row.failures.length, Math.max(row.cases, 1))
  failed += wrong
  passed += Math.max(0, row.cases - wrong)
  for (const failure of row.failures.slice(0, 20)) console.log(failure)
  if (values.json) console.log(line)
  else {
    const figures = Object.entries(row.measured).map(([label, figure]) =>
      label.replace('{}', Math.ceil(figure)),
    )
    const outcomes = Object.entries(row.outcomes).map(([outcome, count]) => `${count} ${outcome}`)
    console.log(
      `row ${row.number}, ${row.title}: ${row.cases} cases, ${row.failures.length} failures in ${row.seconds.toFixed(1)} s (${[...figures, ...outcomes].join(', ')})`,
    )
  }
}

/** The rows, in a process of their own. */
async function play(pgbouncerUrl) {
  const programArguments = [program, ...(values.full ? ['--full'] : []), '--rows', values.rows]
  const child = spawn(values.node, programArguments, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...(pgbouncerUrl && { OXPG_TEST_POOLER_URL: pgbouncerUrl }) },
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
  createInterface(child.stdout).on('line', (line) => tell(JSON.parse(line), line))
  const [code, signal] = await new Promise((resolve) => child.once('close', (...end) => resolve(end)))
  clearTimeout(timer)
  if (code === 0) return
  failed += 1
  console.log(`the process ended with ${signal ?? code}`)
}

const installed = values.full && values.rows.includes('poolers') ? await installedPgbouncer() : undefined
if (values.full && installed === undefined) console.log('skipped: PgBouncer is not installed')
const pgbouncer =
  installed && (await startPgbouncer(installed.program, url, { mode: 'transaction', settings: [] }))
try {
  await play(pgbouncer?.url)
} finally {
  await pgbouncer?.stop()
}

console.log(`cancels: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
