import { DataError } from '../../errors/index'
import type { CompleteResultMapping } from '../mapping'
import { clockFields, infinityOf, MAX_DATE_MILLIS, microsOf, millisOf, timestampText } from '../micros'
import { beyondTemporal, temporalOf } from '../temporal'
import { type ColumnReader, calledReader, inlineReader } from './column-reader'

/** A moment as a Date, rounded down to milliseconds; ±Infinity as a number. */
export function dateOf(high: number, low: number): Date | number {
  const millis = millisOf(high, low)
  if (millis >= -MAX_DATE_MILLIS && millis <= MAX_DATE_MILLIS) return new Date(millis)
  const infinity = infinityOf(high, low)
  if (infinity !== 0) return infinity
  throw new DataError(
    `the timestamp ${timestampText(high, low, '')} is beyond the range of Date, which ends in the year 275760`,
    { hint: "Read the column with the mapping 'string' or 'micros'." },
  )
}

/** The moment at which a clock on the wall of this process shows the fields. */
function localDateOf(high: number, low: number): Date | number {
  const utc = dateOf(high, low)
  if (typeof utc === 'number') return utc
  // The constructor of Date would take the years 0 to 99 for 1900 to 1999.
  const local = new Date(0)
  local.setFullYear(utc.getUTCFullYear(), utc.getUTCMonth(), utc.getUTCDate())
  local.setHours(utc.getUTCHours(), utc.getUTCMinutes(), utc.getUTCSeconds(), utc.getUTCMilliseconds())
  return local
}

/** A reader whose values at ±infinity are the numbers ±Infinity. */
function finiteReader(read: (high: number, low: number) => unknown): ColumnReader {
  return calledReader((views, cell) => {
    const high = views.i[2 * cell + 1]!
    const low = views.u[2 * cell]!
    return infinityOf(high, low) || read(high, low)
  })
}

const dateReader = inlineReader(
  (views, cell) => dateOf(views.i[2 * cell + 1]!, views.u[2 * cell]!),
  ({ low, high }) => `dateOf(i[${high}],u[${low}])`,
)

const localReader = finiteReader(localDateOf)

const timestampStringReader = finiteReader((high, low) => timestampText(high, low, ''))

const timestamptzStringReader = finiteReader((high, low) => timestampText(high, low, '+00'))

const microsReader: ColumnReader = {
  ...calledReader((views, cell) => {
    const high = views.i[2 * cell + 1]!
    return infinityOf(high, views.u[2 * cell]!) || microsOf(views.b[cell]!, high)
  }),
  mayBeBigInt: true,
}

function plainDateTimeReader(mapping: CompleteResultMapping): ColumnReader {
  const { PlainDateTime } = temporalOf(mapping)
  return finiteReader((high, low) => {
    const at = clockFields(high, low)
    const millisecond = Math.floor(at.microsecond / 1000)
    const microsecond = at.microsecond % 1000
    try {
      return new PlainDateTime(
        at.year,
        at.month,
        at.day,
        at.hour,
        at.minute,
        at.second,
        millisecond,
        microsecond,
      )
    } catch (cause) {
      throw beyondTemporal(`timestamp ${timestampText(high, low, '')}`, 'PlainDateTime', cause)
    }
  })
}

function instantReader(mapping: CompleteResultMapping): ColumnReader {
  const { Instant } = temporalOf(mapping)
  return calledReader((views, cell) => {
    const high = views.i[2 * cell + 1]!
    const low = views.u[2 * cell]!
    const infinity = infinityOf(high, low)
    if (infinity !== 0) return infinity
    try {
      return new Instant(microsOf(views.b[cell]!, high) * 1000n)
    } catch (cause) {
      throw beyondTemporal(`timestamptz ${timestampText(high, low, '+00')}`, 'Instant', cause)
    }
  })
}

/** timestamp */
export function timestampReader(mapping: CompleteResultMapping): ColumnReader {
  switch (mapping.timestamp) {
    case 'date':
      return dateReader
    case 'string':
      return timestampStringReader
    case 'micros':
      return microsReader
    case 'local':
      return localReader
    case 'temporal':
      return plainDateTimeReader(mapping)
  }
}

/** timestamptz */
export function timestamptzReader(mapping: CompleteResultMapping): ColumnReader {
  switch (mapping.timestamptz) {
    case 'date':
      return dateReader
    case 'string':
      return timestamptzStringReader
    case 'micros':
      return microsReader
    case 'temporal':
      return instantReader(mapping)
  }
}
