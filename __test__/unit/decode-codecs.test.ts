import test from 'ava'
import { DEFAULT_PLAN } from '../../src/decode/mapping'
import { shapeOf } from '../../src/decode/shape'
import { DataError } from '../../src/errors/index'
import { lowerBoundsOf } from '../../src/types/array-dimensions'
import { Range } from '../../src/types/range'
import { TypeCode } from '../../src/types/type-code'
import { type CodecFormat, registerCodec, unregisterCodec } from '../../src/types/type-codec'
import { Cells, columnsOf, type WireValue } from './decode-cells'
import { arrayType, composite, rangeType, read, scalar } from './decode-types'

const { INT4, TEXT, UNKNOWN, RAW, RECORD } = TypeCode

function codec(format: CodecFormat, decode: (value: any) => unknown = (value) => ({ got: value })): number {
  return registerCodec({ typeName: 'public.mood', format, encode: (value) => value, decode })
}

test('a codec gets text, bytes that do not change, or a tuple; NULL is null', (t) => {
  for (const style of ['utf8', 'shared'] as const) {
    t.deepEqual(read(scalar(UNKNOWN, codec('text')), 'sad', {}, style), { got: 'sad' })
    t.deepEqual(read(scalar(UNKNOWN, codec('text')), 'sad', {}, style, 1), { got: 'sad' })
  }
  const type = scalar(
    RAW,
    codec('binary', (bytes) => bytes),
  )
  const cells = new Cells('utf8')
  cells.row([type], [Buffer.from('abc')])
  const rows: any[] = []
  shapeOf(columnsOf(['x'], [type]), DEFAULT_PLAN).readRows(cells.views, 0, 1, -2, [], rows)
  cells.views.t.fill(0)
  t.true(Buffer.isBuffer(rows[0].x))
  t.is(rows[0].x.toString(), 'abc')
  const never = codec('text', () => t.fail())
  t.is(read(scalar(UNKNOWN, never), null), null)
})

test('a codec may give anything, null and undefined too', (t) => {
  for (const value of [null, undefined, 0, Symbol.iterator]) {
    const type = scalar(
      UNKNOWN,
      codec('text', () => value),
    )
    t.is(read(type, 'x'), value)
  }
})

test('a codec of a composite type gets its attributes as the mapping gives them', (t) => {
  const inner = composite({ n: TypeCode.NUMERIC })
  const type = composite({ a: TypeCode.INT8, b: TEXT, c: inner }, codec('tuple'))
  const wire: WireValue = { attributes: [2n ** 60n, null, { attributes: ['1.5'] }] }
  for (let reading = 0; reading < 2; reading++) {
    const { got } = read(type, wire, { numeric: 'number', int8: 'string' })
    t.true(Array.isArray(got))
    t.deepEqual([got[0], got[1], got[2].n], ['1152921504606846976', null, 1.5])
  }
})

const MAX = 2n ** 63n - 1n
const MIN = -(2n ** 63n)
const TO_2000 = 946_684_800_000_000n

const tuples: [code: number, wire: WireValue, tuple: unknown[]][] = [
  [TypeCode.DATE, '2000-01-01', [0]],
  [TypeCode.DATE, '1999-12-31', [-1]],
  [TypeCode.DATE, '2024-02-29', [8825]],
  [TypeCode.DATE, '5874897-12-31', [2_145_031_948]],
  [TypeCode.DATE, '4713-01-01 BC', [-2_451_507]],
  [TypeCode.DATE, 'infinity', [2_147_483_647]],
  [TypeCode.DATE, '-infinity', [-2_147_483_648]],
  [TypeCode.TIMESTAMP, TO_2000, [0n]],
  [TypeCode.TIMESTAMPTZ, TO_2000 - 1n, [-1n]],
  [TypeCode.TIMESTAMP, MAX, [MAX]],
  [TypeCode.TIMESTAMPTZ, MIN, [MIN]],
  [TypeCode.TIME, '00:00:00', [0]],
  [TypeCode.TIME, '24:00:00', [86_400_000_000]],
  [TypeCode.TIME, '03:04:05.12', [11_045_120_000]],
  [TypeCode.TIMETZ, '03:04:05.000001+02', [11_045_000_001, -7200]],
  [TypeCode.TIMETZ, '23:59:59-03:30', [86_399_000_000, 12_600]],
  [TypeCode.TIMETZ, '00:00:00+00', [0, 0]],
  [TypeCode.TIMETZ, '00:00:00+15:59:59', [0, -57_599]],
  [TypeCode.INTERVAL, { months: -1, days: 2, micros: MAX }, [-1, 2, MAX]],
]

for (const [code, wire, tuple] of tuples) {
  const shown = JSON.stringify(wire, (_, value) => (typeof value === 'bigint' ? `${value}` : value))
  test(`the tuple of type code ${code}, ${shown}`, (t) => {
    t.deepEqual(read(scalar(code, codec('tuple')), wire), { got: tuple })
  })
}

test('codecs apply in arrays, composite values, ranges and records', (t) => {
  const mood = scalar(
    UNKNOWN,
    codec('text', (text) => text.toUpperCase()),
  )
  t.deepEqual(read(arrayType(mood), { lengths: [2], elements: ['sad', null] }), ['SAD', null])
  t.is(read(composite({ mood }), { attributes: ['sad'] }).mood, 'SAD')
  t.deepEqual(
    read(rangeType(mood), { flags: 2, lower: 'a', upper: 'b' }),
    new Range('A', 'B', { lowerInclusive: true, upperInclusive: false }),
  )
  t.is(read(RECORD, { types: [mood], values: ['ok'] }).f1, 'OK')
  const raw = scalar(
    RAW,
    codec('binary', (bytes) => bytes.length),
  )
  t.deepEqual(read(arrayType(raw), { lengths: [2], elements: [Buffer.alloc(3), null] }), [3, null])
  const day = scalar(
    TypeCode.DATE,
    codec('tuple', ([days]) => days),
  )
  t.deepEqual(read(arrayType(day), { lengths: [1], elements: ['2000-01-02'] }), [1])
  const pair = composite(
    { a: INT4, mood },
    codec('tuple', ([a, value]) => `${a} ${value}`),
  )
  t.deepEqual(read(arrayType(pair), { lengths: [1], elements: [{ attributes: [1, 'sad'] }] }), ['1 SAD'])
})

test('dimensions of arrays whose elements a codec makes are marked', (t) => {
  const type = arrayType(
    scalar(
      UNKNOWN,
      codec('text', (text) => [text]),
    ),
  )
  const array = read(type, { lengths: [1, 1], elements: ['a'] })
  t.deepEqual(array, [[['a']]])
  t.deepEqual(lowerBoundsOf(array), [1, 1])
})

test('what a codec throws becomes a DataError that names the type, and the shape goes on', (t) => {
  const cause = new RangeError('no such mood')
  const type = scalar(
    UNKNOWN,
    codec('text', (text) => {
      if (text === 'bad') throw cause
      return text
    }),
  )
  const error = t.throws(() => read(arrayType(type), { lengths: [2], elements: ['good', 'bad'] }), {
    instanceOf: DataError,
  })
  t.is(error.message, 'cannot decode a value of type public.mood: no such mood')
  t.is(error.cause, cause)
  t.is(read(type, 'good'), 'good')
  const odd = scalar(
    UNKNOWN,
    codec('text', () => {
      throw 'a string'
    }),
  )
  t.throws(() => read(odd, 'x'), {
    message: 'cannot decode a value of type public.mood: decode threw "a string"',
  })
})

test('an error of a codec within another says which one threw', (t) => {
  const inner = scalar(
    UNKNOWN,
    registerCodec({
      typeName: 'public.inner',
      format: 'text',
      encode: String,
      decode: () => {
        throw new Error('inner')
      },
    }),
  )
  t.throws(() => read(composite({ inner }, codec('tuple')), { attributes: ['x'] }), {
    message: 'cannot decode a value of type public.inner: inner',
  })
})

test('without its codec a value is text or a Buffer', (t) => {
  const [text, binary] = [codec('text'), codec('binary')]
  unregisterCodec(text)
  unregisterCodec(binary)
  t.is(read(scalar(UNKNOWN, text), 'sad'), 'sad')
  t.is(read({ ...composite({ a: INT4 }, text), code: UNKNOWN }, '(1)'), '(1)')
  t.deepEqual(read(scalar(RAW, binary), Buffer.from('x')), Buffer.from('x'))
})

test('rows with bigints that a codec made can be written as JSON', (t) => {
  const type = scalar(UNKNOWN, codec('text', BigInt))
  const rows: any[] = []
  const cells = new Cells('utf8')
  cells.row([type, arrayType(type)], ['12345678901234567890', { lengths: [1], elements: ['1'] }])
  shapeOf(columnsOf(['n', 'a'], [type, arrayType(type)]), DEFAULT_PLAN).readRows(
    cells.views,
    0,
    1,
    -2,
    [],
    rows,
  )
  t.is(JSON.stringify(rows[0]), '{"n":"12345678901234567890","a":[1]}')
})
