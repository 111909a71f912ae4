// The drivers that play the scenarios, each as its documentation has it used.
import { createPool } from 'oxpg'
import pg from 'pg'
import postgres from 'postgres'

/**
 * What a scenario works with. `query` gives rows as objects; `start` is a query with the means to give it up, where a driver has
 * some; `begun` is a transaction whose caller may leave it, by the means of the driver or by waiting for it no more.
 *
 * @typedef {(text: string, params?: unknown[]) => Promise<object[]>} Ask
 * @typedef {{ query(text: string, params?: unknown[]): Promise<object[]>, release(): unknown }} Lease
 * @typedef {{ query(text: string, params?: unknown[]): Promise<object[]>, acquire(): Promise<Lease>,
 *   start?(text: string, params?: unknown[]): { rows: Promise<object[]>, giveUp(): void },
 *   transaction(body: (query: Ask) => Promise<unknown>): Promise<unknown>,
 *   begun(body: (query: Ask) => Promise<unknown>): { done: Promise<unknown>, leave(): void },
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
      transaction: (body) => pool.transaction((tx) => body((text, params) => tx.fetch(text, params))),
      begun(body) {
        const controller = new AbortController()
        const { signal } = controller
        const done = pool.transaction((tx) => body((text, params) => tx.fetch(text, params)), { signal })
        return { done, leave: () => controller.abort() }
      },
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
      transaction,
      begun(body) {
        let leave
        const left = new Promise((_, reject) => {
          leave = () => reject(new Error('left'))
        })
        left.catch(() => {})
        const done = transaction((query) => body((text, params) => Promise.race([query(text, params), left])))
        return { done, leave }
      },
      close: () => pool.end(),
    }
    async function transaction(body) {
      const client = await pool.connect()
      const ignore = () => {}
      if (!isDeaf) client.on('error', ignore)
      try {
        await client.query('begin')
        const result = await body((text, params) => rowsOf(client.query(text, params)))
        await client.query('commit')
        return result
      } catch (error) {
        await client.query('rollback')
        throw error
      } finally {
        client.off('error', ignore)
        client.release()
      }
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
      transaction: (body) => sql.begin((tx) => body((text, params) => tx.unsafe(text, params))),
      begun(body) {
        let isLeft = false
        let current
        const done = sql.begin((tx) =>
          body((text, params) => {
            if (isLeft) throw new Error('left')
            current = tx.unsafe(text, params)
            return current
          }),
        )
        const leave = () => {
          isLeft = true
          current?.cancel()
        }
        return { done, leave }
      },
      close: () => sql.end(),
    }
  },
}
