import { createRequire } from 'node:module'
import pg from 'pg'

const { version } = createRequire(import.meta.url)('pg/package.json')

// What is asked at once on one client waits in it; pg warns that its next major will have none of that.
process.noDeprecation = true

export async function open({ url, connections }) {
  const pool = new pg.Pool({ connectionString: url, max: connections })
  // Without a listener the end of an idle connection ends the process.
  pool.on('error', () => {})
  // pg prepares a statement only under a name; the texts that come again are few.
  const names = new Map()
  const named = (sql) => {
    if (!names.has(sql)) names.set(sql, `tagged_${names.size}`)
    return names.get(sql)
  }
  const asker = (target) => ({
    prepared: async (text, values) => (await target.query({ text, values, name: named(text) })).rows,
    fresh: async (text, values) => (await target.query({ text, values })).rows,
  })
  async function leased(work) {
    const client = await pool.connect()
    try {
      return await work(client)
    } finally {
      client.release()
    }
  }
  return {
    version,
    pool: asker(pool),
    transaction: (work) =>
      leased(async (client) => {
        await client.query('BEGIN')
        try {
          const result = await work(asker(client))
          await client.query('COMMIT')
          return result
        } catch (error) {
          await client.query('ROLLBACK')
          throw error
        }
      }),
    leased: (work) => leased((client) => work(asker(client))),
    limited: async (text, values, timeoutMs) =>
      (await pool.query({ text, values, name: named(text), query_timeout: timeoutMs })).rows,
    isTimeout: (error) => error.message === 'Query read timeout',
    sqlstate: (error) => (error instanceof pg.DatabaseError ? error.code : undefined),
    missing: {
      batch: 'has no atomic batch of statements',
      context: 'has no settings of a call',
      stream: 'has no streams of this kind',
      signal: 'takes no signal and cannot cancel',
      many: 'has no executeMany',
      handle: 'has no prepared statements to hold',
    },
    close: () => pool.end(),
  }
}
