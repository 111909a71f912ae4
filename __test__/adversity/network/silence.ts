// Rows 4 and 5: the network passes nothing on any more, in the middle of a query or while nothing happens.
import {
  type Connection,
  connect,
  createPool,
  type Pool,
  type PoolConnection,
  TimeoutError,
  TransactionResolutionUnknownError,
} from 'oxpg'
import { url } from '../../support/server.js'
import { FaultProxy } from '../../support/testkit.js'
import { nameOf, Row, spread } from './report.js'
import { endOfTarget } from './session.js'

// They wait more than they do.
const LANES = 28
const TIMEOUT_MS = 1_000
/** More than anything takes. */
const ALL_THE_TIME_MS = 10_000

/** What is asked when nothing is answered any more: it takes longer than anybody waits for it. */
const CALLS: Record<string, (target: Connection | Pool, query: string) => Promise<unknown>> = {
  fetchVal: (target, query) => target.fetchVal(`${query}, $1::int`, [1], { timeoutMs: TIMEOUT_MS }),
  fetch: (target, query) => target.fetch(query, [], { timeoutMs: TIMEOUT_MS }),
  script: (target, query) => target.execute(`${query}; select 2`, undefined, { timeoutMs: TIMEOUT_MS }),
  executeMany: (target, query) =>
    target.executeMany(`${query}, $1::int`, [[1], [2]], { timeoutMs: TIMEOUT_MS }),
  transaction: (target, query) => target.transaction((tx) => tx.fetchVal(query)),
  pipeline: (target, query) =>
    Promise.all([1, 2, 3].map((n) => target.fetchVal(`${query}, $1::int`, [n], { timeoutMs: TIMEOUT_MS }))),
}

/** What is over too soon to be met in the middle. */
const SHORT: typeof CALLS = {
  prepare: (target, query) => target.prepare(query, { timeoutMs: TIMEOUT_MS }),
  'a transaction of its own': (target) =>
    target.transaction((tx) => tx.fetch('select 1'), { timeoutMs: TIMEOUT_MS }),
}

interface Case {
  id: number
  call: string
  target: 'connection' | 'pool' | 'lease'
  effect: 'blackHole' | 'stall'
  isIdle: boolean
}

export async function silence(rounds: number): Promise<Row[]> {
  const rows = {
    busy: new Row('4', 'a black hole in the middle of a query'),
    idle: new Row('5', 'a black hole while idle'),
  }
  const cases: Case[] = []
  for (let round = 0; round < rounds; round += 1) {
    for (const isIdle of [false, true]) {
      for (const effect of ['blackHole', 'stall'] as const) {
        for (const target of ['connection', 'pool', 'lease'] as const) {
          for (const call of Object.keys(isIdle ? { ...CALLS, ...SHORT } : CALLS))
            cases.push({ id: cases.length, call, target, effect, isIdle })
        }
      }
    }
  }
  const admin = await connect(url)
  await spread(cases, LANES, async (item) => play(item, admin, item.isIdle ? rows.idle : rows.busy))
  await admin.close()
  const calls = Object.keys(CALLS).join(', ')
  rows.busy.detail = `bytes swallowed, and bytes not even read, once the server is busy with it: ${calls}; on a connection, through a pool and on a connection of a pool`
  rows.idle.detail = `the same, and ${Object.keys(SHORT).join(', ')}, asked for when nothing goes on any more`
  return Object.values(rows)
}

async function play({ id, call, target, effect, isIdle }: Case, admin: Connection, row: Row): Promise<void> {
  const what = `case ${id} (${call} on a ${target}, ${effect}${isIdle ? ' while idle' : ''})`
  row.cases += 1
  const proxy = await FaultProxy.open()
  const applicationName = `adversity-silence-${process.pid}-${id}`
  // A transaction's commands have the connection's limit.
  const options = { applicationName, commandTimeoutMs: TIMEOUT_MS }
  const pool =
    target === 'connection' ? undefined : await createPool(proxy.url, { ...options, minSize: 1, maxSize: 1 })
  const lease: PoolConnection | undefined = target === 'lease' ? await pool!.acquire() : undefined
  const asked = lease ?? pool ?? (await connect(proxy.url, options))
  await asked.fetchVal('select 1', [], { timeoutMs: ALL_THE_TIME_MS })
  // Whoever connects later is not concerned.
  if (isIdle) await proxy.change(effect)
  // In the middle of a transaction the statement has its time, and then the ROLLBACK.
  const deadlineMs = call === 'transaction' && !isIdle ? 2 * TIMEOUT_MS : TIMEOUT_MS
  const asking = row.settled((CALLS[call] ?? SHORT[call])!(asked, `select pg_sleep(60)`), deadlineMs, what)
  if (!isIdle) {
    const running =
      "select count(*)::int from pg_stat_activity where application_name = $1 and wait_event = 'PgSleep'"
    const end = performance.now() + TIMEOUT_MS
    while ((await admin.fetchVal(running, [applicationName])) !== 1 && performance.now() < end);
    if (performance.now() > end) row.count('too late')
    await proxy.change(effect)
  }
  const result = await asking
  const error = result.status === 'rejected' ? result.reason : undefined
  row.count(error === undefined ? 'answered' : nameOf(error))
  // A COMMIT without an answer has an unknown outcome.
  const isLate =
    error instanceof TimeoutError ||
    (error instanceof TransactionResolutionUnknownError && error.cause instanceof TimeoutError)
  row.check(isLate, `${what}: ${error === undefined ? 'was answered' : `${nameOf(error)}: ${error.message}`}`)
  if (lease !== undefined) {
    const released = await row.settled(
      lease.release().catch(() => {}),
      ALL_THE_TIME_MS,
      `${what}: release`,
    )
    row.check(released.status === 'fulfilled', `${what}: release`)
  }
  if (pool !== undefined) {
    const options = { timeoutMs: ALL_THE_TIME_MS }
    const next = await row.next(pool.fetchVal('select $1::int', [id], options), `${what}: the next query`)
    row.check(
      next.status === 'fulfilled' && next.value === id,
      `${what}: the next query: ${JSON.stringify(next)}`,
    )
  }
  await endOfTarget(pool ?? (asked as Connection), applicationName, admin, row, what, ALL_THE_TIME_MS)
  await proxy.close()
}
