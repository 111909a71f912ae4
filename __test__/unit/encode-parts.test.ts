import test, { type ExecutionContext } from 'ava'
import { DataError, InterfaceError } from '../../src/errors/index'
import { keepAside, layoutOfNames, rowPrototype } from '../../src/record'
import { markLowerBounds } from '../../src/types/array-dimensions'
import { json } from '../../src/types/json'
import { Range } from '../../src/types/range'
import { TypeCode as T } from '../../src/types/type-code'
import type { TypeNode } from '../../src/types/type-node'
import { array, composite, encodeNode, extension, multirange, range, scalar } from './encode-nodes'

const INT4 = scalar('int4', T.INT4)
const TEXT = scalar('text', T.TEXT)
const JSONB = scalar('jsonb', T.JSONB)
const MONEY = scalar('money', T.UNKNOWN)
const MOOD = extension('mood', T.TEXT)
const ADDRESS = composite('address', { street: TEXT, codes: array(INT4) })
const PERSON = composite('person', { name: TEXT, home: ADDRESS })
const INT4RANGE = range('int4range', INT4)
const INT4MULTIRANGE = multirange('int4multirange', INT4RANGE)

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

test('described scalars are encoded by their family', (t) => {
  t.deepEqual(encodeNode(MOOD, 'happy'), [['text', 'happy']])
  t.deepEqual(encodeNode(extension('posint', T.INT4), 5), [['i32', 5]])
  t.deepEqual(encodeNode(extension('tree', T.UNKNOWN), ['a', null]), [['text', '{a,NULL}']])
  for (const type of [MOOD, PERSON, INT4RANGE, INT4MULTIRANGE, array(PERSON)]) {
    for (const value of [null, undefined]) t.deepEqual(encodeNode(type, value), [['null']])
  }
  t.is(
    refuses(t, MOOD, 5, /./)?.message,
    'parameter $1: invalid input for type public.mood: 5 (expected a string)',
  )
})

test('composites are objects by attribute name, arrays in order, or text', (t) => {
  const calls = [
    ['composite', 2],
    ['text', 'Ann'],
    ['composite', 2],
    ['text', 'High St'],
    ['array', [[2, 1]], 2],
    ['i32', 1],
    ['i32', 2],
  ]
  t.deepEqual(encodeNode(PERSON, { home: { codes: [1, 2], street: 'High St' }, name: 'Ann' }), calls as never)
  t.deepEqual(encodeNode(PERSON, ['Ann', ['High St', [1, 2]]]), calls as never)
  t.deepEqual(encodeNode(PERSON, '(Ann,)'), [['text', '(Ann,)']])
  t.deepEqual(encodeNode(PERSON, ['Ann', '("High St",)']), [
    ['composite', 2],
    ['text', 'Ann'],
    ['text', '("High St",)'],
  ])
})

test('attributes that are missing are NULL', (t) => {
  const nulls = [['composite', 2], ['null'], ['null']]
  for (const value of [{}, { name: undefined }, { home: null }, Object.create(null), [null, undefined]]) {
    t.deepEqual(encodeNode(PERSON, value), nulls as never)
  }
  t.deepEqual(encodeNode(composite('nothing', {}), {}), [['composite', 0]])
})

test('what objects inherit is no attribute, what a class defines is', (t) => {
  const names = composite('odd', { constructor: TEXT, toString: TEXT, toJSON: TEXT, 0: TEXT })
  t.deepEqual(encodeNode(names, {}), [['composite', 4], ['null'], ['null'], ['null'], ['null']])
  t.deepEqual(encodeNode(names, { toString: 'b', constructor: 'a', 0: 'c', toJSON: 'd' }), [
    ['composite', 4],
    // A property named like an integer comes first.
    ['text', 'c'],
    ['text', 'a'],
    ['text', 'b'],
    ['text', 'd'],
  ])
  const dunder = composite('dunder', { ['__proto__']: TEXT })
  t.deepEqual(encodeNode(dunder, {}), [['composite', 1], ['null']])
  t.deepEqual(encodeNode(dunder, JSON.parse('{"__proto__":"x"}'))[1], ['text', 'x'])
  class Named {
    get name() {
      return 'Ann'
    }
  }
  t.deepEqual(encodeNode(PERSON, new Named()), [['composite', 2], ['text', 'Ann'], ['null']])
})

test('a row of a query is a composite, with duplicate names by spreading it', (t) => {
  const names = ['name', 'name']
  const row = Object.create(rowPrototype(layoutOfNames(names), []))
  row.name = 'last'
  keepAside(row, ['first'])
  const pair = composite('pair', { name: TEXT, other: TEXT })
  t.deepEqual(encodeNode(pair, row), [['composite', 2], ['text', 'last'], ['null']])
  t.deepEqual(encodeNode(pair, [...row]), [
    ['composite', 2],
    ['text', 'first'],
    ['text', 'last'],
  ])
})

test('composites refuse what would get lost', (t) => {
  t.is(
    refuses(t, PERSON, { name: 'Ann', hoem: null }, /./)?.message,
    'parameter $1: invalid input for type public.person: an object (expected an object without "hoem", which the type does not have)',
  )
  for (const value of [['Ann'], ['Ann', null, 1], []]) {
    refuses(t, PERSON, value, /expected an array of 2 values, one for each attribute/)
  }
  for (const value of [
    5,
    true,
    new Date(),
    new Map([['name', 'Ann']]),
    new Set(),
    Buffer.alloc(2),
    json(5),
  ]) {
    refuses(t, PERSON, value, /expected (an object by attribute name|an object without "value")/)
  }
  refuses(t, PERSON, Promise.resolve(), /class Promise \(expected an object by attribute name/)
  refuses(t, PERSON, '(\0)', /NUL/)
})

test('errors say where a value is, outermost first, and name its own type', (t) => {
  const error = refuses(t, PERSON, { home: { codes: [1, 2, 'x'] } }, /./)
  t.is(
    error?.message,
    'parameter $1, attribute "home", attribute "codes", element 3: invalid input for type int4: "x" (expected a whole number from -2147483648 to 2147483647)',
  )
  t.is(error?.element, undefined)
  const inArray = refuses(
    t,
    array(PERSON),
    [null, { home: { street: 5 } }],
    /^parameter \$1, element 2, attribute "home", attribute "street": invalid input for type text: 5 /,
  )
  t.is(inArray?.element, 2)
  refuses(t, PERSON, { home: 5 }, /attribute "home": invalid input for type public.address: 5/)
  const thrown = new Error('mine')
  const hostile = {
    get street() {
      throw thrown
    },
  }
  t.is(
    refuses(t, PERSON, { home: hostile }, /^parameter \$1, attribute "home": .*can be read/)?.cause,
    thrown,
  )
})

test("the driver's own errors come through parts as they are", (t) => {
  const own = new InterfaceError('mine')
  const hostile = {
    get street() {
      throw own
    },
  }
  t.is(
    t.throws(() => encodeNode(PERSON, { home: hostile })),
    own,
  )
})

test('described arrays nest as dimensions, unless an array can be an element', (t) => {
  t.deepEqual(encodeNode(array(MOOD), [['a'], ['b']])[0], [
    'array',
    [
      [2, 1],
      [1, 1],
    ],
    2,
  ])
  t.deepEqual(encodeNode(array(ADDRESS), [['a', null], { street: 'b' }, '(c,)', null]), [
    ['array', [[4, 1]], 4],
    ['composite', 2],
    ['text', 'a'],
    ['null'],
    ['composite', 2],
    ['text', 'b'],
    ['null'],
    ['text', '(c,)'],
    ['null'],
  ])
  t.deepEqual(encodeNode(array(JSONB), [[1]]), [
    ['array', [[1, 1]], 1],
    ['text', '[1]'],
  ])
  t.deepEqual(encodeNode(array(INT4MULTIRANGE), [[], [{ lower: 1 }]])[0], ['array', [[2, 1]], 2])
  t.deepEqual(encodeNode(array(INT4RANGE), [[{ lower: 1 }]])[0], [
    'array',
    [
      [1, 1],
      [1, 1],
    ],
    1,
  ])
  const matrix: TypeNode = { ...array(INT4), name: 'row_domain' }
  t.deepEqual(encodeNode(array(matrix), [[1, 2], [3]]), [
    ['array', [[2, 1]], 2],
    ['array', [[2, 1]], 2],
    ['i32', 1],
    ['i32', 2],
    ['array', [[1, 1]], 1],
    ['i32', 3],
  ])
  t.deepEqual(encodeNode(array(PERSON), '{}'), [['text', '{}']])
})

test('an array of composites that came with more dimensions keeps them', (t) => {
  const grid = [[{ street: 'a' }, ['b', null]]]
  markLowerBounds(grid, [1, 0])
  t.deepEqual(encodeNode(array(ADDRESS), grid)[0], [
    'array',
    [
      [1, 1],
      [2, 0],
    ],
    2,
  ])
})

test('arrays of types without a codec are arrays of texts', (t) => {
  t.deepEqual(encodeNode(array(MONEY), ['$1', 2.5, null, true]), [
    ['array', [[4, 1]], 4],
    ['text', '$1'],
    ['text', '2.5'],
    ['null'],
    ['text', 't'],
  ])
  t.deepEqual(encodeNode(array(MONEY), new Float64Array([1.5]))[1], ['text', '1.5'])
  t.deepEqual(encodeNode(array(MONEY), [Buffer.from([255])])[1], ['text', '\\xff'])
  refuses(t, array(MONEY), Buffer.from([255]), /expected an array, typed array or/)
})

test("ranges are Ranges, objects with the same fields, or text, with PostgreSQL's flags", (t) => {
  const flags = (value: unknown) => encodeNode(INT4RANGE, value)[0]![1]
  t.deepEqual(encodeNode(INT4RANGE, new Range(1, 5)), [
    ['range', 2],
    ['i32', 1],
    ['i32', 5],
  ])
  t.deepEqual(encodeNode(INT4RANGE, { lower: 1, upper: null, lowerInclusive: false }), [
    ['range', 16],
    ['i32', 1],
    ['null'],
  ])
  t.is(flags(new Range(1, 5, { lowerInclusive: false, upperInclusive: true })), 4)
  t.is(flags({ lower: 1, upper: 5, upperInclusive: true }), 6)
  t.is(flags({ lower: 1, upper: 5 }), 2)
  t.is(flags({ upper: 5, lowerInclusive: true }), 8)
  t.is(flags(new Range()), 24)
  t.is(flags({ lower: null }), 24)
  const empty = [['range', 1], ['null'], ['null']]
  t.deepEqual(encodeNode(INT4RANGE, Range.empty()), empty as never)
  t.deepEqual(encodeNode(INT4RANGE, { lower: 1, upper: 2, isEmpty: true }), empty as never)
  t.deepEqual(encodeNode(INT4RANGE, '[1,5)'), [['text', '[1,5)']])
})

test('refused ranges', (t) => {
  refuses(
    t,
    INT4RANGE,
    { lower: 'x' },
    /^parameter \$1, lower bound: invalid input for type int4: "x" \(expected a whole number/,
  )
  refuses(t, INT4RANGE, new Range(1, 1.5), /upper bound: .*1\.5/)
  refuses(t, INT4RANGE, { lower: 1, upperInclusive: 1 }, /field "upperInclusive": .*expected true or false/)
  refuses(t, INT4RANGE, { lower: 1, uper: 2 }, /without "uper"/)
  for (const value of [{}, { lowerInclusive: true }, [1, 2], 5, new Date(), new Map()]) {
    refuses(t, INT4RANGE, value, /expected a Range, an object with its fields/)
  }
})

test('multiranges are arrays of ranges, or text', (t) => {
  t.deepEqual(encodeNode(INT4MULTIRANGE, [new Range(1, 2), { lower: 5 }]), [
    ['multirange', 2],
    ['range', 2],
    ['i32', 1],
    ['i32', 2],
    ['range', 18],
    ['i32', 5],
    ['null'],
  ])
  t.deepEqual(encodeNode(INT4MULTIRANGE, []), [['multirange', 0]])
  t.deepEqual(encodeNode(INT4MULTIRANGE, '{[1,2)}'), [['text', '{[1,2)}']])
  refuses(t, INT4MULTIRANGE, [{ lower: 1 }, null], /^parameter \$1, range 2: .*null \(expected a range/)
  refuses(t, INT4MULTIRANGE, [{ lower: 'x' }], /^parameter \$1, range 1, lower bound: .*type int4/)
  for (const value of [new Range(1, 2), 5, {}]) refuses(t, INT4MULTIRANGE, value, /an array of ranges/)
})
