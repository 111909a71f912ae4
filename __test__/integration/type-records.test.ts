// Anonymous records, which bring the types of their values along: also of types that nobody has seen before.
import test, { type ExecutionContext } from 'ava'
import { type Connection, connect, createPool } from 'oxpg'
import { connection, uniqueName, url } from '../support/server.js'
import { type WireTap, wireTap } from '../support/wire-tap.js'

/** Types and a table under a prefix of their own, gone with the test. */
async function freshTypes(t: ExecutionContext): Promise<string> {
  const schema = uniqueName('records')
  const c = await connect(url)
  await c.execute(`
    create schema ${schema};
    create type ${schema}.mood as enum ('sad', 'happy');
    create domain ${schema}.positive as int check (value > 0);
    create type ${schema}.pair as (id ${schema}.positive, mood ${schema}.mood);
    create table ${schema}.item (id serial, mood ${schema}.mood)`)
  t.teardown(async () => {
    await c.execute(`set client_min_messages = error; drop schema ${schema} cascade`)
    await c.close()
  })
  return schema
}

async function watched(t: ExecutionContext): Promise<{ c: Connection; tap: WireTap }> {
  const tap = await wireTap(t)
  const c = await connect(tap.url, { rowMode: 'object' })
  t.teardown(async () => c.terminate())
  return { c, tap }
}

// Those that count look-ups run one at a time: DDL of others on this thread has composite types looked up again.
test.serial('records of built-in types need no look-up', async (t) => {
  const { c, tap } = await watched(t)
  t.deepEqual(
    await c.fetchVal(
      "select row(1, 'a'::text, null, array[1, 2], '[1,5)'::int4range, row(true, 1.5::numeric))",
    ),
    {
      f1: 1,
      f2: 'a',
      f3: null,
      f4: [1, 2],
      f5: await c.fetchVal("select '[1,5)'::int4range"),
      f6: { f1: true, f2: '1.5' },
    },
  )
  t.is(tap.lookUps, 0)
})

test.serial('values of unknown types in records work at first use', async (t) => {
  const schema = await freshTypes(t)
  const { c, tap } = await watched(t)
  t.deepEqual(
    await c.fetchVal(`select row(
      'sad'::${schema}.mood, row(1, 'happy')::${schema}.pair, 5::${schema}.positive,
      array[row(2, 'sad')::${schema}.pair], null::${schema}.mood[], (select i from (values (1)) i), 'plain'::text)`),
    {
      f1: 'sad',
      f2: { id: 1, mood: 'happy' },
      f3: 5,
      f4: [{ id: 2, mood: 'sad' }],
      f5: null,
      f6: { f1: 1 },
      f7: 'plain',
    },
  )
  const before = tap.lookUps
  t.true(before >= 1 && before <= 6, `${before} look-ups`)
  t.deepEqual(await c.fetchVal(`select row('happy'::${schema}.mood)`), { f1: 'happy' })
  t.is(tap.lookUps, before)
})

test('rows of a table in records', async (t) => {
  const schema = await freshTypes(t)
  const { c } = await watched(t)
  await c.execute(`insert into ${schema}.item (mood) values ('sad'), ('happy')`)
  t.deepEqual(await c.fetch(`select row(i, i.mood) as value from ${schema}.item i order by id`), [
    { value: { f1: { id: 1, mood: 'sad' }, f2: 'sad' } },
    { value: { f1: { id: 2, mood: 'happy' }, f2: 'happy' } },
  ])
})

test('arrays of records', async (t) => {
  const schema = await freshTypes(t)
  const { c } = await watched(t)
  t.deepEqual(
    await c.fetchVal(`select array[row('sad'::${schema}.mood, 1), row('happy'::${schema}.mood, 2)]`),
    [
      { f1: 'sad', f2: 1 },
      { f1: 'happy', f2: 2 },
    ],
  )
})

test('unknown types that come late in a result, one after the other', async (t) => {
  const schema = await freshTypes(t)
  const { c } = await watched(t)
  const rows = await c.fetch(`
    select n, case when n < 300 then row(n)
      when n < 600 then row('sad'::${schema}.mood)
      else row(row(n, 'happy')::${schema}.pair) end as value
    from generate_series(1, 900) n`)
  t.deepEqual(
    rows,
    Array.from({ length: 900 }, (_, index) => {
      const n = index + 1
      const value = n < 300 ? { f1: n } : n < 600 ? { f1: 'sad' } : { f1: { id: n, mood: 'happy' } }
      return { n, value }
    }),
  )
})

test.serial('more rows than the mailbox holds wait for a look-up', async (t) => {
  const schema = await freshTypes(t)
  const { c, tap } = await watched(t)
  const rows = await c.fetch<[number, { f1: string; f2: number }]>(
    `select n, row('happy'::${schema}.mood, n) from generate_series(1, 100000) n`,
    [],
    { rowMode: 'array' },
  )
  t.is(rows.length, 100_000)
  t.true(rows.every(([n, { f1, f2 }], index) => n === index + 1 && f1 === 'happy' && f2 === n))
  t.is(tap.lookUps, 1)
})

test('calls behind rows that wait keep their order', async (t) => {
  const schema = await freshTypes(t)
  const { c } = await watched(t)
  const order: string[] = []
  const note = (name: string) => (value: unknown) => {
    order.push(name)
    return value
  }
  const [rows, one, tag] = await Promise.all([
    c.fetch(`select row('sad'::${schema}.mood) as value from generate_series(1, 5000)`).then(note('rows')),
    c.fetchVal(`select row('sad'::${schema}.mood)`).then(note('one')),
    c.execute('select 1').then(note('tag')),
  ])
  t.is((rows as unknown[]).length, 5000)
  t.deepEqual(one, { f1: 'sad' })
  t.is(tag, 'SELECT 1')
  t.deepEqual(order, ['rows', 'one', 'tag'])
})

test('what a statement does happens once', async (t) => {
  const schema = await freshTypes(t)
  const { c } = await watched(t)
  const returned = await c.fetchVal(
    `insert into ${schema}.item (mood) values ('happy') returning row(mood, 1)`,
  )
  t.deepEqual(returned, { f1: 'happy', f2: 1 })
  t.is(await c.fetchVal(`select count(*) from ${schema}.item`), 1)
  const other = await watched(t)
  t.is(
    await other.c.execute(`insert into ${schema}.item (mood) values ('sad') returning row(mood)`),
    'INSERT 0 1',
  )
  t.is(await c.fetchVal(`select count(*) from ${schema}.item`), 2)
})

test.serial('many executions of a statement wait for one look-up', async (t) => {
  const schema = await freshTypes(t)
  const { c, tap } = await watched(t)
  const rows = await c.fetchMany(
    `insert into ${schema}.item (mood) values ($1::text::${schema}.mood) returning row(mood, $2::int) as value`,
    Array.from({ length: 200 }, (_, n) => ['sad', n]),
  )
  t.deepEqual(
    rows,
    Array.from({ length: 200 }, (_, n) => ({ value: { f1: 'sad', f2: n } })),
  )
  t.is(tap.lookUps, 1)
  t.is(await c.fetchVal(`select count(*) from ${schema}.item`), 200)
})

test.serial('records in transactions', async (t) => {
  const schema = await freshTypes(t)
  const { c, tap } = await watched(t)
  await c.transaction(async (tx) => {
    await tx.execute(`insert into ${schema}.item (mood) values ('sad')`)
    t.deepEqual(await tx.fetchVal(`select row(mood) from ${schema}.item`), { f1: 'sad' })
    t.true(c.isInTransaction)
    t.deepEqual(await tx.fetchMany(`select row($1::int, '(1,sad)'::${schema}.pair) as value`, [[1], [2]]), [
      { value: { f1: 1, f2: { id: 1, mood: 'sad' } } },
      { value: { f1: 2, f2: { id: 1, mood: 'sad' } } },
    ])
  })
  t.is(tap.lookUps, 2)
  t.is(await c.fetchVal(`select count(*) from ${schema}.item`), 1)
})

test('a statement that fails behind rows that wait fails', async (t) => {
  const schema = await freshTypes(t)
  const { c } = await watched(t)
  await t.throwsAsync(
    c.fetch(`select row('sad'::${schema}.mood), 1 / (500 - n) from generate_series(1, 1000) n`),
    { code: '22012' },
  )
  t.deepEqual(await c.fetchVal(`select row('sad'::${schema}.mood)`), { f1: 'sad' })
})

test('fetchRow and fetchVal take the first row and leave the rest', async (t) => {
  const schema = await freshTypes(t)
  const { c } = await watched(t)
  const text = `select row('sad'::${schema}.mood, n) as value from generate_series(1, 1000) n`
  t.deepEqual(await c.fetchRow(text), { value: { f1: 'sad', f2: 1 } })
  t.deepEqual(await c.fetchVal(text), { f1: 'sad', f2: 1 })
})

test('an abort while rows wait for a look-up leaves the connection usable', async (t) => {
  const schema = await freshTypes(t)
  const { c, tap } = await watched(t)
  const held = tap.holdLookUp()
  const abort = new AbortController()
  const rows = c.fetch(`select row('sad'::${schema}.mood, n) from generate_series(1, 100) n`, [], {
    signal: abort.signal,
  })
  await held.arrived
  abort.abort(new Error('enough'))
  await t.throwsAsync(rows, { message: 'enough' })
  held.release()
  t.deepEqual(await c.fetchVal(`select row('sad'::${schema}.mood, 1)`), { f1: 'sad', f2: 1 })
})

test.serial('a pool looks the types of records up once', async (t) => {
  const schema = await freshTypes(t)
  const tap = await wireTap(t)
  const p = await createPool(tap.url, { minSize: 3, maxSize: 3, rowMode: 'object' })
  t.teardown(async () => p.terminate())
  t.deepEqual(await p.fetchVal(`select row('sad'::${schema}.mood)`), { f1: 'sad' })
  const values = await Promise.all(
    Array.from({ length: 30 }, (_, n) => p.fetchVal(`select row('sad'::${schema}.mood, $1::int)`, [n])),
  )
  t.deepEqual(
    values,
    Array.from({ length: 30 }, (_, n) => ({ f1: 'sad', f2: n })),
  )
  t.is(tap.lookUps, 1)
})

test('records without named statements', async (t) => {
  const schema = await freshTypes(t)
  const c = await connection(t, { statementCacheSize: 0, rowMode: 'object' })
  t.deepEqual(await c.fetchVal(`select row('sad'::${schema}.mood, $1::int)`, [4]), { f1: 'sad', f2: 4 })
})
