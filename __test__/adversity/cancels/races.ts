// Row 20: a call is aborted at about the moment at which it ends. Whatever comes of it, nobody else is hit by its cancel.
import { type Connection, connect, createPool, type Pool, type Transaction } from 'oxpg'
import { url } from '../../support/server.js'
import { Pooler } from '../../support/testkit.js'
import { nameOf, Row, spread } from '../network/report.js'

/** Races that run at the same time. */
const LANES = 8
/** Servers behind the testkit's pooler, for those lanes. */
const SERVERS = 6
/** How long the statements of races take at most, in milliseconds. */
const LONGEST_MS = 2
/** How long anything may take that is not a race. */
const LIMIT_MS = 60_000

type Host = Connection | Pool | Transaction

const SLEEP = 'select $1::int from pg_sleep($2::float8)'
const QUICK = 'select $1::int + 1'

/** Turns of the loop until so many milliseconds have passed, to a fraction of one. */
async function pause(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds
  while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve))
}

/** One race, with what is in front of its statement, behind it and next to it. */
async function race(row: Row, host: Host, number: number, end: 'signal' | 'time'): Promise<void> {
  row.cases += 1
  const sleepMs = Math.random() * LONGEST_MS
  const abortMs = sleepMs + (Math.random() - 0.5) * LONGEST_MS
  const controller = new AbortController()
  const reason = new Error('enough')
  const options =
    end === 'signal' ? { signal: controller.signal } : { timeoutMs: Math.max(1, Math.round(abortMs)) }
  const raced = host.fetchVal(SLEEP, [number, sleepMs / 1000], options)
  const settled = settledAs(row, raced, number, reason)
  const others: Promise<unknown>[] = []
  const other = (what: string, wanted: unknown, call: Promise<unknown>): void => {
    others.push(expectValue(row, what, wanted, call))
  }
  const limit = { timeoutMs: LIMIT_MS }
  // Written behind the one that is raced, or next to it, before it is aborted.
  if (number % 3 === 0) other('one behind', number + 1, host.fetchVal(QUICK, [number], limit))
  if (end === 'signal') {
    await pause(abortMs)
    controller.abort(reason)
  } else await settled
  // After it was aborted, and while its cancel is under way.
  if (number % 2 === 0) other('the next one', number + 1, host.fetchVal(QUICK, [number], limit))
  if (number % 5 === 0) other('a script', 'SELECT 1', host.execute('select 1; select 2', undefined, limit))
  row.count(await settled)
  other('the last one', number + 1, host.fetchVal(QUICK, [number], limit))
  await Promise.all(others)
}

/** What became of the one that is raced: its value, or why it was aborted, and nothing else. */
async function settledAs(row: Row, call: Promise<unknown>, wanted: number, reason: Error): Promise<string> {
  try {
    const value = await call
    row.check(value === wanted, `a race gave ${value} in place of ${wanted}`)
    return 'ended first'
  } catch (error) {
    if (error !== reason && nameOf(error) !== 'TimeoutError') row.fail(`a race: ${nameOf(error)}: ${error}`)
    return 'aborted'
  }
}

async function expectValue(row: Row, what: string, wanted: unknown, call: Promise<unknown>): Promise<void> {
  try {
    const value = await call
    row.check(value === wanted, `${what} gave ${value} in place of ${wanted}`)
  } catch (error) {
    row.fail(`${what}: ${nameOf(error)}: ${error}`)
  }
}

/** Races on this host, each now and then in a transaction: the next one of that begins while the cancel is under way. */
async function raceOn(row: Row, host: Connection | Pool, number: number): Promise<void> {
  const end = number % 4 === 3 ? 'time' : 'signal'
  if (number % 7 !== 0) return race(row, host, number, end)
  try {
    // An aborted statement fails its transaction: what comes behind it does too, for that reason alone.
    const tally = new Row(row.number, row.title)
    await host
      .transaction((transaction) => race(tally, transaction, number, end), { timeoutMs: LIMIT_MS })
      .catch((error: unknown) => {
        if (!/25P02/.test(nameOf(error))) throw error
      })
    row.cases += tally.cases
    row.failures.push(...tally.failures.filter((failure) => !failure.includes('25P02')))
    for (const [outcome, count] of tally.outcomes) for (let at = 0; at < count; at += 1) row.count(outcome)
  } catch (error) {
    row.fail(`a transaction: ${nameOf(error)}: ${error}`)
  }
  await expectValue(row, 'behind a transaction', number, host.fetchVal('select $1::int', [number]))
}

/** Each lane has a host of its own, unless that is a pool: what is called on a connection may be in another's transaction. */
async function play(row: Row, count: number, hosts: readonly (Connection | Pool)[]): Promise<Row> {
  const numbers = Array.from({ length: count }, (_, number) => number)
  await spread(numbers, LANES, (number, lane) => raceOn(row, hosts[lane % hosts.length]!, number))
  for (const host of new Set(hosts)) await host.close({ timeoutMs: LIMIT_MS })
  return row
}

const WHAT = `a statement of up to ${LONGEST_MS} ms is aborted, or its time is over, within ${LONGEST_MS / 2} ms of its end; others are written behind it before, made while its cancel is under way, and after it; one in seven in a transaction`

/** Each lane has a connection of its own. */
export async function racesOnConnections(count: number): Promise<Row> {
  const row = new Row('20', 'cancels that race with the end of their statement', `${WHAT}: connections`)
  const opening = Array.from({ length: LANES }, () => connect(url))
  return play(row, count, await Promise.all(opening))
}

/** All lanes share four connections. */
export async function racesThroughPool(count: number): Promise<Row> {
  const row = new Row('20', 'the same through a pool', `${WHAT}: a pool of 4 with ${LANES} callers`)
  const pool = await createPool(url, { minSize: 4, maxSize: 4, maxQueries: 0 })
  await play(row, count, [pool])
  row.check(pool.stats.closed <= 4, `connections were closed and opened again: ${JSON.stringify(pool.stats)}`)
  return row
}

/** The testkit's, and a PgBouncer if there is one; each with fewer servers than clients. */
export async function racesThroughPoolers(count: number, pgbouncerUrl: string | undefined): Promise<Row[]> {
  const pooler = await Pooler.open(SERVERS)
  const rows = [await racesThrough('the same through a transaction pooler', pooler.url, count)]
  const cancels = await pooler.cancels()
  rows[0]!.check(cancels > 0, 'no cancel has reached a server')
  rows[0]!.measure('{} cancels reached a server', cancels)
  await pooler.close()
  if (pgbouncerUrl !== undefined)
    rows.push(await racesThrough('the same through PgBouncer', pgbouncerUrl, count))
  return rows
}

async function racesThrough(title: string, poolerUrl: string, count: number): Promise<Row> {
  const row = new Row('20', title, `${WHAT}: 4 connections, and a pool of 4 with 4 callers, on few servers`)
  const pool = await createPool(poolerUrl, { minSize: 4, maxSize: 4, maxQueries: 0 })
  const connections = await Promise.all([1, 2, 3, 4].map(() => connect(poolerUrl)))
  return play(row, count, [pool, pool, pool, pool, ...connections])
}
