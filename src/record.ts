import { describeArgument } from './types/describe-value'

/**
 * What is known of the rows of one shape: their columns in order. Every Row's prototype refers to one.
 */
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
 * A row of a result: own enumerable properties by column name. Rows are made by queries only.
 *
 * @typeParam T The columns and their types.
 */
// biome-ignore lint/suspicious/noExplicitAny: without T any column may be read
export type Row<T = { [column: string]: any }> = T & RowBase

/** The statics of {@link Row}; all are positional, see duplicate column names, and take rows of row mode 'record'. */
export interface RowClass {
  readonly prototype: RowBase
  /** The value at `position`, counted from 0; from the end when negative. Undefined outside the row. */
  // biome-ignore lint/suspicious/noExplicitAny: what a column holds is known to the query's author only
  at(row: RowBase, position: number): any
  /** The column names. */
  keys(row: RowBase): string[]
  /** The values. */
  // biome-ignore lint/suspicious/noExplicitAny: what a column holds is known to the query's author only
  values(row: RowBase): any[]
  /** Pairs of column name and value. */
  // biome-ignore lint/suspicious/noExplicitAny: what a column holds is known to the query's author only
  entries(row: RowBase): [string, any][]
  /** A plain object of the columns; of columns with the same name it holds the last. */
  toObject<T>(row: Row<T>): T
  [Symbol.hasInstance](value: unknown): value is Row
}

/** The class behind rows. Its prototype has no named method, so that no column name can hide one. */
class Record {
  static at(row: RowBase, position: number): unknown {
    const layout = layoutOf(row)
    const index = Math.trunc(position)
    return valueAt(row, layout, index < 0 ? index + layout.names.length : index)
  }

  static keys(row: RowBase): string[] {
    return layoutOf(row).names.slice()
  }

  static values(row: RowBase): unknown[] {
    const layout = layoutOf(row)
    return layout.names.map((_, index) => valueAt(row, layout, index))
  }

  static entries(row: RowBase): [string, unknown][] {
    const layout = layoutOf(row)
    return layout.names.map((name, index) => [name, valueAt(row, layout, index)])
  }

  static toObject(row: RowBase): object {
    return Object.fromEntries(Record.entries(row))
  }

  [Symbol.iterator](): IterableIterator<unknown> {
    return Record.values(this as unknown as RowBase)[Symbol.iterator]()
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

function layoutOf(row: RowBase): RowLayout {
  const layout = (row as RowInternals | null | undefined)?.[LAYOUT]
  if (layout === undefined) {
    throw new TypeError(
      `expected a Row, as queries give in rowMode 'record', but got ${describeArgument(row)}`,
    )
  }
  return layout
}

function valueAt(row: RowBase, layout: RowLayout, index: number): unknown {
  const name = layout.names[index]
  if (name === undefined) return undefined
  const slot = layout.asideSlots === undefined ? -1 : layout.asideSlots[index]!
  if (slot >= 0) return (row as RowInternals)[ASIDE]?.[slot]
  return Object.hasOwn(row, name) ? (row as RowInternals)[name] : undefined
}

function jsonSafe(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const rounded = Number(value)
    return Number.isSafeInteger(rounded) ? rounded : value.toString()
  }
  return Array.isArray(value) ? value.map(jsonSafe) : value
}
