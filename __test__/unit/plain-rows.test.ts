// Rows of row mode 'object', which is the default.
import { deepStrictEqual } from 'node:assert'
import { inspect } from 'node:util'
import test from 'ava'
import { DEFAULT_PLAN, planFor, type ResultOptions } from '../../src/decode/mapping'
import { shapeOf } from '../../src/decode/shape'
import { Row } from '../../src/record'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'
import { Cells, columnsOf, type WireValue } from './decode-cells'

const { INT4, INT8, TEXT } = TypeCode
const BIG = 2n ** 60n

/** The same row twice: made by the loop, and by compiled code. */
function rowsOf(names: string[], codes: number[], values: WireValue[], options?: ResultOptions): [any, any] {
  const cells = new Cells('utf8')
  cells.row(codes, values)
  const shape = shapeOf(columnsOf(names, codes), planFor(DEFAULT_PLAN, options))
  const rows: unknown[] = []
  for (let execution = 0; execution < 2; execution++) shape.readRows(cells.views, 0, 1, -2, [], rows)
  return rows as [unknown, unknown]
}

/** All that an object has of its own, hidden properties among it. */
const ownKeys = (row: object): PropertyKey[] => Reflect.ownKeys(row)

test('a row is a plain object of its columns, and nothing else', (t) => {
  for (const row of rowsOf(['id', 'name', 'large'], [INT4, TEXT, INT8], [1, 'Ivan', 5n])) {
    t.is(Object.getPrototypeOf(row), Object.prototype)
    t.is(row.constructor, Object)
    t.deepEqual(ownKeys(row), ['id', 'name', 'large'])
    t.notThrows(() => deepStrictEqual(row, { id: 1, name: 'Ivan', large: 5 }))
    t.is(inspect(row), "{ id: 1, name: 'Ivan', large: 5 }")
    t.false(row instanceof Row)
    t.is(row[0], undefined)
    t.throws(() => [...row], { instanceOf: TypeError })
  }
})

test('the statics of Row go by position', (t) => {
  for (const row of rowsOf(['id', 'name'], [INT4, TEXT], [1, 'Ivan'])) {
    t.deepEqual(
      [Row.at(row, 0), Row.at(row, 1), Row.at(row, 2), Row.at(row, -1), Row.at(row, -3), Row.at(row, 1.5)],
      [1, 'Ivan', undefined, 'Ivan', undefined, 'Ivan'],
    )
    t.deepEqual(Row.keys(row), ['id', 'name'])
    t.deepEqual(Row.values(row), [1, 'Ivan'])
    t.deepEqual(Row.entries(row), [
      ['id', 1],
      ['name', 'Ivan'],
    ])
    const copy = Row.toObject(row)
    t.not(copy, row)
    t.deepEqual(copy, { id: 1, name: 'Ivan' })
    row.name = 'Olga'
    t.deepEqual(Row.values(row), [1, 'Olga'])
  }
})

test('of columns with the same name the last is there by name, all of them by position', (t) => {
  for (const row of rowsOf(['a', 'b', 'a', 'a'], [INT4, INT4, INT4, TEXT], [1, 2, null, 'last'])) {
    t.deepEqual(row, { b: 2, a: 'last' })
    t.deepEqual(ownKeys(row), ['b', 'a'])
    t.deepEqual(Row.entries(row), [
      ['a', 1],
      ['b', 2],
      ['a', null],
      ['a', 'last'],
    ])
    t.deepEqual([Row.at(row, 0), Row.at(row, 2), Row.at(row, -1)], [1, null, 'last'])
    t.deepEqual(Row.toObject(row), { a: 'last', b: 2 })
    // Only the row itself knows of them.
    t.deepEqual(Row.entries({ ...row }), [
      ['b', 2],
      ['a', 'last'],
    ])
  }
})

test('columns that are named like integers keep their positions', (t) => {
  for (const row of rowsOf(['1', '0', 'x'], [TEXT, TEXT, TEXT], ['one', 'zero', 'x'])) {
    t.deepEqual(Object.keys(row), ['0', '1', 'x'])
    t.deepEqual(ownKeys(row), ['0', '1', 'x'])
    t.deepEqual(Row.keys(row), ['1', '0', 'x'])
    t.deepEqual(Row.values(row), ['one', 'zero', 'x'])
    t.deepEqual([row[0], Row.at(row, 0)], ['zero', 'one'])
  }
})

test('a row that holds a bigint has a toJSON that is not enumerable, and only such a row', (t) => {
  const list = (...elements: bigint[]): WireValue => ({ lengths: [elements.length], elements })
  const codes = [INT8, INT8 | ARRAY_BIT, TEXT]
  const read = (alone: bigint | null, many: WireValue): [any, any] =>
    rowsOf(['alone', 'many', 'note'], codes, [alone, many, 'x'])
  for (const row of read(5n, list(1n, 2n))) {
    t.deepEqual(ownKeys(row), ['alone', 'many', 'note'])
    t.is(JSON.stringify(row), '{"alone":5,"many":[1,2],"note":"x"}')
  }
  for (const row of read(null, null)) t.deepEqual(ownKeys(row), ['alone', 'many', 'note'])
  for (const [alone, many, json] of [
    [BIG, list(1n), `{"alone":"${BIG}","many":[1],"note":"x"}`],
    [null, list(1n, -BIG), `{"alone":null,"many":[1,"-${BIG}"],"note":"x"}`],
    [
      1n,
      { lengths: [2, 1], elements: [1n, BIG] } satisfies WireValue,
      `{"alone":1,"many":[[1],["${BIG}"]],"note":"x"}`,
    ],
  ] as const) {
    for (const row of read(alone, many)) {
      t.is(JSON.stringify([row]), `[${json}]`)
      t.deepEqual(Object.keys(row), ['alone', 'many', 'note'])
      t.false(Object.getOwnPropertyDescriptor(row, 'toJSON')?.enumerable)
      t.is(Object.getPrototypeOf(row), Object.prototype)
      t.notThrows(() => deepStrictEqual(row, { ...row }))
      t.deepEqual(structuredClone(row), { ...row })
      t.deepEqual(Row.keys(row), ['alone', 'many', 'note'])
    }
  }
})

test('bigints of mappings are written as JSON as well', (t) => {
  const micros = { timestamptz: 'micros' } as const
  for (const row of rowsOf(['at'], [TypeCode.TIMESTAMPTZ], [1_704_164_645_123_456n], micros)) {
    t.is(JSON.stringify(row), '{"at":1704164645123456}')
  }
  for (const row of rowsOf(['n'], [INT8], [7n], { int8: 'bigint' })) t.is(JSON.stringify(row), '{"n":7}')
  for (const row of rowsOf(['n', 'n'], [INT8, TEXT], [BIG, 'x'])) {
    t.deepEqual(ownKeys(row), ['n'], 'what is kept aside is not written')
  }
})

test('a column named toJSON is a column', (t) => {
  for (const row of rowsOf(['toJSON', 'n'], [TEXT, INT8], ['text', BIG])) {
    t.deepEqual(row, { toJSON: 'text', n: BIG })
    t.true(Object.getOwnPropertyDescriptor(row, 'toJSON')?.enumerable)
  }
})

test('the statics take objects that are plain, and refuse others', (t) => {
  t.deepEqual(Row.values({ a: 1 }), [1])
  t.deepEqual(Row.keys(Object.assign(Object.create(null), { a: 1 })), ['a'])
  t.deepEqual(Row.keys(structuredClone({ a: 1 })), ['a'])
  class Person {
    name = 'Ivan'
  }
  for (const [value, shown] of [
    [new Person(), 'an object of class Person'],
    [new Map(), '.*Map.*'],
    [[1], 'an array'],
    [undefined, 'undefined'],
    ['text', "'text'"],
  ] as const) {
    t.throws(() => Row.values(value as never), {
      instanceOf: TypeError,
      message: new RegExp(`expected a row, as queries give .*, but got ${shown}$`),
    })
  }
})
