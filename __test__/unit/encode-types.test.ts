import { runInNewContext } from 'node:vm'
import test, { type ExecutionContext } from 'ava'
import { DataError } from '../../src/errors/index'
import { BitString } from '../../src/types/bit-string'
import { Box, Circle, Line, LineSegment, Path, Polygon } from '../../src/types/geometry'
import { Interval } from '../../src/types/interval'
import { Point } from '../../src/types/point'
import { ARRAY_BIT, TypeCode as T } from '../../src/types/type-code'
import { encode, encodeOne } from './encode-sink'

function refuses(t: ExecutionContext, code: number, value: unknown, message: RegExp): DataError | undefined {
  const error = t.throws(() => encode(code, value), { instanceOf: DataError })
  t.regex(error?.message ?? '', message)
  return error
}

function duration(fields: object): object {
  return { [Symbol.toStringTag]: 'Temporal.Duration', nanoseconds: 0, ...fields }
}

test('interval takes Intervals, their fields, durations and text', (t) => {
  const three = new Interval({ months: 1, days: -2, microseconds: 3 })
  t.deepEqual(encodeOne(T.INTERVAL, three), ['interval', 1, -2, 3])
  t.deepEqual(encodeOne(T.INTERVAL, new Interval()), ['interval', 0, 0, 0])
  const all = { years: 1, months: 2, weeks: 3, days: 4, hours: 5, minutes: 6, seconds: 7, milliseconds: 8 }
  const micros = ((5 * 60 + 6) * 60 + 7) * 1e6 + 8009
  t.deepEqual(encodeOne(T.INTERVAL, { ...all, microseconds: 9 }), ['interval', 14, 25, micros])
  t.deepEqual(encodeOne(T.INTERVAL, duration({ ...all, microseconds: 9 })), ['interval', 14, 25, micros])
  t.deepEqual(encodeOne(T.INTERVAL, { seconds: -1.5, days: undefined }), ['interval', 0, 0, -1_500_000])
  t.deepEqual(encodeOne(T.INTERVAL, { hours: 10n ** 9n }), ['interval', 0, 0, 3_600_000_000_000_000_000n])
  t.deepEqual(encodeOne(T.INTERVAL, { microseconds: 2n ** 63n - 1n }), ['interval', 0, 0, 2n ** 63n - 1n])
  t.deepEqual(encodeOne(T.INTERVAL, {}), ['interval', 0, 0, 0])
  for (const text of ['P1DT2H', '1 day 02:00', 'infinity']) {
    t.deepEqual(encodeOne(T.INTERVAL, text), ['text', text])
  }
  t.deepEqual(encodeOne(T.INTERVAL, Number.POSITIVE_INFINITY), ['text', 'infinity'])
  t.deepEqual(encodeOne(T.INTERVAL, Number.NEGATIVE_INFINITY), ['text', '-infinity'])
})

test('an infinite Interval keeps the ends of its three fields', (t) => {
  t.deepEqual(encodeOne(T.INTERVAL, Interval.parse('-infinity')), [
    'interval',
    -(2 ** 31),
    -(2 ** 31),
    -(2n ** 63n),
  ])
})

test('interval: fields are read from classes with other members', (t) => {
  class Span {
    get days() {
      return 2
    }
  }
  Object.assign(Span.prototype, { toPostgres: () => '2 days' })
  t.deepEqual(encodeOne(T.INTERVAL, new Span()), ['interval', 0, 2, 0])
})

test('interval refuses what it would lose', (t) => {
  refuses(t, T.INTERVAL, { days: 1, fortnights: 1 }, /expected an object without "fortnights", which/)
  refuses(t, T.INTERVAL, { days: 1.5 }, /expected the fields of an Interval; days: expected a whole number/)
  refuses(t, T.INTERVAL, { months: 2 ** 31 }, /months: expected/)
  refuses(t, T.INTERVAL, { seconds: 0.000_000_1 }, /seconds: expected/)
  refuses(t, T.INTERVAL, { microseconds: 2n ** 63n }, /microseconds: expected/)
  t.true(refuses(t, T.INTERVAL, { days: '1' }, /days: expected/)?.cause instanceof TypeError)
  for (const value of [5, Number.NaN, 5n, true, [], new Date(), new Map(), Buffer.alloc(1)]) {
    refuses(t, T.INTERVAL, value, /expected an Interval, an object with its fields/)
  }
  refuses(t, T.INTERVAL, 'a\0', /NUL/)
  const thrown = new Error('mine')
  const hostile = {
    get days() {
      throw thrown
    },
  }
  t.is(refuses(t, T.INTERVAL, hostile, /expected a value that can be read/)?.cause, thrown)
})

test('types without a class take strings only', (t) => {
  const texts = [
    [T.TIMETZ, '03:04:05+02'],
    [T.INET, '192.168.0.0/16'],
    [T.MACADDR, '08:00:2b:01:02:03'],
    [T.LSN, '16/B374D848'],
    [T.TID, '(0,1)'],
    [T.SNAPSHOT, '10:20:10,14'],
    [T.VERSIONED, '$.a[*]'],
  ] as const
  for (const [code, text] of texts) {
    t.deepEqual(encodeOne(code, text), ['text', text])
    for (const value of [1, 1n, true, {}, [], new Date(), Buffer.alloc(1)]) {
      refuses(t, code, value, /expected a string\)/)
    }
    refuses(t, code, 'a\0', /NUL/)
  }
})

test('bit takes BitStrings and digits', (t) => {
  t.deepEqual(encodeOne(T.BIT, new BitString('0101')), ['text', '0101'])
  t.deepEqual(encodeOne(T.BIT, '1'), ['text', '1'])
  t.deepEqual(encodeOne(T.BIT, ''), ['text', ''])
  for (const value of [
    '012',
    'x1',
    ' 1',
    '1\n',
    1,
    1n,
    true,
    [1],
    Buffer.alloc(1),
    { toString: () => '1' },
  ]) {
    refuses(t, T.BIT, value, /expected a BitString or a string of 0 and 1/)
  }
})

test('xid8 takes unsigned 64-bit integers', (t) => {
  t.deepEqual(encodeOne(T.XID8, 5), ['i64Number', 5])
  t.deepEqual(encodeOne(T.XID8, 2n ** 64n - 1n), ['i64', -1n])
  t.deepEqual(encodeOne(T.XID8, '18446744073709551615'), ['i64', -1n])
  t.deepEqual(encodeOne(T.XID8, ' 0012 '), ['i64', 12n])
  for (const value of [-1, 1.5, 2 ** 53, -1n, 2n ** 64n, '18446744073709551616', '-1', '', 'x', true, {}]) {
    refuses(t, T.XID8, value, /expected a whole number from 0 to 18446744073709551615/)
  }
  t.deepEqual(encode(T.XID8 | ARRAY_BIT, new BigUint64Array([7n]))[1], ['i64', 7n])
})

test('geometric types take their classes, objects with the same fields, and text', (t) => {
  const forms: [code: number, values: unknown[], call: unknown[]][] = [
    [T.POINT, [new Point(1, 2), { x: 1, y: 2 }, [1, 2]], [0, 1, 2]],
    [T.LINE, [new Line(1, 2, 3), { a: 1, b: 2, c: 3 }], [0, 1, 2, 3]],
    [T.LSEG, [new LineSegment([1, 2], [3, 4]), { start: [1, 2], end: { x: 3, y: 4 } }], [0, 1, 2, 3, 4]],
    [T.BOX, [new Box([3, 4], [1, 2]), { high: [3, 4], low: new Point(1, 2) }], [0, 3, 4, 1, 2]],
    [T.PATH, [new Path([[1, 2]], true), { points: [[1, 2]], isClosed: true }], [1, 1, 2]],
    [
      T.PATH,
      [new Path([[1, 2]]), { points: [[1, 2]] }, { points: [[1, 2]], isClosed: undefined }],
      [0, 1, 2],
    ],
    [
      T.PATH,
      [
        new Path([
          [1, 2],
          [3, 4],
        ]),
        {
          points: [[1, 2], { x: 3, y: 4 }],
          isClosed: false,
        },
      ],
      [0, 1, 2, 3, 4],
    ],
    [T.POLYGON, [new Polygon([[1, 2]]), { points: [[1, 2]] }], [1, 1, 2]],
    [T.CIRCLE, [new Circle([1, 2], 3), { center: [1, 2], radius: 3 }], [0, 1, 2, 3]],
  ]
  for (const [code, values, call] of forms) {
    for (const value of values) t.deepEqual(encodeOne(code, value), ['doubles', ...call])
    t.deepEqual(encodeOne(code, 'text'), ['text', 'text'])
    refuses(t, code, 'a\0', /NUL/)
    for (const value of [5, true, new Date(), new Map(), new Float64Array(2), [1], {}]) {
      t.throws(() => encode(code, value), { instanceOf: DataError })
    }
    refuses(t, code, { ...(values[1] as object), z: 1 }, /without "[0-9z]", which the type does not have/)
  }
  t.deepEqual(encodeOne(T.POINT, [Number.NaN, -Infinity]), ['doubles', 0, Number.NaN, -Infinity])
})

test('refused parts of geometric values are named', (t) => {
  const point = /expected a Point, \{ x, y \} or \[x, y\], of numbers\)$/
  for (const value of [[1], [1, 2, 3], [1, '2'], { x: 1 }, { x: 1n, y: 2 }, 5]) {
    refuses(t, T.POINT, value, point)
  }
  refuses(t, T.LSEG, { start: [1, 2] }, /^parameter \$1, field "end": .*: undefined /)
  refuses(t, T.LINE, { a: 1, b: '2', c: 3 }, /^parameter \$1, field "b": .*: "2" \(expected a number\)/)
  refuses(t, T.CIRCLE, { center: [1, 2], radius: null }, /field "radius".*null/)
  refuses(t, T.POLYGON, { points: [[1, 2], 'x'] }, /^parameter \$1, point 2: .*"x"/)
  for (const points of [[], 5, undefined])
    refuses(t, T.POLYGON, { points }, /field "points".*one point or more/)
  refuses(t, T.PATH, { points: [[1, 2]], isClosed: 1 }, /field "isClosed".*expected true or false/)
})

test('arrays of points may hold points as arrays', (t) => {
  t.deepEqual(encode(T.POINT | ARRAY_BIT, [[1, 2], { x: 3, y: 4 }, null]), [
    ['array', [[3, 1]], 3],
    ['doubles', 0, 1, 2],
    ['doubles', 0, 3, 4],
    ['null'],
  ])
  t.deepEqual(encode(T.CIRCLE | ARRAY_BIT, [[new Circle([1, 2], 3)]])[0], [
    'array',
    [
      [1, 1],
      [1, 1],
    ],
    1,
  ])
})

test('hstore takes objects and Maps of strings', (t) => {
  const calls = [['hstore', 3], ['text', 'a'], ['text', '1'], ['text', ''], ['null'], ['text', 'b'], ['null']]
  const object = { a: '1', '': null, b: undefined }
  t.deepEqual(encode(T.HSTORE, object), calls as never)
  t.deepEqual(encode(T.HSTORE, new Map(Object.entries(object))), calls as never)
  t.deepEqual(encode(T.HSTORE, Object.assign(Object.create(null), object)), calls as never)
  t.deepEqual(encode(T.HSTORE, runInNewContext('new Map([["k", "v"]])'))[2], ['text', 'v'])
  for (const empty of [{}, new Map(), Object.create(null), runInNewContext('({})')]) {
    t.deepEqual(encode(T.HSTORE, empty), [['hstore', 0]])
  }
  t.deepEqual(encode(T.HSTORE, '"a"=>"1"'), [['text', '"a"=>"1"']])
})

test('hstore refuses other values, naming the key', (t) => {
  for (const value of [1, true, 1n, {}, [], Symbol('x')]) {
    refuses(
      t,
      T.HSTORE,
      { a: 'x', 'b c': value },
      /^parameter \$1, key "b c": .*expected a string or null\)$/,
    )
  }
  refuses(t, T.HSTORE, new Map([[1, 'a']]), /: 1 \(expected a string as key\)/)
  refuses(t, T.HSTORE, { a: 'x\0' }, /key "a": .*NUL/)
  refuses(t, T.HSTORE, { 'a\0': 'x' }, /key "a\\u0000": .*NUL/)
  for (const value of [1, [], ['a', 'b'], new Date(), new Set(['a']), Buffer.from('a'), true]) {
    refuses(t, T.HSTORE, value, /expected an object or Map of strings/)
  }
})

test('vectors go as float4 elements', (t) => {
  for (const code of [T.VECTOR, T.HALFVEC]) {
    const bytes = '0000803f000000c0'
    const values = [
      [1, -2],
      new Float32Array([1, -2]),
      new Float64Array([1, -2]),
      new Int8Array([1, -2]),
      new Float32Array([9, 1, -2]).subarray(1),
    ]
    for (const value of values) t.deepEqual(encodeOne(code, value), ['bytes', bytes])
    t.deepEqual(encodeOne(code, new Uint8Array([1])), ['bytes', '0000803f'])
    t.deepEqual(encodeOne(code, '[1,2]'), ['text', '[1,2]'])
    const error = refuses(t, code, [1, Number.NaN], /^parameter \$1, element 2: .*expected a finite number/)
    t.is(error?.element, 2)
    for (const bad of ['1', 1n, null, Infinity, 3.5e38]) refuses(t, code, [bad], /element 1: /)
    refuses(t, code, new BigInt64Array(1), /element 1: .*: 0n/)
    for (const bad of [[], new Float32Array()]) refuses(t, code, bad, /expected one number or more/)
    for (const bad of [5, {}, Buffer.alloc(4), new DataView(new ArrayBuffer(4))]) {
      refuses(t, code, bad, /expected an array of numbers/)
    }
  }
  t.deepEqual(encodeOne(T.VECTOR, [3.402_823_5e38]), ['bytes', 'ffff7f7f'])
  refuses(t, T.VECTOR, [3.402_823_6e38], /range of float4/)
  t.deepEqual(encodeOne(T.HALFVEC, [65_519]), ['bytes', '00ef7f47'])
  refuses(t, T.HALFVEC, [65_520], /range of half precision/)
})

test('arrays of vectors hold vectors of any length', (t) => {
  t.deepEqual(encode(T.VECTOR | ARRAY_BIT, [[1], new Float32Array(2), '[1]']), [
    ['array', [[3, 1]], 3],
    ['bytes', '0000803f'],
    ['bytes', '0000000000000000'],
    ['text', '[1]'],
  ])
  refuses(t, T.VECTOR | ARRAY_BIT, [[1], ['x']], /^parameter \$1, element 2, element 1: /)
})

test('PostGIS takes EWKB and WKT; codecs in bytes without their codec take bytes', (t) => {
  t.deepEqual(encodeOne(T.EWKB, Buffer.from('0101', 'hex')), ['bytes', '0101'])
  t.deepEqual(encodeOne(T.EWKB, 'POINT(1 2)'), ['text', 'POINT(1 2)'])
  for (const value of [{ type: 'Point' }, 5, [1, 2]]) refuses(t, T.EWKB, value, /a Buffer of EWKB, or WKT/)
  t.deepEqual(encodeOne(T.RAW, Buffer.from('ff', 'hex')), ['bytes', 'ff'])
})

test('anonymous records are left to the server when they are text', (t) => {
  t.deepEqual(encodeOne(T.RECORD, '(1,a)'), ['text', '(1,a)'])
  for (const value of [{ a: 1 }, [1]]) refuses(t, T.RECORD, value, /PostgreSQL takes no anonymous records/)
})
