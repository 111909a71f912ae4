import { Temporal } from '@js-temporal/polyfill'
import test from 'ava'
import { DataError, type FetchOptions, UnsupportedClientFeatureError } from 'oxpg'
import { connection } from '../support/server.js'
import { schema, shared, type TypeRow, testRefusals, testTypes } from '../support/type-table.js'

const MICROS_2024 = 1704164645678901n

const infinities: readonly TypeRow[] = [
  ["'infinity'", Number.POSITIVE_INFINITY],
  ["'-infinity'", Number.NEGATIVE_INFINITY],
]

/** Options for one of the types of time, which are all read alike. */
const as = (type: keyof FetchOptions, how: string): { options: FetchOptions } => ({
  options: { [type]: how, temporal: Temporal },
})

/** The infinities are numbers in every mapping. */
const infinitiesAs = (type: keyof FetchOptions, ...mappings: readonly string[]): readonly TypeRow[] =>
  mappings.flatMap((how) => infinities.map(([literal, value]): TypeRow => [literal, value, as(type, how)]))

testTypes([
  {
    type: 'date',
    rows: [
      ["'2024-02-29'", '2024-02-29'],
      ["'1970-01-01'", '1970-01-01'],
      ["'1999-12-31'", '1999-12-31'],
      ["'0001-01-01'", '0001-01-01'],
      ["'0001-12-31 BC'", '0001-12-31 BC'],
      ["'0044-03-15 BC'", '0044-03-15 BC'],
      ["'4713-01-01 BC'", '4713-01-01 BC'],
      ["'4714-11-24 BC'", '4714-11-24 BC'],
      ["'10000-01-01'", '10000-01-01'],
      ["'5874897-12-31'", '5874897-12-31'],
      ...infinities,
      ["'2024-02-29'", '2024-02-29', { parameter: new Date('2024-02-29T23:59:59.999Z') }],
      ["'0044-03-15 BC'", '0044-03-15 BC', { parameter: new Date('-000043-03-15T00:00:00Z') }],
      ["'2024-02-29'", '2024-02-29', { parameter: Temporal.PlainDate.from('2024-02-29') }],
      ["'2024-02-29'", new Date('2024-02-29T00:00:00Z'), as('date', 'date')],
      ["'0044-03-15 BC'", new Date('-000043-03-15T00:00:00Z'), as('date', 'date')],
      ["'0020-01-01'", new Date('0020-01-01T00:00:00Z'), as('date', 'date')],
      ["'4714-11-24 BC'", new Date('-004713-11-24T00:00:00Z'), as('date', 'date')],
      ["'275760-09-13'", new Date(8.64e15), as('date', 'date')],
      ["'2024-02-29'", Temporal.PlainDate.from('2024-02-29'), as('date', 'temporal')],
      ["'4714-11-24 BC'", Temporal.PlainDate.from('-004713-11-24'), as('date', 'temporal')],
      ["'275760-09-13'", Temporal.PlainDate.from('+275760-09-13'), as('date', 'temporal')],
      ...infinitiesAs('date', 'date', 'temporal'),
    ],
  },
  {
    type: 'time',
    rows: [
      ["'00:00:00'", '00:00:00'],
      ["'12:34:56'", '12:34:56'],
      ["'12:34:56.7'", '12:34:56.7'],
      ["'23:59:59.000001'", '23:59:59.000001'],
      ["'23:59:59.999999'", '23:59:59.999999'],
      ["'24:00:00'", '24:00:00'],
      ["'09:05:00'", '09:05:00', { parameter: Temporal.PlainTime.from('09:05') }],
      ["'23:59:59.000001'", Temporal.PlainTime.from('23:59:59.000001'), as('time', 'temporal')],
      ["'00:00:00.123456'", Temporal.PlainTime.from('00:00:00.123456'), as('time', 'temporal')],
    ],
  },
  { type: 'time(3)', rows: [["'12:34:56.789'", '12:34:56.789']] },
  {
    type: 'timetz',
    rows: [
      ["'12:34:56.789+02'", '12:34:56.789+02'],
      ["'00:00:00+00'", '00:00:00+00'],
      ["'24:00:00-05:30'", '24:00:00-05:30'],
      ["'00:00:00.000001-15:59:59'", '00:00:00.000001-15:59:59'],
      ["'23:59:59.999999+15:59:59'", '23:59:59.999999+15:59:59'],
    ],
  },
  {
    type: 'timestamp',
    rows: [
      ["'2024-02-29 12:34:56.789'", new Date('2024-02-29T12:34:56.789Z')],
      ["'1970-01-01'", new Date(0)],
      ["'1969-12-31 23:59:59.999'", new Date(-1)],
      ["'0001-01-01'", new Date('0001-01-01T00:00:00Z')],
      ["'4714-11-24 00:00:00 BC'", new Date('-004713-11-24T00:00:00Z')],
      ["'275760-09-13'", new Date(8.64e15)],
      ...infinities,
      ["'2024-01-02 03:04:05.678901'", MICROS_2024, as('timestamp', 'micros')],
      ["'1969-12-31 23:59:59.999999'", -1n, as('timestamp', 'micros')],
      ["'4714-11-24 00:00:00 BC'", -210866803200000000n, as('timestamp', 'micros')],
      ["'294247-01-10 04:00:54.775806'", 9223372036854775806n, as('timestamp', 'micros')],
      ["'2024-01-02 03:04:05.678901'", '2024-01-02 03:04:05.678901', as('timestamp', 'string')],
      ["'1969-12-31 23:59:59.9'", '1969-12-31 23:59:59.9', as('timestamp', 'string')],
      ["'0044-03-15 12:00:00.000001 BC'", '0044-03-15 12:00:00.000001 BC', as('timestamp', 'string')],
      ["'4714-11-24 00:00:00 BC'", '4714-11-24 00:00:00 BC', as('timestamp', 'string')],
      ["'294247-01-10 04:00:54.775806'", '294247-01-10 04:00:54.775806', as('timestamp', 'string')],
      ["'2024-01-02 03:04:05'", new Date(2024, 0, 2, 3, 4, 5), as('timestamp', 'local')],
      [
        "'2024-01-02 03:04:05.678901'",
        Temporal.PlainDateTime.from('2024-01-02T03:04:05.678901'),
        as('timestamp', 'temporal'),
      ],
      [
        "'4714-11-24 00:00:00 BC'",
        Temporal.PlainDateTime.from('-004713-11-24T00:00'),
        as('timestamp', 'temporal'),
      ],
      [
        "'2024-01-02'",
        new Date('2024-01-02T00:00:00Z'),
        { parameter: Temporal.PlainDate.from('2024-01-02') },
      ],
      ...infinitiesAs('timestamp', 'micros', 'string', 'local', 'temporal'),
    ],
  },
  {
    type: 'timestamptz',
    rows: [
      ["'1969-12-31 23:59:59.999+00'", new Date(-1)],
      ["'2024-02-29 12:34:56.789+02'", new Date('2024-02-29T10:34:56.789Z')],
      ["'4714-11-24 00:00:00+00 BC'", new Date('-004713-11-24T00:00:00Z')],
      ["'275760-09-13 00:00:00+00'", new Date(8.64e15)],
      ...infinities,
      ["'2024-01-02 03:04:05.678901+00'", MICROS_2024, as('timestamptz', 'micros')],
      ["'4714-11-24 00:00:00+00 BC'", -210866803200000000n, as('timestamptz', 'micros')],
      ["'294247-01-10 04:00:54.775806+00'", 9223372036854775806n, as('timestamptz', 'micros')],
      ["'2024-01-02 03:04:05.678901+00'", '2024-01-02 03:04:05.678901+00', as('timestamptz', 'string')],
      ["'0044-03-15 12:00:00.000001+00 BC'", '0044-03-15 12:00:00.000001+00 BC', as('timestamptz', 'string')],
      ["'294247-01-10 04:00:54.775806+00'", '294247-01-10 04:00:54.775806+00', as('timestamptz', 'string')],
      [
        "'2024-01-02 03:04:05.678901+00'",
        Temporal.Instant.from('2024-01-02T03:04:05.678901Z'),
        as('timestamptz', 'temporal'),
      ],
      [
        "'1969-12-31 23:59:59.999999+00'",
        Temporal.Instant.from('1969-12-31T23:59:59.999999Z'),
        as('timestamptz', 'temporal'),
      ],
      [
        "'2024-01-02 03:04:05+00'",
        new Date('2024-01-02T03:04:05Z'),
        { parameter: Temporal.ZonedDateTime.from('2024-01-02T04:04:05+01:00[Europe/Paris]') },
      ],
      ...infinitiesAs('timestamptz', 'micros', 'string', 'temporal'),
    ],
  },
])

test('a Date has milliseconds, of which the rest is dropped', async (t) => {
  const c = shared()
  for (let round = 0; round < 3; round += 1) {
    t.deepEqual(
      await c.fetchVal("select timestamptz '2024-01-02 03:04:05.678901+00'"),
      new Date(1704164645678),
    )
    t.deepEqual(await c.fetchVal("select timestamp '1969-12-31 23:59:59.999999'"), new Date(-1))
  }
})

const END = '294276-12-31 23:59:59.999999'
const END_MICROS = 9224318015999999999n

test('timestamps to the end of what PostgreSQL holds', async (t) => {
  const c = shared()
  for (let round = 0; round < 3; round += 1) {
    for (const [type, zone] of [
      ['timestamp', ''],
      ['timestamptz', '+00'],
    ] as const) {
      const literal = `'${END}${zone}'::${type}`
      t.is(await c.fetchVal(`select ${literal}`, [], { [type]: 'string' }), END + zone)
      t.is(await c.fetchVal(`select ${literal}`, [], { [type]: 'micros' }), END_MICROS)
      t.deepEqual(await c.fetchVal(`select array[${literal}]`, [], { [type]: 'string' }), [END + zone])
      t.true(await c.fetchVal(`select $1 = ${literal}`, [END + zone]))
      t.true(await c.fetchVal(`select $1 = array[${literal}]`, [[END + zone]]))
      t.true(await c.fetchVal(`select $1 = ${literal}`, [END_MICROS]))
    }
  }
})

test('what is beyond Date says so, and how it can be read', async (t) => {
  const c = shared()
  const beyond: readonly (readonly [query: string, options: FetchOptions])[] = [
    ["select timestamp '275760-09-13 00:00:00.001'", {}],
    ["select timestamptz '294247-01-01 00:00:00+00'", {}],
    [`select timestamp '${END}'`, {}],
    ["select array[timestamp '275761-01-01']", {}],
    ["select row(timestamp '275761-01-01')", {}],
    ["select tsrange('2024-01-01', '275761-01-01')", {}],
    ["select timestamp '275761-01-01'", { timestamp: 'local' }],
    ["select date '275760-09-14'", { date: 'date' }],
    ["select date '5874897-12-31'", { date: 'date' }],
  ]
  for (const [query, options] of beyond) {
    for (let round = 0; round < 3; round += 1) {
      const error = await t.throwsAsync(c.fetch(query, [], options), { instanceOf: DataError }, query)
      t.regex(error?.hint ?? '', /'string'/, query)
    }
  }
  t.is(await c.fetchVal('select 1'), 1)
})

test('what is beyond Temporal is a DataError, too', async (t) => {
  const c = shared()
  const beyond: readonly (readonly [query: string, options: FetchOptions])[] = [
    ["select timestamp '275761-01-01'", { timestamp: 'temporal' }],
    ["select timestamptz '275761-01-01 00:00:00+00'", { timestamptz: 'temporal' }],
    ["select date '5874897-12-31'", { date: 'temporal' }],
    ["select time '24:00:00'", { time: 'temporal' }],
  ]
  for (const [query, options] of beyond) {
    for (let round = 0; round < 3; round += 1) {
      const reading = c.fetch(query, [], { ...options, temporal: Temporal })
      const error = await t.throwsAsync(reading, { instanceOf: DataError }, query)
      t.regex(error?.hint ?? '', /'string'/, query)
    }
  }
  t.is(await c.fetchVal('select 1'), 1)
})

const MOMENTS = {
  day: '2024-03-04',
  clock: '12:34:56.7',
  zoned: '12:34:56.7+05:45',
  moment: '2024-03-04 12:34:56.000007',
  instant: '1999-12-31 23:00:00.5+00',
  days: ['0044-03-15 BC', Number.POSITIVE_INFINITY, '10000-01-01', null],
}
const readMoments = `row(date '2024-03-04', time '12:34:56.7', timetz '12:34:56.7+05:45', timestamp '2024-03-04 12:34:56.000007',
  timestamptz '1999-12-31 23:00:00.5+00', array['0044-03-15 BC', 'infinity', '10000-01-01', null]::date[]`
const exact = { timestamp: 'string', timestamptz: 'string', rowMode: 'object' } as const

test('the settings of a session change no value', async (t) => {
  const c = await connection(t)
  const attributes = 'day date, clock time, zoned timetz, moment timestamp, instant timestamptz, days date[]'
  await c.execute(`create type ${schema}.moments as (${attributes});
    create type ${schema}.moments_as_text as (${attributes}, acl aclitem)`)
  const styles = [
    'SQL, DMY',
    'SQL, MDY',
    'Postgres, DMY',
    'Postgres, MDY',
    'German',
    'ISO, YMD',
    'ISO, DMY',
    'ISO, MDY',
  ]
  for (const style of styles) {
    for (const zone of ['UTC', 'Asia/Kathmandu', 'America/St_Johns']) {
      await c.execute(`set datestyle = '${style}'; set timezone = '${zone}'`)
      const query = `select $1::${schema}.moments as back, ${readMoments})::${schema}.moments as read`
      const textQuery = `select $1::${schema}.moments_as_text as back, ${readMoments}, null)::${schema}.moments_as_text as read`
      for (let round = 0; round < 2; round += 1) {
        const row = await c.fetchRow(query, [MOMENTS], exact)
        t.deepEqual(row, { back: MOMENTS, read: MOMENTS }, `${style}, ${zone}`)
        if (style.startsWith('ISO')) {
          const asText = { ...MOMENTS, acl: null }
          t.deepEqual(
            await c.fetchRow(textQuery, [asText], exact),
            { back: asText, read: asText },
            `${style}, ${zone}`,
          )
        } else {
          // Of other styles the text alone does not say which number is the day.
          await t.throwsAsync(
            c.fetchRow(textQuery, [null], exact),
            { instanceOf: UnsupportedClientFeatureError, message: /set DateStyle to ISO/ },
            style,
          )
        }
      }
    }
  }
})

testRefusals([
  ['date', 5, /: 5 /],
  ['date', {}, /an object/],
  ['date', new Date(Number.NaN), /an invalid Date/],
  ['date', Temporal.PlainTime.from('12:00')],
  ['date', Number.NaN],
  ['time', 5],
  ['time', new Date(0)],
  ['time', Temporal.PlainDate.from('2024-01-01')],
  ['timetz', 5],
  ['timestamp', 5, /: 5 /],
  ['timestamptz', new Date(Number.NaN), /an invalid Date/],
  ['timestamptz', Temporal.PlainDateTime.from('2024-01-01T00:00')],
  ['timestamptz', 2n ** 70n],
  ['timestamptz', true, /true/],
  ['timestamptz[]', [new Date(0), 5], /element 2/],
])

test('text that is no time is an error that leaves the connection usable', async (t) => {
  const c = await connection(t)
  for (const type of ['date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval']) {
    for (const value of ['yesterday or so', '2024-13-45', '']) {
      for (let round = 0; round < 2; round += 1) {
        await t.throwsAsync(
          c.fetch(`select $1::${type}`, [value]),
          { instanceOf: DataError },
          `${type} ${value}`,
        )
        await t.throwsAsync(
          c.fetch(`select $1::${type}[]`, [[value]]),
          { instanceOf: DataError },
          `${type}[] ${value}`,
        )
      }
    }
  }
  t.is(await c.fetchVal('select 1'), 1)
})

test('words and forms that only PostgreSQL knows are for PostgreSQL to read', async (t) => {
  const c = shared()
  const forms: readonly (readonly [type: string, text: string])[] = [
    ['date', 'January 8, 1999'],
    ['date', '19990108'],
    ['date', 'J2451187'],
    ['date', 'epoch'],
    ['date', ' infinity '],
    ['time', '04:05 PM'],
    ['time', 'allballs'],
    ['timetz', '2024-01-02 04:05:06 America/New_York'],
    ['timetz', '04:05:06-08'],
    ['timestamp', '2024-01-02T03:04:05'],
    ['timestamp', 'Wed Jan 03 04:05:06 2024'],
    ['timestamptz', '2024-01-02 03:04:05 Europe/Paris'],
    ['timestamptz', '2024-01-02T03:04:05+05:30'],
    ['timestamptz', '2024-01-02 03:04:05'],
    ['timestamptz', '2024-01-02'],
  ]
  for (const [type, text] of forms) {
    const same = `select $1 = '${text}'::${type} and $2 = array['${text}']::${type}[]`
    for (let round = 0; round < 2; round += 1)
      t.true(await c.fetchVal(same, [text, [text]]), `${type} ${text}`)
  }
})
