// All ways to ask for something, and everything that can be asked, so that names and values can be given to each.
import { type Connection, connect, createPool, type Pool, type PoolContext } from 'oxpg'
import { url } from '../../support/server.js'

/** What the methods of everything that can be asked have in common, of whatever row mode. */
export interface Host {
  execute(text: unknown, params?: unknown): Promise<string>
  fetch(text: unknown, params?: unknown, options?: object): Promise<unknown[]>
  fetchRow(text: unknown, params?: unknown, options?: object): Promise<unknown>
  fetchVal(text: unknown, params?: unknown, options?: object): Promise<unknown>
  run(text: unknown, params?: unknown, options?: object): Promise<{ rows: unknown[] }>
  fetchMany(text: unknown, paramsList: unknown, options?: object): Promise<unknown[]>
  executeMany(text: unknown, paramsList: unknown): Promise<number>
  batch(statements: unknown, options?: object): Promise<unknown[][]>
  stream(text: unknown, params?: unknown, options?: object): Rows
  prepare(text: unknown): Promise<Prepared>
  transaction<R>(callback: (tx: SessionHost) => Promise<R>): Promise<R>
  begin(): Promise<SessionHost & { commit(): Promise<void>; rollback(): Promise<void> }>
}
/** One that has a session: cursors are to be had there. */
export interface SessionHost extends Host {
  cursor(text: unknown, params?: unknown, options?: object): Cursor
}
interface Rows extends AsyncIterable<unknown> {
  batches(): AsyncIterable<unknown[]>
}
interface Cursor extends AsyncIterable<unknown> {
  open(): Promise<{ fetch(count: number): Promise<unknown[]>; fetchRow(): Promise<unknown> }>
}
interface Prepared {
  execute(params?: unknown): Promise<string>
  fetch(params?: unknown, options?: object): Promise<unknown[]>
  fetchRow(params?: unknown, options?: object): Promise<unknown>
  fetchVal(params?: unknown, options?: object): Promise<unknown>
  run(params?: unknown, options?: object): Promise<{ rows: unknown[] }>
  fetchMany(paramsList: unknown, options?: object): Promise<unknown[]>
  executeMany(paramsList: unknown): Promise<number>
  cursor(params?: unknown, options?: object): Cursor
  stream(params?: unknown, options?: object): Rows
  explain(params?: unknown): Promise<unknown[]>
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const row of rows) list.push(row)
  return list
}

const one = (row: unknown): unknown[] => (row === null ? [] : [row])

type Asks<R> = (host: Host, text: unknown, params: unknown, options?: object) => Promise<R>

/** Ways to ask for the rows of a query, of which there is one at most. */
export const ROW_WAYS: Readonly<Record<string, Asks<unknown[]>>> = {
  fetch: (host, text, params, options) => host.fetch(text, params, options),
  fetchRow: async (host, text, params, options) => one(await host.fetchRow(text, params, options)),
  run: async (host, text, params, options) => (await host.run(text, params, options)).rows,
  fetchMany: (host, text, params, options) => host.fetchMany(text, [params], options),
  'fetchMany of an iterator': (host, text, params, options) =>
    host.fetchMany(
      text,
      (async function* () {
        yield params
      })(),
      options,
    ),
  batch: async (host, text, params, options) => (await host.batch([[text, params]], options))[0]!,
  'batch, the second': async (host, text, params, options) =>
    (await host.batch(['select 1', [text, params]], options))[1]!,
  stream: (host, text, params, options) => all(host.stream(text, params, options)),
  'stream in parts': async (host, text, params, options) =>
    (await all(host.stream(text, params, options).batches())).flat(),
  cursor: (host, text, params, options) =>
    host.transaction((tx) => all(tx.cursor(text, params, { ...options, prefetch: 2 }))),
  'cursor, opened': (host, text, params, options) =>
    host.transaction(async (tx) => (await tx.cursor(text, params, options).open()).fetch(2)),
  'cursor, row by row': (host, text, params, options) =>
    host.transaction(async (tx) => one(await (await tx.cursor(text, params, options).open()).fetchRow())),
  transaction: (host, text, params, options) => host.transaction((tx) => tx.fetch(text, params, options)),
  savepoint: (host, text, params, options) =>
    host.transaction((tx) => tx.transaction((inner) => inner.fetch(text, params, options))),
  begin: async (host, text, params, options) => {
    const tx = await host.begin()
    try {
      const rows = await tx.fetch(text, params, options)
      await tx.commit()
      return rows
    } catch (error) {
      await tx.rollback()
      throw error
    }
  },
  'prepared.fetch': async (host, text, params, options) => (await host.prepare(text)).fetch(params, options),
  'prepared.fetchRow': async (host, text, params, options) =>
    one(await (await host.prepare(text)).fetchRow(params, options)),
  'prepared.run': async (host, text, params, options) =>
    (await (await host.prepare(text)).run(params, options)).rows,
  'prepared.fetchMany': async (host, text, params, options) =>
    (await host.prepare(text)).fetchMany([params], options),
  'prepared.stream': async (host, text, params, options) =>
    all((await host.prepare(text)).stream(params, options)),
  'prepared.cursor': (host, text, params, options) =>
    host.transaction(async (tx) => all((await tx.prepare(text)).cursor(params, options))),
}

/** Ways to ask for one value. */
export const VALUE_WAYS: Readonly<Record<string, Asks<unknown>>> = {
  fetchVal: (host, text, params, options) => host.fetchVal(text, params, options),
  'prepared.fetchVal': async (host, text, params, options) =>
    (await host.prepare(text)).fetchVal(params, options),
}

/** Ways that give no rows. */
export const COMMAND_WAYS: Readonly<Record<string, Asks<unknown>>> = {
  execute: (host, text, params) => host.execute(text, params),
  executeMany: (host, text, params) => host.executeMany(text, [params]),
  'executeMany of an iterator': (host, text, params) =>
    host.executeMany(
      text,
      (async function* () {
        yield params
      })(),
    ),
  'prepared.execute': async (host, text, params) => (await host.prepare(text)).execute(params),
  'prepared.executeMany': async (host, text, params) => (await host.prepare(text)).executeMany([params]),
  'prepared.explain': async (host, text, params) => (await host.prepare(text)).explain(params),
}

/** Everything that can be asked, of one server. */
export class Hosts {
  private constructor(
    readonly connection: Connection,
    readonly pool: Pool,
    /** Its calls are made on connections that are leased for them. */
    readonly hooked: Pool,
    readonly context: PoolContext,
  ) {}

  static async open(options: object = {}): Promise<Hosts> {
    const sizes = { ...options, minSize: 1, maxSize: 2 }
    const pool = await createPool(url, sizes)
    const hooked = await createPool(url, { ...sizes, setup: () => {} })
    const context = pool.withContext({ settings: { 'adversity.inputs': 'in a context' } })
    return new Hosts(await connect(url, options), pool, hooked, context)
  }

  /** Each in turn. */
  async each(ask: (host: Host, name: string) => Promise<void>): Promise<void> {
    const { connection, pool, hooked, context } = this
    await ask(connection as unknown as Host, 'a connection')
    await ask(pool as unknown as Host, 'a pool')
    await ask(hooked as unknown as Host, 'a pool with hooks')
    await ask(context as unknown as Host, 'a context')
    await pool.use((lease) => ask(lease as unknown as Host, 'a lease'))
  }

  async close(): Promise<void> {
    await Promise.all([this.connection.close(), this.pool.close(), this.hooked.close()])
  }
}
