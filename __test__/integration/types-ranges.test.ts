import test from 'ava'
import { DataError, Interval, Range } from 'oxpg'
import { connection } from '../support/server.js'
import { schema, shared, type TypeRow, testRefusals, testTypes } from '../support/type-table.js'
import { plain } from '../support/values.js'

const both = { upperInclusive: true }
const neither = { lowerInclusive: false }

/** What ranges of every type have. */
const boundless: readonly TypeRow[] = [
  ["'empty'", Range.empty()],
  ["'(,)'", new Range()],
  ["'(,)'", new Range(), { parameter: { lower: null, upper: null } }],
  ["'empty'", Range.empty(), { parameter: { isEmpty: true } }],
]

const day = (text: string) => new Date(`${text}T00:00:00Z`)

testTypes([
  {
    type: 'int4range',
    rows: [
      ["'[1,5)'", new Range(1, 5)],
      ["'(1,5]'", new Range(2, 6)],
      ["'[,5)'", new Range(null, 5)],
      ["'[-2147483648,)'", new Range(-2147483648)],
      ["'[1,1)'", Range.empty()],
      ["'[1,6)'", new Range(1, 6), { parameter: new Range(1, 5, both) }],
      ["'[1,5)'", new Range(1, 5), { parameter: { lower: 1, upper: 5 } }],
      ["'[1,5)'", new Range(1, 5), { parameter: '[1,5)' }],
      ["'[1,1)'", Range.empty(), { parameter: new Range(1, 1) }],
      ...boundless,
    ],
  },
  {
    type: 'int8range',
    rows: [
      ["'[1,9007199254740993)'", new Range<number | bigint>(1, 9007199254740993n)],
      [
        "'[-9223372036854775808,9223372036854775807)'",
        new Range(-9223372036854775808n, 9223372036854775807n),
      ],
      ["'[1,5)'", new Range('1', '5'), { options: { int8: 'string' } }],
      ["'[1,)'", new Range(1n), { options: { int8: 'bigint' } }],
      ...boundless,
    ],
  },
  {
    type: 'numrange',
    rows: [
      ["'[1.50,2.5]'", new Range('1.50', '2.5', both)],
      [
        "'(-1e-20,12345678901234567890)'",
        new Range('-0.00000000000000000001', '12345678901234567890', neither),
      ],
      ["'[1,NaN]'", new Range('1', 'NaN', both)],
      ["'[1.5,2)'", new Range(1.5, 2), { options: { numeric: 'number' } }],
      ...boundless,
    ],
  },
  {
    type: 'tsrange',
    rows: [
      ["'[2024-01-01,2024-02-01)'", new Range(day('2024-01-01'), day('2024-02-01'))],
      [
        "'(0044-03-15 BC,infinity]'",
        new Range<Date | number>(day('-000043-03-15'), Number.POSITIVE_INFINITY, { ...both, ...neither }),
      ],
      [
        "'[2024-01-01 00:00:00.000001,)'",
        new Range('2024-01-01 00:00:00.000001'),
        { options: { timestamp: 'string' } },
      ],
      ...boundless,
    ],
  },
  {
    type: 'tstzrange',
    rows: [
      ["'[2024-01-01 02:00+02,2024-02-01 00:00+00]'", new Range(day('2024-01-01'), day('2024-02-01'), both)],
      [
        "'[-infinity,2024-02-01 00:00+00)'",
        new Range<Date | number>(Number.NEGATIVE_INFINITY, day('2024-02-01')),
      ],
      ["'[2024-01-01 00:00+00,)'", new Range(1704067200000000n), { options: { timestamptz: 'micros' } }],
      ...boundless,
    ],
  },
  {
    type: 'daterange',
    rows: [
      ["'[2024-01-01,2024-01-31]'", new Range('2024-01-01', '2024-02-01')],
      ["'[0044-03-15 BC,5874897-12-31)'", new Range('0044-03-15 BC', '5874897-12-31')],
      ["'[2024-01-01,infinity]'", new Range<string | number>('2024-01-01', Number.POSITIVE_INFINITY, both)],
      ["'[2024-01-01,)'", new Range(day('2024-01-01')), { options: { date: 'date' } }],
      ...boundless,
    ],
  },
  {
    type: 'int4multirange',
    since: 14,
    lacks: ['nesting'],
    rows: [
      ["'{}'", []],
      ["'{[1,3),[5,9)}'", [new Range(1, 3), new Range(5, 9)]],
      ["'{(,3),[5,)}'", [new Range(null, 3), new Range(5)]],
      ["'{(,)}'", [new Range()]],
      [
        "'{[1,9)}'",
        [new Range(1, 9)],
        { parameter: [new Range(1, 5), { lower: 3, upper: 9 }, Range.empty()] },
      ],
      ["'{[1,3),[5,9)}'", [new Range(1, 3), new Range(5, 9)], { parameter: ['[1,3)', '[5,9)'] }],
      ["'{[1,3)}'", [new Range(1, 3)], { parameter: '{[1,3)}' }],
    ],
  },
  {
    type: 'nummultirange',
    since: 14,
    lacks: ['nesting'],
    rows: [["'{[1.5,2],(3,4)}'", [new Range('1.5', '2', both), new Range('3', '4', neither)]]],
  },
  {
    type: 'datemultirange',
    since: 14,
    lacks: ['nesting'],
    rows: [
      [
        "'{[2024-01-01,2024-01-03),[2024-02-01,)}'",
        [new Range('2024-01-01', '2024-01-03'), new Range('2024-02-01')],
      ],
    ],
  },
  {
    type: 'int8multirange',
    since: 14,
    lacks: ['nesting'],
    rows: [["'{[1,9223372036854775807)}'", [new Range<number | bigint>(1, 9223372036854775807n)]]],
  },
  {
    type: 'tstzmultirange',
    since: 14,
    lacks: ['nesting'],
    rows: [
      ["'{[2024-01-01 00:00+00,2024-01-02 00:00+00)}'", [new Range(day('2024-01-01'), day('2024-01-02'))]],
    ],
  },
  {
    type: 'tsmultirange',
    since: 14,
    lacks: ['nesting'],
    rows: [
      ["'{[2024-01-01,infinity)}'", [new Range<Date | number>(day('2024-01-01'), Number.POSITIVE_INFINITY)]],
    ],
  },
  {
    type: `${schema}.floatspan`,
    create: `create type ${schema}.floatspan as range (subtype = float8, subtype_diff = float8mi)`,
    rows: [
      ["'[-0.5,1e300]'", new Range(-0.5, 1e300, both)],
      ["'(-Infinity,NaN]'", new Range(Number.NEGATIVE_INFINITY, Number.NaN, { ...both, ...neither })],
      ...boundless,
    ],
  },
  {
    type: `${schema}.score_span`,
    create: `create domain ${schema}.score as int4 check (value between 0 and 100);
      create type ${schema}.score_span as range (subtype = ${schema}.score)`,
    rows: [["'[1,100]'", new Range(1, 100, both)], ...boundless],
  },
  {
    type: `${schema}.list_span`,
    create: `create type ${schema}.list_span as range (subtype = int4[])`,
    rows: [['\'["{1,2}","{1,NULL}")\'', new Range<unknown>([1, 2], [1, null])], ...boundless],
  },
  {
    type: `${schema}.version_span`,
    create: `create type ${schema}.version as (major int4, label text);
      create type ${schema}.version_span as range (subtype = ${schema}.version)`,
    rows: [
      [
        `${schema}.version_span(row(1, 'a "b", (c)')::${schema}.version, row(2, null)::${schema}.version)`,
        new Range({ major: 1, label: 'a "b", (c)' }, { major: 2, label: null }),
      ],
      ...boundless,
    ],
  },
  {
    type: `${schema}.name_span`,
    create: `create type ${schema}.name_span as range (subtype = text, collation = "C")`,
    rows: [
      [`'["","a ""b"", [c)\\\\,"]'`, new Range('', 'a "b", [c)\\,', both)],
      ['\'("empty","infinity")\'', new Range('empty', 'infinity', neither)],
      ...boundless,
    ],
  },
])

test('ranges of columns are searched', async (t) => {
  const c = shared()
  await c.execute(`create table ${schema}.bookings (room int4, during tstzrange)`)
  const during = new Range(day('2024-01-01'), day('2024-01-08'))
  await c.executeMany(`insert into ${schema}.bookings values ($1, $2)`, [
    [1, during],
    [2, '[2024-03-01 00:00+00, 2024-03-02 00:00+00)'],
  ])
  t.is(
    await c.fetchVal(`select room from ${schema}.bookings where during @> $1::timestamptz`, [
      day('2024-01-05'),
    ]),
    1,
  )
  t.is(
    await c.fetchVal(`select room from ${schema}.bookings where during && $1`, [
      new Range(day('2024-02-01')),
    ]),
    2,
  )
  t.deepEqual(await c.fetchVal(`select during from ${schema}.bookings where during = $1`, [during]), during)
})

test('bounds in the wrong order are refused by the server', async (t) => {
  const c = await connection(t)
  for (let round = 0; round < 2; round += 1) {
    await t.throwsAsync(c.fetch('select $1::int4range', [new Range(5, 1)]), { instanceOf: DataError })
    await t.throwsAsync(c.fetch('select $1::int4range[]', [[new Range(5, 1)]]), { instanceOf: DataError })
    await t.throwsAsync(c.fetch('select $1::int4range', ['[5,1)']), { instanceOf: DataError })
  }
  t.is(await c.fetchVal('select 1'), 1)
})

test('a range that was read is a Range, whose bounds go on as values', async (t) => {
  const c = shared()
  const range = await c.fetchVal<Range<number>>('select int4range(1, 5)')
  t.true(range instanceof Range)
  t.true(range?.contains(4))
  t.false(range?.contains(5))
  t.deepEqual(plain(await c.fetchVal('select row(int4range(1, 5), numrange(1, null))')), {
    f1: plain(new Range(1, 5)),
    f2: plain(new Range('1')),
  })
})

testRefusals([
  ['int4range', 5, /: 5 /],
  ['int4range', {}],
  ['int4range', [1, 5]],
  ['int4range', new Range<unknown>('x', 5), /lower bound.*"x"/, 'int4'],
  ['int4range', new Range(1, 2 ** 31), /upper bound.*2147483648/, 'int4'],
  ['int4range', { lower: 1, uper: 2 }, /"uper"/],
  ['int4range', { lower: 1, upperInclusive: 'yes' }, /"yes"/],
  ['daterange', new Range(1, 2), /lower bound/, 'date'],
  ['int4range[]', [new Range(1, 5), 5], /element 2/],
  ['int4range[]', [new Range(1, 5), new Range<unknown>(1, new Interval())], /element 2.*upper bound/, 'int4'],
])

test('a multirange refuses what it cannot hold', async (t) => {
  const c = shared()
  if (c.serverVersion.major < 14) {
    t.pass()
    return
  }
  for (const value of [[new Range(1, 5), null], new Range(1, 5), [5], 5]) {
    const error = await t.throwsAsync(c.fetch('select $1::int4multirange', [value]), {
      instanceOf: DataError,
    })
    t.regex(error?.message ?? '', /\$1/)
  }
  t.is(await c.fetchVal('select 1'), 1)
})
