// The places that a value of a type can have: alone, in arrays, composites, records, domains, ranges.
import { Range } from 'oxpg'
import type { Lack, TypeTable } from './type-table.js'

/** The types that are made around a type. */
export interface Names {
  readonly domain: string
  readonly range: string
  readonly multirange: string
  readonly composite: string
  /** Like the composite, but with an attribute that has no binary format: all of it crosses as text. */
  readonly textComposite: string
}

/** The names of the types around the table with this index. */
export function namesOf(type: string, schema: string, index: number): Names {
  const stem = type.replace(/^.*\./, '').replaceAll(/\W+/g, '_').toLowerCase()
  const name = (what: string) => `${schema}.t${index}_${stem}_${what}`
  return {
    domain: name('domain'),
    range: name('range'),
    multirange: name('multirange'),
    composite: name('pair'),
    textComposite: name('text_pair'),
  }
}

/** A place: how SQL writes it around an expression, and what it is in JavaScript around a value. */
export interface Place {
  readonly name: string
  /** What a type must have to be there. */
  readonly needs?: Lack
  /** The first major version of the server that has such places. */
  readonly since?: number
  /** The type of a parameter; undefined where none can have it. */
  readonly type: (table: TypeTable, names: Names) => string | undefined
  readonly expression: (expression: string, table: TypeTable, names: Names) => string
  readonly value: (value: unknown, table: TypeTable, names: Names) => unknown
  /** What is sent, where that is not like the value; undefined when only what was read can be sent. */
  readonly parameter?: (value: unknown, table: TypeTable, names: Names) => unknown
  /** Whether what was sent is compared with `=`, too, if the type has that. */
  readonly comparesValues?: boolean
}

interface Attribute {
  readonly name: string
  readonly type: string
  readonly expression: (expression: string) => string
  readonly value: (value: unknown) => unknown
}

const closed = (bound: unknown) => new Range(bound, bound, { upperInclusive: true })

/** The attributes of the composites around a type. */
export function attributesOf({ type, lacks }: TypeTable, { domain, range }: Names): readonly Attribute[] {
  const attributes: Attribute[] = [
    { name: 'one', type, expression: (e) => e, value: (v) => v },
    {
      name: 'many',
      type: `${type}[]`,
      expression: (e) => `array[${e}, null, ${e}]::${type}[]`,
      value: (v) => [v, null, v],
    },
    { name: 'checked', type: domain, expression: (e) => e, value: (v) => v },
    { name: 'number', type: 'int4', expression: () => '-1', value: () => -1 },
  ]
  if (!lacks?.includes('ranges')) {
    attributes.push({
      name: 'span',
      type: range,
      expression: (e) => `${range}(${e}, ${e}, '[]')`,
      value: closed,
    })
  }
  return attributes
}

function rowOf(expression: string, table: TypeTable, names: Names, ...more: string[]): string {
  return `row(${[...attributesOf(table, names).map((attribute) => attribute.expression(expression)), ...more]})`
}

function objectOf(value: unknown, table: TypeTable, names: Names): { [name: string]: unknown } {
  return Object.fromEntries(
    attributesOf(table, names).map((attribute) => [attribute.name, attribute.value(value)]),
  )
}

const nested = (value: unknown) => [
  [value, null],
  [null, value],
]

export const PLACES: readonly Place[] = [
  {
    name: 'alone',
    type: ({ type }) => type,
    expression: (e) => e,
    value: (v) => v,
    comparesValues: true,
  },
  {
    name: 'in an array',
    type: ({ type }) => `${type}[]`,
    expression: (e, { type }) => `array[${e}, null, ${e}]::${type}[]`,
    value: (v) => [v, null, v],
  },
  {
    name: 'in an array of two dimensions',
    type: ({ type }) => `${type}[]`,
    expression: (e, { type }) => `array[array[${e}, null], array[null, ${e}]]::${type}[]`,
    value: nested,
    parameter: (v, { lacks }) => (lacks?.includes('nesting') ? undefined : nested(v)),
  },
  {
    name: 'in an array with lower bounds',
    type: ({ type }) => `${type}[]`,
    expression: (e) => `array_fill(${e}, array[2], array[0])`,
    value: (v) => [v, v],
    parameter: () => undefined,
  },
  {
    name: 'in an array of two dimensions with lower bounds',
    type: ({ type }) => `${type}[]`,
    expression: (e) => `array_fill(${e}, array[1, 2], array[-1, 5])`,
    value: (v) => [[v, v]],
    parameter: () => undefined,
  },
  {
    name: 'in a composite',
    type: (_, { composite }) => composite,
    expression: (e, table, names) => `${rowOf(e, table, names)}::${names.composite}`,
    value: objectOf,
  },
  {
    name: 'in a composite, by position',
    type: (_, { composite }) => composite,
    expression: (e, table, names) => `${rowOf(e, table, names)}::${names.composite}`,
    value: objectOf,
    parameter: (v, table, names) => Object.values(objectOf(v, table, names)),
  },
  {
    name: 'as text, in a composite without a binary format',
    type: (_, { textComposite }) => textComposite,
    expression: (e, table, names) => `${rowOf(e, table, names, 'null')}::${names.textComposite}`,
    value: (v, table, names) => ({ ...objectOf(v, table, names), acl: null }),
  },
  {
    name: 'as text, in an array of composites without a binary format',
    type: (_, { textComposite }) => `${textComposite}[]`,
    expression: (e, table, names) =>
      `array[${rowOf(e, table, names, 'null')}, null]::${names.textComposite}[]`,
    value: (v, table, names) => [{ ...objectOf(v, table, names), acl: null }, null],
  },
  {
    name: 'in an anonymous record',
    needs: 'records',
    type: () => undefined,
    expression: (e, { type }) => `row(${e}, array[${e}, null]::${type}[], -1)`,
    value: (v) => ({ f1: v, f2: [v, null], f3: -1 }),
  },
  {
    name: 'in an array of anonymous records',
    needs: 'records',
    type: () => undefined,
    expression: (e) => `array[row(${e}), null, row(1, ${e})]`,
    value: (v) => [{ f1: v }, null, { f1: 1, f2: v }],
  },
  {
    name: 'as a domain',
    type: (_, { domain }) => domain,
    expression: (e, _, { domain }) => `${e}::${domain}`,
    value: (v) => v,
  },
  {
    name: 'in an array of a domain',
    type: (_, { domain }) => `${domain}[]`,
    expression: (e, _, { domain }) => `array[${e}, null]::${domain}[]`,
    value: (v) => [v, null],
  },
  {
    name: 'in a range',
    needs: 'ranges',
    type: (_, { range }) => range,
    expression: (e, _, { range }) => `${range}(${e}, ${e}, '[]')`,
    value: closed,
  },
  {
    name: 'in an array of ranges',
    needs: 'ranges',
    type: (_, { range }) => `${range}[]`,
    expression: (e, _, { range }) =>
      `array[${range}(${e}, null, '(]'), ${range}(null, ${e}), null, 'empty'::${range}, ${range}(null, null)]`,
    value: (v) => [
      new Range(v, null, { lowerInclusive: false }),
      new Range(null, v),
      null,
      Range.empty(),
      new Range(),
    ],
  },
  {
    name: 'in a multirange',
    needs: 'ranges',
    since: 14,
    type: (_, { multirange }) => multirange,
    expression: (e, _, { range, multirange }) => `${multirange}(${range}(null, ${e}))`,
    value: (v) => [new Range(null, v)],
  },
  {
    name: 'in an array of multiranges',
    needs: 'ranges',
    since: 14,
    type: (_, { multirange }) => `${multirange}[]`,
    expression: (e, _, { range, multirange }) =>
      `array[${multirange}(${range}(${e}, ${e}, '[]')), null, '{}'::${multirange}]`,
    value: (v) => [[closed(v)], null, []],
  },
]
