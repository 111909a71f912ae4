import test from 'ava'
import { type Connection, DataError, json } from 'oxpg'
import { connection } from '../support/server.js'

/** Type, its literal in SQL, and the value that it is in JavaScript. */
const values: readonly (readonly [type: string, literal: string, value: unknown])[] = [
  ['bool', 'true', true],
  ['bool', 'false', false],
  ['int2', '-32768', -32768],
  ['int2', '32767', 32767],
  ['int4', '-2147483648', -2147483648],
  ['int4', '2147483647', 2147483647],
  ['oid', '4294967295', 4294967295],
  ['int8', '0', 0],
  ['int8', '-1', -1],
  ['int8', '9007199254740991', 9007199254740991],
  ['int8', '9007199254740992', 9007199254740992n],
  ['int8', '-9223372036854775808', -9223372036854775808n],
  ['int8', '9223372036854775807', 9223372036854775807n],
  ['float4', "'3.14'", 3.14],
  ['float4', "'-0'", -0],
  ['float4', "'NaN'", Number.NaN],
  ['float4', "'1e-45'", 1e-45],
  ['float8', "'0.1'", 0.1],
  ['float8', "'-0'", -0],
  ['float8', "'-Infinity'", Number.NEGATIVE_INFINITY],
  ['float8', "'1.7976931348623157e308'", Number.MAX_VALUE],
  ['float8', "'5e-324'", 5e-324],
  ['numeric', "'0'", '0'],
  ['numeric', "'-0.000100'", '-0.000100'],
  ['numeric', "'12345678901234567890.123456789'", '12345678901234567890.123456789'],
  ['numeric', "'10000'", '10000'],
  ['numeric', "'1e-20'", '0.00000000000000000001'],
  ['numeric', "'NaN'", 'NaN'],
  ['numeric', "'Infinity'", 'Infinity'],
  ['numeric', "'-Infinity'", '-Infinity'],
  ['text', "''", ''],
  ['text', "'Grüße, 世界 😀'", 'Grüße, 世界 😀'],
  ['varchar', "'abc'", 'abc'],
  ['bpchar', "'abc'", 'abc'],
  ['name', "'pg_class'", 'pg_class'],
  ['"char"', "'x'", 'x'],
  ['bytea', "'\\x00ff10'", Buffer.from([0, 255, 16])],
  ['bytea', "''", Buffer.alloc(0)],
  ['uuid', "'00112233-4455-6677-8899-aabbccddeeff'", '00112233-4455-6677-8899-aabbccddeeff'],
  ['date', "'2024-02-29'", '2024-02-29'],
  ['date', "'0044-03-15 BC'", '0044-03-15 BC'],
  ['date', "'5874897-12-31'", '5874897-12-31'],
  ['date', "'4713-01-01 BC'", '4713-01-01 BC'],
  ['date', "'infinity'", Number.POSITIVE_INFINITY],
  ['date', "'-infinity'", Number.NEGATIVE_INFINITY],
  ['time', "'00:00:00'", '00:00:00'],
  ['time', "'23:59:59.000001'", '23:59:59.000001'],
  ['time', "'24:00:00'", '24:00:00'],
  ['timestamp', "'2024-02-29 12:34:56.789'", new Date('2024-02-29T12:34:56.789Z')],
  ['timestamp', "'infinity'", Number.POSITIVE_INFINITY],
  ['timestamptz', "'1969-12-31 23:59:59.999+00'", new Date(-1)],
  ['timestamptz', "'2024-02-29 12:34:56.789+02'", new Date('2024-02-29T10:34:56.789Z')],
  ['timestamptz', "'-infinity'", Number.NEGATIVE_INFINITY],
  ['json', `'{"a": [1, null, "x"]}'`, { a: [1, null, 'x'] }],
  ['jsonb', `'{"a": {"b": 1.5}}'`, { a: { b: 1.5 } }],
  ['jsonb', "'[1, 2]'", [1, 2]],
]

/** PostgreSQL 13 has no infinite numeric. */
const exists = (c: Connection, type: string, literal: string) =>
  c.serverVersion.major >= 14 || type !== 'numeric' || !literal.includes('Infinity')

for (const [type, literal, value] of values) {
  test(`${type} ${literal.slice(0, 40)}`, async (t) => {
    const c = await connection(t)
    if (!exists(c, type, literal)) {
      t.pass()
      return
    }
    // The first execution reads with the loop, the third with the compiled class.
    for (let round = 0; round < 3; round += 1) {
      t.deepEqual(await c.fetchVal(`select (${literal})::${type}`), value)
    }
    // json keeps the text that it was given, and has no equality.
    if (type !== 'json') {
      for (let round = 0; round < 2; round += 1) {
        const parameter = type === 'jsonb' ? json(value) : value
        t.true(await c.fetchVal(`select $1::${type} is not distinct from (${literal})::${type}`, [parameter]))
        t.is(
          await c.fetchVal(`select $1::${type}::text`, [parameter]),
          await c.fetchVal(`select (${literal})::${type}::text`),
        )
      }
    }
    t.is(await c.fetchVal(`select null::${type}`), null)
    t.true(await c.fetchVal(`select $1::${type} is null`, [null]))
  })

  test(`array of ${type} ${literal.slice(0, 40)}`, async (t) => {
    const c = await connection(t)
    if (!exists(c, type, literal)) {
      t.pass()
      return
    }
    // In a parameter for json[] an inner array is a JSON value, so those have one dimension here.
    const isJson = type.startsWith('json')
    const array = isJson
      ? `array[${literal}, null]::${type}[]`
      : `array[array[${literal}, null], array[null, ${literal}]]::${type}[][]`
    const expected = isJson
      ? [value, null]
      : [
          [value, null],
          [null, value],
        ]
    for (let round = 0; round < 3; round += 1) t.deepEqual(await c.fetchVal(`select ${array}`), expected)
    for (let round = 0; round < 2 && type !== 'json'; round += 1) {
      t.is(
        await c.fetchVal(`select $1::${type}[]::text`, [expected]),
        await c.fetchVal(`select ${array}::text`),
      )
    }
    t.deepEqual(await c.fetchVal(`select '{}'::${type}[]`), [])
    t.is(await c.fetchVal(`select $1::${type}[]::text`, [[]]), '{}')
  })
}

test('lower bounds are kept and sent back', async (t) => {
  const c = await connection(t)
  const array = await c.fetchVal("select '[2:4]={1,2,3}'::int[]")
  t.deepEqual(array, [1, 2, 3])
  t.is(await c.fetchVal('select $1::int[]::text', [array]), '[2:4]={1,2,3}')
})

test('a parameter may be an array that a column holds', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table tagged (id int, tags text[])')
  await c.executeMany('insert into tagged values ($1, $2)', [
    [1, ['a', 'b']],
    [2, ['c', '"quoted", {braces}']],
  ])
  t.is(await c.fetchVal('select id from tagged where $1 = any(tags)', ['c']), 2)
  t.is(await c.fetchVal('select id from tagged where $1 = any(tags)', ['"quoted", {braces}']), 2)
  t.is(await c.fetchVal('select count(*) from tagged where id = any($1)', [[1, 2, 3]]), 2)
})

test('other mappings', async (t) => {
  const c = await connection(t)
  const one = (query: string, options: object) => c.fetchVal(query, [], options)
  t.is(await one('select 1::int8', { int8: 'bigint' }), 1n)
  t.is(await one('select 9007199254740993', { int8: 'number' }), 9007199254740992)
  t.is(await one('select 9007199254740993', { int8: 'string' }), '9007199254740993')
  t.is(await one('select 1.5', { numeric: 'number' }), 1.5)
  t.is(await one("select '[1]'::jsonb", { json: 'string' }), '[1]')
  t.deepEqual(
    await one("select '00112233-4455-6677-8899-aabbccddeeff'::uuid", { uuid: 'buffer' }),
    Buffer.from('00112233445566778899aabbccddeeff', 'hex'),
  )
  t.deepEqual(await one("select date '2024-01-02'", { date: 'date' }), new Date(Date.UTC(2024, 0, 2)))
  const instant = "select timestamptz '2024-01-02 03:04:05.678901+00'"
  t.is(await one(instant, { timestamptz: 'micros' }), 1704164645678901n)
  t.is(await one(instant, { timestamptz: 'string' }), '2024-01-02 03:04:05.678901+00')
  t.deepEqual(
    await one("select timestamp '2024-01-02 03:04:05'", { timestamp: 'local' }),
    new Date(2024, 0, 2, 3, 4, 5),
  )
  t.deepEqual(await one('select array[1::int8]', { int8: 'bigint' }), [1n])
})

test('mappings are options of a connection, too', async (t) => {
  const c = await connection(t, { int8: 'bigint', rowMode: 'array' })
  t.deepEqual(await c.fetch('select count(*) from (values (1), (2)) v'), [[2n]])
  t.deepEqual(await c.fetch('select 1::int8', [], { int8: 'number' }), [[1]])
})

test('microseconds survive where the mapping is exact', async (t) => {
  const c = await connection(t)
  const micros = 1704164645678901n
  t.is(await c.fetchVal('select $1::timestamptz', [micros], { timestamptz: 'micros' }), micros)
  t.is(
    await c.fetchVal('select $1::timestamp', ['2024-01-02 03:04:05.678901'], { timestamp: 'string' }),
    '2024-01-02 03:04:05.678901',
  )
})

test('a row with a big integer can be made JSON', async (t) => {
  const c = await connection(t)
  const [row] = await c.fetch('select 9223372036854775807 as big, 1::int8 as small')
  t.is(JSON.stringify(row), '{"big":"9223372036854775807","small":1}')
})

const refused: readonly (readonly [type: string, value: unknown])[] = [
  ['int2', 32768],
  ['int4', 2 ** 31],
  ['int4', 1.5],
  ['int4', Number.NaN],
  ['int4', {}],
  ['oid', -1],
  ['int8', 2 ** 63],
  ['int8', 9223372036854775808n],
  ['bool', 'maybe'],
  ['float8', 'many'],
  ['numeric', 'many'],
  ['text', 'nul \0 inside'],
  ['bytea', 5],
  ['uuid', '0011'],
  ['timestamptz', new Date(Number.NaN)],
  ['int4[]', [[1, 2], [3]]],
  ['jsonb', () => {}],
]
for (const [type, value] of refused) {
  test(`${type} refuses ${String(value).slice(0, 30).replaceAll('\0', '\\0')}`, async (t) => {
    const c = await connection(t)
    for (let round = 0; round < 2; round += 1) {
      const error = await t.throwsAsync(c.fetch(`select $1::${type}`, [value]), { instanceOf: DataError })
      t.regex(error?.message ?? '', /\$1/)
    }
    t.is(await c.fetchVal('select 1'), 1)
  })
}
