// npm run soak: row 39 of docs/reliability.md. Tagged questions over a pool for an hour, of every kind that there is
// (scripts/tagged/exchanges.mjs), while sessions are terminated, links cut, reset and frozen, the server restarted, the
// schema changed and the loop held up: each answer is its own question's, all ends, and memory stays where it is.
//
//   --minutes 60      how long; a fraction for less
//   --seed 1          of what is asked and done
//   --callers 20  --connections 8
//   --no-write        does not touch docs/reliability.md
//
// The slope of the memory is a regression over what is measured behind forced garbage collections, the first quarter left
// out; below ten minutes it says nothing, and is not judged. It ends with 1 when anything was wrong.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Results } from './adversity-results.mjs'
import { startCluster } from './clusters.mjs'
import { randomOf } from './random.mjs'
import { openLinks } from './soak/links.mjs'
import { TABLE } from './tagged/questions.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 1e6)}` },
    callers: { type: 'string', default: '20' },
    connections: { type: 'string', default: '8' },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
})
const numberOf = (name, least) => {
  const number = Number(values[name])
  if (number >= least && number <= 1e9) return number
  throw new Error(`--${name}: expected a number from ${least}, got "${values[name]}"`)
}
const minutes = numberOf('minutes', 0.05)
const settings = {
  seed: numberOf('seed', 0),
  callers: numberOf('callers', 1),
  connections: numberOf('connections', 1),
}
/** A question that waits for longer hangs: limits, an acquisition and a reset are over by then. */
const HANG_MS = 60_000
/** Links are frozen for less, and no question takes so long at the server. */
const ALL_ENDED_MS = 20_000
const JUDGED_MINUTES = 10
const MOST_MIB_PER_HOUR = 1

const random = randomOf(settings.seed)
const { Client } = createRequire(import.meta.url)('pg')
const cluster = await startCluster()
const { primary } = cluster
const links = await openLinks(() => primary.port)

/** By a driver that is not soaked, straight to the server. */
async function bySql(text, parameters) {
  const client = new Client({ connectionString: primary.url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text, parameters)).rows
  } finally {
    await client.end()
  }
}

const OTHERS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
let isWide = false
/** What is done to it, and how often. */
const FAULTS = [
  {
    name: 'terminated',
    share: 4,
    run: () => bySql(`SELECT pg_terminate_backend(pid) ${OTHERS} ORDER BY random() LIMIT 1`),
  },
  { name: 'cut', share: 4, run: () => links.cut(random) },
  { name: 'reset', share: 4, run: () => links.reset(random) },
  { name: 'frozen', share: 3, run: () => links.freeze(random, 500 + random() * 8_000) },
  {
    name: 'schema changed',
    share: 3,
    run: async () => {
      isWide = !isWide
      await bySql(
        `SET lock_timeout = '2s'; TRUNCATE ${TABLE}; ALTER TABLE ${TABLE} ALTER part TYPE ${isWide ? 'int8' : 'int4'}`,
      )
    },
  },
  {
    name: 'restarted',
    share: 1,
    run: async () => {
      await primary.end(['fast', 'immediate', 'killed'][Math.floor(random() * 3)])
      await setTimeout(random() * 1_000)
      await primary.restart()
    },
  },
]
const counts = Object.fromEntries(FAULTS.map(({ name }) => [name, 0]))
const total = FAULTS.reduce((sum, { share }) => sum + share, 0)
function chosen() {
  let place = random() * total
  const found = FAULTS.find(({ share }) => {
    place -= share
    return place < 0
  })
  return found ?? FAULTS[0]
}

await bySql(
  `DROP TABLE IF EXISTS ${TABLE}; CREATE UNLOGGED TABLE ${TABLE} (tag int4, part int4); CREATE INDEX ON ${TABLE} (tag)`,
)
const address = Object.assign(new URL(primary.url), { host: `127.0.0.1:${links.port}` })
const program = fileURLToPath(new URL('soak/asking.mjs', import.meta.url))
const child = spawn(
  process.execPath,
  ['--expose-gc', program, JSON.stringify({ ...settings, url: address.href })],
  {
    stdio: ['pipe', 'pipe', 'inherit'],
  },
)
const failures = []
const samples = []
let last = { asked: 0, answered: 0, hit: 0, problems: [], waiting: [] }
const started = performance.now()
const ended = new Promise((resolve) => child.once('close', (code) => resolve(code)))
createInterface({ input: child.stdout }).on('line', (line) => {
  last = JSON.parse(line)
  if (last.rss !== undefined) samples.push([(performance.now() - started) / 3.6e6, last.rss / 2 ** 20])
  const { kind, tag, ageMs } = last.waiting[0] ?? { ageMs: 0 }
  if (ageMs > HANG_MS && failures.length === 0) failures.push(`${kind} ${tag} has waited for ${ageMs} ms`)
})

while (performance.now() - started < minutes * 60_000 && child.exitCode === null && failures.length === 0) {
  await setTimeout(200 + random() * Math.min(4_000, minutes * 2_000))
  const { name, run } = chosen()
  counts[name] += 1
  // A lock that was not had, or a session that was among those terminated, is no fault.
  await Promise.resolve(run()).catch(() => {})
}
child.stdin.end()
const giveUp = new AbortController()
const late = setTimeout(HANG_MS, 'no end', { signal: giveUp.signal })
const code = await Promise.race([ended, late.catch(() => {})])
giveUp.abort()
if (code !== 0) failures.push(`the program ended with ${code}`)
child.kill('SIGKILL')
const left = await leftAtTheServer()
if (left.length > 0) failures.push(`${left.length} sessions are left at the server: ${left.join(', ')}`)
failures.push(...last.problems)
const slope = slopeOf(samples.slice(Math.ceil(samples.length / 4)))
const isJudged = minutes >= JUDGED_MINUTES
if (isJudged && slope >= MOST_MIB_PER_HOUR) failures.push(`memory grew by ${slope.toFixed(2)} MiB/h`)

/**
 * What the sessions are at that do not end. The program's links are closed with it; the server notices when a frozen one moves
 * again, and at the end of what it is running.
 */
async function leftAtTheServer() {
  const since = performance.now()
  for (;;) {
    const rows = await bySql(`SELECT state, query ${OTHERS}`)
    if (rows.length === 0 || performance.now() - since > ALL_ENDED_MS) {
      return rows.map(({ state, query }) => `${state} ${query}`)
    }
    await setTimeout(50)
  }
}

/** The slope of the straight line through them, in MiB/h. */
function slopeOf(points) {
  const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const [above, below] = points.reduce(
    ([a, b], point) => [a + (point[0] - x) * (point[1] - y), b + (point[0] - x) ** 2],
    [0, 0],
  )
  return below === 0 ? 0 : above / below
}

const told = Object.entries(counts)
  .map(([name, count]) => `${count} ${name}`)
  .join(', ')
console.log(
  `${last.asked} questions in ${minutes} min, ${last.hit} of them ended by faults (${told}); seed ${settings.seed}`,
)
console.log(
  `memory: ${samples.at(-1)?.[1].toFixed(1)} MiB, ${slope.toFixed(2)} MiB/h${isJudged ? '' : ', too short to say'}`,
)
for (const failure of failures) console.log(`  ! ${failure}`)
if (values.write && isJudged) {
  const results = new Results(false)
  results.add(
    {
      number: '39',
      title: 'a long soak with random faults',
      detail: `${minutes} minutes of tagged questions of every kind by ${settings.callers} callers on ${settings.connections} connections, the loop held up for 150 ms every 3 s, and sessions and links at random: ${told}; ${last.hit} questions were ended by that, each with an error that says so`,
      over: 'TCP',
      cases: last.asked,
      failures,
      measured: { 'RSS {} MiB/h': Math.max(0, slope) },
    },
    18,
    true,
  )
  results.write()
}
links.close()
await cluster.stop()
console.log(`soak: ${failures.length === 0 ? 1 : 0} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
