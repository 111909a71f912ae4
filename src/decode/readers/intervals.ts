import { DataError } from '../../errors/index'
import { Interval } from '../../types/interval'
import type { CellViews } from '../mailbox-views'
import type { CompleteResultMapping } from '../mapping'
import { infinityOf } from '../micros'
import { temporalOf } from '../temporal'
import { type ColumnReader, calledReader } from './column-reader'
import { int8Value } from './numbers'

/** ±Infinity where all three parts are at the same ends (`INTERVAL_IS_NOBEGIN` in timestamp.h), else 0. */
function intervalInfinity(views: CellViews, block: number): number {
  const months = views.i[2 * block]!
  if (months !== 0x7fffffff && months !== -0x80000000) return 0
  if (views.i[2 * block + 1] !== months) return 0
  const infinity = infinityOf(views.i[2 * block + 3]!, views.u[2 * block + 2]!)
  return infinity > 0 === months > 0 ? infinity : 0
}

/** A reader whose values at ±infinity are the numbers ±Infinity. */
function finiteReader(convert: (interval: Interval) => unknown): ColumnReader {
  return calledReader((views, cell) => {
    const block = views.u[2 * cell]!
    return (
      intervalInfinity(views, block) ||
      convert(
        new Interval({
          months: views.i[2 * block]!,
          days: views.i[2 * block + 1]!,
          microseconds: int8Value(views.i, views.u, views.b, block + 1),
        }),
      )
    )
  })
}

const objectReader = finiteReader((interval) => interval)

const stringReader = finiteReader((interval) => interval.toString())

function durationReader(mapping: CompleteResultMapping): ColumnReader {
  const { Duration } = temporalOf(mapping)
  return finiteReader((interval) => {
    const { months, days } = interval
    const micros = BigInt(interval.microseconds)
    const isMixed = (months < 0 || days < 0 || micros < 0n) && (months > 0 || days > 0 || micros > 0n)
    if (isMixed) {
      throw new DataError(
        `the interval ${interval.toString()} has parts of both signs, which Temporal.Duration cannot hold`,
        { hint: "Read the column with the mapping interval: 'interval' or 'string'." },
      )
    }
    const seconds = Number(micros / 1_000_000n)
    const fraction = Number(micros % 1_000_000n)
    return new Duration(
      wholes(months, 12),
      rest(months, 12),
      0,
      days,
      wholes(seconds, 3600),
      wholes(rest(seconds, 3600), 60),
      rest(seconds, 60),
      wholes(fraction, 1000),
      rest(fraction, 1000),
    )
  })
}

/** Towards zero, and never −0. */
function wholes(value: number, unit: number): number {
  return Math.trunc(value / unit) + 0
}

/** What is left beside {@link wholes}, never −0. */
function rest(value: number, unit: number): number {
  return (value % unit) + 0
}

/** interval */
export function intervalReader(mapping: CompleteResultMapping): ColumnReader {
  switch (mapping.interval) {
    case 'interval':
      return objectReader
    case 'string':
      return stringReader
    case 'temporal':
      return durationReader(mapping)
  }
}
