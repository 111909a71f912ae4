import { readFileSync } from 'node:fs'
import { createPool, PostgresError, TimeoutError } from 'oxpg'

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))

export async function open({ url, connections }) {
  const pool = await createPool(url, { maxSize: connections })
  return { version, ...askersOf(pool), close: () => pool.close() }
}

/** The first rows of an iteration, which is then left. */
async function take(rows, count) {
  const taken = []
  for await (const row of rows) if (taken.push(row) === count) break
  return taken
}

/** How a pool that is open is asked. */
export function askersOf(pool) {
  const asker = (target) => {
    const fetch = (sql, parameters) => target.fetch(sql, parameters)
    return { prepared: fetch, fresh: fetch }
  }
  return {
    pool: asker(pool),
    transaction: (work) => pool.transaction((tx) => work(asker(tx))),
    leased: (work) => pool.use((connection) => work(asker(connection))),
    cancellable: (sql, parameters, signal) => pool.fetch(sql, parameters, { signal }),
    isCancelled: (error, signal) => error === signal.reason,
    limited: (sql, parameters, timeoutMs) => pool.fetch(sql, parameters, { timeoutMs }),
    isTimeout: (error) => error instanceof TimeoutError,
    executeMany: (sql, list) => pool.executeMany(sql, list),
    fetchMany: (sql, list) => pool.fetchMany(sql, list),
    handle: (sql, lists) =>
      pool.use(async (connection) => {
        const statement = await connection.prepare(sql)
        return await Promise.all(lists.map((parameters) => statement.fetch(parameters)))
      }),
    batch: (statements) => pool.batch(statements),
    context: (settings, sql, parameters) => pool.withContext({ settings }).fetch(sql, parameters),
    stream: (sql, parameters, count, isCursor) =>
      isCursor
        ? pool.transaction((tx) => take(tx.cursor(sql, parameters), count))
        : take(pool.stream(sql, parameters), count),
    sqlstate: (error) => (error instanceof PostgresError ? error.sqlstate : undefined),
    missing: {},
  }
}
