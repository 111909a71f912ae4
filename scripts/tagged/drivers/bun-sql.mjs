// Runs under Bun: its SQL client is a part of the runtime.
import { reserving } from './reserving.mjs'

export async function open({ url, connections }) {
  const sql = new Bun.SQL({ url, max: connections })
  await sql.connect()
  const asker = (target) => {
    const fetch = (text, parameters) => target.unsafe(text, parameters)
    return { prepared: fetch, fresh: fetch }
  }
  return {
    version: Bun.version,
    ...reserving(sql, asker),
    cancellable: (text, parameters, signal) => {
      const query = sql.unsafe(text, parameters)
      // What cancel() returns is the query; a rejection that a listener returns is nobody's.
      signal.addEventListener('abort', () => void query.cancel())
      return query
    },
    isCancelled: (error, signal) =>
      signal.aborted && (error.errno === '57014' || error.code === 'ERR_POSTGRES_QUERY_CANCELLED'),
    sqlstate: (error) => (error instanceof Bun.SQL.PostgresError ? error.errno : undefined),
    close: () => sql.close({ timeout: 5 }),
  }
}
