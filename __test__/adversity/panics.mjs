// Row 38 of docs/reliability.md: a panic in each layer of the driver, in an addon that was built for it (OXPG_FAILPOINTS is
// its file; crates/codec/src/failpoint.rs). No crash; calls reject, and the pool goes on.
//
//   node __test__/adversity/panics.mjs [--full] [--json] [--node path/to/node] [--places pool.decide,…]
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { asRow } from '../../scripts/adversity-play.mjs'
import { runLimited } from '../../scripts/limited-program.mjs'

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
    places: { type: 'string' },
  },
})
const { OXPG_TEST_URL: url, OXPG_FAILPOINTS: addon } = process.env
if (url === undefined || addon === undefined) throw new Error('OXPG_TEST_URL or OXPG_FAILPOINTS is not set')
const program = fileURLToPath(new URL('programs/panic.cjs', import.meta.url))
const LIMIT_MS = 180_000
const LANES = 2

/** How many passes of a place go well before it panics, and how often it does then. */
const COURSES = values.full
  ? [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89].flatMap((skip) => [1, 2, 5].map((times) => ({ skip, times })))
  : [
      { skip: 3, times: 1 },
      { skip: 0, times: 3 },
      // The second comes while the first is seen to.
      { skip: 1, times: 2 },
    ]
/** A second one that comes while what the first has interrupted is gone on with. */
const IN_PART_AS_WELL = new Map([
  ['node.write', [{ skip: 2, times: 2 }]],
  // Several connections of a pool end at once.
  ['session.end', [{ skip: 3, times: 5 }]],
])
/** What the end of a worker comes to as well. */
const OF_WORKERS = ['node.farewell']

const row = {
  number: '38',
  title: 'a panic in each layer of the driver',
  over: 'TCP',
  cases: 0,
  failures: [],
}
const hit = new Set()

async function play(place, { skip, times }, where = []) {
  const { end, stdout, ending } = await runLimited(
    values.node,
    [program, place, `${skip}`, `${times}`, ...where],
    // What panics is known, and where: a trace of the stack takes longer than all the rest.
    { limitMs: LIMIT_MS, env: { OXPG_NATIVE_PATH: addon, RUST_BACKTRACE: '0' } },
  )
  row.cases += 1
  const what = `${[place, ...where].join(' in a ')}, after ${skip}, ${times} times`
  // One that ends before it has told anything has lost what kept it alive.
  const isTold = end === 0 && stdout !== ''
  if (!isTold)
    row.failures.push(`row 38: ${what}: ${stdout === '' ? 'before it had told anything, it ' : ''}${ending}`)
  const { hits, problems } = isTold ? JSON.parse(stdout) : { hits: 0, problems: [] }
  if (hits > 0) hit.add(place)
  for (const problem of problems) row.failures.push(`row 38: ${what}: ${problem}`)
}

function coursesOf(place) {
  return values.full ? COURSES : [...COURSES, ...(IN_PART_AS_WELL.get(place) ?? [])]
}

const places = createRequire(import.meta.url)(addon).failpoints()
const asked = values.places?.split(',') ?? places
const cases = asked.flatMap((place) =>
  coursesOf(place).flatMap((course) => [
    () => play(place, course),
    ...(OF_WORKERS.includes(place) ? [() => play(place, course, ['worker'])] : []),
  ]),
)
const next = async () => {
  for (let one = cases.shift(); one !== undefined; one = cases.shift()) await one()
}
await Promise.all(Array.from({ length: LANES }, next))
for (const place of asked) {
  if (!hit.has(place)) row.failures.push(`row 38: ${place} was never come to`)
}
row.detail = `${places.join(', ')}, on their first and on later passes, once and several times in a row, while a pool and a connection are busy with queries, rows, scripts, executeMany, transactions, leases, errors and calls that are given up, or a worker is terminated: every call settles, what it gives is its own, the pool's next query works, its counters and the server's agree, everything closes, and the process ends by itself`
asRow(row, values, 'panics')
