// Columns, functions and names whose types change while connections know statements about them.
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { type Connection, type ConnectOptions, connect, createPool, type Pool } from 'oxpg'
import { connection, pool, uniqueName, url } from '../support/server.js'
import { TransactionPooler } from '../support/transaction-pooler.js'

const UUID = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
const ZONE = { serverSettings: { timezone: 'America/New_York' } }

/** Changes something without this environment's seeing it, as another process does. */
function unseen(script: string): Promise<void> {
  const source = `
    const { workerData } = require('node:worker_threads')
    const { connect } = require(workerData.entry)
    connect(workerData.url).then(async (c) => {
      await c.execute(workerData.script)
      await c.close()
    })`
  const worker = new Worker(source, {
    eval: true,
    workerData: { url, script, entry: require.resolve('oxpg') },
  })
  return new Promise((resolve, reject) => {
    worker.on('error', reject)
    worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))))
  })
}

/** A connection for changes, with a new schema's name; it goes with the test. */
async function world(t: ExecutionContext): Promise<[admin: Connection, schema: string]> {
  const admin = await connect(url)
  const schema = uniqueName('changing')
  await admin.execute(`create schema ${schema}; create type ${schema}.mood as enum ('a', 'b')`)
  t.teardown(async () => {
    await admin.execute(`set client_min_messages = error; drop schema ${schema} cascade`)
    await admin.close()
  })
  return [admin, schema]
}

/** Everything that takes parameters, with one value: on a connection that knows the text, a pool's, and later ones. */
interface Callers {
  readonly warm: (first: unknown) => Promise<void>
  readonly again: (value: unknown) => Promise<void>
}

async function callers(
  t: ExecutionContext,
  server: string,
  options: ConnectOptions,
  table: string,
): Promise<Callers> {
  const own = await connect(server, options)
  const shared = await createPool(server, { ...options, minSize: 1, maxSize: 3 })
  t.teardown(async () => {
    own.terminate()
    shared.terminate()
  })
  const text = (note: string) => `insert into ${table} (v, note) values ($1, '${note}')`
  const returning = `${text('fetchRow')} returning v`
  const prepared = await own.prepare(text('prepared'))
  const on = async (it: Connection | Pool, value: unknown): Promise<void> => {
    await it.execute(text('execute'), [value])
    await it.executeMany(text('executeMany'), [[value], [value]])
    await it.fetchRow(returning, [value])
    await it.fetchMany(`select v from ${table} where v = $1`, [[value]])
  }
  return {
    async warm(first) {
      await on(own, first)
      await prepared.execute([first])
      await on(shared, first)
    },
    async again(value) {
      await on(own, value)
      await prepared.execute([value])
      await prepared.executeMany([[value]])
      await on(shared, value)
      await own.transaction((tx) => tx.execute(text('transaction'), [value]))
      // On those that the pool opens now, too.
      const leases = await Promise.all([shared.acquire(), shared.acquire(), shared.acquire()])
      for (const lease of leases) await on(lease, value)
      for (const lease of leases) await lease.release()
    },
  }
}

const changes: [before: string, after: string, using: string, first: unknown, value: unknown][] = [
  ['timestamp', 'timestamptz', "using v at time zone 'UTC'", new Date(0), new Date('2024-06-01T12:00:00Z')],
  ['date', 'timestamptz', '', new Date(0), new Date('2024-06-01T12:34:56Z')],
  ['float8', 'numeric', '', 0.5, '12345678901234567.89'],
  ['real', 'float8', '', 0.5, 0.1],
  ['int8', 'float8', '', 7, 10],
  ['text', 'numeric', 'using v::numeric', '1', '10'],
  ['text', 'uuid', 'using v::uuid', UUID, UUID],
  ['text', 'int', 'using v::int', '1', '2'],
  ['text', 'jsonb', 'using v::jsonb', '{}', '{"a": 1}'],
  ['time', 'interval', '', '01:00', '30:00'],
]

async function stays(t: ExecutionContext, server: string, options: ConnectOptions): Promise<void> {
  const [admin, schema] = await world(t)
  const moods: typeof changes = [
    ['text', `${schema}.mood`, `using v::${schema}.mood`, 'a', 'b'],
    [`${schema}.mood`, 'text', 'using v::text', 'a', 'anything'],
  ]
  for (const [before, after, using, first, value] of [...changes, ...moods]) {
    const table = `${schema}.${uniqueName('t')}`
    await admin.execute(`create table ${table} (v ${before}, note text)`)
    const { warm, again } = await callers(t, server, options, table)
    await warm(first)
    await admin.execute(`truncate ${table}; alter table ${table} alter v type ${after} ${using}`)
    await again(value)
    const fresh = await connect(server, options)
    await fresh.execute(`insert into ${table} (v, note) values ($1, 'fresh')`, [value])
    await fresh.close()
    const stored = await admin.fetch<{ v: string; notes: string }>(
      `select v::text, string_agg(distinct note, ' ') as notes from ${table} group by 1`,
    )
    t.is(stored.length, 1, `${before} → ${after}: ${JSON.stringify(stored)}`)
    t.regex(stored[0]!.notes, /fresh/)
  }
}

test('a column of another type takes what it would take from a new connection', (t) => stays(t, url, ZONE))

test('so it does without named statements', (t) => stays(t, url, { ...ZONE, statementCacheSize: 0 }))

test('so it does behind a transaction pooler', async (t) => {
  const between = await TransactionPooler.start(2)
  t.teardown(() => between.close())
  await stays(t, between.url, {})
})

test('changes that this process does not see are found by the errors that they cause', async (t) => {
  const [admin, schema] = await world(t)
  for (const [before, after, using, first, value] of [
    ['text', 'uuid', 'using v::uuid', UUID, UUID],
    ['text', 'int', 'using v::int', '1', '2'],
    ['text', `${schema}.mood`, `using v::${schema}.mood`, 'a', 'b'],
    [`${schema}.mood`, 'text', 'using v::text', 'a', 'anything'],
    ['time', 'interval', '', '01:00', '30:00'],
  ] as const) {
    const table = `${schema}.${uniqueName('t')}`
    await admin.execute(`create table ${table} (v ${before})`)
    const c = await connection(t)
    const p = await pool(t, { minSize: 2, maxSize: 2 })
    const [insert, find] = [
      `insert into ${table} values ($1)`,
      `select count(*)::int from ${table} where v = $1`,
    ]
    const many = `insert into ${table} values ($1), ($1)`
    for (const it of [c, p]) {
      await it.execute(insert, [first])
      await it.fetchVal(find, [first])
      await it.executeMany(many, [[first]])
    }
    await unseen(`truncate ${table}; alter table ${table} alter v type ${after} ${using}`)
    for (const it of [c, p]) {
      await it.execute(insert, [value])
      await it.fetchVal(find, [value])
      // A batch's rows are gone once they are written: the first may fail, and is safe to make again.
      const batch = () => it.executeMany(many, [[value]])
      await batch().catch((error) => {
        t.true(error.safeToRetry || error.code === '22000', `${before} → ${after}: ${error}`)
        return batch()
      })
    }
    t.is(await admin.fetchVal(`select count(*)::int from ${table}`), 6, `${before} → ${after}`)
    t.is(await c.fetchVal(find, [value]), 6)
  }
})

test('a temporary table and a function that are made anew', async (t) => {
  const [admin, schema] = await world(t)
  const c = await connection(t)
  for (const [type, value] of [
    ['int', 1],
    ['text', 'x'],
    ['uuid', UUID],
    ['jsonb', { a: 1 }],
    [`${schema}.mood`, 'a'],
    ['timestamptz', new Date(0)],
  ] as const) {
    await c.execute(`drop table if exists pg_temp.s; create temp table s (v ${type})`)
    t.is(await c.execute('insert into s values ($1)', [value]), 'INSERT 0 1', type)
  }
  for (const [type, value] of [
    ['int', 1],
    ['text', 'x'],
  ] as const) {
    await c.transaction(async (tx) => {
      await tx.execute(`create temp table gone (v ${type}) on commit drop`)
      t.is(await tx.fetchVal('insert into gone values ($1) returning v', [value]), value)
    })
  }
  const f = `${schema}.f`
  await admin.execute(`create function ${f}(text) returns text language sql as 'select $1'`)
  t.is(await c.fetchVal(`select ${f}($1)`, ['x']), 'x')
  await unseen(
    `drop function ${f}(text); create function ${f}(uuid) returns text language sql as 'select $1::text'`,
  )
  t.is(await c.fetchVal(`select ${f}($1)`, [UUID]), UUID)
})

test('what one connection of a pool finds stale is asked for anew by the others, in transactions too', async (t) => {
  const [admin, schema] = await world(t)
  await admin.execute(`create table ${schema}.tab (a int, b int); insert into ${schema}.tab values (1, 2)`)
  const p = await pool(t, { minSize: 2, maxSize: 2, rowMode: 'array' })
  const [one, two] = await Promise.all([p.acquire(), p.acquire()])
  const text = `select * from ${schema}.tab`
  for (const lease of [one, two]) t.deepEqual(await lease.fetchRow(text), [1, 2])
  await unseen(`alter table ${schema}.tab alter b type text`)
  t.deepEqual(await one.fetchRow(text), [1, '2'])
  t.deepEqual(await two.transaction((tx) => tx.fetchRow(text)), [1, '2'])
})

/** Tenants with tables and types of the same names. */
async function tenants(t: ExecutionContext): Promise<[Connection, string[]]> {
  const [admin, schema] = await world(t)
  const names = [1, 2, 3].map((number) => `${schema}_${number}`)
  for (const [index, name] of names.entries()) {
    await admin.execute(`create schema ${name}; create type ${name}.status as enum ('new', 'done');
      create table ${name}.orders (id int generated always as identity, status ${name}.status not null default 'new',
        amount ${['float8', 'numeric', 'int'][index]})`)
  }
  t.teardown(() => admin.execute(`drop schema ${names.join(', ')} cascade`))
  return [admin, names]
}

const DEFAULT = "insert into orders (amount) values (('0' || $1)::int) returning id, status"
const ORDER = 'insert into orders (status, amount) values ($1, $2) returning id, status, amount::text'

for (const statementCacheSize of [100, 0]) {
  test(`sessions that differ in search_path, statementCacheSize ${statementCacheSize}`, async (t) => {
    const [admin, names] = await tenants(t)
    const p = await pool(t, { minSize: 3, maxSize: 3, statementCacheSize, rowMode: 'array' })
    const leases = await Promise.all(names.map(() => p.acquire()))
    for (const [index, lease] of leases.entries()) await lease.execute(`set search_path = ${names[index]}`)
    for (let round = 1; round <= 3; round++) {
      for (const lease of leases) {
        // A result of the tenant's own type.
        t.deepEqual(await lease.fetchRow(DEFAULT, ['3']), [2 * round - 1, 'new'])
        t.deepEqual(await lease.fetchRow(ORDER, ['done', '3']), [2 * round, 'done', '3'])
      }
    }
    for (const lease of leases) await lease.release()
    for (const name of names) t.is(await admin.fetchVal(`select count(*)::int from ${name}.orders`), 6)
  })

  test(`SET LOCAL search_path in each transaction, statementCacheSize ${statementCacheSize}`, async (t) => {
    const [admin, names] = await tenants(t)
    const p = await pool(t, { minSize: 1, maxSize: 1, statementCacheSize, rowMode: 'array' })
    for (let round = 1; round <= 3; round++) {
      for (const [index, name] of names.entries()) {
        await p.transaction(async (tx) => {
          if (index === 1) await tx.fetchVal("select set_config('search_path', $1, true)", [name])
          else await tx.execute(`set local search_path = ${name}`)
          t.deepEqual(await tx.fetchRow(ORDER, ['done', '3']), [round, 'done', '3'])
          t.is(await tx.executeMany('insert into orders (status) values ($1)', [['new']]), 1)
          await tx.execute('delete from orders where status = $1', ['new'])
          await tx.execute("select setval('orders_id_seq', $1)", [round])
        })
      }
    }
    for (const name of names) t.is(await admin.fetchVal(`select count(*)::int from ${name}.orders`), 3)
  })
}
