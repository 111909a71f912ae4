// Every way in which a process or worker can end, in every state, in child processes: none may crash, hang, or give
// another exit code than the program meant.
//
//   node __test__/adversity/exits.mjs [--rounds 5] [--node path/to/node]
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, node: { type: 'string', default: process.execPath } },
})
const url = process.env.OXPG_TEST_URL
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const program = (name) => fileURLToPath(new URL(`programs/${name}.cjs`, import.meta.url))

const STATES = ['idle', 'closed', 'closing', 'pending', 'waiting', 'opening', 'transaction', 'large']
/** How the program ends, and the exit code that it means. `end` in a state that is pending is cut by nobody. */
const EXITS = { end: 0, exit: 7, throw: 1, reject: 1, sigterm: 'SIGTERM' }
const LIMIT_MS = 30_000

function run(file, ...args) {
  return new Promise((resolve) => {
    const child = spawn(values.node, [file, url, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stderr })
    })
  })
}

let passed = 0
const failures = []
async function expect(what, file, args, wanted) {
  const { code, signal, stderr } = await run(program(file), ...args)
  if ((signal ?? code) === wanted) passed += 1
  else failures.push(`${what}: ended with ${signal ?? code}, ${wanted} was meant\n${stderr.slice(-800)}`)
}

const jobs = []
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const state of STATES) {
    for (const [exit, code] of Object.entries(EXITS)) {
      jobs.push(() => expect(`main thread, ${state}, ${exit}`, 'main', [state, exit], code))
    }
    for (const exit of ['end', 'exit', 'throw', 'terminate']) {
      jobs.push(() => expect(`worker, ${state}, ${exit}`, 'worker', [state, exit], 0))
    }
  }
}
const next = async () => {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job()
}
await Promise.all([next(), next(), next()])

for (const failure of failures) console.log(failure)
console.log(`exits: ${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
