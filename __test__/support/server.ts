// The server that the tests run against, and names in it that no other test uses.
import { readdir, readFile } from 'node:fs/promises'
import {
  type Connection,
  type ConnectOptions,
  connect,
  createPool,
  type Pool,
  type PoolOptions,
  type RowMode,
} from 'oxpg'

/** `npm test` starts a server and says where it is. */
export const url = (() => {
  const given = process.env.OXPG_TEST_URL
  if (given === undefined) throw new Error('OXPG_TEST_URL is not set: run the tests with `npm test`')
  return given
})()

/** Where the test's server is, with another user, password or database. */
export function urlWith(changes: { username?: string; password?: string; pathname?: string }): string {
  return Object.assign(new URL(url), changes).href
}

/** The part of ava's context that closes things when the test is over. */
interface Teardown {
  teardown(close: () => Promise<void>): void
}

/** A connection that closes with the test. */
export async function connection<M extends RowMode = 'object'>(
  t: Teardown,
  options: ConnectOptions<M> = {},
): Promise<Connection<M>> {
  const open = await connect(url, options)
  t.teardown(async () => open.terminate())
  return open
}

/** A pool that closes with the test. */
export async function pool<M extends RowMode = 'object'>(
  t: Teardown,
  options: PoolOptions<M> = {},
): Promise<Pool<M>> {
  const open = await createPool(url, options)
  t.teardown(async () => open.terminate())
  return open
}

/** 1 while the backend with the process id `$1` runs a statement. */
export const RUNNING = "select count(*)::int from pg_stat_activity where pid = $1 and state = 'active'"

/**
 * 1 while it sleeps in `pg_sleep`. A statement is active from its Parse on, and between that and its Execute a cancel hits
 * nothing.
 */
export const SLEEPING = `${RUNNING} and wait_event = 'PgSleep'`

/** The names of this process's threads, on Linux. */
export async function threadNames(): Promise<string[]> {
  const tasks = await readdir('/proc/self/task')
  // One may end meanwhile.
  const name = (task: string) => readFile(`/proc/self/task/${task}/comm`, 'utf8').catch(() => '')
  return (await Promise.all(tasks.map(name))).map((text) => text.trim())
}

/** Both ways to a server, for what holds on either. */
export const OPENERS: readonly ((dsn: string, options?: ConnectOptions) => Promise<Connection | Pool>)[] = [
  connect,
  createPool,
]

let names = 0

/** A table name of this process alone. */
export function uniqueName(prefix: string): string {
  names += 1
  return `${prefix}_${process.pid}_${names}`
}

/** Resolves when `check` gives true; asks the server (or whatever `check` does) again until then. */
export async function until(check: () => Promise<boolean>, what: string, limitMs = 60_000): Promise<void> {
  const end = Date.now() + limitMs
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`${what} did not happen within ${limitMs} ms`)
    // Lets the loop have its turn: what is waited for comes from it.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
