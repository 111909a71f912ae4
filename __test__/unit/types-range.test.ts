import { inspect } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { Interval, Range } from '../../src/types/index'

/** As Temporal's classes are: ordered by a static function, and refusing valueOf. */
class Day {
  readonly number: number

  constructor(number: number) {
    this.number = number
  }

  static compare(a: Day, b: Day): number {
    return a.number - b.number
  }

  equals(other: Day): boolean {
    return this.number === other.number
  }

  valueOf(): never {
    throw new TypeError('no valueOf')
  }
}

test('a range includes its lower bound and not its upper one, unless told otherwise', (t) => {
  t.like(new Range(1, 5), { lower: 1, upper: 5, lowerInclusive: true, upperInclusive: false, isEmpty: false })
  t.like(new Range(1, 5, { lowerInclusive: false, upperInclusive: true }), {
    lowerInclusive: false,
    upperInclusive: true,
  })
})

test('a bound that is not there is null and never inclusive', (t) => {
  for (const range of [
    new Range(),
    new Range(undefined, null),
    new Range(null, null, { upperInclusive: true }),
  ]) {
    t.like(range, { lower: null, upper: null, lowerInclusive: false, upperInclusive: false, isEmpty: false })
    t.true(range.isLowerInfinite && range.isUpperInfinite)
  }
  const open = new Range(null, 5, { upperInclusive: true })
  t.deepEqual([open.isLowerInfinite, open.isUpperInfinite, open.upperInclusive], [true, false, true])
})

test('the empty range has no bounds, and is not infinite', (t) => {
  for (const range of [Range.empty<number>(), new Range(1, 5, { isEmpty: true })]) {
    t.like(range, { lower: null, upper: null, lowerInclusive: false, upperInclusive: false, isEmpty: true })
    t.false(range.isLowerInfinite || range.isUpperInfinite)
    t.is(String(range), 'empty')
    t.false(range.contains(1))
  }
})

test('arguments that do not fit are refused by name', (t) => {
  t.throws(() => new Range(1, 2, { lowerInclusive: 1 as never }), {
    instanceOf: TypeError,
    message: 'lowerInclusive: expected a boolean, but got 1',
  })
  t.throws(() => new Range(1, 2, '[]' as never), { instanceOf: TypeError, message: /^options: / })
  t.throws(() => new Range(new Date(0), new Date(Number.NaN)), { instanceOf: TypeError, message: /^upper: / })
  t.throws(() => new Range(1, 2).contains(null as never), { instanceOf: TypeError, message: /^value: / })
  t.throws(() => new Range(1, 2).isSubsetOf([1, 2] as never), { instanceOf: TypeError, message: /^other: / })
  t.throws(() => new Range(1, 2).isSupersetOf(1 as never), { instanceOf: TypeError, message: /^other: / })
})

test('a range is written as PostgreSQL writes it', (t) => {
  const written: [Range<unknown>, string][] = [
    [new Range(1, 5), '[1,5)'],
    [new Range(1n, 5n, { lowerInclusive: false, upperInclusive: true }), '(1,5]'],
    [new Range(), '(,)'],
    [new Range(null, 'a b', { upperInclusive: true }), '(,"a b"]'],
    [new Range('', 'z'), '["",z)'],
    [new Range('say "hi"', 'back\\slash'), '["say ""hi""","back\\\\slash")'],
    [new Range('[a', 'b)'), '["[a","b)")'],
    [new Range('1,5', '6\t'), '["1,5","6\t")'],
    [new Range('\u00a0', 'é'), '[\u00a0,é)'],
    [new Range<unknown>('2024-01-01', Number.POSITIVE_INFINITY), '[2024-01-01,Infinity)'],
    [new Range(new Date(0)), '[1970-01-01T00:00:00.000Z,)'],
    [new Range(new Date('-000043-03-15')), '["0044-03-15T00:00:00.000Z BC",)'],
    [new Range(null, new Date('+010000-01-01')), '(,10000-01-01T00:00:00.000Z)'],
    [new Range(Buffer.from([1, 255])), '["\\\\x01ff",)'],
    [new Range(new Interval({ days: 1 })), '[P1D,)'],
  ]
  for (const [range, text] of written) t.is(`${range}`, text)
})

test('JSON has the fields, and bigints as numbers or digits', (t) => {
  const range = new Range(1n, 2n ** 60n)
  t.is(
    JSON.stringify(range),
    '{"lower":1,"upper":"1152921504606846976","lowerInclusive":true,"upperInclusive":false,"isEmpty":false}',
  )
  for (const one of [
    new Range(1, 5, { upperInclusive: true }),
    new Range<number>(null, 3),
    Range.empty<number>(),
  ]) {
    const json = JSON.parse(JSON.stringify(one))
    t.true(new Range(json.lower, json.upper, json).equals(one))
  }
})

test('contains respects which bounds belong to the range', (t) => {
  const range = new Range(1, 5)
  t.deepEqual(
    [0, 1, 3, 5, 6].map((value) => range.contains(value)),
    [false, true, true, false, false],
  )
  const other = new Range(1, 5, { lowerInclusive: false, upperInclusive: true })
  t.deepEqual(
    [1, 5].map((value) => other.contains(value)),
    [false, true],
  )
  t.true(new Range<number>().contains(-1e300))
  t.true(new Range<number>(null, 5).contains(-1))
})

test('numbers, bigints and numeric text compare by exact value', (t) => {
  const within = (lower: unknown, value: unknown, upper: unknown): boolean =>
    new Range(lower, upper).contains(value)
  t.true(within(1, 2n ** 53n, 2n ** 53n + 1n))
  t.false(within(1n, 2 ** 53, 2n ** 53n))
  t.true(within('9', '10', '20'))
  t.true(within('-1.50', '-1.5', '0'))
  t.false(within('0', '10.000000000000000000001', '10'))
  t.true(within('1e-7', 0.001, 1n))
  t.true(within('-20', '-10', '-9'))
  t.true(within('9007199254740992', 9007199254740993n, '9007199254740994'))
  t.true(within('1', 'Infinity', 'NaN'))
  t.false(within('1', 'NaN', 'Infinity'))
  t.true(within(1, Number.POSITIVE_INFINITY, Number.NaN))
  t.true(within('-Infinity', '-1e400', '0'))
  t.true(within('000', '0.0', '0.00001'))
})

test('numeric text compares as numbers do', (t) => {
  const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), fc.integer({ min: 0, max: 8 }))
  const textOf = ([unscaled, scale]: [bigint, number]): string => {
    const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
    const cut = digits.length - scale
    return `${unscaled < 0n ? '-' : ''}${digits.slice(0, cut)}${scale > 0 ? `.${digits.slice(cut)}` : ''}`
  }
  fc.assert(
    fc.property(decimal, decimal, (a, b) => {
      const [one, other] = [a[0] * 10n ** BigInt(8 - a[1]), b[0] * 10n ** BigInt(8 - b[1])]
      t.is(new Range(textOf(a)).contains(textOf(b)), one <= other)
    }),
  )
})

test('dates and timestamps in text compare by time, other text by code units', (t) => {
  t.true(new Range('2024-01-01', '2024-02-01').contains('2024-01-31'))
  t.true(new Range('9999-01-01', '10000-02-01').contains('10000-01-01'))
  t.true(new Range('0044-03-15 BC', '0001-01-01').contains('0043-03-15 BC'))
  t.true(new Range('2024-01-01 10:00:00+00', '2024-01-01 10:00:01+00').contains('2024-01-01 10:00:00.5+00'))
  t.true(new Range<unknown>('2024-01-01', Number.POSITIVE_INFINITY).contains('5000-01-01'))
  t.false(new Range('2024-01-01', '2025-01-01').contains(Number.NEGATIVE_INFINITY as never))
  t.true(new Range('a', 'c').contains('b'))
  t.false(new Range('a', 'c').contains('Z'))
})

test('objects compare by the static compare of their class, or by valueOf', (t) => {
  t.true(new Range(new Date(0), new Date(10)).contains(new Date(5)))
  t.true(new Range(new Date(0), Number.POSITIVE_INFINITY as never).contains(new Date(5)))
  t.true(new Range(new Day(1), new Day(3)).contains(new Day(2)))
  t.false(new Range(new Day(1), new Day(3)).contains(new Day(3)))
  t.true(new Range(Buffer.from('a'), Buffer.from('c')).contains(Buffer.from('bb')))
  t.true(
    new Range(new Interval({ days: 1 }), new Interval({ days: 3 })).contains(new Interval({ hours: 48 })),
  )
  const decimal = (text: string): object => ({ valueOf: () => text })
  t.true(new Range(decimal('9'), decimal('11')).contains(decimal('10.5')))
  t.true(new Range<unknown>(decimal('9'), decimal('11')).contains('10'))
})

test('what cannot be compared is refused', (t) => {
  const pairs: [unknown, unknown][] = [
    [1, 'a'],
    [1, true],
    [new Date(0), 5],
    [new Date(0), '2024-01-01'],
    [new Date(0), new Date(Number.NaN)],
    [{}, {}],
    [[1], [2]],
    [Symbol.iterator, 1],
    [Number.POSITIVE_INFINITY, true],
  ]
  for (const [bound, value] of pairs) {
    t.throws(() => new Range(bound).contains(value), { instanceOf: TypeError, message: /^cannot compare / })
  }
})

test('subsets and supersets', (t) => {
  const inclusive = { lowerInclusive: true, upperInclusive: true }
  const exclusive = { lowerInclusive: false, upperInclusive: false }
  const cases: [Range<number>, Range<number>, boolean][] = [
    [new Range(2, 3), new Range(1, 5), true],
    [new Range(1, 5), new Range(1, 5), true],
    [new Range(1, 5, inclusive), new Range(1, 5), false],
    [new Range(1, 5), new Range(1, 5, exclusive), false],
    [new Range(1, 5, exclusive), new Range(1, 5), true],
    [new Range(0, 3), new Range(1, 5), false],
    [new Range(3, 6), new Range(1, 5), false],
    [new Range<number>(null, 3), new Range(1, 5), false],
    [new Range(1, 5), new Range<number>(null, 5), true],
    [new Range(1), new Range<number>(), true],
    [new Range<number>(), new Range(1), false],
    [Range.empty(), new Range(1, 5), true],
    [Range.empty(), Range.empty(), true],
    [new Range(1, 5), Range.empty(), false],
  ]
  for (const [inner, outer, expected] of cases) {
    t.is(inner.isSubsetOf(outer), expected, `${inner} <@ ${outer}`)
    t.is(outer.isSupersetOf(inner), expected, `${outer} @> ${inner}`)
  }
})

test('equals compares the bounds by value', (t) => {
  const equal: [Range<unknown>, Range<unknown>][] = [
    [new Range(1, 5), new Range<unknown>(1n, 5)],
    [new Range(0), new Range(-0)],
    [new Range(Number.NaN), new Range(Number.NaN)],
    [new Range(new Date(1)), new Range(new Date(1))],
    [new Range(new Day(1)), new Range(new Day(1))],
    [new Range(Buffer.from('a')), new Range(Buffer.from('a'))],
    [new Range('a', 'b'), new Range('a', 'b')],
    [Range.empty(), Range.empty()],
    [new Range(null, null, { lowerInclusive: true }), new Range()],
  ]
  for (const [one, other] of equal) t.true(one.equals(other), `${inspect(one)} ${inspect(other)}`)
  const different: [Range<unknown>, unknown][] = [
    [new Range(1, 5), new Range(1, 6)],
    [new Range(1, 5), new Range(1, 5, { upperInclusive: true })],
    [new Range(1, 5), new Range(1)],
    [new Range(), Range.empty()],
    [new Range('1'), new Range(1)],
    [new Range(new Day(1)), new Range(new Day(2))],
    [new Range(new Day(1)), new Range(new Date(1))],
    [new Range(1, 5), '[1,5)'],
    [new Range(1, 5), null],
  ]
  for (const [one, other] of different) t.false(one.equals(other), `${inspect(one)} ${inspect(other)}`)
})

test('a range prints with its bounds as they print', (t) => {
  t.is(inspect(new Range(1, 5)), 'Range [1,5)')
  t.is(inspect(new Range(1n, 5n, { upperInclusive: true })), 'Range [1n,5n]')
  t.is(inspect(new Range('a', null)), "Range ['a',)")
  t.is(inspect(Range.empty()), 'Range empty')
  t.is(inspect([new Range(new Interval({ days: 1 }))]), '[ Range [Interval P1D,) ]')
  t.is(inspect([[new Range(1, 2)]], { depth: 0 }), '[ [Array] ]')
  t.is(inspect([new Range(1, 2)], { depth: 0 }), '[ [Range] ]')
  t.is(inspect(new Range({ a: { b: 1 } }), { depth: 1 }), 'Range [{ a: [Object] },)')
  t.is(inspect(new Range(1, 2), { colors: true }), 'Range [\u001b[33m1\u001b[39m,\u001b[33m2\u001b[39m)')
})
