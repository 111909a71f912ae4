import { markLowerBounds } from '../../types/array-dimensions'
import { elementCode, TypeCode } from '../../types/type-code'
import { type CellViews, MARK_NULL } from '../mailbox-views'
import { type CellReader, type ColumnReader, calledReader, type TextContext } from './column-reader'

/**
 * Arrays, nested by dimension. Lower bounds other than 1 are marked on the outermost array. So are the bounds of
 * json arrays of several dimensions, because there the nesting alone does not tell a dimension from a JSON array.
 */
export function arrayReader(code: number, element: ColumnReader): ColumnReader {
  const family = elementCode(code)
  const isJson = family === TypeCode.JSON || family === TypeCode.JSONB
  const read: CellReader = (views, cell, text) =>
    readArray(views, views.u[2 * cell]!, text, element.read, isJson)
  return { ...calledReader(read), mayBeBigInt: element.mayBeBigInt === true }
}

function readArray(
  views: CellViews,
  head: number,
  text: TextContext,
  readElement: CellReader,
  marksNesting: boolean,
): unknown[] {
  const dimensionCount = views.u[2 * head]!
  if (dimensionCount === 0) return []
  const lengths: number[] = []
  for (let d = 1; d <= dimensionCount; d++) lengths.push(views.u[2 * (head + d)]!)
  const firstElement = head + 1 + dimensionCount
  const array = readLevel(views, firstElement, lengths, 0, text, readElement)
  if (views.u[2 * head + 1] !== 0 || (marksNesting && dimensionCount > 1)) {
    markLowerBounds(
      array,
      lengths.map((_, d) => views.i[2 * (head + 1 + d) + 1]!),
    )
  }
  return array
}

function readLevel(
  views: CellViews,
  first: number,
  lengths: readonly number[],
  level: number,
  text: TextContext,
  readElement: CellReader,
): unknown[] {
  const length = lengths[level]!
  const array: unknown[] = []
  if (level === lengths.length - 1) {
    for (let cell = first; cell < first + length; cell++) {
      array.push(views.n[cell] === MARK_NULL ? null : readElement(views, cell, text))
    }
    return array
  }
  let stride = 1
  for (let d = level + 1; d < lengths.length; d++) stride *= lengths[d]!
  for (let k = 0; k < length; k++) {
    array.push(readLevel(views, first + k * stride, lengths, level + 1, text, readElement))
  }
  return array
}
