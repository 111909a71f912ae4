import test from 'ava'
import { DEFAULT_PLAN, planFor, type ResultOptions } from '../../src/decode/mapping'
import { shapeOf } from '../../src/decode/shape'
import { DataError } from '../../src/errors/index'
import { lowerBoundsOf } from '../../src/types/array-dimensions'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'
import { Cells, columnsOf, type WireArray, type WireValue } from './decode-cells'
import { read } from './decode-types'

test('bool, integers and floats are themselves', (t) => {
  t.is(read(TypeCode.BOOL, true), true)
  t.is(read(TypeCode.BOOL, false), false)
  t.is(read(TypeCode.INT2, -32_768), -32_768)
  t.is(read(TypeCode.INT4, 2_147_483_647), 2_147_483_647)
  t.is(read(TypeCode.INT4, -2_147_483_648), -2_147_483_648)
  t.is(read(TypeCode.OID, 4_294_967_295), 4_294_967_295)
  t.is(read(TypeCode.FLOAT4, 3.14), 3.14)
  t.is(read(TypeCode.FLOAT8, -0), -0)
  t.is(read(TypeCode.FLOAT8, Number.NaN), Number.NaN)
  t.is(read(TypeCode.FLOAT8, Number.NEGATIVE_INFINITY), Number.NEGATIVE_INFINITY)
  t.is(read(TypeCode.VOID, null), null)
})

const INT8_VALUES = [
  0n,
  1n,
  -1n,
  2n ** 31n - 1n,
  2n ** 31n,
  -(2n ** 31n),
  -(2n ** 31n) - 1n,
  2n ** 32n,
  -(2n ** 32n),
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) + 1n,
  -(2n ** 53n),
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
]

for (const value of INT8_VALUES) {
  test(`int8 ${value}`, (t) => {
    const isSafe = value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    t.is(read(TypeCode.INT8, value), isSafe ? Number(value) : value)
    t.is(read(TypeCode.INT8, value, { int8: 'bigint' }), value)
    t.is(read(TypeCode.INT8, value, { int8: 'number' }), Number(value))
    t.is(read(TypeCode.INT8, value, { int8: 'string' }), value.toString())
  })
}

for (const style of ['ascii', 'utf8', 'shared'] as const) {
  test(`text, ${style}`, (t) => {
    const text = style === 'ascii' ? 'plain "text"' : 'Zürich 東京 🐘'
    for (const code of [TypeCode.TEXT, TypeCode.UNKNOWN, TypeCode.CHAR, TypeCode.TIME, 99]) {
      t.is(read(code, text, {}, style), text)
    }
    t.is(read(TypeCode.TEXT, '', {}, style), '')
    t.is(read(TypeCode.TEXT, null, {}, style), null)
  })

  test(`a value kept aside, ${style}`, (t) => {
    t.is(read(TypeCode.TEXT, 'long', {}, style, 1), 'long')
    t.is(read(TypeCode.NUMERIC, '1.50', { numeric: 'number' }, style, 1), 1.5)
    t.deepEqual(read(TypeCode.JSONB, '{"a":[1]}', {}, style, 1), { a: [1] })
    t.deepEqual(read(TypeCode.BYTEA, Buffer.from([1, 2]), {}, style, 1), Buffer.from([1, 2]))
    t.is(read(TypeCode.DATE, '2024-01-02', {}, style, 1), '2024-01-02')
  })
}

test('numeric is exact text, a number, or what a function makes of the text', (t) => {
  t.is(read(TypeCode.NUMERIC, '0.10'), '0.10')
  t.is(read(TypeCode.NUMERIC, '0.10', { numeric: 'number' }), 0.1)
  t.is(read(TypeCode.NUMERIC, 'NaN', { numeric: 'number' }), Number.NaN)
  t.is(read(TypeCode.NUMERIC, '-Infinity', { numeric: 'number' }), Number.NEGATIVE_INFINITY)
  t.is(read(TypeCode.NUMERIC, '12', { numeric: (text) => BigInt(text) * 2n }), 24n)
})

test('json is parsed, text, or what a function makes of the text', (t) => {
  t.deepEqual(read(TypeCode.JSON, '{"é":null}'), { é: null })
  t.is(read(TypeCode.JSONB, 'null'), null)
  t.is(read(TypeCode.JSONB, '1', { json: 'string' }), '1')
  t.deepEqual(read(TypeCode.JSON, '7', { json: (text) => [text] }), ['7'])
  t.is(read(TypeCode.JSON, null, { json: () => t.fail() }), null)
})

test('uuid is text or a Buffer', (t) => {
  const uuid = '9871e0cd-17b2-4b23-b610-5043495e66ca'
  t.is(read(TypeCode.UUID, uuid), uuid)
  t.is(read(TypeCode.UUID, uuid, { uuid: 'buffer' }).toString('hex'), uuid.replaceAll('-', ''))
})

test('bytea is a Buffer that does not change with the mailbox', (t) => {
  const cells = new Cells('utf8')
  cells.row([TypeCode.BYTEA], [Buffer.from('abc')])
  const rows: any[] = []
  shapeOf(columnsOf(['x'], [TypeCode.BYTEA]), DEFAULT_PLAN).readRows(
    cells.views,
    0,
    1,
    cells.textMode(),
    [],
    rows,
  )
  cells.views.t.fill(0)
  t.true(Buffer.isBuffer(rows[0].x))
  t.is(rows[0].x.toString(), 'abc')
})

test('dates are text, ±Infinity, or Dates at UTC midnight', (t) => {
  t.is(read(TypeCode.DATE, '2024-02-29'), '2024-02-29')
  t.is(read(TypeCode.DATE, '0044-03-15 BC'), '0044-03-15 BC')
  for (const mapping of [{}, { date: 'date' }] as ResultOptions[]) {
    t.is(read(TypeCode.DATE, 'infinity', mapping), Number.POSITIVE_INFINITY)
    t.is(read(TypeCode.DATE, '-infinity', mapping), Number.NEGATIVE_INFINITY)
  }
  const isoOf = (text: string): string => read(TypeCode.DATE, text, { date: 'date' }).toISOString()
  t.is(isoOf('2024-02-29'), '2024-02-29T00:00:00.000Z')
  t.is(isoOf('0001-01-01'), '0001-01-01T00:00:00.000Z')
  t.is(isoOf('0099-12-31'), '0099-12-31T00:00:00.000Z')
  t.is(isoOf('0001-12-31 BC'), '0000-12-31T00:00:00.000Z')
  t.is(isoOf('0044-03-15 BC'), '-000043-03-15T00:00:00.000Z')
  t.is(isoOf('12345-06-07'), '+012345-06-07T00:00:00.000Z')
  const error = t.throws(() => read(TypeCode.DATE, '5874897-12-31', { date: 'date' }), {
    instanceOf: DataError,
  })
  t.regex(error.message, /5874897-12-31/)
})

test('arrays nest by dimension and keep nulls', (t) => {
  const INT4_ARRAY = TypeCode.INT4 | ARRAY_BIT
  const array = (lengths: number[], elements: WireValue[], lowerBounds?: number[]): WireArray =>
    lowerBounds === undefined ? { lengths, elements } : { lengths, elements, lowerBounds }
  t.deepEqual(read(INT4_ARRAY, array([], [])), [])
  t.deepEqual(read(INT4_ARRAY, array([3], [1, null, 3])), [1, null, 3])
  t.deepEqual(read(INT4_ARRAY, array([2, 3], [1, 2, 3, 4, null, 6])), [
    [1, 2, 3],
    [4, null, 6],
  ])
  t.deepEqual(read(INT4_ARRAY, array([2, 1, 2], [1, 2, 3, 4])), [[[1, 2]], [[3, 4]]])
  t.deepEqual(read(TypeCode.TEXT | ARRAY_BIT, array([2], ['ä', '']), {}, 'shared'), ['ä', ''])
  t.deepEqual(read(TypeCode.TEXT | ARRAY_BIT, array([2], ['aside', null]), {}, 'shared', 3), ['aside', null])
  t.deepEqual(read(TypeCode.INT8 | ARRAY_BIT, array([2], [1n, 2n ** 60n])), [1, 2n ** 60n])
  t.deepEqual(read(TypeCode.JSON | ARRAY_BIT, array([1], ['{"a":1}'])), [{ a: 1 }])
  t.is(read(INT4_ARRAY, null), null)
})

test('lower bounds other than 1 are marked, invisibly', (t) => {
  const value: WireArray = { lengths: [2, 2], lowerBounds: [-1, 1], elements: [1, 2, 3, 4] }
  const array = read(TypeCode.INT4 | ARRAY_BIT, value)
  t.deepEqual(lowerBoundsOf(array), [-1, 1])
  t.deepEqual(array, [
    [1, 2],
    [3, 4],
  ])
  t.deepEqual(Object.keys(array), ['0', '1'])
  t.is(lowerBoundsOf([...array]), undefined)
  t.is(
    lowerBoundsOf(read(TypeCode.INT4 | ARRAY_BIT, { lengths: [1], lowerBounds: [1], elements: [1] })),
    undefined,
  )
})

test('what a parser throws passes through, and the rows before it stay', (t) => {
  const cells = new Cells('utf8')
  for (const text of ['1', '2', 'x']) cells.row([TypeCode.NUMERIC], [text])
  const numeric = (text: string): number => {
    if (text === 'x') throw new RangeError('not mine')
    return Number(text)
  }
  const shape = shapeOf(columnsOf(['n'], [TypeCode.NUMERIC]), planFor(DEFAULT_PLAN, { numeric }))
  for (let execution = 0; execution < 2; execution++) {
    const rows: any[] = []
    t.throws(() => shape.readRows(cells.views, 0, 3, -2, [], rows), { instanceOf: RangeError })
    t.deepEqual(
      rows.map((row) => row.n),
      [1, 2],
    )
  }
})

for (const [what, code, value] of [
  ['a text', TypeCode.TEXT, 'long'],
  ['JSON', TypeCode.JSONB, '"long"'],
  ['a bytea', TypeCode.BYTEA, Buffer.from('long')],
  ['an array', TypeCode.TEXT | ARRAY_BIT, { lengths: [1], elements: ['long'] }],
] as [string, number, WireValue][]) {
  test(`${what} that the runtime could not make is an error, and not undefined`, (t) => {
    for (const rowMode of ['record', 'object', 'array'] as const) {
      const cells = new Cells('utf8', 1)
      cells.row([code], [value])
      cells.extras.fill(undefined)
      const shape = shapeOf(columnsOf([`x_${rowMode}`], [code]), planFor(DEFAULT_PLAN, { rowMode }))
      // By the loop, then by compiled code.
      for (let use = 0; use < 3; use++) {
        t.throws(() => shape.readRows(cells.views, 0, 1, -2, cells.extras, []), {
          instanceOf: DataError,
          message: /longer than what the runtime can make/,
        })
      }
    }
  })
}
