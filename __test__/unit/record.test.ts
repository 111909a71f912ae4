import { inspect } from 'node:util'
import test from 'ava'
import { DEFAULT_PLAN, planFor, type ResultOptions } from '../../src/decode/mapping'
import { shapeOf } from '../../src/decode/shape'
import { Record, Row } from '../../src/record'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'
import { Cells, columnsOf, type WireValue } from './decode-cells'

const { INT4, INT8, TEXT } = TypeCode

/** The same row twice: made by the loop, and by compiled code. */
function rowsOf(names: string[], codes: number[], values: WireValue[], options?: ResultOptions): [any, any] {
  const cells = new Cells('utf8')
  cells.row(codes, values)
  const shape = shapeOf(columnsOf(names, codes), planFor(DEFAULT_PLAN, { rowMode: 'record', ...options }))
  const rows: unknown[] = []
  for (let execution = 0; execution < 2; execution++) shape.readRows(cells.views, 0, 1, -2, [], rows)
  return rows as [unknown, unknown]
}

const [looped, compiled] = rowsOf(['id', 'name'], [INT4, TEXT], [1, 'Ivan'])

for (const [kind, row] of [
  ['loop', looped],
  ['compiled', compiled],
] as const) {
  test(`a row is an object of its columns, ${kind}`, (t) => {
    t.deepEqual({ ...row }, { id: 1, name: 'Ivan' })
    t.deepEqual(Object.keys(row), ['id', 'name'])
    const { name, ...rest } = row
    t.deepEqual([name, rest], ['Ivan', { id: 1 }])
    t.is(JSON.stringify(row), '{"id":1,"name":"Ivan"}')
    t.deepEqual(structuredClone(row), { id: 1, name: 'Ivan' })
    const seen: string[] = []
    for (const key in row) seen.push(key)
    t.deepEqual(seen, ['id', 'name'])
  })

  test(`a row prints as Record, ${kind}`, (t) => {
    t.is(inspect(row), "Record { id: 1, name: 'Ivan' }")
  })

  test(`by position, ${kind}`, (t) => {
    t.deepEqual([row[0], row[1], row[2]], [1, 'Ivan', undefined])
    t.deepEqual([...row], [1, 'Ivan'])
    t.deepEqual(
      [Row.at(row, 0), Row.at(row, 1), Row.at(row, 2), Row.at(row, -1)],
      [1, 'Ivan', undefined, 'Ivan'],
    )
    t.deepEqual(Row.keys(row), ['id', 'name'])
    t.deepEqual(Row.values(row), [1, 'Ivan'])
    t.deepEqual(Row.entries(row), [
      ['id', 1],
      ['name', 'Ivan'],
    ])
    const plain = Row.toObject(row) as object
    t.is(Object.getPrototypeOf(plain), Object.prototype)
    t.deepEqual(plain, { id: 1, name: 'Ivan' })
  })
}

test('both ways of making a row give it the same class', (t) => {
  t.deepEqual(looped, compiled)
  t.is(Object.getPrototypeOf(looped), Object.getPrototypeOf(compiled))
  t.true(looped instanceof Row)
  t.is(Record, Row)
})

test('positions follow changes of the row, and do not outlive its shape', (t) => {
  const [row] = rowsOf(['a'], [INT4], [1])
  row.a = 2
  t.is(row[0], 2)
  t.deepEqual([...row], [2])
  const [narrow] = rowsOf(['a'], [INT4], [1])
  rowsOf(['a', 'b', 'c'], [INT4, INT4, INT4], [1, 2, 3])
  t.is(narrow[2], undefined)
})

test('a column named like an integer wins over the position', (t) => {
  for (const row of rowsOf(['1', '0'], [TEXT, TEXT], ['named one', 'named zero'])) {
    t.is(row[0], 'named zero')
    t.is(row[1], 'named one')
    t.deepEqual([...row], ['named one', 'named zero'])
    t.is(Row.at(row, 0), 'named one')
    t.deepEqual(Row.keys(row), ['1', '0'])
  }
})

test('duplicate names: the last wins by name, all are there by position', (t) => {
  for (const row of rowsOf(['a', 'b', 'a', 'a'], [INT4, INT4, INT4, TEXT], [1, 2, null, 'last'])) {
    t.deepEqual({ ...row }, { b: 2, a: 'last' })
    t.deepEqual([...row], [1, 2, null, 'last'])
    t.deepEqual([row[0], row[1], row[2], row[3]], [1, 2, null, 'last'])
    t.deepEqual(Row.entries(row), [
      ['a', 1],
      ['b', 2],
      ['a', null],
      ['a', 'last'],
    ])
    t.deepEqual(Row.toObject(row), { a: 'last', b: 2 })
    t.is(JSON.stringify(row), '{"b":2,"a":"last"}')
    t.is(inspect(row), "Record { b: 2, a: 'last' }")
  }
  for (const row of rowsOf(['a', 'a'], [INT4, INT4], [1, 2], { rowMode: 'object' }))
    t.deepEqual(row, { a: 2 })
  for (const row of rowsOf(['a', 'a'], [INT4, INT4], [1, 2], { rowMode: 'array' })) t.deepEqual(row, [1, 2])
})

test('a column named __proto__ is a column', (t) => {
  for (const rowMode of ['record', 'object'] as const) {
    for (const row of rowsOf(['__proto__', 'x'], [TEXT, INT8], ['value', 2n ** 60n], { rowMode })) {
      t.deepEqual(Object.entries(row), [
        ['__proto__', 'value'],
        ['x', 2n ** 60n],
      ])
      t.is(row instanceof Row, rowMode === 'record')
      if (rowMode === 'record') t.is(JSON.stringify(row), '{"__proto__":"value","x":"1152921504606846976"}')
    }
  }
})

test('no column name hides what a row can do', (t) => {
  const names = ['at', 'keys', 'values', 'entries', 'toObject', 'constructor', 'toJSON']
  for (const row of rowsOf(
    names,
    names.map(() => INT4),
    [1, 2, 3, 4, 5, 6, 7],
  )) {
    t.deepEqual(Row.values(row), [1, 2, 3, 4, 5, 6, 7])
    t.deepEqual([...row], [1, 2, 3, 4, 5, 6, 7])
    t.is(row[5], 6)
    t.is(inspect(row).split(' ')[0], 'Record')
    t.is(
      JSON.stringify(row),
      '{"at":1,"keys":2,"values":3,"entries":4,"toObject":5,"constructor":6,"toJSON":7}',
    )
  }
})

test('JSON of int8 columns: beyond the safe integers, digit strings', (t) => {
  const codes = [INT8, INT8, INT8 | ARRAY_BIT, TEXT]
  const block = { lengths: [1, 2], elements: [2n ** 62n, 5n] }
  const expected = '{"small":7,"large":"-9223372036854775808","list":[["4611686018427387904",5]],"note":"x"}'
  for (const int8 of ['number-or-bigint', 'bigint'] as const) {
    for (const row of rowsOf(['small', 'large', 'list', 'note'], codes, [7n, -(2n ** 63n), block, 'x'], {
      int8,
    })) {
      t.is(JSON.stringify(row), expected)
      t.is(JSON.stringify([row]), `[${expected}]`)
    }
  }
  t.false('toJSON' in rowsOf(['id'], [INT4], [1])[0])
  t.false('toJSON' in rowsOf(['id'], [INT8], [1n], { int8: 'string' })[0])
})

test('JSON of timestamps in microseconds', (t) => {
  const micros = { timestamptz: 'micros' } as const
  for (const row of rowsOf(['at'], [TypeCode.TIMESTAMPTZ], [1_704_164_645_123_456n], micros)) {
    t.is(JSON.stringify(row), '{"at":1704164645123456}')
  }
})

test('rows are not made by new', (t) => {
  for (const made of [() => new (Row as any)(), () => new (Record as any)({ id: 1 })]) {
    t.throws(made, { instanceOf: TypeError, message: /rows are made by queries/ })
  }
})

test('the statics refuse what is no row', (t) => {
  for (const [value, shown] of [
    [new Date(0), 'Date .*'],
    [[1], 'an array'],
    [null, 'null'],
    [1, '1'],
  ] as const) {
    t.throws(() => Row.values(value as never), {
      instanceOf: TypeError,
      message: new RegExp(`but got ${shown}$`),
    })
  }
})
