/** Classes of SQLSTATEs that speak of the moment and not of the request. */
const TRANSIENT_CLASSES: ReadonlySet<string> = new Set([
  '08', // the connection
  '40', // rolled back: serialization failure, deadlock
  '53', // memory, disk, number of connections
])

const TRANSIENT_STATES: ReadonlySet<string> = new Set([
  '26000', // the prepared statement is gone; the next call prepares it anew
  '55006', // object in use
  '55P03', // lock not available
  '57P01', // the server shuts down
  '57P02', // the server crashed
  '57P03', // the server starts up or shuts down
  '57P05', // idle session timeout
  '25P03', // idle in transaction timeout
  '25P04', // transaction timeout
])

/** In class 08, yet a matter of the two programs and not of the moment. */
const LASTING_STATES: ReadonlySet<string> = new Set(['08P01'])

/**
 * How PgBouncer's messages begin that speak of the moment; it has but 08P01 for them.
 * `crates/client/src/open/error.rs` has them too.
 */
const POOLER_IS_BUSY = [
  'no more connections allowed',
  'pgbouncer cannot connect to server',
  'query_wait_timeout',
  'server conn crashed',
  'server login has been failing',
]

/** The routine of the server that refuses a plan whose result has changed; with it 0A000 means to prepare anew. */
export const STALE_PLAN_ROUTINE = 'RevalidateCachedQuery'

/** Whether a request that failed so may well succeed when it is made again. */
export function isTransientSqlstate(sqlstate: string, routine: string | undefined, message: string): boolean {
  if (sqlstate === '0A000') return routine === STALE_PLAN_ROUTINE
  if (TRANSIENT_STATES.has(sqlstate)) return true
  if (sqlstate === '08P01' && routine === undefined)
    return POOLER_IS_BUSY.some((start) => message.startsWith(start))
  return TRANSIENT_CLASSES.has(sqlstate.slice(0, 2)) && !LASTING_STATES.has(sqlstate)
}
