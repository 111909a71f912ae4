import { isDeepStrictEqual } from 'node:util'
import { DEFAULT_PLAN, planFor, type ResultOptions } from '../../src/decode/mapping'
import { compiledReaders } from '../../src/decode/row-compiler'
import { loopReaders } from '../../src/decode/row-loop'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'
import type {
  ArrayNode,
  CompositeNode,
  MultirangeNode,
  RangeNode,
  ScalarNode,
  TypeNode,
} from '../../src/types/type-node'
import { Cells, planOf, type TextStyle, type WireType, type WireValue } from './decode-cells'

let lastId = 0

function base(name: string, code: number, codec = 0) {
  lastId += 1
  return { id: lastId, oid: 16_384 + lastId, schema: 'public', name, code, codec }
}

/** A base type or enum. */
export function scalar(code: number, codec = 0): ScalarNode {
  return { ...base(`scalar ${code}`, code, codec), kind: 'scalar' }
}

const nodeOf = (type: WireType): TypeNode => (typeof type === 'number' ? scalar(type) : type)

const isText = ({ code }: TypeNode): boolean => code === TypeCode.UNKNOWN || code === TypeCode.COMPOUND_TEXT

const compoundOf = (parts: readonly TypeNode[]): number =>
  parts.some(isText) ? TypeCode.COMPOUND_TEXT : TypeCode.COMPOUND

/** A composite type with these attributes, by name. */
export function composite(attributes: { readonly [name: string]: WireType }, codec = 0): CompositeNode {
  const fields = Object.entries(attributes).map(([name, type]) => ({ name, type: nodeOf(type) }))
  const code = compoundOf(fields.map((field) => field.type))
  return { ...base('composite', code, codec), kind: 'composite', fields }
}

/** The array type of a type, with the code that Rust gives it. */
export function arrayType(elementType: WireType): ArrayNode {
  const element = nodeOf(elementType)
  const isPlain =
    element.code !== TypeCode.UNKNOWN &&
    element.code !== TypeCode.COMPOUND &&
    element.code !== TypeCode.COMPOUND_TEXT &&
    (element.code & ARRAY_BIT) === 0
  const code = isPlain ? element.code | ARRAY_BIT : compoundOf([element])
  return { ...base(`${element.name}[]`, code), kind: 'array', element, delimiter: ',' }
}

/** The range type of a type. */
export function rangeType(subtype: WireType): RangeNode {
  const node = nodeOf(subtype)
  return { ...base('range', compoundOf([node])), kind: 'range', subtype: node }
}

/** The multirange type of a range type. */
export function multirangeType(range: RangeNode): MultirangeNode {
  return { ...base('multirange', range.code), kind: 'multirange', range }
}

/** Enough for what reads composite values to be compiled as well. */
const READINGS = 70

/** One value read by the loop and by compiled code, again and again, which must all agree. */
export function read(
  type: WireType,
  value: WireValue,
  options: ResultOptions = {},
  style: TextStyle = 'utf8',
  asideFrom?: number,
): any {
  const cells = new Cells(style, asideFrom, 4096)
  cells.row([type], [value])
  const textMode = cells.textMode()
  const plan = planOf(['x'], [type], options)
  const text = {
    shared: textMode >= 0 ? (cells.extras[textMode] as string) : null,
    isAscii: textMode === -1,
    extras: cells.extras,
    mapping: planFor(DEFAULT_PLAN, options).mapping,
  }
  const rows: any[] = []
  loopReaders(plan).readRows(cells.views, 0, 1, text, rows)
  const readCompiled = compiledReaders(plan)!.readRows
  for (let k = 0; k < READINGS; k++) readCompiled(cells.views, 0, 1, text, rows)
  const values = rows.map((row) => (Array.isArray(row) ? row[0] : row.x))
  for (const index of [1, READINGS]) {
    if (!isDeepStrictEqual(values[0], values[index])) throw new Error('loop and compiled code differ')
  }
  return values[READINGS]
}
