// Option `statementMode`: what calls do and give is the same in each, as far as the protocols go.
import test, { type ExecutionContext } from 'ava'
import {
  ClientConfigurationError,
  type Connection,
  connect,
  createPool,
  InterfaceError,
  QueryCanceledError,
  Row,
  sql,
  TimeoutError,
  UnsupportedClientFeatureError,
} from 'oxpg'
import { connection, pool, RUNNING, uniqueName, until, url } from '../support/server.js'

const MODES = ['cache', 'unnamed', 'simple'] as const

/** A value of each family, alone and in arrays, composites, ranges. */
const VALUES = [
  'true',
  '(-32768)::int2',
  '(-2147483648)',
  '9007199254740993',
  '4294967295::oid',
  "'18446744073709551615'::xid8",
  '3.14::float4',
  "'-Infinity'::float8",
  '1e-7::float8',
  '12345.6780',
  "'NaN'::numeric",
  "'$12.30'::money",
  "E'ä\\n\\'\"'::text",
  "'x'::char(3)",
  '\'a\'::"char"',
  "'\\x00ff'::bytea",
  '\'{"a": [1, null]}\'::json',
  '\'{"a": [1, null]}\'::jsonb',
  "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
  "'2024-02-29'::date",
  "'infinity'::date",
  "'0044-03-15 BC'::date",
  "'23:59:59.5'::time",
  "'23:59:59.5+05:30'::timetz",
  "'2024-02-29 12:34:56.789'::timestamp",
  "'2024-02-29 12:34:56.789+02'::timestamptz",
  "'-infinity'::timestamptz",
  "'1 year -2 days 03:04:05.6'::interval",
  "'192.168.0.1/24'::inet",
  "'10.0.0.0/8'::cidr",
  "'08:00:2b:01:02:03'::macaddr",
  "B'101'",
  "'(1,2)'::point",
  "'((1,2),(3,4))'::box",
  "'<(1,2),3>'::circle",
  "'16/B374D848'::pg_lsn",
  "'(1,2)'::tid",
  "'a & b'::tsquery",
  'array[1, null, 3]',
  '\'[0:1]={a,"b c"}\'::text[]',
  "array[['2024-01-01'::date]]",
  "'{}'::int[]",
  "array['((1,2),(3,4))'::box]",
  "'1 2'::int2vector",
  "'{$1.00}'::money[]",
  "'[1,5)'::int4range",
  '\'(,"2024-01-01 00:00:00"]\'::tsrange',
  "'empty'::numrange",
  "'pg_type'::regclass",
  'null',
]

/** The same of types that have to be looked up. */
const valuesOf = (schemaName: string): string[] => [
  `'ok'::${schemaName}.mood`,
  `array['ok', null]::${schemaName}.mood[]`,
  `row(1, 'ok', '{"a,b",c}')::${schemaName}.person`,
  `array[row(1, null, null)]::${schemaName}.person[]`,
  `5::${schemaName}.positive`,
  `'[1.5,2.5)'::${schemaName}.span`,
]

async function withTypes(t: ExecutionContext): Promise<string> {
  const name = uniqueName('modes')
  const c = await connect(url)
  t.teardown(async () => {
    await c.execute(`drop schema ${name} cascade`)
    await c.close()
  })
  await c.execute(`create schema ${name}; create type ${name}.mood as enum ('ok', 'sad');
    create domain ${name}.positive as int check (value > 0);
    create type ${name}.person as (id ${name}.positive, mood ${name}.mood, tags text[]);
    create type ${name}.span as range (subtype = numeric)`)
  return name
}

for (const statementMode of MODES) {
  test(`${statementMode}: values of all kinds are what they are by default`, async (t) => {
    const name = await withTypes(t)
    const [plain, c] = await Promise.all([connection(t), connection(t, { statementMode })])
    for (const text of [VALUES, valuesOf(name)].flat()) {
      const query = `select ${text} as value`
      t.deepEqual(await c.fetch(query), await plain.fetch(query), text)
    }
    const all = `select ${[...VALUES, ...valuesOf(name)].map((text, at) => `${text} as c${at}`).join(', ')}`
    const mapped = {
      int8: 'bigint',
      numeric: 'number',
      timestamptz: 'micros',
      interval: 'string',
      json: 'string',
    } as const
    for (const options of [{}, mapped])
      t.deepEqual(await c.run(all, [], options), await plain.run(all, [], options))
    const arrays = { rowMode: 'array' } as const
    t.deepEqual(await c.run(all, [], arrays), await plain.run(all, [], arrays))
    t.deepEqual(await c.fetch(`select 'ok'::${name}.mood as m where false`), [])
    const many = "select i, 'x' || i as t, i * 1.5 as n, now() - now() as d from generate_series(1, 500) i"
    t.deepEqual(await c.fetch(many), await plain.fetch(many))
    const record = await c.fetchRow(`select row(1, 'ok', null)::${name}.person is null as n`, [], {
      rowMode: 'record',
    })
    t.deepEqual(Row.toObject(record!), { n: false })
  })

  test(`${statementMode}: calls of all kinds`, async (t) => {
    const name = await withTypes(t)
    const c = await connection(t, { statementMode })
    await c.execute(`create table ${name}.t (id int primary key, mood ${name}.mood); select 1`)
    t.is(await c.execute(`insert into ${name}.t values (1, 'ok'), (2, 'sad')`), 'INSERT 0 2')
    t.is(await c.execute(`insert into ${name}.t values (3, 'ok')`, []), 'INSERT 0 1')
    t.is(await c.fetchVal(sql`select count(*) from ${sql.identifier(name, 't')}`), 3)
    t.deepEqual(await c.fetchRow(`select * from ${name}.t order by id`), { id: 1, mood: 'ok' })
    t.is(await c.fetchRow(`select * from ${name}.t where false`), null)
    t.is(await c.fetchVal(`select * from ${name}.t order by id desc`, [], { column: 'mood' }), 'ok')
    const updated = await c.run(`update ${name}.t set mood = 'sad' where id < 3 returning id`)
    t.deepEqual([updated.command, updated.rowCount, updated.rows], ['UPDATE', 2, [{ id: 1 }, { id: 2 }]])
    t.deepEqual((await c.run('set statement_timeout = 0')).fields, [])
    t.deepEqual(await c.fetch(''), [])
    t.deepEqual(await c.fetch('select'), [{}])
    const answers = await Promise.all([1, 2, 3].map((number) => c.fetchVal(`select ${number} + 1`)))
    t.deepEqual(answers, [2, 3, 4])
    await t.throwsAsync(c.fetch('selec'), { code: '42601' })
    await t.throwsAsync(c.fetch(`select 1; insert into ${name}.t values (9, 'ok')`))
    t.is(await c.fetchVal(`select count(*) from ${name}.t`), 3)
    await t.throwsAsync(c.fetch(`copy ${name}.t to stdout`), { instanceOf: InterfaceError })
    await t.throwsAsync(c.fetch(`copy ${name}.t from stdin`), { instanceOf: InterfaceError })
    t.is(await c.fetchVal('select 1;'), 1)
  })

  test(`${statementMode}: transactions and savepoints, types looked up inside`, async (t) => {
    const name = await withTypes(t)
    const c = await connection(t, { statementMode })
    await c.execute(`create table ${name}.t (id int, mood ${name}.mood)`)
    await c.transaction(async (tx) => {
      await tx.execute(`insert into ${name}.t values (1, 'ok')`)
      await t.throwsAsync(
        tx.transaction(async (inner) => {
          await inner.execute(`insert into ${name}.t values (2, 'sad')`)
          t.is(await inner.fetchVal(`select mood from ${name}.t where id = 2`), 'sad')
          throw new Error('not this one')
        }),
      )
      t.deepEqual(await tx.fetch(`select t from ${name}.t`), [{ t: { id: 1, mood: 'ok' } }])
    })
    await t.throwsAsync(
      c.transaction(async (tx) => {
        await tx.execute(`insert into ${name}.t values (3, 'ok')`)
        await tx.fetch('select 1 / 0')
      }),
      { code: '22012' },
    )
    t.deepEqual(await c.fetch(`select id from ${name}.t`), [{ id: 1 }])
    t.false(c.isInTransaction)
  })

  test(`${statementMode}: types that have changed are read as they are`, async (t) => {
    const name = await withTypes(t)
    const [c, other] = await Promise.all([connection(t, { statementMode }), connection(t)])
    const query = `select row(1, 'ok', '{a}')::${name}.person as p`
    t.deepEqual(await c.fetchVal(query), { id: 1, mood: 'ok', tags: ['a'] })
    await other.execute(`alter type ${name}.person rename attribute tags to labels;
      alter type ${name}.person add attribute age int`)
    const now = `select row(1, 'ok', '{a}', 7)::${name}.person as p`
    t.deepEqual(await c.fetchVal(now), { id: 1, mood: 'ok', labels: ['a'], age: 7 })
  })

  test(`${statementMode}: limits of time interrupt the call alone`, async (t) => {
    const c = await connection(t, { statementMode })
    await t.throwsAsync(c.fetch('select pg_sleep(60)', [], { timeoutMs: 50 }), { instanceOf: TimeoutError })
    const abort = new AbortController()
    const [observer, pid] = [await connection(t), await c.fetchVal<number>('select pg_backend_pid()')]
    const sleeping = c.fetch('select pg_sleep(60)', [], { signal: abort.signal })
    const isRunning = async (): Promise<boolean> => (await observer.fetchVal(RUNNING, [pid])) === 1
    await until(isRunning, 'the query runs')
    abort.abort(new Error('enough'))
    await t.throwsAsync(sleeping, { message: 'enough' })
    // Its caller is told at once, and it runs until its cancel has come.
    await until(async () => !(await isRunning()), 'it is over')
    const canceled = c.fetch('select pg_sleep(60)')
    await until(isRunning, 'the query runs')
    await observer.execute('select pg_cancel_backend($1)', [pid])
    await t.throwsAsync(canceled, { instanceOf: QueryCanceledError })
    t.is(await c.fetchVal('select 1'), 1)
  })

  test(`${statementMode}: codecs of the application's`, async (t) => {
    const name = await withTypes(t)
    const c = await connect(url, {
      statementMode,
      typeCodecs: [
        { typeName: 'mood', schema: name, encode: String, decode: (text) => `<${text}>` },
        {
          typeName: 'date',
          schema: 'pg_catalog',
          format: 'tuple',
          encode: (parts) => parts,
          decode: ([days]) => days,
        },
      ],
    })
    t.teardown(async () => c.terminate())
    t.deepEqual(await c.fetchVal(`select row(1, 'ok', '{a}')::${name}.person`), {
      id: 1,
      mood: '<ok>',
      tags: ['a'],
    })
    t.is(await c.fetchVal("select '2000-01-11'::date"), 10)
    await c.resetTypeCodec('mood', { schema: name })
    t.is(await c.fetchVal(`select 'ok'::${name}.mood`), 'ok')
    await t.throwsAsync(c.setTypeCodec(`it's \\ "none"`, { encode: String, decode: String }), {
      message: /there is no type it's \\ "none"/,
    })
  })

  test(`${statementMode}: pools`, async (t) => {
    const p = await pool(t, { statementMode, maxSize: 3 })
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, number) => p.fetchVal(`select ${number}`)),
    )
    t.deepEqual(
      answers,
      Array.from({ length: 50 }, (_, number) => number),
    )
    await p.use(async (c) => {
      await c.execute("set application_name = 'someone'")
      t.is(await c.fetchVal('show application_name'), 'someone')
    })
    t.not(await p.fetchVal('show application_name'), 'someone')
    t.is(await p.transaction((tx) => tx.fetchVal('select 5')), 5)
  })
}

test('unnamed: parameters are sent, and no statement stays on the server', async (t) => {
  const c = await connection(t, { statementMode: 'unnamed' })
  for (let number = 0; number < 3; number++)
    t.is(await c.fetchVal('select $1::int + 1', [number]), number + 1)
  const statement = await c.prepare('select $1::text')
  t.is(await statement.fetchVal(['a']), 'a')
  t.is(await c.executeMany('select $1::int', [[1], [2]]), 2)
  t.is(await c.fetchVal('select count(*) from pg_prepared_statements'), 0)
})

const refusals: { [call: string]: (c: Connection) => Promise<unknown> } = {
  fetch: (c) => c.fetch('select $1::int', [1]),
  fetchRow: (c) => c.fetchRow(sql`select ${1}::int`),
  fetchVal: (c) => c.fetchVal('select $1::int', [1]),
  run: (c) => c.run('select $1::int', [1]),
  execute: (c) => c.execute('select $1::int', [1]),
  executeMany: (c) => c.executeMany('select $1::int', [[1]]),
  fetchMany: (c) => c.fetchMany('select $1::int', [[1]]),
  prepare: (c) => c.prepare('select 1'),
}

for (const [call, make] of Object.entries(refusals)) {
  test(`simple: ${call} says that there are no parameters and nothing to prepare`, async (t) => {
    const c = await connection(t, { statementMode: 'simple' })
    const error = await t.throwsAsync(make(c), { instanceOf: UnsupportedClientFeatureError })
    t.regex(error.message, /'simple'.*'unnamed'/)
    t.true(error.safeToRetry)
    const isOfParameters = !/prepare|Many/.test(call)
    if (isOfParameters) t.regex(error.message, /^argument params: expected none.*got 1/)
    t.is(await c.fetchVal('select 1'), 1, 'the connection works')
  })
}

test('simple: pools and transactions refuse the same', async (t) => {
  const p = await pool(t, { statementMode: 'simple' })
  await t.throwsAsync(p.fetch('select $1::int', [1]), { instanceOf: UnsupportedClientFeatureError })
  await t.throwsAsync(p.executeMany('select $1::int', [[1]]), { instanceOf: UnsupportedClientFeatureError })
  await t.throwsAsync(
    p.transaction((tx) => tx.fetch('select $1::int', [1])),
    { instanceOf: UnsupportedClientFeatureError },
  )
  await t.throwsAsync(
    p.use((c) => c.prepare('select 1')),
    { instanceOf: UnsupportedClientFeatureError },
  )
  t.is(await p.fetchVal('select 1'), 1)
})

test('simple: the server gets nothing but simple queries, whatever is called', async (t) => {
  const name = await withTypes(t)
  for (const statementMode of ['simple', 'unnamed'] as const) {
    const c = await connection(t, {
      statementMode,
      serverSettings: { client_min_messages: 'log', log_statement: 'all' },
    })
    const said: string[] = []
    c.onNotice(({ message }) => said.push(message))
    t.is(await c.fetchVal(`select 'ok'::${name}.mood`), 'ok')
    await c.transaction((tx) => tx.fetch(`select row(1, 'ok', null)::${name}.person`))
    await c.execute('select 1; select 2')
    await c.reset()
    const isSimple = said.every((message) => message.startsWith('statement: '))
    t.true(said.length >= 5, `the server says what it gets: ${said.join('\n')}`)
    t.is(isSimple, statementMode === 'simple', said.join('\n'))
  }
})

test('simple: what the protocol cannot tell', async (t) => {
  const c = await connection(t, { statementMode: 'simple' })
  t.deepEqual(await c.fetchVal("select row(1, 'a', null)"), { f1: '1', f2: 'a', f3: null })
  await c.transaction(async (tx) => {
    await tx.execute('declare b binary cursor for select 1')
    await t.throwsAsync(tx.fetch('fetch b'), {
      instanceOf: UnsupportedClientFeatureError,
      message: /BINARY cursor/,
    })
  })
})

test('a mode that there is not, or that contradicts the size of the cache, is refused', async (t) => {
  const options = { instanceOf: ClientConfigurationError }
  const wrong = 'named' as 'cache'
  await t.throwsAsync(connect(url, { statementMode: wrong }), {
    ...options,
    message: /option statementMode: expected one of cache, unnamed, simple/,
  })
  await t.throwsAsync(createPool(url, { statementMode: 'simple', statementCacheSize: 5 }), {
    ...options,
    message: /option statementCacheSize: expected 0 with statementMode 'simple', got 5/,
  })
})
