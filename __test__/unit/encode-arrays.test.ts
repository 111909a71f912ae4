import test from 'ava'
import fc from 'fast-check'
import { DEFAULT_PLAN } from '../../src/decode/mapping'
import { shapeOf } from '../../src/decode/shape'
import { DataError } from '../../src/errors/index'
import { json } from '../../src/types/json'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'
import { Cells, columnsOf, type WireArray } from './decode-cells'
import { encode } from './encode-sink'

const INT4S = TypeCode.INT4 | ARRAY_BIT
const TEXTS = TypeCode.TEXT | ARRAY_BIT
const JSONS = TypeCode.JSONB | ARRAY_BIT

test('one dimension', (t) => {
  t.deepEqual(encode(INT4S, [1, null, 3]), [['array', [[3, 1]], 3], ['i32', 1], ['null'], ['i32', 3]])
  t.deepEqual(encode(TEXTS, ['a', undefined]), [['array', [[2, 1]], 2], ['text', 'a'], ['null']])
  // biome-ignore lint/suspicious/noSparseArray: a hole is NULL
  t.deepEqual(encode(INT4S, [1, , 3])[2], ['null'])
})

test('an array without elements has no dimensions', (t) => {
  for (const empty of [[], [[]], [[], []], new Int32Array(0)])
    t.deepEqual(encode(INT4S, empty), [['array', [], 0]])
})

test('several dimensions go row-major', (t) => {
  t.deepEqual(
    encode(INT4S, [
      [1, 2, 3],
      [4, 5, 6],
    ]),
    [
      [
        'array',
        [
          [2, 1],
          [3, 1],
        ],
        6,
      ],
      ...[1, 2, 3, 4, 5, 6].map((value) => ['i32', value] as const),
    ],
  )
  t.deepEqual(encode(INT4S, [[[[[[7]]]]]])[0], ['array', Array(6).fill([1, 1]), 1])
})

test('typed arrays are arrays of the number families', (t) => {
  t.deepEqual(encode(INT4S, new Int16Array([1, -1])), [
    ['array', [[2, 1]], 2],
    ['i32', 1],
    ['i32', -1],
  ])
  t.deepEqual(encode(TypeCode.INT8 | ARRAY_BIT, new BigInt64Array([5n]))[1], ['i64', 5n])
  t.deepEqual(encode(TypeCode.FLOAT8 | ARRAY_BIT, [new Float64Array([1.5, 2]), new Float64Array(2)])[0], [
    'array',
    [
      [2, 1],
      [2, 1],
    ],
    4,
  ])
  t.deepEqual(encode(TypeCode.BYTEA | ARRAY_BIT, [Buffer.from('a')]), [
    ['array', [[1, 1]], 1],
    ['bytes', '61'],
  ])
  t.throws(() => encode(TypeCode.BYTEA | ARRAY_BIT, Buffer.from('a')), {
    instanceOf: DataError,
    message: /expected an array or PostgreSQL's text of one\)$/,
  })
})

test("a string is PostgreSQL's text of an array", (t) => {
  for (const code of [INT4S, TEXTS, JSONS, TypeCode.POINT | ARRAY_BIT]) {
    t.deepEqual(encode(code, '{1,2}'), [['text', '{1,2}']])
  }
})

test('arrays of numbers are points and vectors, other arrays are dimensions of them', (t) => {
  const points = TypeCode.POINT | ARRAY_BIT
  const shapeOfArray = (code: number, value: unknown) => encode(code, value)[0]
  t.deepEqual(shapeOfArray(points, [[1, 2], null]), ['array', [[2, 1]], 2])
  t.deepEqual(
    shapeOfArray(points, [
      [
        [1, 2],
        [3, 4],
      ],
    ]),
    // biome-ignore format: the dimensions and the number of elements
    ['array', [[1, 1], [2, 1]], 2],
  )
  const vectors = TypeCode.VECTOR | ARRAY_BIT
  const vector = new Float32Array([1, 2])
  t.deepEqual(shapeOfArray(vectors, [[1, 2, 3]]), ['array', [[1, 1]], 1])
  t.deepEqual(
    shapeOfArray(vectors, [
      [vector, null],
      [null, vector],
    ]),
    // biome-ignore format: the dimensions and the number of elements
    ['array', [[2, 1], [2, 1]], 4],
  )
})

test('refused arrays say what is wrong and where', (t) => {
  const refused: [code: number, value: unknown, message: RegExp][] = [
    [
      INT4S,
      5,
      /^parameter \$1: invalid input for type sometype: 5 \(expected an array, typed array or PostgreSQL's text of one\)$/,
    ],
    [TEXTS, new Set(['a']), /class Set \(expected an array or PostgreSQL's text of one\)$/],
    [TEXTS, '{a\0}', /expected text without NUL characters\)$/],
    [INT4S, [1, 2, 'x'], /^parameter \$1, element 3: .*: "x" \(expected a whole number/],
    [
      INT4S,
      [
        [1, 2],
        [3, 'x'],
      ],
      /^parameter \$1, element 4: /,
    ],
    [INT4S, [[1, 2], [3]], /: \[3\] \(expected an array of 2 elements, like the others of its level\)$/],
    [INT4S, [[1, 2], null], /: null \(expected an array of 2 elements/],
    [INT4S, [[], [1]], /: \[1\] \(expected an array of 0 elements/],
    [INT4S, [1, [2]], /element 2: .*: \[2\] \(expected a whole number/],
    [INT4S, [[[[[[[1]]]]]]], /expected at most 6 dimensions/],
    [JSONS, [undefined, Symbol('x')], /element 2/],
  ]
  for (const [code, value, message] of refused) {
    t.throws(() => encode(code, value), { instanceOf: DataError, message })
  }
  const endless: unknown[] = []
  endless.push(endless)
  t.throws(() => encode(INT4S, endless), { instanceOf: DataError })
  const lying = new Proxy([1], { get: (target, key) => (key === 'length' ? -1 : Reflect.get(target, key)) })
  t.throws(() => encode(INT4S, lying), { instanceOf: DataError })
  t.is(t.throws(() => encode(INT4S, ['x']), { instanceOf: DataError }).element, 1)
})

test('arrays within a json[] are JSON arrays, and strings JSON strings', (t) => {
  t.deepEqual(encode(JSONS, [[1, 2], { a: 1 }, '42', json('text'), json(null), null]), [
    ['array', [[6, 1]], 6],
    ['text', '[1,2]'],
    ['text', '{"a":1}'],
    ['text', '"42"'],
    ['text', '"text"'],
    ['text', 'null'],
    ['null'],
  ])
})

function readBack(code: number, value: WireArray): unknown {
  const cells = new Cells('utf8', undefined, 2048)
  cells.row([code], [value])
  const rows: any[] = []
  shapeOf(columnsOf(['x'], [code]), DEFAULT_PLAN).readRows(cells.views, 0, 1, -2, [], rows)
  return rows[0].x
}

const wireArray = fc
  .array(fc.record({ length: fc.integer({ min: 1, max: 3 }), lowerBound: fc.integer({ min: -3, max: 3 }) }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((dimensions) => ({
    lengths: dimensions.map(({ length }) => length),
    lowerBounds: dimensions.map(({ lowerBound }) => lowerBound),
    count: dimensions.reduce((product, { length }) => product * length, 1),
  }))

test('what was read is written as it was: dimensions, lower bounds, elements', (t) => {
  fc.assert(
    fc.property(wireArray, ({ lengths, lowerBounds, count }) => {
      const elements = Array.from({ length: count }, (_, index) => (index % 4 === 3 ? null : index))
      t.deepEqual(encode(INT4S, readBack(INT4S, { lengths, lowerBounds, elements })), [
        ['array', lengths.map((length, d) => [length, lowerBounds[d]!]), count],
        ...elements.map((value) => (value === null ? (['null'] as const) : (['i32', value] as const))),
      ])
      const texts = elements.map((value) => `[${value}]`)
      t.deepEqual(encode(JSONS, readBack(JSONS, { lengths, lowerBounds, elements: texts })), [
        ['array', lengths.map((length, d) => [length, lowerBounds[d]!]), count],
        ...texts.map((text) => ['text', text] as const),
      ])
    }),
    { numRuns: 200 },
  )
})

test('lower bounds go with the array, not with its copies, nor with another number of dimensions', (t) => {
  const array = readBack(INT4S, { lengths: [2], lowerBounds: [5], elements: [1, 2] }) as unknown[]
  t.deepEqual(encode(INT4S, array)[0], ['array', [[2, 5]], 2])
  t.deepEqual(encode(TypeCode.UNKNOWN, array, 'interval[]'), [['text', '[5:6]={1,2}']])
  t.deepEqual(encode(INT4S, array.slice())[0], ['array', [[2, 1]], 2])
  array.push(3)
  t.deepEqual(encode(INT4S, array)[0], ['array', [[3, 5]], 3])
  array.splice(0, 3, [1], [2])
  t.deepEqual(encode(INT4S, array)[0], [
    'array',
    [
      [2, 1],
      [1, 1],
    ],
    2,
  ])
})
