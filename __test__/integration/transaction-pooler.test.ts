// Behind a transaction pooler, where sessions share servers and leave their prepared statements behind with them.
import test, { type ExecutionContext } from 'ava'
import { connect, createPool, type Pool, type PostgresLogMessage } from 'oxpg'
import { connection, uniqueName } from '../support/server.js'
import { TransactionPooler } from '../support/transaction-pooler.js'

async function pooler(t: ExecutionContext, size: number): Promise<TransactionPooler> {
  const started = await TransactionPooler.start(size)
  t.teardown(() => started.close())
  return started
}

/** Everything that an application does, all at once; gives what the table must hold afterwards. */
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

test('two clients, each started three times, lose nothing and get their own answers', async (t) => {
  const admin = await connection(t)
  const schema = uniqueName('pooled')
  await admin.execute(`create schema ${schema}; create type ${schema}.mood as enum ('ok', 'sad');
    create table ${schema}.thing (id int primary key, mood ${schema}.mood not null)`)
  t.teardown(async () => {
    const last = await connect(process.env.OXPG_TEST_URL)
    await last.execute(`drop schema ${schema} cascade`)
    await last.close()
  })
  const between = await pooler(t, 3)
  const rows: number[] = []
  for (let start = 0; start < 3; start++) {
    const options = { minSize: 0, maxSize: 4 }
    const pools = await Promise.all([createPool(between.url, options), createPool(between.url, options)])
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
  t.true(between.changes > 100, `servers were changed: ${between.changes}`)
})

test('a connection says once that a pooler is between', async (t) => {
  const between = await pooler(t, 2)
  const c = await connect(between.url)
  t.teardown(async () => c.terminate())
  const notices: PostgresLogMessage[] = []
  c.onNotice((notice) => notices.push(notice))
  for (let number = 0; number < 5; number++) t.is(await c.fetchVal('select $1::int', [number]), number)
  t.is(notices.length, 1)
  t.regex(notices[0]!.message, /transaction pooler/)
  t.regex(notices[0]!.hint ?? '', /statementCacheSize/)
})

test('a server of its own is known as such, and statements keep their names', async (t) => {
  const c = await connection(t)
  const notices: PostgresLogMessage[] = []
  c.onNotice((notice) => notices.push(notice))
  for (let number = 0; number < 3; number++)
    t.is(await c.fetchVal('select $1::int + 1', [number]), number + 1)
  const names = await c.fetch<{ name: string }>(`select name from pg_prepared_statements`)
  t.true(names.length >= 1)
  t.true(names.every(({ name }) => /^oxpg_[a-z2-7]{12}_\d+$/.test(name)))
  t.deepEqual(notices, [])
})

test('names are no other connection’s', async (t) => {
  const first = await connection(t)
  const second = await connection(t)
  const prefixes = await Promise.all(
    [first, second].map(async (c) => {
      await c.fetchVal('select $1::int', [1])
      return c.fetchVal<string>(`select min(split_part(name, '_', 2)) from pg_prepared_statements`)
    }),
  )
  t.not(prefixes[0], prefixes[1])
})
