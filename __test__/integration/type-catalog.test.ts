// Types of the database that the driver does not know are looked up at first use: once, all together, and unnoticed.
import test from 'ava'
import { connect, createPool, Range, TimeoutError, type Type } from 'oxpg'
import { OUTER, OUTER_VALUE, schemaOfTypes, watched } from '../support/catalog-types.js'
import { connection, uniqueName, urlWith } from '../support/server.js'
import { wireTap } from '../support/wire-tap.js'

// Those that count look-ups run one at a time: DDL of others on this thread has composite types looked up again.
test.serial('an unknown type is looked up once', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  t.is(await c.fetchVal(`select 'ok'::${schema}.mood`), 'ok')
  t.is(tap.lookUps, 1)
  t.is(await c.fetchVal(`select 'ok'::${schema}.mood`), 'ok')
  t.is(await c.fetchVal(`select 'sad'::${schema}.mood as another_statement`), 'sad')
  t.is(await c.fetchVal(`select $1::${schema}.mood`, ['happy']), 'happy')
  t.is(tap.lookUps, 1)
})

test.serial(
  'all types of a statement are looked up in one query, with all that they are made of',
  async (t) => {
    const schema = await schemaOfTypes(t)
    const { c, tap } = await watched(t)
    // Multiranges came with PostgreSQL 14.
    const hasMultiranges = c.serverVersion.major >= 14
    const spans = hasMultiranges ? `'{[1,2),[5,)}'::${schema}.span_multirange` : 'null'
    const row = await c.fetchRow(
      `select ${OUTER}::${schema}.outer_type as value, array[${OUTER}::${schema}.outer_type] as many,
       $1::${schema}.span as span, '[sad,ok]'::${schema}.mood_range as range, $2::${schema}.moods as moods,
       ${spans} as spans, null::${schema}.person as person`,
      [new Range(1, 9), ['ok', 'ok']],
    )
    t.deepEqual(row, {
      value: OUTER_VALUE,
      many: [OUTER_VALUE],
      span: new Range(1, 9),
      range: new Range('sad', 'ok', { upperInclusive: true }),
      moods: ['ok', 'ok'],
      spans: hasMultiranges ? [new Range(1, 2), new Range(5, null)] : null,
      person: null,
    })
    t.is(tap.lookUps, 1)
  },
)

test.serial('what was looked up as a part of another type is not looked up again', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  await c.fetchVal(`select null::${schema}.outer_type`)
  t.is(tap.lookUps, 1)
  t.deepEqual(await c.fetchVal(`select row('sad', null)::${schema}.inner_type`), { mood: 'sad', at: null })
  t.is(await c.fetchVal(`select 3::${schema}.positive`), 3)
  t.is(tap.lookUps, 1)
})

test.serial('built-in types are never looked up', async (t) => {
  const { c, tap } = await watched(t)
  const names = await c.fetch<{ name: string }>(
    `select quote_ident(typname) as name from pg_type
     where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'r', 'm') and typrelid = 0
       and not exists (select from pg_type element where element.oid = pg_type.typelem and element.typtype = 'c')`,
  )
  const hasMultiranges = c.serverVersion.major >= 14
  t.true(names.length > (hasMultiranges ? 150 : 140), `${names.length}`)
  const nulls = names.map(({ name }) => `null::pg_catalog.${name}`)
  const row = await c.fetchRow(`select ${nulls.join(', ')}`, [], { rowMode: 'array' })
  t.true(row!.every((value) => value === null))
  await c.fetch(
    `select row(1, 'a'::text, array[1]), '[1,2)'::int4range, array['pg_class'::regclass],
       (select most_common_vals from pg_stats limit 1), $1::regclass[]`,
    [['pg_class']],
  )
  if (hasMultiranges) await c.fetch("select '{[1,2)}'::int4multirange, $1::tstzmultirange", [[]])
  t.is(tap.lookUps, 0)
})

test.serial('the row types of system catalogs are looked up as others are', async (t) => {
  const { c, tap } = await watched(t)
  const value = await c.fetchVal<{ spcname: string }>(
    "select s from pg_tablespace s where spcname = 'pg_default'",
  )
  t.is(value!.spcname, 'pg_default')
  t.is(tap.lookUps, 1)
})

test.serial('connections of a pool look a type up once for all', async (t) => {
  const schema = await schemaOfTypes(t)
  const tap = await wireTap(t)
  const p = await createPool(tap.url, { minSize: 2, maxSize: 2 })
  t.teardown(async () => p.terminate())
  const [first, second] = await Promise.all([p.acquire(), p.acquire()])
  t.is(await first.fetchVal(`select 'ok'::${schema}.mood`), 'ok')
  t.is(await second.fetchVal(`select 'sad'::${schema}.mood`), 'sad')
  t.is(await second.fetchVal(`select $1::${schema}.mood[]`, [['sad']]).then(String), 'sad')
  await Promise.all([first.release(), second.release()])
  t.is(await p.fetchVal(`select 'happy'::${schema}.mood`), 'happy')
  // The array type is another type than the enum.
  t.is(tap.lookUps, 2)
})

test.serial('connections of their own look types up for themselves', async (t) => {
  const schema = await schemaOfTypes(t)
  const tap = await wireTap(t)
  for (let n = 1; n <= 2; n++) {
    const c = await connect(tap.url)
    t.is(await c.fetchVal(`select 'ok'::${schema}.mood`), 'ok')
    t.is(tap.lookUps, n)
    await c.close()
  }
})

test.serial('JIT is off for the look-up and on again after it', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  await c.execute('set jit = on; set jit_above_cost = 0')
  await c.fetchVal(`select 'ok'::${schema}.mood`)
  const position = tap.statements.findIndex((text) => text.includes('RECURSIVE needed'))
  t.regex(tap.statements[position - 1]!, /set_config\(name, 'off', true\)/)
  t.is(await c.fetchVal('show jit'), 'on')
  await c.transaction(async (tx) => {
    await tx.fetchVal(`select $1::${schema}.positive`, [3])
    t.is(await tx.fetchVal('show jit'), 'on')
  })
  await c.execute('set jit = off')
  await c.fetchVal(`select null::${schema}.span`)
  t.is(await c.fetchVal('show jit'), 'off')
  t.is(tap.lookUps, 3)
})

test.serial('a transaction goes on as if nothing had been looked up', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  await c.execute('begin; set local jit_above_cost = 7')
  await c.execute(`insert into ${schema}.person (id) values (1)`)
  await c.execute('savepoint mine; savepoint oxpg_look_up')
  await c.execute(`insert into ${schema}.person (id) values (2)`)
  t.is(await c.fetchVal(`select 'ok'::${schema}.mood`), 'ok')
  t.is(tap.lookUps, 1)
  t.true(c.isInTransaction)
  t.is(await c.fetchVal('show jit_above_cost'), '7')
  t.is(await c.fetchVal(`select count(*) from ${schema}.person`), 2)
  await c.execute('rollback to savepoint oxpg_look_up')
  await c.execute('rollback to savepoint mine')
  await c.execute('commit')
  t.deepEqual(await c.fetch(`select id from ${schema}.person`), [{ id: 1 }])
})

test('transactions of every kind look types up', async (t) => {
  const schema = await schemaOfTypes(t)
  for (const options of [
    { readOnly: true },
    { isolation: 'serializable', readOnly: true, deferrable: true },
    { isolation: 'serializable' },
    { isolation: 'repeatable read' },
  ] as const) {
    const c = await connection(t, { rowMode: 'object' })
    await c.transaction(async (tx) => {
      t.deepEqual(await tx.fetchVal(`select ${OUTER}::${schema}.outer_type`), OUTER_VALUE)
      await tx.transaction(async (inner) => {
        t.is(await inner.fetchVal(`select $1::${schema}.positive[]`, [[4]]).then(String), '4')
      })
    }, options)
    t.false(c.isInTransaction)
  }
})

test.serial('a failed transaction stays failed, and types are looked up once it is over', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  await c.execute('begin')
  await t.throwsAsync(c.fetchVal('select 1 / 0'), { code: '22012' })
  await t.throwsAsync(c.fetchVal(`select 'ok'::${schema}.mood`), { code: '25P02' })
  await c.execute('rollback')
  t.is(await c.fetchVal(`select 'ok'::${schema}.mood`), 'ok')
  await t.throwsAsync(c.fetchVal(`select null::${schema}.span, 1 / $1::int`, [0]), { code: '22012' })
  t.is(await c.fetchVal(`select '[1,2)'::${schema}.span`).then(String), '[1,2)')
  t.is(tap.lookUps, 2)
})

test.serial('types are looked up without named statements', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t, { statementCacheSize: 0 })
  t.deepEqual(await c.fetchVal(`select $1::${schema}.outer_type`, [OUTER_VALUE]), OUTER_VALUE)
  t.deepEqual(await c.fetchVal(`select $1::${schema}.outer_type`, [OUTER_VALUE]), OUTER_VALUE)
  await c.transaction(async (tx) => {
    t.is(await tx.fetchVal(`select '[1,2)'::${schema}.span`).then(String), '[1,2)')
  })
  t.is(tap.lookUps, 2)
})

test('tables, functions and types of the application in the way do not disturb a look-up', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await connection(t, { rowMode: 'object' })
  await c.execute(`
    create table ${schema}.pg_type (oid oid);
    create table ${schema}.pg_range (oid oid);
    create table ${schema}.pg_settings (name text);
    create type ${schema}.oid as enum ('not', 'an', 'oid');
    create function ${schema}.unnest(anyarray) returns setof oid language sql as 'select 0::pg_catalog.oid';
    set search_path = ${schema}, pg_catalog`)
  t.deepEqual(await c.fetchVal(`select ${OUTER}::outer_type`), OUTER_VALUE)
  t.is(await c.fetchVal(`select 'an'::${schema}.oid`), 'an')
})

test('a user who may not look into the schema may use values of its types', async (t) => {
  const schema = await schemaOfTypes(t)
  const role = uniqueName('outsider')
  const owner = await connection(t)
  const view = uniqueName('public_view')
  await owner.execute(`
    create role ${role} login password 'secret';
    insert into ${schema}.person values (1, 'ok', ${OUTER});
    create view public.${view} as select mood, outer_value from ${schema}.person;
    grant select on public.${view} to ${role}`)
  const c = await connect(urlWith({ username: role, password: 'secret' }), { rowMode: 'object' })
  try {
    await t.throwsAsync(c.fetchVal(`select 'ok'::${schema}.mood`), { code: '42501' })
    t.deepEqual(await c.fetchRow(`select mood, outer_value from public.${view}`), {
      mood: 'ok',
      outer_value: OUTER_VALUE,
    })
  } finally {
    await c.close()
    await owner.execute(`drop view public.${view}; drop owned by ${role}; drop role ${role}`)
  }
})

test('a timeout during a look-up leaves the connection usable', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  const held = tap.holdLookUp()
  const late = c.fetchVal(`insert into ${schema}.person (mood) values ('ok') returning mood`, [], {
    timeoutMs: 3_000,
  })
  await held.arrived
  await t.throwsAsync(late, { instanceOf: TimeoutError })
  held.release()
  t.is(await c.fetchVal(`select count(*) from ${schema}.person`), 0)
  t.is(await c.fetchVal(`select 'ok'::${schema}.mood`), 'ok')
})

test('an abort during a look-up leaves the connection and its transaction usable', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  await c.execute('begin')
  const held = tap.holdLookUp()
  const abort = new AbortController()
  const aborted = c.fetchVal(`select 'ok'::${schema}.mood`, [], { signal: abort.signal })
  const behind = c.fetchVal(`select 'sad'::${schema}.mood`)
  await held.arrived
  abort.abort(new Error('not any more'))
  await t.throwsAsync(aborted, { message: 'not any more' })
  held.release()
  // The cancel may have hit the look-up, and the transaction with it.
  await behind.catch((error) => t.is(error.code, '25P02'))
  await c.execute('rollback')
  t.is(await c.fetchVal(`select 'ok'::${schema}.mood`), 'ok')
})

test.serial('first uses in a pipeline give right answers in order', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  const calls = Array.from({ length: 40 }, (_, n) =>
    [
      () => c.fetchVal(`select 'ok'::${schema}.mood`),
      () => c.fetchVal(`select $1::${schema}.positive`, [n + 1]),
      () => c.fetchVal('select $1::int', [n]),
      () => c.fetchVal(`select ${OUTER}::${schema}.outer_type`),
      () => c.fetchVal(`select $1::${schema}.mood[]`, [['sad', null]]),
      () => c.fetchVal(`select row($1::${schema}.mood, 1)`, ['ok']),
      () =>
        c.fetchVal(`insert into ${schema}.person (id, mood) values ($1, $2) returning mood`, [n, 'happy']),
      () => c.fetchVal(`select array_agg(id order by id) from ${schema}.person`),
    ][n % 8]!(),
  )
  const inserted: number[] = []
  for (const [n, value] of (await Promise.all(calls)).entries()) {
    if (n % 8 === 6) inserted.push(n)
    const expected = [
      'ok',
      n + 1,
      n,
      OUTER_VALUE,
      ['sad', null],
      { f1: 'ok', f2: 1 },
      'happy',
      [...inserted],
    ][n % 8]
    t.deepEqual(value, expected, `call ${n}`)
  }
  t.true(tap.lookUps <= 5, `${tap.lookUps} look-ups`)
})

test('a type can be made and used in one pipeline', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await connection(t, { rowMode: 'object' })
  const [, value] = await Promise.all([
    c.execute(`create type ${schema}.fresh as (id int, mood ${schema}.mood)`),
    c.fetchVal(`select row(1, 'ok')::${schema}.fresh`),
  ])
  t.deepEqual(value, { id: 1, mood: 'ok' })
})

test.serial('many rows of parameters may be the first use', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  const rows = Array.from({ length: 500 }, (_, n) => [
    n,
    n % 2 === 0 ? 'sad' : 'ok',
    n % 3 === 0 ? null : OUTER_VALUE,
  ])
  t.is(await c.executeMany(`insert into ${schema}.person values ($1, $2, $3)`, rows), 500)
  t.is(tap.lookUps, 1)
  const back = await c.fetch(`select * from ${schema}.person order by id`, [], { rowMode: 'array' })
  t.deepEqual(
    back.map((row) => row.slice(0, 2)),
    rows.map((row) => row.slice(0, 2)),
  )
  t.is(await c.fetchVal(`select count(*) from ${schema}.person where outer_value is null`), 167)
  const other = await watched(t)
  const moods = await other.c.fetchMany(
    `select $1::${schema}.mood as mood, $2::${schema}.inner_type as inner`,
    [
      ['ok', { mood: 'sad' }],
      ['sad', null],
    ],
  )
  t.deepEqual(moods, [
    { mood: 'ok', inner: { mood: 'sad', at: null } },
    { mood: 'sad', inner: null },
  ])
  t.is(other.tap.lookUps, 1)
})

test.serial('a prepared statement says what its types are', async (t) => {
  const schema = await schemaOfTypes(t)
  const { c, tap } = await watched(t)
  const oidOf = (name: string) =>
    c.fetchVal<number>('select $1::regtype::oid', [`${schema}.${name}`]).then(Number)
  const several = c.serverVersion.major >= 14 ? 'span_multirange' : 'span'
  const statement = await c.prepare(
    `select $1::${schema}.mood as a, $2::${schema}.outer_type[] as b, $3::${schema}.positive as c, $4::${schema}.span as d,
       $5::${schema}.${several} as e, $6::int4range as f, $7::${schema}.moods as g, $8::int[] as h`,
  )
  t.is(tap.lookUps, 1)
  const types: Type[] = [
    { name: 'mood', kind: 'scalar', schema, oid: await oidOf('mood') },
    { name: 'outer_type[]', kind: 'array', schema, oid: await oidOf('outer_type[]') },
    { name: 'positive', kind: 'scalar', schema, oid: await oidOf('positive') },
    { name: 'span', kind: 'range', schema, oid: await oidOf('span') },
    {
      name: several,
      kind: several === 'span' ? 'range' : 'multirange',
      schema,
      oid: await oidOf(several),
    },
    { name: 'int4range', kind: 'range', schema: 'pg_catalog', oid: 3904 },
    { name: 'moods', kind: 'array', schema, oid: await oidOf('moods') },
    { name: 'int4[]', kind: 'array', schema: 'pg_catalog', oid: 1007 },
  ]
  t.deepEqual(
    statement.parameters.map((type) => ({ ...type })),
    types,
  )
  // The server describes columns of domains as columns of their base types.
  const int4 = { name: 'int4', kind: 'scalar', schema: 'pg_catalog', oid: 23 } as const
  const moods = { name: 'mood[]', kind: 'array', schema, oid: await oidOf('mood[]') } as const
  t.deepEqual(
    statement.attributes.map(({ type }) => ({ ...type })),
    types.map((type) => (type.name === 'positive' ? int4 : type.name === 'moods' ? moods : type)),
  )
  const spans = several === 'span' ? new Range(1, 2) : [new Range(1, 2)]
  const values = ['ok', [OUTER_VALUE], 3, new Range(1, 2), spans, Range.empty(), ['sad'], [1]]
  t.deepEqual(Object.values((await statement.fetchRow(values))!), values)
  t.is(tap.lookUps, 1)
})

test('the same text means another type in another schema, on connections of their own', async (t) => {
  const [first, second] = [await schemaOfTypes(t), await schemaOfTypes(t)]
  const c = await connection(t, { rowMode: 'object', serverSettings: { search_path: first } })
  const d = await connection(t, { rowMode: 'object', serverSettings: { search_path: second } })
  await d.execute('alter type inner_type rename attribute mood to other_mood')
  const text = "select row('ok', null)::inner_type"
  t.deepEqual(await c.fetchVal(text), { mood: 'ok', at: null })
  t.deepEqual(await d.fetchVal(text), { other_mood: 'ok', at: null })
  t.deepEqual(await c.fetchVal(text), { mood: 'ok', at: null })
})

test('types of the session itself come and go', async (t) => {
  const c = await connection(t, { rowMode: 'object' })
  await c.execute('create type pg_temp.passing as (a int, b text)')
  t.deepEqual(await c.fetchVal("select row(1, 'x')::pg_temp.passing"), { a: 1, b: 'x' })
  t.deepEqual(await c.fetchVal('select $1::pg_temp.passing[]', [[{ a: 2, b: null }]]), [{ a: 2, b: null }])
})
