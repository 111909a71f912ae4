// The drivers that play the scenarios, each as its documentation has it used.
import { createPool } from 'oxpg'
import pg from 'pg'
import postgres from 'postgres'

/**
 * What a scenario works with. `query` gives rows as objects; `start` is a query with the means to give it up, where a driver has
 * some.
 *
 * @typedef {{ query(text: string, params?: unknown[]): Promise<object[]>, release(): unknown }} Lease
 * @typedef {{ query(text: string, params?: unknown[]): Promise<object[]>, acquire(): Promise<Lease>,
 *   start?(text: string, params?: unknown[]): { rows: Promise<object[]>, giveUp(): void },
 *   transaction(body: (query: (text: string) => Promise<object[]>) => Promise<unknown>): Promise<unknown>,
 *   close(): Promise<unknown> }} Driver
 */

/** @type {Record<string, (url: string, options?: { max?: number, waitMs?: number, lifetimeMs?: number, isDeaf?: boolean }) => Promise<Driver>>} */
export const DRIVERS = {
  async oxpg(url, { max = 1, waitMs, lifetimeMs } = {}) {
    const pool = await createPool(url, {
      minSize: 0,
      maxSize: max,
      ...(waitMs === undefined ? {} : { acquireTimeoutMs: waitMs }),
      ...(lifetimeMs === undefined ? {} : { maxLifetimeMs: lifetimeMs }),
    })
    return {
      query: (text, params) => pool.fetch(text, params),
      start(text, params) {
        const controller = new AbortController()
        const rows = pool.fetch(text, params, { signal: controller.signal })
        return { rows, giveUp: () => controller.abort() }
      },
      async acquire() {
        const lease = await pool.acquire()
        return { query: (text, params) => lease.fetch(text, params), release: () => lease.release() }
      },
      transaction: (body) => pool.transaction((tx) => body((text) => tx.fetch(text))),
      close: () => pool.close(),
    }
  },

  async pg(url, { max = 1, waitMs, lifetimeMs, isDeaf = false } = {}) {
    const pool = new pg.Pool({
      connectionString: url,
      max,
      ...(waitMs === undefined ? {} : { connectionTimeoutMillis: waitMs }),
      ...(lifetimeMs === undefined ? {} : { maxLifetimeSeconds: lifetimeMs / 1000 }),
    })
    // Without this the end of an idle connection ends the process.
    if (!isDeaf) pool.on('error', () => {})
    const rowsOf = async (result) => (await result).rows
    return {
      query: (text, params) => rowsOf(pool.query(text, params)),
      async acquire() {
        const client = await pool.connect()
        if (!isDeaf) client.on('error', () => {})
        return {
          query: (text, params) => rowsOf(client.query(text, params)),
          release: () => client.release(),
        }
      },
      async transaction(body) {
        const client = await pool.connect()
        try {
          await client.query('begin')
          const result = await body((text) => rowsOf(client.query(text)))
          await client.query('commit')
          return result
        } catch (error) {
          await client.query('rollback')
          throw error
        } finally {
          client.release()
        }
      },
      close: () => pool.end(),
    }
  },

  async 'postgres.js'(url, { max = 1, lifetimeMs } = {}) {
    const sql = postgres(url, {
      max,
      onnotice: () => {},
      ...(lifetimeMs === undefined ? {} : { max_lifetime: lifetimeMs / 1000 }),
    })
    return {
      query: (text, params) => sql.unsafe(text, params),
      start(text, params) {
        const rows = sql.unsafe(text, params)
        // It is sent when somebody waits for it.
        rows.catch(() => {})
        return { rows, giveUp: () => rows.cancel() }
      },
      async acquire() {
        const reserved = await sql.reserve()
        return { query: (text, params) => reserved.unsafe(text, params), release: () => reserved.release() }
      },
      transaction: (body) => sql.begin((tx) => body((text) => tx.unsafe(text))),
      close: () => sql.end(),
    }
  },
}
