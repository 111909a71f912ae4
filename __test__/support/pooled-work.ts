// What applications behind a pooler do, all at once.
import type { ExecutionContext } from 'ava'
import { connect, createPool, type Pool, type PoolOptions } from 'oxpg'
import { connection, uniqueName, url } from './server.js'

/** How the clients work. */
export interface PooledWork {
  readonly statementMode?: PoolOptions['statementMode']
  readonly statementCacheSize?: number
  /** A pooler in statement mode refuses transactions. Default true. */
  readonly hasTransactions?: boolean
}

type Call = [query: string, params?: (number | string)[]]

/** The query with its parameters, or with literals in their place where there are none. */
function callOf({ statementMode }: PooledWork, query: string, params: (number | string)[]): Call {
  if (statementMode !== 'simple') return [query, params]
  const literal = (value: number | string): string =>
    typeof value === 'number' ? `(${value})` : `'${value}'`
  return [query.replace(/\$(\d)/g, (_, place) => literal(params[place - 1]!))]
}

/** Statements, transactions, batches and enum types at once; gives what the table must hold afterwards. */
async function work(
  t: ExecutionContext,
  pool: Pool,
  schema: string,
  from: number,
  how: PooledWork,
): Promise<number[]> {
  const rows: number[] = []
  const calls: Promise<unknown>[] = []
  const call = (query: string, ...params: (number | string)[]): Call => callOf(how, query, params)
  const table = `${schema}.thing`
  const insert = (number: number, mood: string): Call =>
    call(`insert into ${table} (id, mood) values ($1, $2)`, number, mood)
  for (let number = from; number < from + 40; number++) {
    switch (number % 5) {
      case 0:
        rows.push(number)
        calls.push(pool.execute(...insert(number, 'ok')))
        break
      case 1:
        calls.push(
          pool.fetchVal(...call('select $1::int * 2', number)).then((value) => t.is(value, number * 2)),
          pool.fetchVal(...call('select $1::text', `${number}`)).then((value) => t.is(value, `${number}`)),
        )
        break
      case 2:
        if (how.hasTransactions === false) break
        rows.push(number, -number)
        calls.push(
          pool.transaction(async (tx) => {
            await tx.execute(...insert(number, 'sad'))
            await tx.transaction(async (inner) => {
              await inner.execute(...insert(-number, 'ok'))
            })
            t.is(await tx.fetchVal(...call(`select mood from ${table} where id = $1`, number)), 'sad')
          }),
        )
        break
      case 3: {
        rows.push(number * 1000, number * 1000 + 1)
        const values: [number, string][] = [
          [number * 1000, 'ok'],
          [number * 1000 + 1, 'sad'],
        ]
        calls.push(
          how.statementMode === 'simple'
            ? pool.execute(values.map(([id, mood]) => insert(id, mood)[0]).join('; '))
            : pool.executeMany(`insert into ${table} (id, mood) values ($1, $2)`, values),
        )
        break
      }
      default:
        calls.push(
          pool
            .fetchVal(...call(`select array['ok', $1]::${schema}.mood[]`, 'sad'))
            .then((value) => t.deepEqual(value, ['ok', 'sad'])),
        )
        if (how.statementMode === 'simple') break
        calls.push(
          pool.prepare(`select $1::${schema}.mood`).then(async (statement) => {
            t.is(await statement.fetchVal(['ok']), 'ok')
          }),
        )
    }
  }
  await Promise.all(calls)
  return rows
}

/** Two clients of one pooler, each started three times: no call fails, each gets its own answers, no row is missing. */
export async function clientsThatRestart(
  t: ExecutionContext,
  poolerUrl: string,
  how: PooledWork = {},
): Promise<void> {
  const { statementMode, statementCacheSize } = how
  const admin = await connection(t)
  const schema = uniqueName('pooled')
  await admin.execute(`create schema ${schema}; create type ${schema}.mood as enum ('ok', 'sad');
    create table ${schema}.thing (id int primary key, mood ${schema}.mood not null)`)
  t.teardown(async () => {
    const last = await connect(url)
    await last.execute(`drop schema ${schema} cascade`)
    await last.close()
  })
  const rows: number[] = []
  for (let start = 0; start < 3; start++) {
    const options: PoolOptions = { minSize: 0, maxSize: 4, statementMode, statementCacheSize }
    const pools = await Promise.all([createPool(poolerUrl, options), createPool(poolerUrl, options)])
    for (let round = 0; round < 3; round++) {
      const done = pools.map((pool, which) =>
        work(t, pool, schema, 1 + which * 10_000 + start * 1_000 + round * 100, how),
      )
      rows.push(...(await Promise.all(done)).flat())
    }
    await Promise.all(pools.map((pool) => pool.close()))
  }
  const found = await admin.fetch<{ id: number }>(`select id from ${schema}.thing order by id`)
  t.deepEqual(
    found.map(({ id }) => id),
    rows.sort((a, b) => a - b),
  )
}
