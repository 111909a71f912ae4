// What applications behind a transaction pooler do, all at once.
import type { ExecutionContext } from 'ava'
import { connect, createPool, type Pool, type PoolOptions } from 'oxpg'
import { connection, uniqueName, url } from './server.js'

/** Statements, transactions, batches and enum types at once; gives what the table must hold afterwards. */
async function work(t: ExecutionContext, pool: Pool, schema: string, from: number): Promise<number[]> {
  const rows: number[] = []
  const calls: Promise<unknown>[] = []
  for (let number = from; number < from + 40; number++) {
    const table = `${schema}.thing`
    switch (number % 5) {
      case 0:
        rows.push(number)
        calls.push(pool.execute(`insert into ${table} (id, mood) values ($1, $2)`, [number, 'ok']))
        break
      case 1:
        calls.push(
          pool.fetchVal('select $1::int * 2', [number]).then((value) => t.is(value, number * 2)),
          pool.fetchVal('select $1::text', [`${number}`]).then((value) => t.is(value, `${number}`)),
        )
        break
      case 2:
        rows.push(number, -number)
        calls.push(
          pool.transaction(async (tx) => {
            await tx.execute(`insert into ${table} (id, mood) values ($1, $2)`, [number, 'sad'])
            await tx.transaction(async (inner) => {
              await inner.execute(`insert into ${table} (id, mood) values ($1, $2)`, [-number, 'ok'])
            })
            t.is(await tx.fetchVal(`select mood from ${table} where id = $1`, [number]), 'sad')
          }),
        )
        break
      case 3:
        rows.push(number * 1000, number * 1000 + 1)
        calls.push(
          pool.executeMany(`insert into ${table} (id, mood) values ($1, $2)`, [
            [number * 1000, 'ok'],
            [number * 1000 + 1, 'sad'],
          ]),
        )
        break
      default:
        calls.push(
          pool
            .fetchVal(`select array['ok', $1]::${schema}.mood[]`, ['sad'])
            .then((value) => t.deepEqual(value, ['ok', 'sad'])),
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
  statementCacheSize?: number,
): Promise<void> {
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
    const options: PoolOptions = { minSize: 0, maxSize: 4, statementCacheSize }
    const pools = await Promise.all([createPool(poolerUrl, options), createPool(poolerUrl, options)])
    for (let round = 0; round < 3; round++) {
      const done = pools.map((pool, which) =>
        work(t, pool, schema, 1 + which * 10_000 + start * 1_000 + round * 100),
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
