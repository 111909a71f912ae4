// Rows 1 to 7 of docs/reliability.md: connections that are cut, cut into pieces, swallowed, stalled, and addresses that are
// dead. The rows are compiled TypeScript (network/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/network.mjs [--full] [--rows cuts,pieces,silence,stalls,addresses] [--json] [--node path/to/node]
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    rows: { type: 'string' },
    json: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
  },
})
if (process.env.OXPG_TEST_URL === undefined) throw new Error('OXPG_TEST_URL is not set')
const program = fileURLToPath(
  new URL('../../.cache/test/__test__/adversity/network/main.js', import.meta.url),
)
/** A hang is said by the rows themselves long before. */
const LIMIT_MS = values.full ? 3_600_000 : 300_000

const programArguments = [
  ...(values.full ? ['--full'] : []),
  ...(values.rows === undefined ? [] : ['--rows', values.rows]),
]
const child = spawn(values.node, [program, ...programArguments], { stdio: ['ignore', 'pipe', 'inherit'] })
const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
let stdout = ''
child.stdout.setEncoding('utf8').on('data', (text) => {
  stdout += text
})
const [code, signal] = await new Promise((resolve) => child.once('close', (...end) => resolve(end)))
clearTimeout(timer)

let passed = 0
let failed = 0
for (const line of stdout.split('\n').filter(Boolean)) {
  const row = JSON.parse(line)
  // A case may have more than one thing wrong with it; a row that has something wrong fails at least once.
  const wrong = Math.min(row.failures.length, row.cases)
  failed += wrong
  passed += row.cases - wrong
  for (const failure of row.failures.slice(0, 20)) console.log(failure)
  if (values.json) console.log(line)
  else console.log(`row ${row.number}: ${row.cases} cases, ${row.failures.length} failures`)
}
if (code !== 0) {
  failed += 1
  console.log(`the process ended with ${signal ?? code}`)
}
console.log(`network: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
