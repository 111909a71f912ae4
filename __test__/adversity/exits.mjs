// Row 36 of docs/reliability.md: every way in which a process or worker can end, in every state, in child processes: none
// may crash, hang, or give another exit code than the program meant.
//
//   node __test__/adversity/exits.mjs [--rounds 5 | --full] [--json] [--node path/to/node]
import { fileURLToPath } from 'node:url'
import { asRow, playOptions } from '../../scripts/adversity-play.mjs'
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

const row = { number: '36', title: 'the end of a process or worker', over: 'TCP', cases: 0, failures: [] }

async function expect(what, file, args, wanted, cases = 1) {
  const limitMs = LIMIT_MS * cases
  const { end, ending } = await runLimited(values.node, [program(file), url, ...args], { limitMs })
  row.cases += cases
  if (end !== wanted) row.failures.push(`row 36: ${what}: ${wanted} was meant, and it ${ending}`)
}

const courses = [
  { states: MAIN_STATES, times: values.full ? FULL.main : rounds },
  { states: MORE_STATES, times: values.full ? FULL.more : rounds },
]
const jobs = []
for (const { states, times } of courses) {
  for (let round = 0; round < times; round += 1) {
    for (const state of states) {
      for (const [exit, code] of Object.entries(EXITS)) {
        jobs.push(() => expect(`main thread, ${state}, ${exit}`, 'main', [state, exit], code))
      }
      if (round % WORKERS !== 0) continue
      const workers = Math.min(WORKERS, times - round)
      for (const exit of WORKER_EXITS) {
        const what = `worker, ${state}, ${exit}`
        jobs.push(() => expect(what, 'worker', [state, exit, `${workers}`], 0, workers))
      }
    }
  }
}
jobs.reverse()
const next = async () => {
  for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) await job()
}
await Promise.all(Array.from({ length: LANES }, next))

row.detail = `${courses.map(({ states, times }) => `${states.join(', ')} × ${times}`).join('; ')}; each × ${Object.keys(EXITS).join(', ')} of the process, and ${WORKER_EXITS.join(', ')} of workers, up to ${WORKERS} after each other beside a main thread that goes on: the exit code that was meant, and no signal but the one that was sent`
asRow(row, values, 'exits')
