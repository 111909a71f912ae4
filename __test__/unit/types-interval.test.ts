import { inspect } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { Interval, type IntervalFields } from '../../src/types/index'

const MAX_INT32 = 2 ** 31 - 1
const MIN_INT32 = -(2 ** 31)
const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

const anyInterval = fc
  .record({
    months: fc.integer({ min: MIN_INT32, max: MAX_INT32 }),
    days: fc.integer({ min: MIN_INT32, max: MAX_INT32 }),
    microseconds: fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.bigInt({ min: MIN_INT64, max: MAX_INT64 })),
  })
  .map((fields) => new Interval(fields))

function parts({ months, days, microseconds }: Interval): [number, number, number | bigint] {
  return [months, days, microseconds]
}

test('fields are added up to months, days and microseconds', (t) => {
  const all = { years: 1, months: 2, weeks: 3, days: 4, hours: 5, minutes: 6, seconds: 7, milliseconds: 8 }
  t.deepEqual(parts(new Interval({ ...all, microseconds: 9 })), [14, 25, 18_367_008_009])
  t.deepEqual(parts(new Interval()), [0, 0, 0])
  t.deepEqual(parts(new Interval({ days: undefined, hours: -1, minutes: 61 })), [0, 0, 60_000_000])
  t.deepEqual(parts(new Interval({ years: -1, months: 1, weeks: 1, days: -8 })), [-11, -1, 0])
  t.deepEqual(parts(new Interval(new Interval({ days: 3, microseconds: 2n ** 60n }))), [0, 3, 2n ** 60n])
})

test('seconds and milliseconds have decimal places down to a microsecond, exactly', (t) => {
  t.is(new Interval({ seconds: 6.789 }).microseconds, 6_789_000)
  t.is(new Interval({ seconds: 1.000001 }).microseconds, 1_000_001)
  t.is(new Interval({ seconds: -0.5 }).microseconds, -500_000)
  t.is(new Interval({ seconds: 4.35 }).microseconds, 4_350_000)
  t.is(new Interval({ milliseconds: 0.001 }).microseconds, 1)
  t.is(new Interval({ milliseconds: 1.005, microseconds: -5 }).microseconds, 1000)
  for (const fields of [{ seconds: 0.1 + 0.2 }, { seconds: 1e-7 }, { milliseconds: 0.0001 }]) {
    t.throws(() => new Interval(fields), { instanceOf: RangeError, message: /decimal places/ })
  }
})

test('microseconds are a number while that is exact, else a bigint', (t) => {
  t.is(new Interval({ microseconds: 2n ** 53n - 1n }).microseconds, 2 ** 53 - 1)
  t.is(new Interval({ microseconds: 2n ** 53n }).microseconds, 2n ** 53n)
  t.is(new Interval({ microseconds: 2 ** 53 - 1, seconds: 1 }).microseconds, 2n ** 53n + 999_999n)
  t.is(new Interval({ microseconds: 2n ** 53n, hours: -1 }).microseconds, 9_007_195_654_740_992)
  t.is(new Interval({ hours: 2_562_047_788 }).microseconds, 9_223_372_036_800_000_000n)
  t.is(new Interval({ microseconds: 5n }).microseconds, 5)
  t.true(Object.is(new Interval({ months: -0, days: -0, microseconds: -0 }).microseconds, 0))
  t.true(Object.is(new Interval({ months: -0 }).months, 0))
})

test('what an interval cannot hold is refused by name', (t) => {
  const refused: [IntervalFields, RegExp][] = [
    [
      { months: MAX_INT32 + 1 },
      /^months: expected a whole number from -2147483648 to 2147483647, but got 2147/,
    ],
    [{ years: 178_956_971 }, /^months: expected/],
    [{ days: MIN_INT32, weeks: -1 }, /^days: expected/],
    [{ years: 0.5 }, /^years: expected a whole number .* but got 0.5$/],
    [{ hours: 1.5 }, /^hours: expected a whole number/],
    [{ days: Number.NaN }, /^days: .* but got NaN$/],
    [{ seconds: Number.POSITIVE_INFINITY }, /^seconds: /],
    [{ microseconds: 2 ** 53 }, /^microseconds: .* safe integer or a bigint/],
    [{ microseconds: MAX_INT64 + 1n }, /^microseconds: expected at most 64 bits/],
    [{ microseconds: MIN_INT64, hours: -1 }, /^microseconds: expected at most 64 bits/],
  ]
  for (const [fields, message] of refused) {
    t.throws(() => new Interval(fields), { instanceOf: RangeError, message })
  }
  // A Temporal.Duration has its fields on the prototype.
  const durations = Object.defineProperties({}, { hours: { value: 1 }, nanoseconds: { value: 1 } })
  const duration: IntervalFields = Object.create(durations)
  t.throws(() => new Interval(duration), { instanceOf: RangeError, message: /^nanoseconds: / })
  for (const fields of [
    null,
    'P1D',
    { month: 1 },
    { days: '1' },
    { days: 1n },
    { hours: '1' },
    { hours: null },
  ]) {
    t.throws(() => new Interval(fields as never), { instanceOf: TypeError, message: /expected .* but got / })
  }
})

test('an interval is written as PostgreSQL writes it in intervalstyle iso_8601', (t) => {
  const written: [IntervalFields, string][] = [
    [{}, 'PT0S'],
    [{ years: 1, months: 2, days: 3, hours: 4, minutes: 5, seconds: 6.789 }, 'P1Y2M3DT4H5M6.789S'],
    [{ years: -1, months: -2, days: 3, hours: -4, minutes: -5, seconds: -6 }, 'P-1Y-2M3DT-4H-5M-6S'],
    [{ months: 1, days: -1 }, 'P1M-1D'],
    [{ weeks: 2 }, 'P14D'],
    [{ microseconds: -1 }, 'PT-0.000001S'],
    [{ seconds: 60.5 }, 'PT1M0.5S'],
    [{ hours: 100 }, 'PT100H'],
    [{ months: MAX_INT32, days: MIN_INT32 }, 'P178956970Y7M-2147483648D'],
    [{ microseconds: MAX_INT64 }, 'PT2562047788H54.775807S'],
    [{ microseconds: MIN_INT64 }, 'PT-2562047788H-54.775808S'],
  ]
  for (const [fields, text] of written) {
    const interval = new Interval(fields)
    t.is(`${interval}`, text)
    t.is(JSON.stringify({ interval }), JSON.stringify({ interval: text }))
    t.true(Interval.parse(text).equals(interval), text)
  }
})

test('infinity is the interval with the ends of all fields', (t) => {
  const infinity = new Interval({ months: MAX_INT32, days: MAX_INT32, microseconds: MAX_INT64 })
  t.is(String(infinity), 'infinity')
  t.false(infinity.isFinite)
  t.true(Interval.parse('infinity').equals(infinity))
  const minus = Interval.parse('-infinity')
  t.deepEqual(parts(minus), [MIN_INT32, MIN_INT32, MIN_INT64])
  t.is(String(minus), '-infinity')
  t.true(new Interval({ months: MAX_INT32, days: MAX_INT32 }).isFinite)
})

test('parse reads ISO 8601 with signs, weeks and fractions', (t) => {
  t.deepEqual(parts(Interval.parse('P1Y2M3W4DT5H6M7.5S')), [14, 25, 18_367_500_000])
  t.deepEqual(parts(Interval.parse('-P1Y-2DT+3S')), [-12, 2, -3_000_000])
  t.deepEqual(parts(Interval.parse('+PT-0.5S')), [0, 0, -500_000])
  t.deepEqual(parts(Interval.parse('PT1,25S')), [0, 0, 1_250_000])
})

test('parse refuses what is not ISO 8601', (t) => {
  for (const text of [
    '',
    'P',
    'PT',
    'P1',
    'P1DT',
    '1 day',
    'p1d',
    'P1H',
    'PT1.5H',
    'PT1.0000001S',
    ' P1D',
    'P1D\n',
  ]) {
    t.throws(
      () => Interval.parse(text),
      { instanceOf: RangeError, message: /^text: expected an ISO 8601/ },
      text,
    )
  }
  t.throws(() => Interval.parse('P99999999999Y'), { instanceOf: RangeError, message: /^years: / })
  t.throws(() => Interval.parse(1 as never), { instanceOf: TypeError })
})

test('an interval that is parsed from its text is the same', (t) => {
  fc.assert(
    fc.property(anyInterval, (interval) => {
      const parsed = Interval.parse(interval.toString())
      t.deepEqual(parts(parsed), parts(interval))
      return parsed.equals(interval)
    }),
  )
})

test('equals goes by the fields, compare by time as PostgreSQL does', (t) => {
  const month = new Interval({ months: 1 })
  const days = new Interval({ days: 30 })
  t.false(month.equals(days))
  t.false(month.equals({ months: 1, days: 0, microseconds: 0 }))
  t.true(month.equals(new Interval({ months: 1 })))
  t.is(Interval.compare(month, days), 0)
  t.is(Interval.compare(days, new Interval({ hours: 720 })), 0)
  t.is(Interval.compare(new Interval({ days: 1 }), new Interval({ hours: 25 })), -1)
  t.is(Interval.compare(Interval.parse('infinity'), new Interval({ microseconds: MAX_INT64 })), 1)
  t.throws(() => Interval.compare(month, 'P1M' as never), { instanceOf: TypeError, message: /^other: / })
})

test('an interval prints as its text', (t) => {
  t.is(inspect(new Interval({ days: 1, hours: 2 })), 'Interval P1DT2H')
  t.is(inspect({ at: [new Interval()] }), '{ at: [ Interval PT0S ] }')
  t.true(inspect(new Interval(), { colors: true }).includes('\u001b['))
})
