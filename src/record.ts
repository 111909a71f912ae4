import { describeArgument } from './types/describe-value'
import { isPlain } from './types/plain-object'

/** What is known of the rows of one shape: their columns in order. */
export interface RowLayout {
  /** Column names by position, duplicates included. */
  readonly names: readonly string[]
  /**
   * Undefined unless names repeat. Then, by position: the slot among the values kept aside, or −1 when the value is
   * the one under the column's name (the last column of a name is).
   */
  readonly asideSlots: readonly number[] | undefined
}

const LAYOUT = Symbol('oxpg.layout')
const ASIDE = Symbol('oxpg.aside')

interface RowInternals extends RowBase {
  readonly [LAYOUT]?: RowLayout
  readonly [ASIDE]?: readonly unknown[]
  // biome-ignore lint/suspicious/noExplicitAny: columns hold whatever the readers gave
  readonly [name: string]: any
}

/** What every Row has beside its columns. */
export interface RowBase {
  /** The value at a position, counted from 0. A column that is named like an integer wins over the position. */
  // biome-ignore lint/suspicious/noExplicitAny: what a column holds is known to the query's author only
  readonly [position: number]: any
  /** Iterates over the values by position, duplicate column names included. */
  // biome-ignore lint/suspicious/noExplicitAny: what a column holds is known to the query's author only
  [Symbol.iterator](): IterableIterator<any>
}

/**
 * A row in row mode 'record': own enumerable properties by column name, and the values by position besides. Such rows
 * are made by queries only.
 *
 * @typeParam T The columns and their types.
 */
// biome-ignore lint/suspicious/noExplicitAny: without T any column may be read
export type Row<T = { [column: string]: any }> = T & RowBase

/**
 * The statics of {@link Row}. All are positional, see columns of the same name, and take the plain objects of row mode
 * 'object' as well as the Rows of 'record'. Of a copy of a row they see what any object has.
 */
export interface RowClass {
  readonly prototype: RowBase
  /** The value at `position`, counted from 0; from the end when negative. Undefined outside the row. */
  // biome-ignore lint/suspicious/noExplicitAny: what a column holds is known to the query's author only
  at(row: object, position: number): any
  /** The column names. */
  keys(row: object): string[]
  /** The values. */
  // biome-ignore lint/suspicious/noExplicitAny: what a column holds is known to the query's author only
  values(row: object): any[]
  /** Pairs of column name and value. */
  // biome-ignore lint/suspicious/noExplicitAny: what a column holds is known to the query's author only
  entries(row: object): [string, any][]
  /** A plain object of the columns; of columns with the same name it holds the last. */
  toObject<T extends object>(row: T): T extends Row<infer C> ? C : T
  [Symbol.hasInstance](value: unknown): value is Row
}

/** The class behind rows. Its prototype has no named method, so that no column name can hide one. */
class Record {
  constructor() {
    throw new TypeError('a Row is not made by new: rows are made by queries')
  }

  static at(row: object, position: number): unknown {
    const layout = layoutOf(row)
    const index = Math.trunc(position)
    return valueAt(row, layout, index < 0 ? index + layout.names.length : index)
  }

  static keys(row: object): string[] {
    return layoutOf(row).names.slice()
  }

  static values(row: object): unknown[] {
    const layout = layoutOf(row)
    return layout.names.map((_, index) => valueAt(row, layout, index))
  }

  static entries(row: object): [string, unknown][] {
    const layout = layoutOf(row)
    return layout.names.map((name, index) => [name, valueAt(row, layout, index)])
  }

  static toObject(row: object): object {
    return Object.fromEntries(Record.entries(row))
  }

  [Symbol.iterator](): IterableIterator<unknown> {
    return Record.values(this)[Symbol.iterator]()
  }
}

/** The class of rows, a type and a value at once. */
export const Row = Record as unknown as RowClass
export { Row as Record }

/** The positions that have a getter on the rows' common prototype: 0 to this − 1. */
let positionalGetters = 0

/**
 * Makes the prototype that rows of one shape have in common.
 *
 * @param integerColumns Names of the columns that may hold bigints, alone or in arrays. When there are some, the
 * prototype gets a `toJSON` that writes integers beyond ±(2⁵³−1) as digit strings.
 */
export function rowPrototype(layout: RowLayout, integerColumns: readonly string[]): object {
  definePositionalGetters(layout.names.length)
  const prototype: object = Object.create(Record.prototype, { [LAYOUT]: { value: layout } })
  if (integerColumns.length > 0) {
    const names = new Set(integerColumns)
    Object.defineProperty(prototype, 'toJSON', {
      value: function toJSON(this: object): object {
        return Object.fromEntries(
          Object.entries(this).map(([name, value]) => [name, names.has(name) ? jsonSafe(value) : value]),
        )
      },
      writable: true,
      configurable: true,
    })
  }
  return prototype
}

/** Keeps the values of columns whose names come again later in the row. */
export function keepAside(row: object, values: readonly unknown[]): void {
  Object.defineProperty(row, ASIDE, { value: values })
}

/** A constructor that gives the object it was given: a subclass puts its private fields on that. */
class Given {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: it is what this class is for
    return object
  }
}

/**
 * What a plain row's properties do not say, in private fields of the row: no property, not even a hidden one, of which
 * React's server components would complain, and many times as fast as a WeakMap.
 */
class Beside extends Given {
  readonly #layout: RowLayout
  readonly #values: readonly unknown[]

  constructor(row: object, layout: RowLayout, values: readonly unknown[]) {
    super(row)
    this.#layout = layout
    this.#values = values
  }

  static layoutOf(row: object): RowLayout | undefined {
    return #layout in row ? row.#layout : undefined
  }

  static valuesOf(row: object): readonly unknown[] | undefined {
    return #values in row ? row.#values : undefined
  }
}

/**
 * Whether the properties of a plain row do not say what its columns are, in their order: names repeat, or are like
 * integers, which come first among an object's properties.
 */
export function needsLayout({ names }: RowLayout): boolean {
  const keys = Object.keys(Object.fromEntries(names.map((name) => [name, null])))
  return keys.length !== names.length || keys.some((key, index) => key !== names[index])
}

/** Keeps the columns of a plain row that {@link needsLayout}, with the values whose names come again later in it. */
export function keepBeside(row: object, layout: RowLayout, values: readonly unknown[]): void {
  new Beside(row, layout, values)
}

/** Lets `JSON.stringify` write a plain row that holds bigints: those beyond ±(2⁵³−1) as digit strings. */
export function writeBigIntsAsJson(row: object): void {
  Object.defineProperty(row, 'toJSON', BIGINTS_TO_JSON)
}

const BIGINTS_TO_JSON: PropertyDescriptor = {
  value: function toJSON(this: object): object {
    return Object.fromEntries(Object.entries(this).map(([name, value]) => [name, jsonSafe(value)]))
  },
  writable: true,
  configurable: true,
}

/** Whether a value is a bigint, or an array with one in it, however deep. */
export function holdsBigInt(value: unknown): boolean {
  return Array.isArray(value) ? arrayHoldsBigInt(value, []) : typeof value === 'bigint'
}

/** Arrays that a codec of the application's gives may contain themselves. */
function arrayHoldsBigInt(array: readonly unknown[], around: readonly unknown[]): boolean {
  return array.some(
    (item) =>
      typeof item === 'bigint' ||
      (Array.isArray(item) &&
        item !== array &&
        !around.includes(item) &&
        arrayHoldsBigInt(item, [...around, array])),
  )
}

/** The layout of columns with these names. */
export function layoutOfNames(names: readonly string[]): RowLayout {
  if (new Set(names).size === names.length) return { names, asideSlots: undefined }
  let slots = 0
  return {
    names,
    asideSlots: names.map((name, index) => (names.includes(name, index + 1) ? slots++ : -1)),
  }
}

/**
 * Getters on the prototype cost the rows nothing, and an own property named like an integer goes before them. They
 * belong to the common prototype, so a shape needs none of its own.
 */
function definePositionalGetters(count: number): void {
  for (; positionalGetters < count; positionalGetters++) {
    const position = positionalGetters
    Object.defineProperty(Record.prototype, position, {
      get(this: RowBase): unknown {
        const layout = (this as RowInternals)[LAYOUT]
        return layout === undefined ? undefined : valueAt(this, layout, position)
      },
      configurable: true,
    })
  }
}

function layoutOf(row: unknown): RowLayout {
  if (typeof row === 'object' && row !== null) {
    const layout = (row as RowInternals)[LAYOUT] ?? Beside.layoutOf(row)
    if (layout !== undefined) return layout
    if (!Array.isArray(row) && isPlain(row)) return { names: Object.keys(row), asideSlots: undefined }
  }
  throw new TypeError(
    `expected a row, as queries give in rowMode 'object' and 'record', but got ${describeArgument(row)}`,
  )
}

function valueAt(row: object, layout: RowLayout, index: number): unknown {
  const name = layout.names[index]
  if (name === undefined) return undefined
  const slot = layout.asideSlots === undefined ? -1 : layout.asideSlots[index]!
  if (slot >= 0) return ((row as RowInternals)[ASIDE] ?? Beside.valuesOf(row))?.[slot]
  return Object.hasOwn(row, name) ? (row as RowInternals)[name] : undefined
}

function jsonSafe(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const rounded = Number(value)
    return Number.isSafeInteger(rounded) ? rounded : value.toString()
  }
  return Array.isArray(value) ? value.map(jsonSafe) : value
}
