import type { TypeNode } from '../../types/type-node'
import { type CellViews, MARK_EXTRA } from '../mailbox-views'
import type { RowMode } from '../mapping'
import { planRows, type RowReader } from '../row-plan'
import { singleRowReader } from '../single-row'
import { type ColumnReader, calledReader, type TextContext } from './column-reader'

/** The type of a value: its code, and the type itself unless it is a built-in one without parts. */
export interface ValueType {
  readonly code: number
  readonly type?: TypeNode | undefined
}

/** Composite values, read as rows are; `mode` says what is made of them. */
export function compositeReader(
  names: readonly string[],
  attributes: readonly ColumnReader[],
  mode: RowMode,
): ColumnReader {
  const readRow = singleRowReader(planRows(names, attributes, mode))
  // A parameter may be given as an array, so arrays of them have to show their dimensions.
  return {
    ...calledReader((views, cell, text) => readRow(views, views.u[2 * cell]!, text)),
    mayBeArray: true,
  }
}

/** A sequence of types that records of one column had. */
interface RecordType {
  /** One number a value, see {@link typeNumber}. */
  readonly types: readonly number[]
  readonly readRow: RowReader
}

/** Sequences of types that a reader remembers; nearly all queries have one. */
const REMEMBERED = 100

/**
 * Anonymous records, which bring the types of their values along. Attributes are named f1, f2 …, as `row_to_json` in
 * PostgreSQL names them. What a sequence of types is read by is made once.
 */
export function recordReader(readerOf: (type: ValueType) => ColumnReader, mode: RowMode): ColumnReader {
  const known = new Map<string, RecordType>()
  let latest: RecordType | undefined
  return calledReader((views, cell, text) => {
    const block = views.u[2 * cell]!
    if (latest === undefined || !hasTypes(latest.types, views, block, text)) {
      latest = recordTypeAt(known, views, block, text, readerOf, mode)
    }
    return latest.readRow(views, block + 1 + latest.types.length, text)
  })
}

function hasTypes(types: readonly number[], views: CellViews, block: number, text: TextContext): boolean {
  if (views.u[2 * block] !== types.length) return false
  for (let k = 0; k < types.length; k++) {
    if (typeNumber(views, block + 1 + k, text) !== types[k]) return false
  }
  return true
}

/** What stands for the type in a cell: its code, or its id behind all codes. */
function typeNumber(views: CellViews, cell: number, text: TextContext): number {
  const value = views.u[2 * cell]!
  return views.n[cell] === MARK_EXTRA ? 0x100 + (text.extras[value] as TypeNode).id : value
}

function recordTypeAt(
  known: Map<string, RecordType>,
  views: CellViews,
  block: number,
  text: TextContext,
  readerOf: (type: ValueType) => ColumnReader,
  mode: RowMode,
): RecordType {
  const cells = Array.from({ length: views.u[2 * block]! }, (_, k) => block + 1 + k)
  const types = cells.map((cell) => typeNumber(views, cell, text))
  const key = types.join(' ')
  let found = known.get(key)
  if (found === undefined) {
    const readers = cells.map((cell) => readerOf(valueTypeAt(views, cell, text)))
    const names = cells.map((_, k) => `f${k + 1}`)
    found = { types, readRow: singleRowReader(planRows(names, readers, mode)) }
    if (known.size >= REMEMBERED) known.clear()
    known.set(key, found)
  }
  return found
}

function valueTypeAt(views: CellViews, cell: number, text: TextContext): ValueType {
  const value = views.u[2 * cell]!
  if (views.n[cell] !== MARK_EXTRA) return { code: value }
  const type = text.extras[value] as TypeNode
  return { code: type.code, type }
}
