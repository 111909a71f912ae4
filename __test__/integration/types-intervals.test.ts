import { Temporal } from '@js-temporal/polyfill'
import test from 'ava'
import { DataError, Interval } from 'oxpg'
import { connection } from '../support/server.js'
import { schema, shared, testRefusals, testTypes } from '../support/type-table.js'

const string = { options: { interval: 'string' } } as const
const temporal = { options: { interval: 'temporal', temporal: Temporal } } as const

testTypes([
  {
    type: 'interval',
    rows: [
      ["'0'", new Interval()],
      [
        "'1 year 2 mons 3 days 04:05:06.789'",
        new Interval({ years: 1, months: 2, days: 3, hours: 4, minutes: 5, seconds: 6.789 }),
      ],
      [
        "'-1 year -2 mons -3 days -04:05:06.789'",
        new Interval({ months: -14, days: -3, microseconds: -14706789000 }),
      ],
      ["'1 mon -2 days 03:00:00.000001'", new Interval({ months: 1, days: -2, microseconds: 10800000001 })],
      ["'-1 mon 2 days -00:00:00.000001'", new Interval({ months: -1, days: 2, microseconds: -1 })],
      ["'-1 year +1 mon'", new Interval({ months: -11 })],
      ["'30 days'", new Interval({ days: 30 })],
      ["'720:00:00'", new Interval({ hours: 720 })],
      ["'1 microsecond'", new Interval({ microseconds: 1 })],
      ["'-999999 microseconds'", new Interval({ microseconds: -999999 })],
      ["'178956970 years 7 mons'", new Interval({ months: 2147483647 })],
      ["'-178956970 years -8 mons'", new Interval({ months: -2147483648 })],
      ["'2147483647 days'", new Interval({ days: 2147483647 })],
      ["'-2147483648 days'", new Interval({ days: -2147483648 })],
      ['make_interval(hours => 2147483647, secs => 3)', new Interval({ hours: 2147483647, seconds: 3 })],
      [
        'make_interval(hours => 2147483647) + make_interval(hours => 414564141, secs => 54.775807)',
        new Interval({ microseconds: 9223372036854775807n }),
        { since: 15 },
      ],
      [
        'make_interval(hours => -2147483647) - make_interval(hours => 414564141, secs => 54.775808)',
        new Interval({ microseconds: -9223372036854775808n }),
        { since: 15 },
      ],
      ["'infinity'", Number.POSITIVE_INFINITY, { since: 17 }],
      ["'-infinity'", Number.NEGATIVE_INFINITY, { since: 17 }],
      ["'infinity'", Number.POSITIVE_INFINITY, { since: 17, parameter: Interval.parse('infinity') }],
      ["'infinity'", Number.POSITIVE_INFINITY, { since: 17, ...string }],
      ["'-infinity'", Number.NEGATIVE_INFINITY, { since: 17, ...temporal }],
      ["'1 day 02:00'", new Interval({ days: 1, hours: 2 }), { parameter: { days: 1, hours: 2 } }],
      ["'1 day 02:00'", new Interval({ days: 1, hours: 2 }), { parameter: 'P1DT2H' }],
      ["'1 day 02:00'", new Interval({ days: 1, hours: 2 }), { parameter: '1 day 2 hours' }],
      ["'1 day 02:00'", new Interval({ days: 1, hours: 2 }), { parameter: Temporal.Duration.from('P1DT2H') }],
      [
        "'-1 day -00:00:00.000001'",
        new Interval({ days: -1, microseconds: -1 }),
        { parameter: Temporal.Duration.from('-P1DT0.000001S') },
      ],
      ["'1 mon -2 days 03:00:00.000001'", 'P1M-2DT3H0.000001S', string],
      ["'0'", 'PT0S', string],
      ["'-0.5 seconds'", 'PT-0.5S', string],
      ["'1 year 2 mons 3 days 04:05:06.789'", Temporal.Duration.from('P1Y2M3DT4H5M6.789S'), temporal],
      ["'-1 year -26 hours'", Temporal.Duration.from('-P1YT26H'), temporal],
    ],
  },
  { type: 'interval(3)', rows: [["'1 day 00:00:01.235'", new Interval({ days: 1, seconds: 1.235 })]] },
])

test('an interval of mixed signs is no Temporal.Duration, and says how it can be read', async (t) => {
  const c = shared()
  for (const query of ["select interval '1 mon -1 day'", "select array[interval '-1 day 1 second']"]) {
    for (let round = 0; round < 3; round += 1) {
      const error = await t.throwsAsync(c.fetch(query, [], temporal.options), { instanceOf: DataError })
      t.regex(error?.hint ?? '', /'interval'/)
    }
  }
})

test('the setting of a session changes no interval, in neither format', async (t) => {
  const c = await connection(t)
  await c.execute(`create type ${schema}.spans as (span interval, spans interval[], acl aclitem)`)
  const spans = [
    new Interval({ months: 14, days: -3, microseconds: 14706789000 }),
    new Interval({ months: -14, days: 3, microseconds: -14706789001 }),
    new Interval({ days: -1, microseconds: -1 }),
    new Interval({ microseconds: -500000 }),
    new Interval({ months: -1 }),
    new Interval({ months: -13, microseconds: 1 }),
    new Interval({ days: 5 }),
    new Interval(),
    null,
  ]
  for (const style of ['postgres', 'postgres_verbose', 'sql_standard', 'iso_8601']) {
    await c.execute(`set intervalstyle = '${style}'`)
    for (const span of spans) {
      const query = `select $1::${schema}.spans as back, row($2::interval, $3::interval[], null)::${schema}.spans as read`
      for (let round = 0; round < 2; round += 1) {
        const row = await c.fetchRow(query, [{ span, spans, acl: null }, span, spans], { rowMode: 'object' })
        t.deepEqual(row?.read, { span, spans, acl: null }, style)
        t.deepEqual(row?.back, { span, spans, acl: null }, style)
      }
      t.is(
        await c.fetchVal('select $1::interval is not distinct from $2::interval', [span?.toString(), span]),
        true,
        style,
      )
    }
  }
})

test('an interval that was read finds its row again', async (t) => {
  const c = shared()
  await c.execute(`create table ${schema}.tasks (id int4, took interval)`)
  await c.executeMany(`insert into ${schema}.tasks values ($1, $2)`, [
    [1, new Interval({ months: 1, days: -3, microseconds: 2n ** 60n })],
    [2, { hours: 1, minutes: -1 }],
    [3, '1 day'],
  ])
  for (const { id, took } of await c.fetch(`select * from ${schema}.tasks`)) {
    t.is(await c.fetchVal(`select id from ${schema}.tasks where took = $1`, [took]), id)
  }
})

testRefusals([
  ['interval', 5, /: 5 /],
  ['interval', Number.NaN, /NaN/],
  ['interval', { day: 1 }, /"day"/],
  ['interval', { months: 1.5 }],
  ['interval', { seconds: 0.0000001 }],
  ['interval', { months: 2 ** 31 }],
  ['interval', new Date(0)],
  ['interval[]', [new Interval(), true], /element 2/],
])
