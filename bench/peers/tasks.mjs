// What a slice does. Each task gives the latencies of the queries that count, in milliseconds, and how long they took.
import { randomOf } from '../../scripts/random.mjs'

/**
 * @typedef {object} Slice
 * @property {{ fetch: Function }} peer
 * @property {() => Promise<{ fetch: Function, close: Function }>} openOne a session of its own
 * @property {object} request as slices.mjs has it
 */

/** Asks once, and looks whether as many rows come as must. */
async function ask(session, request, random = Math.random) {
  const [text, values] = questionOf(request, random)
  check(request, await session.fetch(text, values))
}

/** A text with its values. */
function questionOf({ sql, parameters, texts }, random = Math.random) {
  const upTo = (count) => Math.floor(random() * count)
  const values = parameters.map(({ fixed, from, to }) => fixed ?? from + upTo(to - from))
  const text = texts === undefined ? sql : sql.replace('{n}', upTo(texts))
  return [text, values]
}

function check({ rows }, { length }) {
  if (length === 0 || (rows > 0 && length !== rows)) {
    throw new Error(`${length} rows came, ${rows} were expected`)
  }
}

const atOnce = (count, call) => Promise.all(Array.from({ length: count }, (_, number) => call(number)))

/** Statements of a batch. */
const BATCH_SIZE = 10

const inTransaction = async (peer, request) => check(request, await peer.transaction(...questionOf(request)))

async function inBatch(peer, request) {
  const statements = Array.from({ length: BATCH_SIZE }, () => questionOf(request))
  const answers = await peer.batch(statements)
  if (answers.length !== BATCH_SIZE) throw new Error(`${answers.length} of ${BATCH_SIZE} answers came`)
  for (const answer of answers) check(request, answer)
}

const transaction = (slice) => repeat(slice, inTransaction)
const batch = (slice) => repeat(slice, inBatch)

/** Each caller asks again as soon as it has its answer. */
async function repeat({ peer, request }, askOnce = ask) {
  const latencies = []
  const started = performance.now()
  const end = started + request.durationMs
  await atOnce(request.callers, async () => {
    for (let at = started; at < end; ) {
      await askOnce(peer, request)
      const now = performance.now()
      latencies.push(now - at)
      at = now
    }
  })
  return { latencies, elapsedMs: performance.now() - started }
}

/** All open a session, ask once and close it together, again and again: what a restarted server or a new process sees. */
async function connect({ openOne, request }) {
  const latencies = []
  const started = performance.now()
  while (performance.now() < started + request.durationMs) {
    await atOnce(request.callers, async () => {
      const at = performance.now()
      const session = await openOne()
      await ask(session, request)
      await session.close()
      latencies.push(performance.now() - at)
    })
  }
  return { latencies, elapsedMs: performance.now() - started }
}

/** As `repeat`; now and then it is a slow query, which does not count. Who asks what and when the seed says. */
async function mix({ peer, request }) {
  const { slow, seed } = request
  const latencies = []
  const started = performance.now()
  const end = started + request.durationMs
  let last = started
  await atOnce(request.callers, async (number) => {
    const random = randomOf(seed * request.callers + number)
    for (let at = started; at < end; ) {
      const isSlow = random() < slow.share
      await ask(peer, isSlow ? slow : request, random)
      const now = performance.now()
      if (!isSlow) {
        latencies.push(now - at)
        last = now
      }
      at = now
    }
  })
  return { latencies, elapsedMs: last - started }
}

/** So many slow queries, and directly behind them one by each caller; again when all have their answers. */
async function burst({ peer, request }) {
  const { slow } = request
  const latencies = []
  let elapsedMs = 0
  const end = performance.now() + request.durationMs
  while (performance.now() < end) {
    const slowOnes = atOnce(slow.count, () => ask(peer, slow))
    const quickOnes = async () => {
      const started = performance.now()
      await atOnce(request.callers, async () => {
        const at = performance.now()
        await ask(peer, request)
        latencies.push(performance.now() - at)
      })
      elapsedMs += performance.now() - started
    }
    await Promise.all([slowOnes, quickOnes()])
  }
  return { latencies, elapsedMs }
}

/** By the workload's `task`. */
export const TASKS = { repeat, connect, mix, burst, transaction, batch }
