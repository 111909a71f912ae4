import { DataError } from '../../errors/index'
import { type CellViews, MARK_EXTRA, MARK_NULL, MARK_VALUE } from '../mailbox-views'
import type { ColumnReader, TextContext } from './column-reader'

/** Methods of Node's Buffer that its types leave out: `toString` without its argument checks. */
interface SliceableBuffer {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
}

/** The text of a cell that is not NULL. */
export function readText(views: CellViews, cell: number, text: TextContext): string {
  const start = views.u[2 * cell]!
  if (views.n[cell] === MARK_EXTRA) return extraAt(text, start) as string
  const end = views.u[2 * cell + 1]!
  return text.shared !== null ? text.shared.substring(start, end) : directText(views.t, text, start, end)
}

/** Text out of a memory's bytes. */
export function directText(bytes: Buffer, text: TextContext, start: number, end: number): string {
  const sliceable = bytes as unknown as SliceableBuffer
  return text.isAscii ? sliceable.latin1Slice(start, end) : sliceable.utf8Slice(start, end)
}

/** The value of a text cell whose mark is not 0. */
export function asideOrNull(views: CellViews, cell: number, text: TextContext): unknown {
  return views.n[cell] === MARK_NULL ? null : extraAt(text, views.u[2 * cell]!)
}

/**
 * A long value.
 *
 * @throws DataError where the runtime could not make it: no string of more than 2²⁹ − 24 bytes of UTF-8 is made of them,
 * though it may have fewer units.
 */
export function extraAt({ extras }: TextContext, index: number): unknown {
  const value = extras[index]
  if (value !== undefined) return value
  throw new DataError('a value is longer than what the runtime can make of it', {
    hint: 'Read it in pieces, with substr or substring.',
  })
}

/** Text as it comes. */
export const textReader: ColumnReader = {
  read: readText,
  source: ({ cell, low, high }) =>
    `n[${cell}]!==${MARK_VALUE}?asideOrNull(v,${cell},k):` +
    `s!==null?s.substring(u[${low}],u[${high}]):directText(t,k,u[${low}],u[${high}])`,
}

/** void: no value at all. */
export const voidReader: ColumnReader = { read: () => null, source: () => 'null' }
