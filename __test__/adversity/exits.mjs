// Row 36 of docs/reliability.md: every way in which a process or worker can end, in every state, in child processes: none
// may crash, hang, or give another exit code than the program meant.
//
//   node __test__/adversity/exits.mjs [--rounds 5 | --full] [--rows idle,large] [--json] [--node path/to/node]
//
// Each state is a row of its own, told as soon as it was played: in full all of them take an hour and more.
import { fileURLToPath } from 'node:url'
import { playOptions, rowsAmong } from '../../scripts/adversity-play.mjs'
import { runLimited } from '../../scripts/limited-program.mjs'

const values = playOptions({ rounds: { type: 'string' } })
const url = process.env.OXPG_TEST_URL
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const program = (name) => fileURLToPath(new URL(`programs/${name}.cjs`, import.meta.url))

/** The states of row 36, and more. */
const MAIN_STATES = ['idle', 'pending', 'listening', 'cursor', 'stream', 'waiting']
const MORE_STATES = ['closed', 'closing', 'opening', 'transaction', 'large']
/** How the program ends, and the exit code that it means. `end` in a state that is pending is cut by nobody. */
const EXITS = { end: 0, exit: 7, throw: 1, reject: 1, sigterm: 'SIGTERM' }
const WORKER_EXITS = ['end', 'exit', 'throw', 'terminate']
const LIMIT_MS = 30_000
const LANES = 3
/** So many workers end in one process, one after the other. */
const WORKERS = 25
/** Each of them so often, where everything runs. */
const FULL = { main: 1_000, more: 50 }
const rounds = Number(values.rounds ?? 3)

async function expect(row, what, file, args, wanted, cases = 1) {
  const limitMs = LIMIT_MS * cases
  const { end, ending } = await runLimited(values.node, [program(file), url, ...args], { limitMs })
  row.cases += cases
  if (end !== wanted) row.failures.push(`row 36: ${what}: ${wanted} was meant, and it ${ending}`)
}

/** All ways to end in one state, so often. */
async function play(state, times) {
  const row = {
    number: '36',
    title: `the end of a process or worker: ${state}`,
    detail: `× ${times}: ${Object.keys(EXITS).join(', ')} of the process, and ${WORKER_EXITS.join(', ')} of workers, up to ${WORKERS} after each other beside a main thread that goes on: the exit code that was meant, and no signal but the one that was sent`,
    over: 'TCP',
    cases: 0,
    failures: [],
  }
  const jobs = []
  for (let round = 0; round < times; round += 1) {
    for (const [exit, code] of Object.entries(EXITS)) {
      jobs.push(() => expect(row, `main thread, ${state}, ${exit}`, 'main', [state, exit], code))
    }
    if (round % WORKERS !== 0) continue
    const workers = Math.min(WORKERS, times - round)
    for (const exit of WORKER_EXITS) {
      const what = `worker, ${state}, ${exit}`
      jobs.push(() => expect(row, what, 'worker', [state, exit, `${workers}`], 0, workers))
    }
  }
  jobs.reverse()
  const next = async () => {
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) await job()
  }
  await Promise.all(Array.from({ length: LANES }, next))
  return row
}

const timesOf = (state) => {
  if (!values.full) return rounds
  return MAIN_STATES.includes(state) ? FULL.main : FULL.more
}
const states = rowsAmong([...MAIN_STATES, ...MORE_STATES], values.rows).split(',')
let [passed, failed] = [0, 0]
for (const state of states) {
  const row = await play(state, timesOf(state))
  const wrong = Math.min(row.failures.length, row.cases)
  passed += row.cases - wrong
  failed += wrong
  for (const failure of row.failures.slice(0, 40)) console.log(failure)
  if (values.json) console.log(JSON.stringify(row))
}
console.log(`exits: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
