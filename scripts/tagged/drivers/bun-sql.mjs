// Runs under Bun: its SQL client is a part of the runtime.

export async function open({ url, connections }) {
  const sql = new Bun.SQL({ url, max: connections })
  await sql.connect()
  const asker = (target) => {
    const fetch = (text, parameters) => target.unsafe(text, parameters)
    return { prepared: fetch, fresh: fetch }
  }
  return {
    version: Bun.version,
    pool: asker(sql),
    transaction: (work) => sql.begin((tx) => work(asker(tx))),
    leased: async (work) => {
      const reserved = await sql.reserve()
      try {
        return await work(asker(reserved))
      } finally {
        reserved.release()
      }
    },
    cancellable: (text, parameters, signal) => {
      const query = sql.unsafe(text, parameters)
      // What cancel() returns is the query; a rejection that a listener returns is nobody's.
      signal.addEventListener('abort', () => void query.cancel())
      return query
    },
    isCancelled: (error, signal) =>
      signal.aborted && (error.errno === '57014' || error.code === 'ERR_POSTGRES_QUERY_CANCELLED'),
    sqlstate: (error) => (error instanceof Bun.SQL.PostgresError ? error.errno : undefined),
    missing: {
      timeout: 'has no limits of calls',
      many: 'has no executeMany',
      handle: 'has no prepared statements to hold',
    },
    close: () => sql.close({ timeout: 5 }),
  }
}
