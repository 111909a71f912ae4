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
  return {
    version,
    fetch: async (sql, parameters) => {
      const name = names.get(sql) ?? `bench_${names.size}`
      names.set(sql, name)
      const { rows } = await target.query({ text: sql, values: parameters, name })
      return rows
    },
    close: () => target.end(),
  }
})
