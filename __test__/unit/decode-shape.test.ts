import { execFileSync } from 'node:child_process'
import test from 'ava'
import fc from 'fast-check'
import { DEFAULT_PLAN, planFor, type ResultOptions, type RowMode } from '../../src/decode/mapping'
import { compiledReaders } from '../../src/decode/row-compiler'
import { loopReaders } from '../../src/decode/row-loop'
import type { RowsReader } from '../../src/decode/row-plan'
import { shapeOf } from '../../src/decode/shape'
import { Row } from '../../src/record'
import { lowerBoundsOf } from '../../src/types/array-dimensions'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'
import { Cells, columnsOf, planOf, type TextStyle, type WireValue } from './decode-cells'

const HOSTILE_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'toJSON',
  'hasOwnProperty',
  'then',
  'length',
  'prototype',
  '',
  ' ',
  '0',
  '1',
  '2',
  '00',
  '-1',
  '1.5',
  '4294967295',
  'a"b',
  "a'b",
  // A name that would do harm in a template.
  'a`b${1}',
  'a\\',
  'a\nb',
  '\u2028',
  '\u2029',
  '\0',
  '"];throw 1;//',
  '*/',
  '</script>',
  'é',
  '🐘',
  '\ud800',
  'this',
  'i',
  'n',
  'p',
  'q',
  'row',
]

const nameArbitrary = fc.oneof(fc.constantFrom(...HOSTILE_NAMES), fc.string({ unit: 'binary', maxLength: 8 }))

const finiteInt64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const dateMicros = fc.oneof(
  fc.bigInt({ min: -8_640_000_000_000_000_000n, max: 8_640_000_000_000_000_000n }),
  fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n)),
)

/** A type code and what its cells may hold. */
const familyArbitrary = (text: fc.Arbitrary<string>): [number, fc.Arbitrary<WireValue>][] => [
  [TypeCode.BOOL, fc.boolean()],
  [TypeCode.INT4, fc.integer()],
  [TypeCode.OID, fc.nat(0xffffffff)],
  [TypeCode.INT8, fc.oneof(finiteInt64, fc.bigInt({ min: -5n, max: 5n }))],
  [TypeCode.FLOAT8, fc.double()],
  [TypeCode.TEXT, text],
  [TypeCode.UNKNOWN, text],
  [TypeCode.NUMERIC, fc.constantFrom('0', '1.50', 'NaN', '-12345678901234567890.5')],
  [TypeCode.JSONB, fc.json()],
  [TypeCode.UUID, fc.uuid()],
  [TypeCode.BYTEA, fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))],
  [TypeCode.DATE, fc.constantFrom('2024-02-29', 'infinity', '-infinity', '0044-03-15 BC')],
  [TypeCode.TIMESTAMPTZ, dateMicros],
  [TypeCode.TIMESTAMP, dateMicros],
  [TypeCode.VOID, fc.constant(null)],
]

const arrayOf = (element: fc.Arbitrary<WireValue>): fc.Arbitrary<WireValue> =>
  fc
    .array(fc.record({ length: fc.integer({ min: 1, max: 3 }), lower: fc.integer({ min: -2, max: 2 }) }), {
      maxLength: 3,
    })
    .chain((dimensions) => {
      const count = dimensions.reduce(
        (product, { length }) => product * length,
        dimensions.length === 0 ? 0 : 1,
      )
      return fc.array(fc.option(element), { minLength: count, maxLength: count }).map((elements) => ({
        lengths: dimensions.map(({ length }) => length),
        lowerBounds: dimensions.map(({ lower }) => lower),
        elements,
      }))
    })

const ascii = fc.string({
  unit: fc.integer({ min: 0, max: 127 }).map((code) => String.fromCharCode(code)),
  maxLength: 40,
})
const unicode = fc.string({ unit: 'grapheme', maxLength: 40 })

const columnArbitrary = (
  style: TextStyle,
): fc.Arbitrary<{ name: string; code: number; values: WireValue[] }> => {
  const families = familyArbitrary(style === 'ascii' ? ascii : unicode)
  return fc
    .record({ name: nameArbitrary, family: fc.nat(families.length - 1), isArray: fc.boolean() })
    .chain(({ name, family, isArray }) => {
      const [code, value] = families[family]!
      const cell = isArray ? arrayOf(value) : value
      return fc.array(fc.option(cell, { freq: 4 }), { minLength: ROWS, maxLength: ROWS }).map((values) => ({
        name,
        code: isArray ? code | ARRAY_BIT : code,
        values,
      }))
    })
}

const ROWS = 3

const mappingArbitrary: fc.Arbitrary<ResultOptions> = fc.record({
  rowMode: fc.constantFrom<RowMode>('record', 'object', 'array'),
  int8: fc.constantFrom('number-or-bigint' as const, 'bigint' as const, 'number' as const, 'string' as const),
  numeric: fc.constantFrom('string' as const, 'number' as const),
  json: fc.constantFrom('parse' as const, 'string' as const),
  uuid: fc.constantFrom('string' as const, 'buffer' as const),
  date: fc.constantFrom('string' as const, 'date' as const),
  timestamp: fc.constantFrom('date' as const, 'string' as const, 'micros' as const, 'local' as const),
  timestamptz: fc.constantFrom('date' as const, 'string' as const, 'micros' as const),
})

const resultArbitrary = fc.constantFrom<TextStyle>('ascii', 'utf8', 'shared').chain((style) =>
  fc.record({
    style: fc.constant(style),
    columns: fc.array(columnArbitrary(style), { maxLength: 6 }),
    mapping: mappingArbitrary,
    asideFrom: fc.constantFrom(Number.POSITIVE_INFINITY, 12),
  }),
)

/** A value with all that deep equality does not see: the order of keys, marks, prototypes. */
function anatomy(value: unknown): unknown {
  if (Array.isArray(value)) return ['array', lowerBoundsOf(value), value.map(anatomy)]
  if (typeof value !== 'object' || value === null || value instanceof Date || Buffer.isBuffer(value))
    return value
  const properties = Object.entries(Object.getOwnPropertyDescriptors(value))
  return ['object', properties.map(([name, { value: held, ...flags }]) => [name, anatomy(held), flags])]
}

test('compiled code and the loop make the same rows', (t) => {
  fc.assert(
    fc.property(resultArbitrary, ({ style, columns, mapping, asideFrom }) => {
      const cells = new Cells(style, asideFrom, 4096)
      const codes = columns.map(({ code }) => code)
      for (let row = 0; row < ROWS; row++)
        cells.row(
          codes,
          columns.map(({ values }) => values[row]!),
        )
      const textMode = cells.textMode()
      const text = {
        shared: textMode >= 0 ? (cells.extras[textMode] as string) : null,
        isAscii: textMode === -1,
        extras: cells.extras,
        mapping: planFor(DEFAULT_PLAN, mapping).mapping,
      }
      const plan = planOf(
        columns.map(({ name }) => name),
        codes,
        mapping,
      )
      const read = (readRows: RowsReader): any[] => {
        const rows: any[] = []
        readRows(cells.views, 0, ROWS, text, rows)
        return rows
      }
      const looped = read(loopReaders(plan).readRows)
      const compiled = read(compiledReaders(plan)!.readRows)
      t.is(compiled.length, ROWS)
      t.deepEqual(compiled.map(anatomy), looped.map(anatomy))
      if (plan.rowMode === 'array') return
      for (const [index, row] of compiled.entries()) {
        t.is(Object.getPrototypeOf(row), Object.getPrototypeOf(looped[index]))
        t.deepEqual(Row.values(row), Row.values(looped[index]))
        t.deepEqual(
          Row.keys(row),
          columns.map(({ name }) => name),
        )
      }
    }),
    { numRuns: 600 },
  )
})

for (const rowMode of ['record', 'object'] as const) {
  test(`hostile column names are plain own properties, ${rowMode}`, (t) => {
    const codes = HOSTILE_NAMES.map(() => TypeCode.INT4)
    const cells = new Cells('utf8')
    for (let row = 0; row < 100; row++)
      cells.row(
        codes,
        HOSTILE_NAMES.map((_, index) => index),
      )
    const shape = shapeOf(columnsOf(HOSTILE_NAMES, codes), planFor(DEFAULT_PLAN, { rowMode }))
    const rows: any[] = []
    shape.readRows(cells.views, 0, 1, -2, [], rows)
    shape.readRows(cells.views, HOSTILE_NAMES.length, 99, -2, [], rows)
    t.is(rows.length, 100)
    for (const row of [rows[0], rows[1], rows[99]]) {
      HOSTILE_NAMES.forEach((name, index) => {
        t.deepEqual(
          Object.getOwnPropertyDescriptor(row, name),
          { value: index, writable: true, enumerable: true, configurable: true },
          JSON.stringify(name),
        )
      })
      t.is(row instanceof Row, rowMode === 'record')
    }
    t.is(({} as { polluted?: unknown }).polluted, undefined)
  })
}

test('a frozen prototype of objects does not stop rows', (t) => {
  const script = `
    Object.freeze(Object.prototype)
    const { shapeOf } = require(${JSON.stringify(require.resolve('../../src/decode/shape'))})
    const { DEFAULT_PLAN } = require(${JSON.stringify(require.resolve('../../src/decode/mapping'))})
    const { Cells, columnsOf } = require(${JSON.stringify(require.resolve('./decode-cells'))})
    const cells = new Cells('utf8')
    cells.row([3, 3], [1, 2])
    const rows = []
    const shape = shapeOf(columnsOf(['toString', 'valueOf'], [3, 3]), DEFAULT_PLAN)
    for (let k = 0; k < 2; k++) shape.readRows(cells.views, 0, 1, -2, [], rows)
    console.log(JSON.stringify(rows))`
  const output = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  t.is(output, '[{"toString":1,"valueOf":2},{"toString":1,"valueOf":2}]\n')
})

test('rows are made where code generation is not allowed', (t) => {
  const script = `
    const { shapeOf } = require(${JSON.stringify(require.resolve('../../src/decode/shape'))})
    const { DEFAULT_PLAN } = require(${JSON.stringify(require.resolve('../../src/decode/mapping'))})
    const { Cells, columnsOf } = require(${JSON.stringify(require.resolve('./decode-cells'))})
    const cells = new Cells('shared')
    for (let k = 0; k < 200; k++) cells.row([3, 9], [k, 'text ' + k])
    const mode = cells.textMode()
    const rows = []
    shapeOf(columnsOf(['id', 'name'], [3, 9]), DEFAULT_PLAN).readRows(cells.views, 0, 200, mode, cells.extras, rows)
    console.log(rows.length, rows[199])`
  const flags = ['--disallow-code-generation-from-strings', '-e', script]
  t.is(execFileSync(process.execPath, flags, { encoding: 'utf8' }), "200 { id: 199, name: 'text 199' }\n")
})

test.serial('code is compiled at the second reading, or at once past 64 rows', (t) => {
  const RealFunction = globalThis.Function
  let compiled = 0
  globalThis.Function = new Proxy(RealFunction, {
    construct(target, parts) {
      compiled++
      return Reflect.construct(target, parts)
    },
  })
  try {
    const cells = new Cells('utf8')
    for (let row = 0; row < 65; row++) cells.row([TypeCode.INT4], [row])
    const readWith = (name: string, rowCount: number): void => {
      const rows: any[] = []
      shapeOf(columnsOf([name], [TypeCode.INT4]), DEFAULT_PLAN).readRows(
        cells.views,
        0,
        rowCount,
        -2,
        [],
        rows,
      )
      t.is(rows.length, rowCount)
      t.is(rows.at(-1)[name], rowCount - 1)
    }
    readWith('first', 64)
    t.is(compiled, 0)
    readWith('first', 1)
    t.is(compiled, 1)
    readWith('first', 65)
    t.is(compiled, 1)
    readWith('large', 65)
    t.is(compiled, 2)
  } finally {
    globalThis.Function = RealFunction
  }
})

test('shapes are shared by results with the same names, codes and plan, and only by them', (t) => {
  const shape = shapeOf(columnsOf(['a', 'b'], [3, 9]), DEFAULT_PLAN)
  t.is(shapeOf(columnsOf(['a', 'b'], [3, 9]), DEFAULT_PLAN), shape)
  t.not(shapeOf(columnsOf(['a', 'b'], [3, 3]), DEFAULT_PLAN), shape)
  t.not(shapeOf(columnsOf(['a', 'c'], [3, 9]), DEFAULT_PLAN), shape)
  t.not(
    shapeOf(columnsOf(['a","b', 'c'], [3, 9]), DEFAULT_PLAN),
    shapeOf(columnsOf(['a', 'b","c'], [3, 9]), DEFAULT_PLAN),
  )
  t.not(shapeOf(columnsOf(['a', 'b'], [3, 9]), planFor(DEFAULT_PLAN, { rowMode: 'array' })), shape)
  const columns = columnsOf(['a', 'b'], [3, 9])
  t.is(shapeOf(columns, DEFAULT_PLAN), shape)
  t.not(shapeOf(columns, planFor(DEFAULT_PLAN, { int8: 'bigint' })), shape)
  t.is(shapeOf(columns, DEFAULT_PLAN), shape)
})

test('the least recently used of more than 1000 shapes is dropped', (t) => {
  const kept = shapeOf(columnsOf(['kept'], [3]), DEFAULT_PLAN)
  const dropped = shapeOf(columnsOf(['dropped'], [3]), DEFAULT_PLAN)
  for (let k = 0; k < 999; k++) {
    shapeOf(columnsOf([`filler ${k}`], [3]), DEFAULT_PLAN)
    t.is(shapeOf(columnsOf(['kept'], [3]), DEFAULT_PLAN), kept)
  }
  t.not(shapeOf(columnsOf(['dropped'], [3]), DEFAULT_PLAN), dropped)
})

test('rows may have no columns', (t) => {
  for (const rowMode of ['record', 'object', 'array'] as const) {
    const rows: any[] = []
    const shape = shapeOf([], planFor(DEFAULT_PLAN, { rowMode }))
    for (let execution = 0; execution < 2; execution++)
      shape.readRows(new Cells('utf8', 1, 8).views, 0, 3, -2, [], rows)
    t.is(rows.length, 6)
    t.deepEqual(Object.keys(rows[5]), [])
  }
})

test('rows are read from whatever memory comes with them', (t) => {
  const plan = planFor(DEFAULT_PLAN, { rowMode: 'array' })
  const shape = shapeOf(columnsOf(['a', 'b'], [TypeCode.INT4, TypeCode.TEXT]), plan)
  const rows: any[] = []
  for (let k = 0; k < 4; k++) {
    const own = new Cells('ascii', undefined, 8 + k)
    own.row([TypeCode.INT4, TypeCode.TEXT], [k, `text ${k}`])
    shape.readRows(own.views, 0, 1, -1, [], rows)
  }
  t.deepEqual(rows, [
    [0, 'text 0'],
    [1, 'text 1'],
    [2, 'text 2'],
    [3, 'text 3'],
  ])
})

test('the widest result PostgreSQL can give, 1664 columns', (t) => {
  const names = Array.from({ length: 1664 }, (_, index) => `c${index}`)
  const codes = names.map(() => TypeCode.INT4)
  const cells = new Cells('utf8')
  for (let row = 0; row < 3; row++)
    cells.row(
      codes,
      names.map((_, index) => index * row),
    )
  const rows: any[] = []
  const shape = shapeOf(columnsOf(names, codes), DEFAULT_PLAN)
  shape.readRows(cells.views, 0, 1, -2, [], rows)
  shape.readRows(cells.views, 1664, 2, -2, [], rows)
  t.is(rows[2].c1663, 1663 * 2)
  t.is(Object.keys(rows[2]).length, 1664)
})

test('parsers that are written inline each time share one shape', (t) => {
  const columns = columnsOf(['n'], [TypeCode.NUMERIC])
  const plan = (parser: (text: string) => unknown) => planFor(DEFAULT_PLAN, { numeric: parser })
  const shape = shapeOf(columns, plan(Number))
  t.is(
    shapeOf(
      columns,
      plan((text) => text),
    ),
    shape,
  )
  t.not(shapeOf(columns, planFor(DEFAULT_PLAN, { numeric: 'number' })), shape)
})
