// What the rows about pools have in common: pools whose sessions the server knows by name, and what holds after a case.
import { type Connection, type ConnectOptions, createPool, type Pool, type PoolOptions } from 'oxpg'
import { until, url } from '../../support/server.js'
import { nameOf, type Row } from '../network/report.js'
import { countersAgree } from '../network/session.js'

/** More than anything takes: whatever waits so long hangs. */
export const ALL_THE_TIME_MS = 60_000

let pools = 0

/** A pool, and what the server calls its sessions. */
export interface NamedPool {
  readonly pool: Pool
  readonly name: string
}

export async function openPool(options: PoolOptions = {}, server = url): Promise<NamedPool> {
  pools += 1
  const applicationName = `adversity-pool-${process.pid}-${pools}`
  return { pool: await createPool(server, { ...options, applicationName }), name: applicationName }
}

/** A name for the sessions of something that is no pool. */
export function named(): ConnectOptions & { applicationName: string } {
  pools += 1
  return { applicationName: `adversity-connection-${process.pid}-${pools}` }
}

/** The processes of the server that serve these sessions. */
export async function pidsOf(admin: Connection, name: string): Promise<number[]> {
  const query = 'select pid from pg_stat_activity where application_name = $1'
  return (await admin.fetch<{ pid: number }>(query, [name])).map(({ pid }) => pid)
}

const LEFT = 'select count(*)::int from pg_stat_activity where pid = any($1)'

/** Ends backends, and waits until they are gone. */
export async function terminate(admin: Connection, pids: readonly number[]): Promise<void> {
  await admin.fetch('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids])
  await until(async () => (await admin.fetchVal(LEFT, [pids])) === 0, 'the end of the backends')
}

/** Whether a pool has heard of the end of all its sessions. */
export const hasNone = ({ stats: { idle, inUse } }: Pool): boolean => idle + inUse === 0

/** After a fault: the next query is answered, nobody is waiting, and both sides count the same. */
export async function wellAfterwards(
  { pool, name }: NamedPool,
  admin: Connection,
  row: Row,
  what: string,
): Promise<void> {
  const next = await row.next(pool.fetchVal('select $1::int', [42]), `${what}: the next query`)
  const value = next.status === 'fulfilled' ? next.value : nameOf(next.reason)
  row.check(value === 42, `${what}: the next query gives ${value}`)
  await countersAgree(pool, name, admin, row)
  row.check(pool.stats.waiting === 0, `${what}: ${pool.stats.waiting} are still waiting`)
}

/** All connections of a pool can be had at once: none is lost. */
export async function hasAll(pool: Pool, row: Row, what: string): Promise<void> {
  const { maxSize } = pool.stats
  const leases = await row.settled(
    Promise.all(Array.from({ length: maxSize }, () => pool.acquire())),
    ALL_THE_TIME_MS,
    `${what}: all ${maxSize} at once`,
  )
  if (leases.status === 'rejected') {
    row.fail(`${what}: all ${maxSize} at once: ${nameOf(leases.reason)}: ${leases.reason.message}`)
    return
  }
  const pids = new Set(leases.value.map((lease) => lease.serverPid))
  row.check(pids.size === maxSize, `${what}: ${maxSize} leases on ${pids.size} sessions`)
  await Promise.all(leases.value.map((lease) => lease.release()))
  const { idle, inUse, waiting } = pool.stats
  row.check(
    idle === maxSize && inUse === 0 && waiting === 0,
    `${what}: ${idle} idle, ${inUse} in use, ${waiting} waiting of ${maxSize}`,
  )
}

/** What went wrong, if anything did. */
export const said = (outcome: PromiseSettledResult<unknown>): string =>
  outcome.status === 'fulfilled'
    ? `gives ${JSON.stringify(outcome.value)}`
    : `${nameOf(outcome.reason)}: ${outcome.reason?.message}`
