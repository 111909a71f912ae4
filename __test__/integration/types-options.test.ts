// Every option of the mapping of results: on a call, a connection and a pool, at every depth.
import { Temporal } from '@js-temporal/polyfill'
import test from 'ava'
import { BitString, type FetchOptions, Interval, Range, type ResultMapping, Row } from 'oxpg'
import { connection, pool } from '../support/server.js'
import { schema, shared, useSchema } from '../support/type-table.js'
import { plain } from '../support/values.js'

/** A type, an option for it, a literal and the value that the option makes of it. */
type Choice = readonly [type: string, options: ResultMapping, literal: string, value: unknown]

const doubled = (text: string) => `${text}${text}`
const temporal = Temporal

const choices: readonly Choice[] = [
  ['int8', {}, '5', 5],
  ['int8', { int8: 'number-or-bigint' }, '9007199254740993', 9007199254740993n],
  ['int8', { int8: 'bigint' }, '5', 5n],
  ['int8', { int8: 'number' }, '9007199254740993', 9007199254740992],
  ['int8', { int8: 'string' }, '-9223372036854775808', '-9223372036854775808'],
  ['xid8', { int8: 'bigint' }, '5', 5n],
  ['xid8', { int8: 'string' }, '18446744073709551615', '18446744073709551615'],
  ['numeric', {}, '1.50', '1.50'],
  ['numeric', { numeric: 'string' }, '1.50', '1.50'],
  ['numeric', { numeric: 'number' }, '1.50', 1.5],
  ['numeric', { numeric: doubled }, '1.50', '1.501.50'],
  ['jsonb', {}, '{"a": 1}', { a: 1 }],
  ['jsonb', { json: 'parse' }, '{"a": 1}', { a: 1 }],
  ['jsonb', { json: 'string' }, '{"a": 1}', '{"a": 1}'],
  ['jsonb', { json: doubled }, '{"a": 1}', '{"a": 1}{"a": 1}'],
  ['uuid', {}, '00112233-4455-6677-8899-aabbccddeeff', '00112233-4455-6677-8899-aabbccddeeff'],
  [
    'uuid',
    { uuid: 'buffer' },
    '00112233-4455-6677-8899-aabbccddeeff',
    Buffer.from('00112233445566778899aabbccddeeff', 'hex'),
  ],
  ['date', {}, '2024-01-02', '2024-01-02'],
  ['date', { date: 'date' }, '2024-01-02', new Date(Date.UTC(2024, 0, 2))],
  ['date', { date: 'temporal', temporal }, '2024-01-02', Temporal.PlainDate.from('2024-01-02')],
  ['time', {}, '12:34:56.000007', '12:34:56.000007'],
  ['time', { time: 'temporal', temporal }, '12:34:56.000007', Temporal.PlainTime.from('12:34:56.000007')],
  ['timestamp', {}, '2024-01-02 03:04:05.678', new Date('2024-01-02T03:04:05.678Z')],
  ['timestamp', { timestamp: 'string' }, '2024-01-02 03:04:05.678901', '2024-01-02 03:04:05.678901'],
  ['timestamp', { timestamp: 'micros' }, '2024-01-02 03:04:05.678901', 1704164645678901n],
  ['timestamp', { timestamp: 'local' }, '2024-01-02 03:04:05.678', new Date(2024, 0, 2, 3, 4, 5, 678)],
  [
    'timestamp',
    { timestamp: 'temporal', temporal },
    '2024-01-02 03:04:05.678901',
    Temporal.PlainDateTime.from('2024-01-02T03:04:05.678901'),
  ],
  ['timestamptz', {}, '2024-01-02 03:04:05.678+00', new Date('2024-01-02T03:04:05.678Z')],
  [
    'timestamptz',
    { timestamptz: 'string' },
    '2024-01-02 05:04:05.678901+02',
    '2024-01-02 03:04:05.678901+00',
  ],
  ['timestamptz', { timestamptz: 'micros' }, '2024-01-02 03:04:05.678901+00', 1704164645678901n],
  [
    'timestamptz',
    { timestamptz: 'temporal', temporal },
    '2024-01-02 03:04:05.678901+00',
    Temporal.Instant.from('2024-01-02T03:04:05.678901Z'),
  ],
  ['interval', {}, '1 mon -2 days', new Interval({ months: 1, days: -2 })],
  ['interval', { interval: 'string' }, '1 mon -2 days', 'P1M-2D'],
  [
    'interval',
    { interval: 'temporal', temporal },
    '1 mon 2 days 00:00:00.000003',
    Temporal.Duration.from('P1M2DT0.000003S'),
  ],
  ['varbit', {}, '0110', new BitString('0110')],
  ['varbit', { bit: 'string' }, '0110', '0110'],
]

const types = [...new Set(choices.map(([type]) => type))]

useSchema(async (c) => {
  await c.execute(
    types
      .map(
        (type) => `create domain ${schema}.${type}_domain as ${type};
          create type ${schema}.${type}_span as range (subtype = ${type});
          create type ${schema}.${type}_part as (value ${type}, list ${type}[], span ${schema}.${type}_span);
          create type ${schema}.${type}_whole as (part ${schema}.${type}_part, parts ${schema}.${type}_part[], checked ${schema}.${type}_domain);
          create type ${schema}.${type}_text as (part ${schema}.${type}_part, acl aclitem)`,
      )
      .join(';'),
  )
})

/** A value in every place at once. */
function everywhere(type: string, literal: string): string {
  const one = `'${literal}'::${type}`
  const part = `row(${one}, array[array[${one}], array[null]]::${type}[], ${schema}.${type}_span(${one}, null))::${schema}.${type}_part`
  return `select ${one} as one, array[${one}, null] as list, ${schema}.${type}_span(null, ${one}, '(]') as span,
    row(${part}, array[${part}], ${one})::${schema}.${type}_whole as whole, row(${part}, null)::${schema}.${type}_text as text,
    row(${one}, array[${one}], ${part}) as record, array[row(${one})] as records`
}

function expectedEverywhere(value: unknown): unknown {
  const part = { value, list: [[value], [null]], span: plain(new Range(value)) }
  return plain({
    one: value,
    list: [value, null],
    span: new Range(null, value, { upperInclusive: true }),
    whole: { part, parts: [part], checked: value },
    text: { part, acl: null },
    record: { f1: value, f2: [value], f3: part },
    records: [{ f1: value }],
  })
}

const titleOf = (options: ResultMapping) =>
  Object.entries(options)
    .map(([name, choice]) => `${name}: ${typeof choice === 'string' ? choice : 'given'}`)
    .join(', ') || 'by default'

for (const [type, options, literal, value] of choices) {
  test(`${type} ${literal}, ${titleOf(options)}, on a call`, async (t) => {
    const c = shared()
    const query = everywhere(type, literal)
    for (let round = 0; round < 3; round += 1) {
      t.deepEqual(plain((await c.fetch(query, [], options))[0]), expectedEverywhere(value))
      t.deepEqual(plain(await c.fetchRow(query, [], options)), expectedEverywhere(value))
      t.deepEqual(plain(await c.fetchVal(query, [], { ...options, column: 'list' })), plain([value, null]))
    }
  })
}

/** Options of one connection that touch every type, and for each type what they make of it. */
const sets: readonly ResultMapping[] = [
  {
    int8: 'bigint',
    numeric: 'number',
    json: 'string',
    uuid: 'buffer',
    date: 'date',
    timestamp: 'micros',
    timestamptz: 'micros',
    interval: 'string',
    bit: 'string',
  },
  {
    int8: 'string',
    numeric: doubled,
    json: doubled,
    date: 'temporal',
    time: 'temporal',
    timestamp: 'temporal',
    timestamptz: 'temporal',
    interval: 'temporal',
    temporal,
  },
]

/** Those of the choices that a set of options makes as well. */
function choicesOf(set: ResultMapping): readonly Choice[] {
  const names = Object.keys(set) as (keyof ResultMapping)[]
  return choices.filter(([, options]) => {
    const [name] = Object.keys(options).filter((key) => key !== 'temporal') as (keyof ResultMapping)[]
    return name !== undefined && names.includes(name) && set[name] === options[name]
  })
}

for (const [index, set] of sets.entries()) {
  test(`options of a connection and of a pool, and those of a call before them (${index + 1})`, async (t) => {
    const ofPool = await pool(t, { ...set, maxSize: 1 })
    const targets = [await connection(t, { ...set }), ofPool]
    t.true(choicesOf(set).length >= 7)
    for (const target of targets) {
      for (const [type, , literal, value] of choicesOf(set)) {
        const query = everywhere(type, literal)
        for (let round = 0; round < 3; round += 1) {
          t.deepEqual(plain((await target.fetch(query))[0]), expectedEverywhere(value), type)
        }
        t.deepEqual(plain(await target.fetchVal(`select array['${literal}'::${type}]`)), plain([value]), type)
        for (const [other, options, otherLiteral, otherValue] of choices) {
          if (other !== type || Object.keys(options).length === 0) continue
          const row = (await target.fetch(everywhere(other, otherLiteral), [], options))[0]
          t.deepEqual(plain(row), expectedEverywhere(otherValue), `${type} ${titleOf(options)}`)
        }
      }
      const rows = await target.transaction((tx) => tx.fetch("select '2024-01-02'::date as day"))
      t.deepEqual(
        plain(rows[0]),
        plain({ day: set.date === 'date' ? new Date('2024-01-02') : Temporal.PlainDate.from('2024-01-02') }),
      )
    }
  })
}

test('the row mode of a call, a connection and a pool reaches values with parts', async (t) => {
  const query = everywhere('int8', '5')
  const modes = ['record', 'object', 'array'] as const
  const parts = (row: unknown, mode: (typeof modes)[number]) => {
    const values = (mode === 'array' ? row : Object.values(row as object)) as unknown[]
    const [, , , whole, text, record, records] = values as [
      unknown,
      unknown,
      unknown,
      { part: unknown; parts: unknown[] },
      { part: unknown },
      { f3: unknown },
      unknown[],
    ]
    return [whole, whole.part, whole.parts[0], text, text.part, record, record.f3, records[0]]
  }
  const check = (row: unknown, mode: (typeof modes)[number], what: string) => {
    for (const part of parts(row, mode)) {
      t.is(part instanceof Row, mode === 'record', `${what}, ${mode}`)
      if (mode !== 'record') t.is(Object.getPrototypeOf(part), Object.prototype)
    }
  }
  for (const mode of modes) {
    const options = { rowMode: mode } as FetchOptions
    for (let round = 0; round < 3; round += 1) {
      check((await shared().fetch(query, [], options))[0], mode, 'call')
      check((await (await connection(t, { rowMode: mode })).fetch(query))[0], mode, 'connection')
    }
    check((await (await pool(t, { rowMode: mode, maxSize: 1 })).fetch(query))[0], mode, 'pool')
  }
})

test('two mappings of one statement are kept apart', async (t) => {
  const c = shared()
  const query = 'select array[5::int8] as list, 1.5::numeric as number'
  for (let round = 0; round < 4; round += 1) {
    t.deepEqual(plain(await c.fetchRow(query, [], { int8: 'bigint' })), { list: [5n], number: '1.5' })
    t.deepEqual(plain(await c.fetchRow(query, [], { int8: 'string', numeric: 'number' })), {
      list: ['5'],
      number: 1.5,
    })
    t.deepEqual(plain(await c.fetchRow(query)), { list: [5], number: '1.5' })
    t.deepEqual(plain(await c.fetchRow(query, [], { numeric: doubled })), { list: [5], number: '1.51.5' })
  }
})

test('what a parser throws rejects the call that it was for, and that one only', async (t) => {
  const c = await connection(t)
  const fail = () => {
    throw new RangeError('not this one')
  }
  const results = await Promise.allSettled([
    c.fetchVal('select 1.5', [], { numeric: fail }),
    c.fetchVal('select 1.5'),
    c.fetchVal('select array[1.5]', [], { numeric: fail }),
    c.fetchVal("select '1'::jsonb", [], { json: fail }),
    c.fetchVal('select row(2.5)'),
  ])
  t.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
  )
  t.is(await c.fetchVal('select 1'), 1)
})

test('Temporal is the one that is given, and has to be one', async (t) => {
  const c = await connection(t, { temporal: Temporal })
  t.true(
    (await c.fetchVal("select date '2024-01-02'", [], { date: 'temporal' })) instanceof Temporal.PlainDate,
  )
  t.true(
    (await c.fetchVal("select interval '1 day'", [], { interval: 'temporal' })) instanceof Temporal.Duration,
  )
  const instant = await c.fetchVal<Temporal.Instant>(
    'select $1::timestamptz',
    [Temporal.Instant.from('2024-01-01T00:00:00.000001Z')],
    {
      timestamptz: 'temporal',
    },
  )
  t.is(instant?.toString(), '2024-01-01T00:00:00.000001Z')
  const bad = { ...Temporal, Duration: undefined } as unknown as typeof Temporal
  await t.throwsAsync(
    async () => c.fetchVal("select date '2024-01-02'", [], { date: 'temporal', temporal: bad }),
    { message: /Duration/ },
  )
})

test('mappings are options of a connection, too', async (t) => {
  const c = await connection(t, { int8: 'bigint', rowMode: 'array' })
  t.deepEqual(await c.fetch('select count(*) from (values (1), (2)) v'), [[2n]])
  t.deepEqual(await c.fetch('select 1::int8', [], { int8: 'number' }), [[1]])
})

test('microseconds survive where the mapping is exact', async (t) => {
  const c = shared()
  const micros = 1704164645678901n
  t.is(await c.fetchVal('select $1::timestamptz', [micros], { timestamptz: 'micros' }), micros)
  t.is(
    await c.fetchVal('select $1::timestamp', ['2024-01-02 03:04:05.678901'], { timestamp: 'string' }),
    '2024-01-02 03:04:05.678901',
  )
})

test('a row with a big integer can be made JSON, wherever the integer is', async (t) => {
  const c = shared()
  const [row] = await c.fetch('select 9223372036854775807 as big, 1::int8 as small')
  t.is(JSON.stringify(row), '{"big":"9223372036854775807","small":1}')
  const [nested] = await c.fetch(`select row(9223372036854775807, array[9223372036854775807]) as record,
    int8range(1, 9223372036854775807) as range, array[row(9223372036854775807)] as records`)
  t.is(
    JSON.stringify(nested),
    '{"record":{"f1":"9223372036854775807","f2":["9223372036854775807"]},"range":{"lower":1,"upper":"9223372036854775807",' +
      '"lowerInclusive":true,"upperInclusive":false,"isEmpty":false},"records":[{"f1":"9223372036854775807"}]}',
  )
})

test('calls with parsers of their own share what is compiled, and each gets its own values', async (t) => {
  const c = await connection(t)
  await c.execute('create type pg_temp.priced as (price numeric, about json)')
  const sql = `select 1.5::numeric as plain, array[2.5::numeric] as list, row(3.5, '{}')::pg_temp.priced as part,
    numrange(4.5, 5.5) as range, row(6.5::numeric) as unnamed, '{"a":1}'::jsonb as doc from generate_series(1, 70)`
  const call = async (sign: string) => {
    const marked = (text: string) => `${sign}${text}`
    const rows = await c.fetch(sql, [], { numeric: marked, json: marked })
    t.is(rows.length, 70)
    const { plain, list, part, range, unnamed, doc } = rows[69]!
    t.deepEqual(
      [plain, list, part, (range as { lower: unknown }).lower, Object.values(unnamed as object), doc],
      [
        `${sign}1.5`,
        [`${sign}2.5`],
        { price: `${sign}3.5`, about: `${sign}{}` },
        `${sign}4.5`,
        [`${sign}6.5`],
        `${sign}{"a": 1}`,
      ],
    )
  }
  for (const sign of ['+', '-', '*']) await call(sign)
  await Promise.all(['a', 'b', 'c', 'd'].map(call))
})
