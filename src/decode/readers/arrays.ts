import { markLowerBounds } from '../../types/array-dimensions'
import type { CellViews } from '../mailbox-views'
import {
  type CellReader,
  type ColumnReader,
  calledReader,
  type RunReader,
  type TextContext,
} from './column-reader'
import { runOf } from './runs'

/**
 * Arrays, nested by dimension. Lower bounds other than 1 are marked on the outermost array. So are the bounds of
 * arrays of several dimensions whose elements may be arrays themselves, such as json, because there the nesting alone
 * does not tell a dimension from an element.
 */
export function arrayReader(element: ColumnReader): ColumnReader {
  const readRun = element.readRun ?? runOf(element.read)
  const marksNesting = element.mayBeArray === true
  const read: CellReader = (views, cell, text) => {
    const head = views.u[2 * cell]!
    // Nearly all arrays have one dimension that starts at 1.
    return views.u[2 * head] === 1 && views.u[2 * head + 1] === 0
      ? readRun(views, head + 2, views.u[2 * head + 2]!, text)
      : readDimensions(views, head, text, readRun, marksNesting)
  }
  return { ...calledReader(read), mayBeBigInt: element.mayBeBigInt === true, mayBeArray: true }
}

function readDimensions(
  views: CellViews,
  head: number,
  text: TextContext,
  readRun: RunReader,
  marksNesting: boolean,
): unknown[] {
  const dimensionCount = views.u[2 * head]!
  if (dimensionCount === 0) return []
  const lengths: number[] = []
  for (let d = 1; d <= dimensionCount; d++) lengths.push(views.u[2 * (head + d)]!)
  const firstElement = head + 1 + dimensionCount
  const array = readLevel(views, firstElement, lengths, 0, text, readRun)
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
  readRun: RunReader,
): unknown[] {
  const length = lengths[level]!
  if (level === lengths.length - 1) return readRun(views, first, length, text)
  const array: unknown[] = []
  let stride = 1
  for (let d = level + 1; d < lengths.length; d++) stride *= lengths[d]!
  for (let k = 0; k < length; k++) {
    array.push(readLevel(views, first + k * stride, lengths, level + 1, text, readRun))
  }
  return array
}
