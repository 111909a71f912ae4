// Row 13: thousands wait while the server is away. Nobody may run it over when it is back, nor ask for it without end
// before.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Pool, type PoolConnection } from 'oxpg'
import { until, url } from '../../support/server.js'
import { FaultProxy } from '../../support/testkit.js'
import { Row } from '../network/report.js'
import { type Server, startServer } from './clusters.js'
import { ALL_THE_TIME_MS, hasAll, openPool, said, wellAfterwards } from './sessions.js'

const POOLS = 8
const SIZE = 10
/** What a pool tries at once before anything has failed, and how its pauses grow, from 50 ms to 2 s: half of each at least. */
const FIRST = 10
const PAUSES = [25, 50, 100, 200, 400, 800]
const LONGEST_MS = 1_000

/** As many attempts as a pool may make in so long a time. */
function mostIn(milliseconds: number): number {
  let left = milliseconds
  let attempts = FIRST + 1
  for (const pause of PAUSES) {
    left -= pause
    if (left < 0) return attempts
    attempts += 1
  }
  return attempts + Math.ceil(left / LONGEST_MS)
}

export async function herd(waiters: number, awayMs: number): Promise<Row[]> {
  const row = new Row('13', 'a restart while thousands wait')
  await away(waiters, awayMs, row)
  await restarted(waiters, awayMs, row)
  row.detail = `${waiters} calls and leases that wait on ${POOLS} pools of ${SIZE} whose connections are all reset, and whose attempts are for ${awayMs / 1000} s: at most ${mostIn(awayMs)} of each pool by its pauses of 50 ms to 2 s, not in step; and ${waiters} callers on one pool of ${SIZE} at a server that is stopped and started again, who try again each second, counted in the server's log; each has its own answer in the end`
  return [row]
}

interface Waiting {
  readonly proxy: FaultProxy
  readonly pool: Pool
  readonly name: string
  readonly calls: Promise<PromiseSettledResult<void>>
  /** What is lost was lent, all of it. */
  readonly held: readonly PoolConnection[]
}

/** Every attempt is reset: all go on waiting. */
async function away(waiters: number, awayMs: number, row: Row): Promise<void> {
  const admin = await connect(url)
  const all: Waiting[] = []
  for (let index = 0; index < POOLS; index += 1) {
    row.cases += 1
    const what = `pool ${index}`
    const proxy = await FaultProxy.open()
    const options = { minSize: 0, maxSize: SIZE, acquireTimeoutMs: 2 * ALL_THE_TIME_MS }
    const { pool, name } = await openPool(options, proxy.url)
    const held = await Promise.all(Array.from({ length: SIZE }, () => pool.acquire()))
    const calls = row.settled(
      waitAll(pool, Math.ceil(waiters / POOLS), row, what),
      2 * ALL_THE_TIME_MS,
      `${what}: the waiters`,
    )
    await until(async () => pool.stats.waiting > 0, `${what}: the waiters`)
    await proxy.plan({ toServer: { fault: { at: { after: 0 }, effect: 'rst' } } })
    all.push({ proxy, pool, name, calls, held })
  }
  const before = all.map(({ proxy }) => proxy.arrivals.length)
  await Promise.all(all.map(({ proxy }) => proxy.change('rst')))
  const start = performance.now()
  await Promise.all(all.flatMap(({ held }) => held.map((lease) => lease.release())))
  await sleep(awayMs)
  await Promise.all(all.map(({ proxy }) => proxy.plan({})))
  const lastedMs = performance.now() - start
  const pauses: number[] = []
  for (const [index, { proxy }] of all.entries()) {
    const times = proxy.arrivals.slice(before[index]).filter((time) => time < start + lastedMs)
    row.measure('{} attempts of one pool while the server was away', times.length, mostIn(awayMs))
    row.check(
      times.length <= mostIn(lastedMs),
      `pool ${index}: ${times.length} attempts in ${Math.round(lastedMs)} ms, at most ${mostIn(lastedMs)} were to come`,
    )
    const [former, last] = times.slice(-2)
    if (former !== undefined && last !== undefined) pauses.push(Math.round((last - former) / 5))
  }
  row.check(new Set(pauses).size > 2, `the last pauses of ${POOLS} pools are ${pauses.map((p) => 5 * p)} ms`)
  for (const [index, { calls, pool, name, proxy }] of all.entries()) {
    const outcome = await calls
    row.check(outcome.status === 'fulfilled', `pool ${index}: ${said(outcome)}`)
    await wellAfterwards({ pool, name }, admin, row, `pool ${index}`)
    await hasAll(pool, row, `pool ${index}`)
    pool.terminate()
    await proxy.close()
  }
  await admin.close()
}

/** Half of them want a connection for themselves. */
async function waitAll(pool: Pool, count: number, row: Row, what: string): Promise<void> {
  const ask = async (n: number): Promise<void> => {
    const query = 'select $1::int'
    const value = await (n % 2 === 0
      ? pool.fetchVal(query, [n])
      : pool.use((lease) => lease.fetchVal(query, [n])))
    row.check(value === n, `${what}, ${n}: another's answer: ${value}`)
  }
  await Promise.all(Array.from({ length: count }, (_, n) => ask(n)))
}

/** A server that is really away: it refuses, then it starts, and callers ask again. */
async function restarted(waiters: number, awayMs: number, row: Row): Promise<void> {
  row.cases += 1
  const what = 'a server that is started again'
  const server: Server = await startServer({ log_connections: 'on' })
  const open = await openPool({ minSize: 0, maxSize: SIZE }, server.url)
  const { pool } = open
  const held = await Promise.all(Array.from({ length: SIZE }, () => pool.acquire()))
  let isOver = false
  const ask = async (n: number): Promise<void> => {
    for (;;) {
      try {
        const value = await pool.fetchVal('select $1::int', [n])
        row.check(value === n, `${what}, ${n}: another's answer: ${value}`)
        return
      } catch (error) {
        row.check(
          (error as { safeToRetry?: boolean }).safeToRetry === true && !isOver,
          `${what}, ${n}: ${said({ status: 'rejected', reason: error })}`,
        )
        await sleep(1_000)
      }
    }
  }
  const calls = Promise.all(Array.from({ length: waiters }, (_, n) => ask(n)))
  await server.end('fast')
  await Promise.all(held.map((lease) => lease.release()))
  await sleep(awayMs)
  const length = readFileSync(server.logFile).length
  await server.restart()
  const outcome = await row.settled(calls, ALL_THE_TIME_MS, `${what}: the callers`)
  isOver = true
  row.check(outcome.status === 'fulfilled', `${what}: ${said(outcome)}`)
  const log = readFileSync(server.logFile).subarray(length).toString('latin1')
  const received = log.split('\n').filter((line) => line.includes('connection received')).length
  row.measure('{} connections to a server that is back', received)
  // Some of them while it was still starting.
  row.check(received <= 2 * SIZE, `${what}: ${received} connections for a pool of ${SIZE}`)
  const admin = await connect(server.url)
  await wellAfterwards(open, admin, row, what)
  pool.terminate()
  await admin.close()
  await server.stop()
}
