import test from 'ava'
import { DEFAULT_PLAN, planFor } from '../../src/decode/mapping'
import { shapeOf } from '../../src/decode/shape'
import { DataError, InternalClientError } from '../../src/errors/index'
import { BitString } from '../../src/types/bit-string'
import { Box, Circle, Line, LineSegment, Path, Polygon } from '../../src/types/geometry'
import { Interval } from '../../src/types/interval'
import { Point } from '../../src/types/point'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'
import { Cells, columnsOf, type WireType, type WireValue } from './decode-cells'
import { read } from './decode-types'

test('what PostgreSQL prints stays text', (t) => {
  const texts: [number, string][] = [
    [TypeCode.TIMETZ, '03:04:05.12+02'],
    [TypeCode.INET, '2001:db8::/32'],
    [TypeCode.MACADDR, '08:00:2b:01:02:03'],
    [TypeCode.LSN, '16/B374D848'],
    [TypeCode.TID, '(0,1)'],
    [TypeCode.SNAPSHOT, '10:20:10,14,15'],
    [TypeCode.VERSIONED, '$."a"'],
  ]
  for (const style of ['ascii', 'utf8', 'shared'] as const) {
    for (const [code, text] of texts) {
      t.is(read(code, text, {}, style), text)
      t.is(read(code, text, {}, style, 1), text)
      t.deepEqual(read(code | ARRAY_BIT, { lengths: [2], elements: [text, null] }, {}, style), [text, null])
    }
  }
})

test('intervals keep months, days and microseconds apart', (t) => {
  const wire = (months: number, days: number, micros: bigint): WireValue => ({ months, days, micros })
  const interval = read(TypeCode.INTERVAL, wire(14, -3, 4_000_005n))
  t.true(interval instanceof Interval)
  t.deepEqual([interval.months, interval.days, interval.microseconds], [14, -3, 4_000_005])
  t.is(read(TypeCode.INTERVAL, wire(0, 0, 2n ** 53n)).microseconds, 2n ** 53n)
  t.is(read(TypeCode.INTERVAL, wire(0, 0, -(2n ** 63n))).microseconds, -(2n ** 63n))
  t.is(
    read(TypeCode.INTERVAL, wire(14, -3, 4_000_005n), { interval: 'string' }),
    new Interval({ months: 14, days: -3, microseconds: 4_000_005 }).toString(),
  )
  t.is(read(TypeCode.INTERVAL, null), null)
  t.deepEqual(read(TypeCode.INTERVAL | ARRAY_BIT, { lengths: [2], elements: [wire(1, 2, 3n), null] }), [
    new Interval({ months: 1, days: 2, microseconds: 3 }),
    null,
  ])
})

test('infinite intervals are ±Infinity whatever the mapping, and only those with all three parts at an end', (t) => {
  const [MAX, MIN] = [2 ** 31 - 1, -(2 ** 31)]
  const [END, START] = [2n ** 63n - 1n, -(2n ** 63n)]
  for (const interval of ['interval', 'string'] as const) {
    t.is(read(TypeCode.INTERVAL, { months: MAX, days: MAX, micros: END }, { interval }), Infinity)
    t.is(read(TypeCode.INTERVAL, { months: MIN, days: MIN, micros: START }, { interval }), -Infinity)
  }
  for (const value of [
    { months: MAX, days: MAX, micros: START },
    { months: MAX, days: MAX, micros: END - 1n },
    { months: MAX, days: MIN, micros: END },
    { months: MIN, days: MIN, micros: END },
    { months: MIN, days: 0, micros: START },
    { months: 0, days: MAX, micros: END },
  ]) {
    const interval = read(TypeCode.INTERVAL, value)
    t.deepEqual(
      [interval.months, interval.days, BigInt(interval.microseconds)],
      [value.months, value.days, value.micros],
    )
  }
})

test('bits are BitStrings or text', (t) => {
  t.deepEqual(read(TypeCode.BIT, '00101'), new BitString('00101'))
  t.is(read(TypeCode.BIT, '00101', { bit: 'string' }), '00101')
  t.deepEqual(read(TypeCode.BIT, '', {}), new BitString(''))
  t.is(read(TypeCode.BIT, '1'.repeat(9), {}, 'shared', 3).toString(), '111111111')
  t.is(read(TypeCode.BIT, null), null)
})

test('geometric values are classes of their own', (t) => {
  const [a, b] = [new Point(1.5, -2), new Point(3, 4)]
  t.deepEqual(read(TypeCode.POINT, { doubles: [1.5, -2] }), a)
  t.deepEqual(read(TypeCode.LINE, { doubles: [1, -1, 2.5] }), new Line(1, -1, 2.5))
  t.deepEqual(read(TypeCode.LSEG, { doubles: [1.5, -2, 3, 4] }), new LineSegment(a, b))
  t.deepEqual(read(TypeCode.BOX, { doubles: [3, 4, 1.5, -2] }), new Box(b, a))
  t.deepEqual(read(TypeCode.CIRCLE, { doubles: [1.5, -2, 7] }), new Circle(a, 7))
  for (const isClosed of [true, false]) {
    t.deepEqual(read(TypeCode.PATH, { doubles: [1.5, -2, 3, 4], isClosed }), new Path([a, b], isClosed))
  }
  t.deepEqual(read(TypeCode.POLYGON, { doubles: [1.5, -2, 3, 4], isClosed: true }), new Polygon([a, b]))
  t.deepEqual(read(TypeCode.POINT | ARRAY_BIT, { lengths: [2], elements: [{ doubles: [3, 4] }, null] }), [
    b,
    null,
  ])
  t.true(Number.isNaN(read(TypeCode.POINT, { doubles: [Number.NaN, Infinity] }).x))
})

const XID8_VALUES = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]

for (const value of XID8_VALUES) {
  test(`xid8 ${value} is unsigned, and goes by the mapping of int8`, (t) => {
    t.is(read(TypeCode.XID8, value), value < 2n ** 53n ? Number(value) : value)
    t.is(read(TypeCode.XID8, value, { int8: 'bigint' }), value)
    t.is(read(TypeCode.XID8, value, { int8: 'number' }), Number(value))
    t.is(read(TypeCode.XID8, value, { int8: 'string' }), value.toString())
  })
}

test('hstore is an object without prototype, whose keys are own properties whatever they are', (t) => {
  const pairs: [string, string | null][] = [
    ['0', 'zero'],
    ['a', '1'],
    ['__proto__', 'x'],
    ['constructor', null],
    ['', ''],
  ]
  for (const style of ['utf8', 'shared'] as const) {
    const value = read(TypeCode.HSTORE, { pairs }, {}, style)
    t.is(Object.getPrototypeOf(value), null)
    t.deepEqual(new Map(Object.entries(value)), new Map(pairs))
    t.deepEqual(Object.getOwnPropertyDescriptor(value, '__proto__'), {
      value: 'x',
      writable: true,
      enumerable: true,
      configurable: true,
    })
  }
  t.deepEqual(Object.keys(read(TypeCode.HSTORE, { pairs: [] })), [])
  t.is(
    read(TypeCode.HSTORE, { pairs: [['long key', 'long value']] }, {}, 'shared', 4)['long key'],
    'long value',
  )
})

/** One row of one value, and the memory that it came from. */
function readFrom(type: WireType, value: WireValue): { value: any; cells: Cells } {
  const cells = new Cells('utf8')
  cells.row([type], [value])
  const rows: any[] = []
  shapeOf(columnsOf(['x'], [type]), DEFAULT_PLAN).readRows(cells.views, 0, 1, -2, cells.extras, rows)
  return { value: rows[0].x, cells }
}

test('vectors are Float32Arrays that do not change with the mailbox', (t) => {
  const floats = new Float32Array([1.5, -2, 0, 3.25])
  const bytes = Buffer.from(floats.buffer)
  for (const code of [TypeCode.VECTOR, TypeCode.HALFVEC]) {
    const { value, cells } = readFrom(code, bytes)
    cells.views.t.fill(0xff)
    t.true(value instanceof Float32Array)
    t.deepEqual(value, floats)
    t.is(value.byteOffset, 0)
    t.is(value.buffer.byteLength, 16)
    t.deepEqual(read(code, bytes, {}, 'utf8', 1), floats)
    t.deepEqual(read(code, Buffer.alloc(0)), new Float32Array(0))
  }
})

test('vectors need not be aligned in the mailbox', (t) => {
  const floats = new Float32Array([1, 2])
  const cells = new Cells('utf8')
  cells.row([TypeCode.BYTEA, TypeCode.VECTOR], [Buffer.from([1]), Buffer.from(floats.buffer)])
  const rows: any[] = []
  shapeOf(columnsOf(['b', 'v'], [TypeCode.BYTEA, TypeCode.VECTOR]), DEFAULT_PLAN).readRows(
    cells.views,
    0,
    1,
    -2,
    [],
    rows,
  )
  t.is(cells.views.u[2]! % 4, 3)
  t.deepEqual(rows[0].v, floats)
})

test('EWKB and raw bytes are Buffers that do not change with the mailbox', (t) => {
  for (const code of [TypeCode.EWKB, TypeCode.RAW]) {
    const { value, cells } = readFrom(code, Buffer.from('abc'))
    cells.views.t.fill(0)
    t.true(Buffer.isBuffer(value))
    t.is(value.toString(), 'abc')
    t.deepEqual(read(code, Buffer.from('abc'), {}, 'utf8', 1), Buffer.from('abc'))
  }
})

const NAMES = ['PlainDate', 'PlainTime', 'PlainDateTime', 'Instant', 'Duration'] as const

/** A Temporal whose objects are what their constructors got. */
function fakeTemporal(): any {
  return Object.fromEntries(
    NAMES.map((name) => [
      name,
      class {
        readonly made: unknown[]
        constructor(...fields: unknown[]) {
          this.made = [name, ...fields]
        }
      },
    ]),
  )
}

test("'temporal' makes objects of the Temporal that the application gives", (t) => {
  const temporal = fakeTemporal()
  const made = (code: number, value: WireValue, name: string): unknown =>
    read(code, value, { [name]: 'temporal', temporal }).made
  t.deepEqual(made(TypeCode.DATE, '2024-02-29', 'date'), ['PlainDate', 2024, 2, 29])
  t.deepEqual(made(TypeCode.TIME, '03:04:05.12', 'time'), ['PlainTime', 3, 4, 5, 120, 0])
  t.deepEqual(made(TypeCode.TIMESTAMP, 1n, 'timestamp'), ['PlainDateTime', 1970, 1, 1, 0, 0, 0, 0, 1])
  t.deepEqual(made(TypeCode.TIMESTAMPTZ, 1n, 'timestamptz'), ['Instant', 1000n])
  t.is(read(TypeCode.TIMETZ, '03:04:05+02', { time: 'temporal', temporal }), '03:04:05+02')
  const duration = (months: number, days: number, micros: bigint): unknown =>
    made(TypeCode.INTERVAL, { months, days, micros }, 'interval')
  t.deepEqual(duration(14, 3, 3_723_004_005n), ['Duration', 1, 2, 0, 3, 1, 2, 3, 4, 5])
  t.deepEqual(duration(-14, -3, -3_723_004_005n), ['Duration', -1, -2, 0, -3, -1, -2, -3, -4, -5])
  t.deepEqual(duration(-1, 0, 0n), ['Duration', 0, -1, 0, 0, 0, 0, 0, 0, 0])
  t.deepEqual(duration(0, 0, 2n ** 63n - 1n), ['Duration', 0, 0, 0, 0, 2_562_047_788, 0, 54, 775, 807])
  const options = { interval: 'temporal', temporal } as const
  const END = 2n ** 63n - 1n
  t.is(read(TypeCode.INTERVAL, { months: 2 ** 31 - 1, days: 2 ** 31 - 1, micros: END }, options), Infinity)
})

test('an interval of mixed signs is refused as a Temporal.Duration, with the cure', (t) => {
  const options = { interval: 'temporal', temporal: fakeTemporal() } as const
  for (const value of [
    { months: 1, days: -1, micros: 0n },
    { months: 0, days: 1, micros: -1n },
    { months: -1, days: 0, micros: 2n ** 60n },
  ]) {
    const error = t.throws(() => read(TypeCode.INTERVAL, value, options), { instanceOf: DataError })
    t.regex(error.message, /the interval P.* has parts of both signs, which Temporal.Duration cannot hold/)
    t.regex(error.hint!, /interval: 'interval' or 'string'/)
  }
})

test('a type with parts that comes without its type is an error of the driver', (t) => {
  t.throws(() => shapeOf(columnsOf(['x'], [TypeCode.COMPOUND]), planFor(DEFAULT_PLAN, {})), {
    instanceOf: InternalClientError,
  })
})
