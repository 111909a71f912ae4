// Codecs of the application's: what they reach, and what they are given.
import test from 'ava'
import { connect, InterfaceError, Range, type TypeCodecOptions } from 'oxpg'
import { Decimal, decimalCodec, open, schemaOfTypes, upperCase } from '../support/codec-types.js'
import { url } from '../support/server.js'

test('a text codec of a base type', async (t) => {
  const c = await open(t)
  await c.setTypeCodec('numeric', decimalCodec)
  t.deepEqual(await c.fetchVal('select 1.50'), new Decimal('1.50'))
  t.deepEqual(await c.fetchVal('select $1::numeric * 2', [new Decimal('0.25')]), new Decimal('0.50'))
  t.deepEqual(await c.fetchRow('select 1.5 as a, 2 as b, null::numeric as c'), {
    a: new Decimal('1.5'),
    b: 2,
    c: null,
  })
})

test('a codec is used for statements that were known before', async (t) => {
  const c = await open(t)
  const statement = await c.prepare('select $1::numeric as n')
  t.is(await statement.fetchVal(['1.5']), '1.5')
  t.is(await c.fetchVal('select 2.5'), '2.5')
  await c.setTypeCodec('numeric', decimalCodec)
  t.deepEqual(await statement.fetchVal([new Decimal('1.5')]), new Decimal('1.5'))
  t.deepEqual(await c.fetchVal('select 2.5'), new Decimal('2.5'))
  t.deepEqual(await statement.fetchMany([[new Decimal('3')]]), [{ n: new Decimal('3') }])
  await c.resetTypeCodec('numeric', { schema: 'pg_catalog' })
  t.is(await statement.fetchVal(['1.5']), '1.5')
  t.is(await c.fetchVal('select 2.5'), '2.5')
})

test('a codec that is set again replaces the one before', async (t) => {
  const c = await open(t)
  await c.setTypeCodec('numeric', decimalCodec)
  t.deepEqual(await c.fetchVal('select $1::numeric', [new Decimal('1')]), new Decimal('1'))
  await c.setTypeCodec<number>('numeric', { schema: 'pg_catalog', encode: String, decode: Number })
  t.is(await c.fetchVal('select $1::numeric', [1.5]), 1.5)
  t.is(await c.fetchVal('select sum(n) from unnest($1::numeric[]) n', [[1.5, 2]]), 3.5)
})

test('binary codecs get and give the bytes on the wire', async (t) => {
  const c = await open(t)
  await c.setTypeCodec<number>('int4', {
    schema: 'pg_catalog',
    format: 'binary',
    encode: (value) => {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32BE(value - 1)
      return bytes
    },
    decode: (bytes) => bytes.readInt32BE(0) + 1,
  })
  t.is(await c.fetchVal('select 41'), 42)
  t.is(await c.fetchVal('select $1::int4', [42]), 42)
  t.is(await c.fetchVal('select $1::int4::text', [42]), '41')
  t.deepEqual(await c.fetchVal('select $1::int4[]', [[1, null, 3]]), [1, null, 3])
  t.deepEqual(await c.fetchVal("select '{{1,2},{3,4}}'::int4[]"), [
    [2, 3],
    [4, 5],
  ])
  t.deepEqual(await c.fetchVal('select $1::int4range', [new Range(5, 7)]), new Range(5, 7))
  t.is(await c.fetchVal('select lower($1::int4range)::text', [new Range(5, 7)]), '4')
  t.deepEqual(await c.fetchVal('select row(1, 2::int2)'), { f1: 2, f2: 2 })
})

test('the bytes that a binary codec is given are its own', async (t) => {
  const c = await open(t)
  await c.setTypeCodec<Uint8Array>('uuid', {
    schema: 'pg_catalog',
    format: 'binary',
    encode: (value) => value,
    decode: (bytes) => bytes,
  })
  const rows = await c.fetch<{ id: Buffer }>('select gen_random_uuid() as id from generate_series(1, 2000)')
  t.is(new Set(rows.map(({ id }) => id.toString('hex'))).size, 2000)
  t.true(rows.every(({ id }) => id.length === 16))
  const id = new Uint8Array(32).subarray(8, 24).fill(7)
  t.is(await c.fetchVal('select $1::uuid::text', [id]), '07070707-0707-0707-0707-070707070707')
  t.deepEqual(await c.fetchVal('select array[$1::uuid]', [id]), [Buffer.from(id)])
})

test('jsonb and json in the text format', async (t) => {
  const c = await open(t)
  for (const name of ['json', 'jsonb']) {
    await c.setTypeCodec<unknown>(name, {
      schema: 'pg_catalog',
      encode: (value) => JSON.stringify({ wrapped: value }),
      decode: (text) => JSON.parse(text).wrapped,
    })
  }
  const value = ['a', 1, null, { b: true }]
  t.deepEqual(await c.fetchVal('select $1::jsonb', [value]), value)
  t.deepEqual(await c.fetchVal('select $1::json', ['text']), 'text')
  t.is(await c.fetchVal('select $1::jsonb::text', [1]), '{"wrapped": 1}')
  t.deepEqual(await c.fetchVal('select array[$1::jsonb, null]', [value]), [value, null])
  t.deepEqual(await c.fetchVal('select $1::jsonb[]', [[value, value]]), [value, value])
})

test('a codec of an enum reaches wherever the enum is', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  await c.setTypeCodec('mood', upperCase(schema))
  t.is(await c.fetchVal(`select 'sad'::${schema}.mood`), 'SAD')
  t.is(await c.fetchVal(`select $1::${schema}.mood::text`, ['HAPPY']), 'happy')
  t.deepEqual(await c.fetchVal(`select $1::${schema}.mood[]`, [['SAD', null]]), ['SAD', null])
  t.is(await c.fetchVal(`select $1::${schema}.mood_domain`, ['SAD']), 'SAD')
  t.is(await c.fetchVal(`select $1::${schema}.domain_of_domain`, ['SAD']), 'SAD')
  t.deepEqual(await c.fetchVal(`select $1::${schema}.domain_of_domain[]`, [['SAD']]), ['SAD'])
  t.deepEqual(await c.fetchVal(`select $1::${schema}.pair`, [{ amount: '1', mood: 'SAD' }]), {
    amount: '1',
    mood: 'SAD',
  })
  t.deepEqual(await c.fetchVal(`select row('sad'::${schema}.mood, 1)`), { f1: 'SAD', f2: 1 })
  t.deepEqual(await c.fetch(`select distinct 'sad'::${schema}.mood as m, 'plain'::text as p`), [
    { m: 'SAD', p: 'plain' },
  ])
})

test('a codec of a base type reaches composites, ranges, multiranges, records and domains', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  await c.setTypeCodec('numeric', decimalCodec)
  const d = (text: string) => new Decimal(text)
  const nested = { pair: { amount: d('1.50'), mood: 'sad' }, amounts: [d('2'), null, d('-3.25')] }
  t.deepEqual(await c.fetchVal(`select $1::${schema}.nested`, [nested]), nested)
  t.deepEqual(await c.fetchVal(`select $1::${schema}.nested[]`, [[nested, null]]), [nested, null])
  t.deepEqual(await c.fetchVal(`select row(row(1.50, 'sad'), '{2}')::${schema}.nested`), {
    pair: { amount: d('1.50'), mood: 'sad' },
    amounts: [d('2')],
  })
  const range = new Range(d('1.5'), d('2.5'))
  t.deepEqual(await c.fetchVal('select $1::numrange', [range]), range)
  t.deepEqual(await c.fetchVal('select $1::numrange[]', [[range]]), [range])
  t.deepEqual(await c.fetchVal(`select $1::${schema}.amount_range`, [range]), range)
  // Multiranges came with PostgreSQL 14.
  if (c.serverVersion.major >= 14) {
    t.deepEqual(await c.fetchVal('select $1::nummultirange', [[range]]), [range])
    t.deepEqual(await c.fetchVal(`select $1::${schema}.amount_multirange`, [[range]]), [range])
  }
  t.deepEqual(await c.fetchVal(`select $1::${schema}.amount`, [d('7')]), d('7'))
  t.deepEqual(await c.fetchVal(`select $1::${schema}.amount[]`, [[d('7')]]), [d('7')])
  t.deepEqual(await c.fetchVal("select row(1.5, array[2.5], '[1,2]'::numrange)"), {
    f1: d('1.5'),
    f2: [d('2.5')],
    f3: new Range(d('1'), d('2'), { upperInclusive: true }),
  })
})

test('a codec of int2 or oid reaches int2vector and oidvector, and catalogs are read', async (t) => {
  const c = await open(t)
  for (const typeName of ['int2', 'oid']) {
    await c.setTypeCodec(typeName, {
      schema: 'pg_catalog',
      encode: (value: string) => value.slice(1),
      decode: (text: string) => `#${text}`,
    })
  }
  t.deepEqual(await c.fetchVal("select '1 -2'::int2vector"), ['#1', '#-2'])
  t.deepEqual(await c.fetchVal("select '1 4294967295'::oidvector"), ['#1', '#4294967295'])
  t.deepEqual(await c.fetchVal("select ''::int2vector"), [])
  t.is(await c.fetchVal('select $1::int2vector::text', [['#1', '#-2']]), '1 -2')
  t.is(await c.fetchVal('select $1::oidvector::text', [['#7']]), '7')
  t.deepEqual(await c.fetchVal('select $1::int2vector', [[]]), [])
  t.deepEqual(
    await c.fetchVal("select indkey from pg_index where indexrelid = 'pg_type_oid_index'::regclass"),
    ['#1'],
  )
  t.deepEqual(await c.fetchVal("select proargtypes from pg_proc where oid = 'pg_sleep'::regproc"), ['#701'])
})

test('what a text codec gives is quoted where it has to be', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  await c.execute(`create type ${schema}.labelled as (id int, label varchar);
    create type ${schema}.label_range as range (subtype = varchar)`)
  await c.setTypeCodec<string>('varchar', {
    schema: 'pg_catalog',
    encode: (value) => value.slice(1, -1),
    decode: (text) => `<${text}>`,
  })
  for (const inner of [
    '',
    ' ',
    '"',
    '\\',
    '{}',
    ',',
    '()',
    'NULL',
    'null',
    `a"b\\c,{d}(e)'f'`,
    '\n\t',
    'ü😀',
  ]) {
    const value = `<${inner}>`
    t.is(await c.fetchVal('select $1::varchar', [value]), value)
    t.deepEqual(await c.fetchVal('select $1::varchar[]', [[value, null, value]]), [value, null, value])
    t.deepEqual(await c.fetchVal(`select $1::${schema}.labelled`, [{ id: 1, label: value }]), {
      id: 1,
      label: value,
    })
    t.deepEqual(await c.fetchVal(`select $1::${schema}.labelled[]`, [[[2, value]]]), [
      { id: 2, label: value },
    ])
    t.deepEqual(await c.fetchVal('select row($1::varchar, 1)', [value]), { f1: value, f2: 1 })
    const range = new Range(value, value, { upperInclusive: true })
    t.deepEqual(await c.fetchVal(`select $1::${schema}.label_range`, [range]), range)
  }
})

test('a codec of a range type gets the whole range', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  const codec: TypeCodecOptions<string> = { encode: (value) => value.slice(2), decode: (text) => `r:${text}` }
  await c.setTypeCodec('amount_range', { ...codec, schema })
  await c.setTypeCodec('int4range', { ...codec, schema: 'pg_catalog' })
  t.is(await c.fetchVal(`select $1::${schema}.amount_range`, ['r:[1,2]']), 'r:[1,2]')
  t.is(await c.fetchVal("select '[1,5)'::int4range"), 'r:[1,5)')
  t.is(await c.fetchVal('select $1::int4range', ['r:[1,5)']), 'r:[1,5)')
  t.deepEqual(await c.fetchVal('select $1::int4range[]', [['r:empty', null]]), ['r:empty', null])
  t.is(await c.fetchVal("select '[1,2)'::int8range").then(String), '[1,2)')
  if (c.serverVersion.major < 14) return
  t.deepEqual(await c.fetchVal('select $1::int4multirange', [['r:[1,2)', 'r:[5,6)']]), ['r:[1,2)', 'r:[5,6)'])
  t.deepEqual(await c.fetchVal("select '{[1,2),[5,6)}'::int4multirange"), ['r:[1,2)', 'r:[5,6)'])
  t.deepEqual(await c.fetchVal(`select '{[1,2)}'::${schema}.amount_multirange`), ['r:[1,2)'])
})

test('a tuple codec of a composite type gets its attributes in order', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  class Money {
    constructor(
      readonly amount: string | null,
      readonly mood: string | null,
    ) {}
  }
  await c.setTypeCodec<Money>('pair', {
    schema,
    format: 'tuple',
    encode: (money) => [money.amount, money.mood],
    decode: ([amount, mood]) => new Money(amount, mood),
  })
  const money = new Money('1.50', 'sad')
  t.deepEqual(await c.fetchVal(`select $1::${schema}.pair`, [money]), money)
  t.deepEqual(await c.fetchVal(`select $1::${schema}.pair[]`, [[money, null]]), [money, null])
  t.deepEqual(await c.fetchVal(`select row(null, null)::${schema}.pair`), new Money(null, null))
  const nested = { pair: money, amounts: [] }
  t.deepEqual(await c.fetchVal(`select $1::${schema}.nested`, [nested]), nested)
  t.deepEqual(await c.fetchVal(`select row('(1,sad)'::${schema}.pair)`), { f1: new Money('1', 'sad') })
  await c.setTypeCodec('numeric', decimalCodec)
  t.deepEqual(
    await c.fetchVal(`select '(1,sad)'::${schema}.pair`),
    new Money(new Decimal('1') as never, 'sad'),
  )
})

test('a table has a tuple codec like any composite type', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  await c.setTypeCodec<unknown[]>('item', {
    schema,
    format: 'tuple',
    encode: (v) => v,
    decode: (parts) => parts,
  })
  await c.execute(`insert into ${schema}.item values (1, 2.5, 'sad')`)
  t.deepEqual(await c.fetch(`select i from ${schema}.item i`), [{ i: [1, '2.5', 'sad'] }])
  t.is(await c.fetchVal(`select ($1::${schema}.item).mood`, [[1, null, 'happy']]), 'happy')
})

test('types of the same name in other schemas are not meant', async (t) => {
  const [first, second] = [await schemaOfTypes(t), await schemaOfTypes(t)]
  const c = await open(t)
  await c.setTypeCodec('mood', upperCase(first))
  t.is(await c.fetchVal(`select 'sad'::${first}.mood`), 'SAD')
  t.is(await c.fetchVal(`select 'sad'::${second}.mood`), 'sad')
  await c.execute(`create domain ${second}.numeric as text`)
  await c.setTypeCodec('numeric', decimalCodec)
  t.is(await c.fetchVal(`select 'x'::${second}.numeric`), 'x')
})

test('many rows of parameters and results go through codecs', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  await c.setTypeCodec('numeric', decimalCodec)
  await c.setTypeCodec('mood', upperCase(schema))
  const rows = Array.from({ length: 3000 }, (_, n) => [n, new Decimal(`${n}.5`), n % 2 === 0 ? 'SAD' : null])
  t.is(await c.executeMany(`insert into ${schema}.item values ($1, $2, $3)`, rows), 3000)
  t.deepEqual(await c.fetch(`select * from ${schema}.item order by id`, [], { rowMode: 'array' }), rows)
  t.deepEqual(
    await c.fetchMany(`select amount from ${schema}.item where amount = $1`, [
      [new Decimal('7.5')],
      [new Decimal('9.50')],
    ]),
    [{ amount: new Decimal('7.5') }, { amount: new Decimal('9.5') }],
  )
})

test('codecs may call the connection, whose answer they do not wait for', async (t) => {
  const c = await open(t)
  const calls: Promise<unknown>[] = []
  await c.setTypeCodec<string>('numeric', {
    schema: 'pg_catalog',
    encode: (value) => {
      calls.push(c.fetchVal('select $1::int', [1]))
      return value
    },
    decode: (text) => {
      calls.push(c.fetchVal('select $1::int', [2]))
      return text
    },
  })
  t.deepEqual(await c.fetchVal('select $1::numeric[]', [['1', '2']]), ['1', '2'])
  t.deepEqual(await Promise.all(calls), [1, 1, 2, 2])
})

test('resetTypeCodec takes a codec back, and does nothing without one', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  await c.setTypeCodec('mood', upperCase(schema))
  t.deepEqual(await c.fetchVal(`select array['sad'::${schema}.mood]`), ['SAD'])
  await c.resetTypeCodec('mood', { schema })
  t.deepEqual(await c.fetchVal(`select array['sad'::${schema}.mood]`), ['sad'])
  t.is(await c.fetchVal(`select $1::${schema}.mood`, ['happy']), 'happy')
  await c.resetTypeCodec('mood', { schema })
  await c.resetTypeCodec('numeric', { schema: 'pg_catalog' })
  t.is(await c.fetchVal('select 1.5'), '1.5')
  await t.throwsAsync(c.resetTypeCodec('nothing'), {
    instanceOf: InterfaceError,
    message: /no type nothing in schema public/,
  })
  await t.throwsAsync(c.resetTypeCodec('int4'), { instanceOf: InterfaceError, message: /pg_catalog/ })
})

test('calls that were made before a codec go by what there was', async (t) => {
  const c = await open(t)
  t.is(await c.fetchVal('select $1::numeric', ['1']), '1')
  const early = c.fetchVal('select $1::numeric', ['1.5'])
  const set = c.setTypeCodec('numeric', decimalCodec)
  t.is(await early, '1.5')
  await set
  t.deepEqual(await c.fetchVal('select $1::numeric', [new Decimal('1.5')]), new Decimal('1.5'))
})

test('names that need quotes', async (t) => {
  const schema = `${await schemaOfTypes(t)} "ü\\`
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
  const [enumName, pairName] = ['Größe, {x}\\', '"; (pair']
  const c = await open(t)
  await c.execute(`
    create schema ${quoted(schema)};
    create type ${quoted(schema)}.${quoted(enumName)} as enum ('a b', 'c"d');
    create type ${quoted(schema)}.${quoted(pairName)} as
      ("__proto__" int, "a b" ${quoted(schema)}.${quoted(enumName)}, "toString" text, "0" int)`)
  t.teardown(async () => {
    const other = await connect(url)
    await other.execute(`set client_min_messages = error; drop schema ${quoted(schema)} cascade`)
    await other.close()
  })
  await c.setTypeCodec<string>(enumName, {
    schema,
    encode: (value) => value.slice(1),
    decode: (text) => `#${text}`,
  })
  const value = await c.fetchVal<object>(`select $1::${quoted(schema)}.${quoted(pairName)}`, [
    [1, '#c"d', 'x', 5],
  ])
  t.deepEqual(Object.entries(value!).sort(), [
    ['0', 5],
    ['__proto__', 1],
    ['a b', '#c"d'],
    ['toString', 'x'],
  ])
  t.is(Object.getPrototypeOf(value), Object.prototype)
  await t.throwsAsync(c.setTypeCodec(pairName, { schema, encode: String, decode: String }), {
    message: /tuple/,
  })
})

test('names that no server has are refused before one is asked', async (t) => {
  const codec = { encode: String, decode: String }
  const c = await open(t)
  for (const name of ['', 'a\0', 'a\uD83D']) {
    const options = { instanceOf: InterfaceError, message: /must be a name/ }
    await t.throwsAsync(c.setTypeCodec(name, codec), options)
    await t.throwsAsync(c.setTypeCodec('mood', { ...codec, schema: name }), options)
    await t.throwsAsync(c.setBuiltinTypeCodec('mood', { codecName: name }), options)
    await t.throwsAsync(c.resetTypeCodec('mood', { schema: name }), options)
    // Nobody listens there.
    const nowhere = { host: '127.0.0.1', port: 1, typeCodecs: [{ typeName: name, ...codec }] }
    await t.throwsAsync(connect(nowhere), options)
  }
})
