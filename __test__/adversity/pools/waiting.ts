// Rows 22 to 24: calls that wait for a connection: for themselves, in their thousands, and not any more.
import { connect, InterfaceError, type Pool, TimeoutError } from 'oxpg'
import { url } from '../../support/server.js'
import { nameOf, Row } from '../network/report.js'
import { ALL_THE_TIME_MS, hasAll, openPool, said, wellAfterwards } from './sessions.js'

const LIMIT_MS = 300
/** How long a call without a limit of its own waits inside a transaction of the same pool. */
const NESTED_MS = 1_000

/** What is asked of a pool, all of whose connections its own caller has. */
const NESTED: Record<string, (pool: Pool, timeoutMs: number | undefined) => Promise<unknown>> = {
  fetchVal: (pool, timeoutMs) => pool.fetchVal('select 1', [], { timeoutMs }),
  script: (pool, timeoutMs) => pool.execute('select 1; select 2', undefined, { timeoutMs }),
  executeMany: (pool, timeoutMs) => pool.executeMany('select $1::int', [[1]], { timeoutMs }),
  acquire: (pool, timeoutMs) => pool.acquire({ timeoutMs }),
  use: (pool, timeoutMs) => pool.use(async () => {}, { timeoutMs }),
  transaction: (pool, timeoutMs) => pool.transaction(async () => {}, { timeoutMs }),
  begin: (pool, timeoutMs) => pool.begin({ timeoutMs }),
}

/** Row 22. */
export async function nesting(): Promise<Row[]> {
  const row = new Row('22', 'calls on a pool from inside, when it has nothing left')
  const admin = await connect(url)
  for (const size of [1, 3]) {
    for (const [name, call] of Object.entries(NESTED)) {
      for (const hasLimit of [true, false]) {
        row.cases += 1
        const what = `${name} in a transaction on each of ${size}${hasLimit ? ', with a limit' : ''}`
        const open = await openPool({ minSize: 1, maxSize: size })
        const { pool } = open
        // All of them are in a transaction before any asks for a second connection.
        const { promise: entered, resolve: enter } = withResolver()
        let inside = 0
        const handlers = Array.from({ length: size }, () =>
          pool.transaction(async (tx) => {
            inside += 1
            if (inside === size) enter()
            await entered
            const limitMs = hasLimit ? LIMIT_MS : NESTED_MS
            const outcome = await row.settled(call(pool, hasLimit ? LIMIT_MS : undefined), limitMs, what)
            const error = outcome.status === 'rejected' ? outcome.reason : undefined
            const isTold = hasLimit ? error instanceof TimeoutError : error instanceof InterfaceError
            row.count(error === undefined ? 'done' : nameOf(error))
            // The first that gives up lets the others go on.
            row.check(isTold || (size > 1 && error === undefined), `${what}: ${said(outcome)}`)
            if (isTold) row.check(error.safeToRetry !== false, `${what}: safeToRetry is false`)
            return tx.fetchVal('select $1::int', [inside])
          }),
        )
        const ends = await row.settled(Promise.all(handlers), ALL_THE_TIME_MS, `${what}: the transactions`)
        row.check(ends.status === 'fulfilled', `${what}: the transactions: ${said(ends)}`)
        await wellAfterwards(open, admin, row, what)
        pool.terminate()
      }
    }
    // Leases within leases are nobody's transaction: the limit is the pool's.
    row.cases += 1
    const what = `acquire within acquire on ${size}`
    const open = await openPool({ minSize: 1, maxSize: size, acquireTimeoutMs: LIMIT_MS })
    const held = await Promise.all(Array.from({ length: size }, () => open.pool.acquire()))
    const outcome = await row.settled(open.pool.acquire(), LIMIT_MS, what)
    const error = outcome.status === 'rejected' ? outcome.reason : undefined
    row.check(error instanceof TimeoutError && error.safeToRetry, `${what}: ${said(outcome)}`)
    await Promise.all(held.map((lease) => lease.release()))
    await wellAfterwards(open, admin, row, what)
    await hasAll(open.pool, row, what)
    open.pool.terminate()
  }
  await admin.close()
  row.detail = `${Object.keys(NESTED).join(', ')} on the pool from inside its own transactions, and acquire while all are leased, on pools of 1 and of 3: a TimeoutError at the deadline, or an InterfaceError after a second where there is none; the transactions go on`
  return [row]
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** Row 23. */
export async function fairness(waiters: number, rounds: number): Promise<Row[]> {
  const row = new Row('23', 'many waiters on few connections')
  const size = 50
  row.detail = `${waiters} callers on ${size} connections, each ${rounds} times: acquire, a query of 5 ms, release; everybody is served in the order of asking`
  const admin = await connect(url)
  const open = await openPool({ minSize: size, maxSize: size, acquireTimeoutMs: ALL_THE_TIME_MS })
  const { pool } = open
  // By number of request, in the order in which they are served.
  let asked = 0
  let served = 0
  const waits: number[] = []
  const caller = async (id: number): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      row.cases += 1
      const number = asked
      asked += 1
      const start = performance.now()
      const lease = await pool.acquire()
      row.check(number === served, `request ${number} was served as the ${served}th`)
      served += 1
      // Those of the first rounds have come all at once.
      if (round > 1) waits.push(performance.now() - start)
      const value = await lease.fetchVal('select $1::int from pg_sleep(0.005)', [id])
      row.check(value === id, `request ${number}: another's answer: ${value}`)
      await lease.release()
    }
  }
  const all = Promise.all(Array.from({ length: waiters }, (_, id) => caller(id)))
  const outcome = await row.settled(all, 10 * ALL_THE_TIME_MS, 'the callers')
  row.check(outcome.status === 'fulfilled', `the callers: ${said(outcome)}`)
  waits.sort((a, b) => a - b)
  const at = (share: number): number => waits[Math.floor(share * (waits.length - 1))]!
  row.measure('p99 of the waiting {} times its p50', at(0.99) / at(0.5), 1.5)
  await wellAfterwards(open, admin, row, 'afterwards')
  await hasAll(pool, row, 'afterwards')
  pool.terminate()
  await admin.close()
  return [row]
}

const LANES = 16
const HAND_OVER_SIZE = 4

/** Row 24: waiters give up, by their signal or their time, while they are being given a connection. */
export async function handover(times: number): Promise<Row[]> {
  const row = new Row('24', 'waiters who give up while they are being served')
  const admin = await connect(url)
  // None is replaced because it has had its queries.
  const open = await openPool({ minSize: HAND_OVER_SIZE, maxSize: HAND_OVER_SIZE, maxQueries: 0 })
  const { pool } = open
  let begun = 0
  let served = 0
  let gaveUp = 0
  const lane = async (index: number): Promise<void> => {
    while (begun < times) {
      const number = begun
      begun += 1
      row.cases += 1
      const controller = new AbortController()
      // What comes after one that is served, when the waiters behind it have not heard of it.
      const way = (number * 7 + index) % 6
      const options = way === 5 ? { timeoutMs: 1 } : way === 0 ? {} : { signal: controller.signal }
      const acquiring = pool.acquire(options)
      waiting.push({ controller, way })
      try {
        const lease = await acquiring
        served += 1
        if (number % 16 === 0) {
          const value = await lease.fetchVal('select $1::int', [number])
          row.check(value === number, `${number}: another's answer: ${value}`)
        }
        const releasing = lease.release()
        abortSome()
        await releasing
      } catch (error) {
        gaveUp += 1
        const isTold = error === controller.signal.reason || error instanceof TimeoutError
        row.check(isTold, `${number}: ${nameOf(error)}`)
      }
    }
  }
  const waiting: { controller: AbortController; way: number }[] = []
  /** Those that wait give up now, in this tick, or in the turn in which they are served. */
  const abortSome = (): void => {
    for (const { controller, way } of waiting.splice(0, 2)) {
      const abort = (): void => controller.abort()
      if (way === 1) abort()
      else if (way === 2) queueMicrotask(abort)
      else if (way === 3) setImmediate(abort)
      else if (way === 4) setImmediate(() => setImmediate(abort))
    }
  }
  const lanes = Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)))
  const outcome = await row.settled(lanes, 60 * ALL_THE_TIME_MS, 'the waiters')
  row.check(outcome.status === 'fulfilled', `the waiters: ${said(outcome)}`)
  row.check(served + gaveUp === begun, `${begun} waited, ${served} were served and ${gaveUp} gave up`)
  row.check(served > begun / 20 && gaveUp > begun / 20, `${served} were served and ${gaveUp} gave up`)
  await hasAll(pool, row, 'afterwards')
  await wellAfterwards(open, admin, row, 'afterwards')
  const { opened } = pool.stats
  row.check(opened === HAND_OVER_SIZE, `${opened} connections were opened for a pool of ${HAND_OVER_SIZE}`)
  pool.terminate()
  await admin.close()
  row.detail = `${times} waiters on ${HAND_OVER_SIZE} connections, of whom one in six has a limit of 1 ms and two thirds a signal that fires with the release of a connection, in the same tick, or one or two turns of the loop later (${served} were served, ${gaveUp} gave up): all connections are there in the end, and none was opened anew`
  return [row]
}
