import { type CellViews, MARK_NULL, MARK_VALUE } from '../mailbox-views'
import type { CompleteResultMapping } from '../mapping'

/** Where the text of a segment is. */
export interface TextContext {
  /** The segment's string in shared mode, else null. */
  readonly shared: string | null
  /** In direct mode: whether all bytes are ASCII. */
  readonly isAscii: boolean
  /** Values that are kept aside, by index. */
  readonly extras: readonly unknown[]
  /** The call's mapping: its parsers, which are no part of a shape. */
  readonly mapping: CompleteResultMapping
}

/** Reads a cell that is not NULL. */
export type CellReader = (views: CellViews, cell: number, text: TextContext) => unknown

/** Reads so many neighbouring cells, NULLs included: the elements of an array. */
export type RunReader = (views: CellViews, first: number, length: number, text: TextContext) => unknown[]

/** What the source fragment of a column may name, as JavaScript expressions. */
export interface CellSource {
  /** The cell's index. */
  readonly cell: string
  /** Index of the cell's low 32-bit word. */
  readonly low: string
  /** Index of the cell's high 32-bit word. */
  readonly high: string
  /** The column's `read`. */
  readonly read: string
}

/** How one column is read; chosen once per shape. */
export interface ColumnReader {
  /** For the loop, and for values inside arrays. */
  readonly read: CellReader
  /**
   * An expression for the compiled reader, NULL included. It may use the parts of {@link CellSource}, the views by
   * their names, `v` for all of them, `k` for the text context, `s` for `k.shared`, and {@link FragmentFunctions}.
   */
  readonly source: (at: CellSource) => string
  /** For the elements of arrays, where there is something faster than calls of `read`. */
  readonly readRun?: RunReader
  /** Whether values may be bigints, alone or in arrays. Records and ranges have a `toJSON` of their own. */
  readonly mayBeBigInt?: boolean
  /** Whether values may be arrays, so that nesting alone does not tell them from dimensions of an array of them. */
  readonly mayBeArray?: boolean
}

/** A reader of cells that hold their value themselves: `expression` is used where the cell is not NULL. */
export function inlineReader(read: CellReader, expression: (at: CellSource) => string): ColumnReader {
  return { read, source: (at) => `n[${at.cell}]!==${MARK_VALUE}?null:${expression(at)}` }
}

/** A reader without source of its own: the compiled code calls `read`. */
export function calledReader(read: CellReader): ColumnReader {
  return { read, source: (at) => `n[${at.cell}]===${MARK_NULL}?null:${at.read}(v,${at.cell},k)` }
}
