import { Range } from '../../types/range'
import { MARK_NULL } from '../mailbox-views'
import { type CellReader, type ColumnReader, calledReader } from './column-reader'
import { runOf } from './runs'

/** PostgreSQL's flags of a range (`RANGE_EMPTY`, `RANGE_LB_INC` and `RANGE_UB_INC` in rangetypes.h). */
const EMPTY = 1
const LOWER_INCLUSIVE = 2
const UPPER_INCLUSIVE = 4

/** Ranges whose bounds are read by `bound`; a bound that is not there is null. */
export function rangeReader(bound: ColumnReader): ColumnReader {
  const readBound: CellReader = (views, cell, text) =>
    views.n[cell] === MARK_NULL ? null : bound.read(views, cell, text)
  return calledReader((views, cell, text) => {
    const block = views.u[2 * cell]!
    const flags = views.u[2 * block]!
    if ((flags & EMPTY) !== 0) return Range.empty()
    return new Range(readBound(views, block + 1, text), readBound(views, block + 2, text), {
      lowerInclusive: (flags & LOWER_INCLUSIVE) !== 0,
      upperInclusive: (flags & UPPER_INCLUSIVE) !== 0,
    })
  })
}

/** Multiranges, arrays of the ranges that `range` reads. */
export function multirangeReader(range: ColumnReader): ColumnReader {
  const readRun = runOf(range.read)
  return {
    ...calledReader((views, cell, text) => {
      const block = views.u[2 * cell]!
      return readRun(views, block + 1, views.u[2 * block]!, text)
    }),
    mayBeBigInt: range.mayBeBigInt === true,
    mayBeArray: true,
  }
}
