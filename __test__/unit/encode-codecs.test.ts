import test, { type ExecutionContext } from 'ava'
import { DataError } from '../../src/errors/index'
import { TypeCode as T } from '../../src/types/type-code'
import { unregisterCodec } from '../../src/types/type-codec'
import type { TypeNode } from '../../src/types/type-node'
import { array, codec, composite, encodeNode, extension, multirange, range, scalar } from './encode-nodes'
import type { SinkCall } from './encode-sink'

const TEXT = scalar('text', T.TEXT)
const INT4 = scalar('int4', T.INT4)

function refuses(
  t: ExecutionContext,
  type: TypeNode,
  value: unknown,
  message: RegExp,
): DataError | undefined {
  const error = t.throws(() => encodeNode(type, value), { instanceOf: DataError })
  t.regex(error?.message ?? '', message)
  return error
}

const upper = (value: unknown) => String(value).toUpperCase()

test('a codec in text gives strings, in bytes views of memory', (t) => {
  const inText = extension('mood', T.UNKNOWN, codec({ encode: upper }))
  t.deepEqual(encodeNode(inText, 'sad'), [['text', 'SAD']])
  const bytes = codec({ format: 'binary', encode: (value) => new Uint16Array([value as number]) })
  t.deepEqual(encodeNode(extension('mood', T.RAW, bytes), 258), [['bytes', '0201']])
})

test('NULL is no business of codecs', (t) => {
  const never = codec({
    encode: () => {
      throw new Error('called')
    },
  })
  for (const value of [null, undefined]) {
    t.deepEqual(encodeNode(extension('mood', T.UNKNOWN, never), value), [['null']])
  }
})

test('codecs apply in arrays, composites, ranges and multiranges', (t) => {
  const mood = extension('mood', T.UNKNOWN, codec({ encode: upper }))
  t.deepEqual(encodeNode(array(mood), ['a', null]), [['array', [[2, 1]], 2], ['text', 'A'], ['null']])
  t.deepEqual(encodeNode(composite('pair', { mood, n: INT4 }), { mood: 'a', n: 1 }), [
    ['composite', 2],
    ['text', 'A'],
    ['i32', 1],
  ])
  const moods = range('moods', mood)
  t.deepEqual(encodeNode(multirange('multimoods', moods), [{ lower: 'a' }]), [
    ['multirange', 1],
    ['range', 18],
    ['text', 'A'],
    ['null'],
  ])
})

test('a codec may take arrays, so arrays of its type have one dimension', (t) => {
  const joined = codec({ encode: (value) => (value as unknown[]).join('+') })
  t.deepEqual(encodeNode(array(extension('sum', T.UNKNOWN, joined)), [[1, 2], [3]]), [
    ['array', [[2, 1]], 2],
    ['text', '1+2'],
    ['text', '3'],
  ])
})

test('a composite codec gives its attributes, each encoded by its type', (t) => {
  const id = codec({ format: 'tuple', encode: (value) => [(value as { n: number }).n, 'x'] })
  const pair = composite('pair', { n: INT4, s: TEXT }, id)
  t.deepEqual(encodeNode(pair, { n: 5, extra: true }), [
    ['composite', 2],
    ['i32', 5],
    ['text', 'x'],
  ])
  refuses(t, pair, { n: 'x' }, /^parameter \$1, attribute "n": invalid input for type int4: "x"/)
  const short = composite('pair', { n: INT4, s: TEXT }, codec({ format: 'tuple', encode: () => [1] }))
  refuses(t, short, {}, /cannot encode for type public.mood: encode returned \[1\], where .* 2 values/)
})

test('what a codec throws or returns wrongly names the parameter, the type and the cause', (t) => {
  const thrown = new RangeError('no such mood')
  const failing = codec({
    encode: () => {
      throw thrown
    },
  })
  const mood = extension('mood', T.UNKNOWN, failing)
  const error = refuses(t, mood, 5, /./)
  t.is(error?.message, 'parameter $1: cannot encode for type public.mood: no such mood')
  t.is(error?.cause, thrown)
  t.is(error?.parameter, 1)
  t.is(
    refuses(t, array(mood), [null, 1], /./)?.message,
    'parameter $1, element 2: cannot encode for type public.mood: no such mood',
  )
  const other = codec({
    encode: () => {
      throw 'a string'
    },
  })
  t.is(refuses(t, extension('mood', T.UNKNOWN, other), 5, /encode threw "a string"$/)?.cause, 'a string')
  for (const result of [5, null, undefined, {}, Buffer.alloc(1), Promise.resolve('x'), 'a\0']) {
    refuses(
      t,
      extension('mood', T.UNKNOWN, codec({ encode: () => result })),
      1,
      /^parameter \$1: cannot encode for type public.mood: encode returned .*, where the format text needs /,
    )
  }
  for (const result of ['x', [1], new ArrayBuffer(1)]) {
    const id = codec({ format: 'binary', encode: () => result })
    refuses(t, extension('mood', T.RAW, id), 1, /where the format binary needs a Buffer or another/)
  }
})

function tuple(code: number, parts: unknown): SinkCall {
  return encodeNode(scalar('t', code, codec({ format: 'tuple', encode: () => parts })), 1)[0]!
}

test('date as a tuple: days since 2000', (t) => {
  t.deepEqual(tuple(T.DATE, [0]), ['millis', Date.UTC(2000)])
  t.deepEqual(tuple(T.DATE, [-1n]), ['millis', Date.UTC(1999, 11, 31)])
  t.deepEqual(tuple(T.DATE, [2 ** 31 - 1]), ['millis', Infinity])
  t.deepEqual(tuple(T.DATE, [-(2 ** 31)]), ['millis', -Infinity])
  // The last day of PostgreSQL's, and the first of all (DATE_END_JULIAN in timestamp.h).
  t.deepEqual(tuple(T.DATE, [2_145_031_948]), ['text', '5874897-12-31'])
  t.deepEqual(tuple(T.DATE, [-2_451_507]), ['millis', Date.UTC(-4712, 0, 1)])
  t.deepEqual(tuple(T.DATE, [-200_000_000]), ['text', '545583-08-07 BC'])
})

test('times as tuples: microseconds, and seconds west of UTC', (t) => {
  t.deepEqual(tuple(T.TIME, [0]), ['text', '00:00:00.000000'])
  t.deepEqual(tuple(T.TIME, [45_296_000_007]), ['text', '12:34:56.000007'])
  t.deepEqual(tuple(T.TIME, [86_400_000_000n]), ['text', '24:00:00.000000'])
  t.deepEqual(tuple(T.TIMETZ, [1, -7200]), ['text', '00:00:00.000001+02:00:00'])
  t.deepEqual(tuple(T.TIMETZ, [0, 16_245]), ['text', '00:00:00.000000-04:30:45'])
})

test('timestamps as tuples: microseconds since 2000', (t) => {
  for (const code of [T.TIMESTAMP, T.TIMESTAMPTZ]) {
    t.deepEqual(tuple(code, [0]), ['i64', 946_684_800_000_000n])
    t.deepEqual(tuple(code, [-1n]), ['i64', 946_684_799_999_999n])
    t.deepEqual(tuple(code, [2n ** 63n - 1n]), ['millis', Infinity])
    t.deepEqual(tuple(code, [-(2n ** 63n)]), ['millis', -Infinity])
  }
  // The last microsecond of PostgreSQL's (END_TIMESTAMP in timestamp.h) is beyond int64 when counted from 1970.
  const last = 9_223_371_331_199_999_999n
  t.deepEqual(tuple(T.TIMESTAMP, [last]), ['text', '294276-12-31 23:59:59.999999'])
  t.deepEqual(tuple(T.TIMESTAMPTZ, [last]), ['text', '294276-12-31 23:59:59.999999+00'])
})

test('interval as a tuple: months, days, microseconds', (t) => {
  t.deepEqual(tuple(T.INTERVAL, [1, -2, 3]), ['interval', 1, -2, 3n])
  t.deepEqual(tuple(T.INTERVAL, [1n, 2n, -(2n ** 63n)]), ['interval', 1, 2, -(2n ** 63n)])
})

test('other tuples are refused', (t) => {
  const wrong: [code: number, parts: unknown[], needed: RegExp][] = [
    [T.DATE, [[], [1, 2], [1.5], [2 ** 31], ['1'], 5, [null]], /needs \[days since 2000-01-01\]$/],
    [T.TIME, [[-1], [86_400_000_001], [0, 0]], /needs \[microseconds of the day\]$/],
    [T.TIMETZ, [[0], [0, 57_600], [0, -57_600], [0, 0.5]], /seconds west of UTC\]$/],
    [T.TIMESTAMPTZ, [[2n ** 63n], [2 ** 53], ['x'], []], /needs \[microseconds since 2000-01-01\]$/],
    [
      T.INTERVAL,
      [
        [1, 2],
        [2 ** 31, 0, 0],
        [0, 0, 2n ** 63n],
        [0, 0, 0, 0],
      ],
      /\[months, days, microseconds\]$/,
    ],
  ]
  for (const [code, values, needed] of wrong) {
    for (const value of values) t.throws(() => tuple(code, value), { instanceOf: DataError, message: needed })
  }
  t.throws(() => tuple(T.TEXT, ['a']), { instanceOf: DataError, message: /the type has no tuple format$/ })
})

test("without its codec a type's text and bytes are left", (t) => {
  const id = codec({})
  unregisterCodec(id)
  t.deepEqual(encodeNode(extension('mood', T.UNKNOWN, id), 'x'), [['text', 'x']])
  t.deepEqual(encodeNode(extension('mood', T.RAW, id), Buffer.from('a')), [['bytes', '61']])
})
