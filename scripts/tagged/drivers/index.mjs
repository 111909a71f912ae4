// The drivers that can be asked, each behind the same few functions.
//
// Bun.SQL is a part of Bun: each driver is loaded by the program that asks it, and only that one.

/**
 * @typedef {object} Asker where statements can be asked: a pool, a connection alone, a transaction
 * @property {(sql: string, parameters: unknown[]) => Promise<object[]>} prepared a text that comes again; its rows
 * @property {(sql: string, parameters: unknown[]) => Promise<object[]>} fresh a text that never comes again; its rows
 *
 * @typedef {object} Driver
 * @property {string} version
 * @property {Asker} pool
 * @property {<T>(work: (asker: Asker) => Promise<T>) => Promise<T>} transaction commits what `work` does, or rolls it back if it throws
 * @property {<T>(work: (asker: Asker) => Promise<T>) => Promise<T>} leased `work` has a connection for itself
 * @property {(sql: string, parameters: unknown[], signal: AbortSignal) => Promise<object[]>} [cancellable]
 * @property {(error: Error, signal: AbortSignal) => boolean} [isCancelled] whether an error says that this signal was given
 * @property {(sql: string, parameters: unknown[], timeoutMs: number) => Promise<object[]>} [limited]
 * @property {(error: Error) => boolean} [isTimeout] whether an error says that a limit passed
 * @property {(sql: string, list: unknown[][]) => Promise<number>} [executeMany] the number of rows affected
 * @property {(sql: string, list: unknown[][]) => Promise<object[]>} [fetchMany] the rows of all executions
 * @property {(sql: string, lists: unknown[][]) => Promise<object[][]>} [handle] prepares a statement by hand, and has it executed with each of these at once
 * @property {(statements: [string, unknown[]][]) => Promise<object[][]>} [batch] executes statements in order, all or nothing
 * @property {(settings: Record<string, string>, sql: string, parameters: unknown[]) => Promise<object[]>} [context] executes a query with settings of its own
 * @property {(sql: string, parameters: unknown[], count: number, isCursor: boolean) => Promise<object[]>} [stream] reads so many rows piece by piece, and leaves the rest
 * @property {(error: Error) => string | undefined} sqlstate
 * @property {Record<string, string>} missing kinds of questions that cannot be put to it, and why
 * @property {() => Promise<unknown>} close
 */

const LOADERS = {
  oxpg: () => import('./oxpg.mjs'),
  pg: () => import('./pg.mjs'),
  postgres: () => import('./postgres.mjs'),
  bun: () => import('./bun-sql.mjs'),
}

export const DRIVERS = Object.keys(LOADERS)

/**
 * @param {string} name of DRIVERS
 * @param {{ url: string, connections: number }} options
 * @returns {Promise<Driver>}
 */
export async function openDriver(name, options) {
  const { open } = await LOADERS[name]()
  return await open(options)
}
