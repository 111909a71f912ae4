import { execFileSync } from 'node:child_process'
import test from 'ava'
import { DEFAULT_PLAN, planFor, type ResultOptions } from '../../src/decode/mapping'
import { shapeOf } from '../../src/decode/shape'
import { Row } from '../../src/record'
import { lowerBoundsOf } from '../../src/types/array-dimensions'
import { Range } from '../../src/types/range'
import { TypeCode } from '../../src/types/type-code'
import { Cells, columnsOf, type WireType, type WireValue } from './decode-cells'
import { arrayType, composite, multirangeType, rangeType, read, scalar } from './decode-types'

const { INT4, INT8, TEXT, DATE, BIT, JSONB, RECORD, NUMERIC, TIMESTAMPTZ, UNKNOWN } = TypeCode

const pair = composite({ id: INT4, name: TEXT })

test('composite values are plain objects by attribute name', (t) => {
  for (const style of ['ascii', 'utf8', 'shared'] as const) {
    const value = read(pair, { attributes: [7, 'seven'] }, {}, style)
    t.is(Object.getPrototypeOf(value), Object.prototype)
    t.deepEqual(value, { id: 7, name: 'seven' })
    t.deepEqual([Row.at(value, 0), Row.at(value, 1), Row.keys(value)], [7, 'seven', ['id', 'name']])
    t.is(JSON.stringify(value), '{"id":7,"name":"seven"}')
    t.deepEqual(read(pair, { attributes: [null, null] }, {}, style), { id: null, name: null })
    t.is(read(pair, null, {}, style), null)
  }
  t.deepEqual(read(composite({}), { attributes: [] }), {})
})

test('in Records composite values are Records', (t) => {
  for (const style of ['ascii', 'utf8', 'shared'] as const) {
    const value = read(pair, { attributes: [7, 'seven'] }, { rowMode: 'record' }, style)
    t.true(value instanceof Row)
    t.deepEqual({ ...value }, { id: 7, name: 'seven' })
    t.deepEqual([value[0], value[1], Row.keys(value)], [7, 'seven', ['id', 'name']])
    t.is(JSON.stringify(value), '{"id":7,"name":"seven"}')
  }
})

test('attribute names are plain own properties, whatever they are', (t) => {
  const names = ['__proto__', 'constructor', 'toJSON', '0', '1', 'a"b', '\u2028']
  const type = composite(Object.fromEntries(names.map((name) => [name, INT4])))
  // Object.fromEntries keeps __proto__, but puts integers first.
  const declared = type.fields.map((field) => field.name)
  for (const rowMode of ['record', 'object', 'array'] as const) {
    const value = read(type, { attributes: declared.map((_, index) => index) }, { rowMode })
    declared.forEach((name, index) => {
      t.deepEqual(
        Object.getOwnPropertyDescriptor(value, name),
        { value: index, writable: true, enumerable: true, configurable: true },
        `${rowMode} ${JSON.stringify(name)}`,
      )
    })
  }
})

test('composite values are plain unless the rows are Records', (t) => {
  const type = composite({ inner: pair, list: arrayType(pair) })
  const wire: WireValue = {
    attributes: [{ attributes: [1, 'a'] }, { lengths: [1], elements: [{ attributes: [2, 'b'] }] }],
  }
  const record: WireValue = { types: [INT4, type], values: [1, wire] }
  for (const rowMode of ['object', 'array'] as const) {
    const plain = read(type, wire, { rowMode })
    t.deepEqual(plain, { inner: { id: 1, name: 'a' }, list: [{ id: 2, name: 'b' }] })
    for (const object of [plain, plain.inner, plain.list[0]]) {
      t.is(Object.getPrototypeOf(object), Object.prototype)
    }
    t.deepEqual(read(RECORD, record, { rowMode }), { f1: 1, f2: plain })
  }
  const value = read(type, wire, { rowMode: 'record' })
  for (const object of [value, value.inner, value.list[0], read(RECORD, record, { rowMode: 'record' })]) {
    t.true(object instanceof Row)
  }
})

test('mappings reach values in all parts', (t) => {
  const type = composite({ n: NUMERIC, days: rangeType(DATE), moments: arrayType(TIMESTAMPTZ), bits: BIT })
  const wire: WireValue = {
    attributes: [
      '1.50',
      { flags: 2, lower: '2024-01-02', upper: 'infinity' },
      { lengths: [1], elements: [5n] },
      '01',
    ],
  }
  const options: ResultOptions = { numeric: 'number', date: 'date', timestamptz: 'micros', bit: 'string' }
  const check = (value: any): void => {
    t.is(value.n, 1.5)
    t.deepEqual(value.days.lower, new Date('2024-01-02'))
    t.is(value.days.upper, Infinity)
    t.deepEqual(value.moments, [5n])
    t.is(value.bits, '01')
  }
  check(read(type, wire, options))
  check(read(RECORD, { types: [type], values: [wire] }, options).f1)
  check(read(arrayType(type), { lengths: [1], elements: [wire] }, options)[0])
})

test('ranges have their bounds, or none, or are empty', (t) => {
  const type = rangeType(INT4)
  const range = (flags: number, lower: WireValue = null, upper: WireValue = null): any =>
    read(type, { flags, lower, upper })
  t.deepEqual(range(2, 1, 5), new Range(1, 5, { lowerInclusive: true, upperInclusive: false }))
  t.deepEqual(range(6, 1, 5), new Range(1, 5, { lowerInclusive: true, upperInclusive: true }))
  t.deepEqual(range(4, 1, 5), new Range(1, 5, { lowerInclusive: false, upperInclusive: true }))
  t.deepEqual(range(8, null, 5), new Range<number>(null, 5, { lowerInclusive: false, upperInclusive: false }))
  t.deepEqual(range(24), new Range<number>(null, null, { lowerInclusive: false, upperInclusive: false }))
  t.deepEqual(range(1), Range.empty())
  t.true(range(1).isEmpty)
  t.is(read(type, null), null)
})

test('multiranges are arrays of ranges', (t) => {
  const type = multirangeType(rangeType(TEXT))
  const ranges = [
    { flags: 2, lower: 'a', upper: 'b' },
    { flags: 16, lower: 'x' },
  ]
  t.deepEqual(read(type, { ranges }), [
    new Range('a', 'b', { lowerInclusive: true, upperInclusive: false }),
    new Range<string>('x', null, { lowerInclusive: false, upperInclusive: false }),
  ])
  t.deepEqual(read(type, { ranges: [] }), [])
})

test('arrays of what has parts', (t) => {
  const objects = read(arrayType(pair), {
    lengths: [2, 1],
    lowerBounds: [0, 1],
    elements: [{ attributes: [1, 'a'] }, null],
  })
  t.deepEqual(lowerBoundsOf(objects), [0, 1])
  t.is(objects[0][0].name, 'a')
  t.is(objects[1][0], null)
  t.deepEqual(read(arrayType(scalar(UNKNOWN)), { lengths: [2], elements: ['x', null] }), ['x', null])
  t.deepEqual(read(arrayType(rangeType(INT4)), { lengths: [1], elements: [{ flags: 1 }] }), [Range.empty()])
})

test('dimensions are marked where elements may be arrays themselves', (t) => {
  const bounds = (type: WireType, element: WireValue): unknown =>
    lowerBoundsOf(read(type, { lengths: [1, 1], elements: [element] }))
  t.deepEqual(bounds(arrayType(multirangeType(rangeType(INT4))), { ranges: [] }), [1, 1])
  t.deepEqual(bounds(arrayType(JSONB), '[]'), [1, 1])
  // A domain over an array type may be what an array is of.
  t.deepEqual(bounds(arrayType(arrayType(INT4)), { lengths: [1], elements: [1] }), [1, 1])
  // A composite value may be given as an array of its attributes.
  t.deepEqual(bounds(arrayType(pair), { attributes: [1, 'a'] }), [1, 1])
  t.is(bounds(arrayType(INT4), 1), undefined)
})

test('long arrays of every kind of element', (t) => {
  const length = 3000
  const indexes = Array.from({ length }, (_, k) => k)
  const kinds: [number, (k: number) => WireValue][] = [
    [TypeCode.BOOL, (k) => k % 2 === 0],
    [INT4, (k) => -1 - k],
    [TypeCode.OID, (k) => 4_294_967_295 - k],
    [TypeCode.FLOAT8, (k) => k / 4],
    [INT8, (k) => k * 1_000_003],
    [TEXT, (k) => `text ${k}`],
  ]
  for (const [code, valueAt] of kinds) {
    for (const count of [1, 1024, 1025, length]) {
      const cells = new Cells('utf8')
      const values = indexes.slice(0, count).map((k) => (k % 7 === 3 ? null : valueAt(k)))
      const elements = code === INT8 ? values.map((v) => (v === null ? v : BigInt(v as number))) : values
      const type = arrayType(code)
      cells.row([type], [{ lengths: [count], elements }])
      const rows: any[] = []
      shapeOf(columnsOf(['x'], [type]), DEFAULT_PLAN).readRows(cells.views, 0, 1, -2, [], rows)
      t.deepEqual(rows[0].x, values)
    }
  }
})

test('arrays of int8 keep what is beyond 32 and 53 bits', (t) => {
  const elements = [0n, -1n, 2n ** 31n, -(2n ** 31n), -(2n ** 31n) - 1n, 2n ** 53n, null, 2n ** 63n - 1n]
  t.deepEqual(read(INT8 | 0x80, { lengths: [8], elements }), [
    0,
    -1,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 31) - 1,
    2n ** 53n,
    null,
    2n ** 63n - 1n,
  ])
})

test('anonymous records have f1, f2 … by the types that they bring along', (t) => {
  for (const style of ['utf8', 'shared'] as const) {
    const value = read(
      RECORD,
      {
        types: [INT4, pair, TEXT, RECORD],
        values: [1, { attributes: [2, 'b'] }, null, { types: [], values: [] }],
      },
      {},
      style,
    )
    t.deepEqual(value, { f1: 1, f2: { id: 2, name: 'b' }, f3: null, f4: {} })
  }
})

test('records of one column may have different types from row to row', (t) => {
  const other = composite({ only: INT8 })
  const kinds: [WireType[], WireValue[], object][] = [
    [[INT4], [1], { f1: 1 }],
    [[TEXT], ['1'], { f1: '1' }],
    [[INT4, INT4], [1, 2], { f1: 1, f2: 2 }],
    [[pair], [{ attributes: [1, 'a'] }], { f1: { id: 1, name: 'a' } }],
    [[other], [{ attributes: [1n] }], { f1: { only: 1 } }],
    [[], [], {}],
  ]
  const cells = new Cells('shared')
  for (let k = 0; k < 200; k++) {
    const [types, values] = kinds[(k * k) % kinds.length]!
    cells.row([RECORD], [{ types, values }])
  }
  const mode = cells.textMode()
  const rows: any[] = []
  const shape = shapeOf(columnsOf(['r'], [RECORD]), DEFAULT_PLAN)
  shape.readRows(cells.views, 0, 200, mode, cells.extras, rows)
  rows.forEach((row, k) => {
    t.deepEqual(row.r, kinds[(k * k) % kinds.length]![2])
  })
})

test('more kinds of records than are remembered', (t) => {
  const cells = new Cells('utf8')
  const expected: number[][] = []
  for (let k = 0; k < 150; k++) {
    const types = [...k.toString(2)].map((bit) => (bit === '1' ? INT4 : TypeCode.INT2))
    expected.push(types.map((_, at) => k + at))
    cells.row([RECORD], [{ types, values: expected[k]! }])
  }
  const rows: any[] = []
  const shape = shapeOf(columnsOf(['r'], [RECORD]), DEFAULT_PLAN)
  for (let reading = 0; reading < 2; reading++) shape.readRows(cells.views, 0, 150, -2, [], rows)
  rows.forEach((row, k) => {
    t.deepEqual(Object.values(row.r), expected[k % 150])
  })
})

test('parts are read from whatever memory comes with them', (t) => {
  const type = composite({ a: RECORD, b: TEXT, c: arrayType(TEXT) })
  const shape = shapeOf(columnsOf(['x'], [type]), DEFAULT_PLAN)
  const rows: any[] = []
  for (let k = 0; k < 4; k++) {
    const own = new Cells('utf8', 6, 64 + k)
    const record: WireValue = { types: [pair, TEXT], values: [{ attributes: [k, `name ${k}`] }, 'aside'] }
    own.row([type], [{ attributes: [record, `text number ${k}`, { lengths: [1], elements: [`${k}`] }] }])
    shape.readRows(own.views, 0, 1, -2, own.extras, rows)
  }
  rows.forEach(({ x }, k) => {
    t.deepEqual(
      [x.a.f1.id, x.a.f1.name, x.a.f2, x.b, x.c],
      [k, `name ${k}`, 'aside', `text number ${k}`, [`${k}`]],
    )
  })
})

test('rows with bigints in any part can be written as JSON', (t) => {
  const big = 2n ** 60n
  const type = composite({ n: INT8, list: arrayType(INT8), inner: composite({ n: INT8 }) })
  const wire: WireValue = { attributes: [big, { lengths: [1], elements: [big] }, { attributes: [big] }] }
  const digits = big.toString()
  const expected = { n: digits, list: [digits], inner: { n: digits } }
  const json = (columnType: WireType, value: WireValue): unknown =>
    JSON.parse(JSON.stringify(read(columnType, value)))
  t.deepEqual(json(type, wire), expected)
  t.deepEqual(json(arrayType(type), { lengths: [1], elements: [wire] }), [expected])
  t.deepEqual(json(RECORD, { types: [type, INT8], values: [wire, big] }), { f1: expected, f2: digits })
  const range = rangeType(INT8)
  const bounds = { flags: 2, lower: 5n, upper: big }
  const rangeJson = JSON.parse(JSON.stringify(new Range<bigint | number>(5, big, { lowerInclusive: true })))
  t.is(rangeJson.upper, digits)
  t.deepEqual(json(range, bounds), rangeJson)
  t.deepEqual(json(multirangeType(range), { ranges: [bounds] }), [rangeJson])
  t.deepEqual(json(composite({ r: range }), { attributes: [bounds] }), { r: rangeJson })

  const rows: any[] = []
  const cells = new Cells('utf8')
  const types: WireType[] = [arrayType(INT8), TypeCode.XID8, type]
  cells.row(types, [{ lengths: [2], elements: [big, 1n] }, 2n ** 64n - 1n, wire])
  shapeOf(columnsOf(['a', 'x', 'c'], types), DEFAULT_PLAN).readRows(cells.views, 0, 1, -2, [], rows)
  t.deepEqual(JSON.parse(JSON.stringify(rows[0])), { a: [digits, 1], x: '18446744073709551615', c: expected })
})

test('shapes go by the types that are described', (t) => {
  const [one, two] = [composite({ a: INT4 }), composite({ b: INT4 })]
  const shape = shapeOf(columnsOf(['x'], [one]), DEFAULT_PLAN)
  t.is(shapeOf(columnsOf(['x'], [{ ...one }]), DEFAULT_PLAN), shape)
  t.not(shapeOf(columnsOf(['x'], [two]), DEFAULT_PLAN), shape)
  t.not(
    shapeOf(columnsOf(['x'], [INT4]), DEFAULT_PLAN),
    shapeOf(columnsOf(['x'], [scalar(INT4)]), DEFAULT_PLAN),
  )
  const ten = { ...scalar(INT4), id: INT4 }
  t.not(shapeOf(columnsOf(['y'], [INT4]), DEFAULT_PLAN), shapeOf(columnsOf(['y'], [ten]), DEFAULT_PLAN))
})

test('all composite values of a column of Records have one class', (t) => {
  const cells = new Cells('utf8')
  for (let k = 0; k < 200; k++) cells.row([pair], [{ attributes: [k, `name ${k}`] }])
  const rows: any[] = []
  const shape = shapeOf(columnsOf(['x'], [pair]), planFor(DEFAULT_PLAN, { rowMode: 'record' }))
  for (let reading = 0; reading < 2; reading++) shape.readRows(cells.views, 0, 200, -2, [], rows)
  const prototype = Object.getPrototypeOf(rows[0].x)
  t.true(rows.every((row) => Object.getPrototypeOf(row.x) === prototype))
  t.true(rows.every((row, k) => row.x.id === k % 200 && row.x.name === `name ${k % 200}`))
})

test('composite values are read where code generation is not allowed', (t) => {
  const script = `
    const { shapeOf } = require(${JSON.stringify(require.resolve('../../src/decode/shape'))})
    const { DEFAULT_PLAN } = require(${JSON.stringify(require.resolve('../../src/decode/mapping'))})
    const { Cells, columnsOf } = require(${JSON.stringify(require.resolve('./decode-cells'))})
    const { composite } = require(${JSON.stringify(require.resolve('./decode-types'))})
    const type = composite({ id: ${INT4}, name: ${TEXT} })
    const cells = new Cells('utf8')
    for (let k = 0; k < 200; k++) cells.row([type], [{ attributes: [k, 'text ' + k] }])
    const rows = []
    shapeOf(columnsOf(['c'], [type]), DEFAULT_PLAN).readRows(cells.views, 0, 200, -2, [], rows)
    console.log(rows.length, rows[199])`
  const flags = ['--disallow-code-generation-from-strings', '-e', script]
  t.is(
    execFileSync(process.execPath, flags, { encoding: 'utf8' }),
    "200 { c: { id: 199, name: 'text 199' } }\n",
  )
})
