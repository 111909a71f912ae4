import { createRequire } from 'node:module'
import pg from 'pg'
import { serveSlices } from './slices.mjs'

const { version } = createRequire(import.meta.url)('pg/package.json')

await serveSlices(async ({ url, connections, ca }) => {
  // By default it closes what is idle for 10 s, as it may be while the others have their turns; none of them does.
  const kept = { idleTimeoutMillis: 0 }
  const options = { connectionString: url, ...(ca === undefined ? {} : { ssl: { ca } }) }
  const target =
    connections === 1 ? new pg.Client(options) : new pg.Pool({ ...options, ...kept, max: connections })
  if (connections === 1) await target.connect()
  // pg prepares a statement only under a name; statements are few, so their number is their name.
  const names = new Map()
  const fetchOn = async (session, sql, parameters) => {
    const name = names.get(sql) ?? `bench_${names.size}`
    names.set(sql, name)
    const { rows } = await session.query({ text: sql, values: parameters, name })
    return rows
  }
  const within = async (work) => {
    const session = connections === 1 ? target : await target.connect()
    try {
      await session.query('BEGIN')
      const result = await work(session)
      await session.query('COMMIT')
      return result
    } finally {
      session.release?.()
    }
  }
  return {
    version,
    fetch: (sql, parameters) => fetchOn(target, sql, parameters),
    transaction: (sql, parameters) => within((session) => fetchOn(session, sql, parameters)),
    batch: (statements) =>
      within((session) => Promise.all(statements.map((statement) => fetchOn(session, ...statement)))),
    close: () => target.end(),
  }
})
