import { TypeCode } from '../../types/type-code'
import { daysFromCivil, microsOf } from '../micros'
import { type ColumnReader, calledReader } from './column-reader'
import { dateFields, infinityOfText } from './dates'
import { readText } from './text'

/** 2000-01-01, from which PostgreSQL counts, as days and microseconds since 1970. */
const DAYS_TO_2000 = 10_957
const MICROS_TO_2000 = 946_684_800_000_000n

/** The ends of int64 stand for ±infinity. */
const GREATEST = 2n ** 63n - 1n
const LEAST = -(2n ** 63n)

/** date: days since 2000-01-01; ±infinity are the ends of int32. */
const dateTuple = calledReader((views, cell, text) => {
  const shown = readText(views, cell, text)
  const infinity = infinityOfText(shown)
  if (infinity !== 0) return [infinity > 0 ? 0x7fffffff : -0x80000000]
  return [daysFromCivil(...dateFields(shown)) - DAYS_TO_2000]
})

/** timestamp, timestamptz: microseconds since 2000-01-01. */
const timestampTuple = calledReader((views, cell) => {
  const micros = views.b[cell]!
  if (micros === GREATEST || micros === LEAST) return [micros]
  return [microsOf(micros, views.i[2 * cell + 1]!) - MICROS_TO_2000]
})

/** time: microseconds since midnight. */
const timeTuple = calledReader((views, cell, text) => [microsOfTime(readText(views, cell, text))])

/** timetz: microseconds since midnight of that zone, and the zone in seconds west of UTC, as it is on the wire. */
const timetzTuple = calledReader((views, cell, text) => {
  const shown = readText(views, cell, text)
  const sign = Math.max(shown.indexOf('+'), shown.indexOf('-'))
  const [hours = 0, minutes = 0, seconds = 0] = shown
    .slice(sign + 1)
    .split(':')
    .map(Number)
  const zone = hours * 3600 + minutes * 60 + seconds
  return [microsOfTime(shown.slice(0, sign)), shown[sign] === '-' || zone === 0 ? zone : -zone]
})

/** `HH:MM:SS[.ffffff]` */
function microsOfTime(shown: string): number {
  const minutes = Number(shown.slice(0, 2)) * 60 + Number(shown.slice(3, 5))
  const seconds = minutes * 60 + Number(shown.slice(6, 8))
  return seconds * 1_000_000 + Number(shown.slice(9).padEnd(6, '0'))
}

/** interval: months, days, microseconds. */
const intervalTuple = calledReader((views, cell) => {
  const block = views.u[2 * cell]!
  return [views.i[2 * block], views.i[2 * block + 1], views.b[block + 1]]
})

/** The tuples that codecs of built-in types get; they are those of asyncpg. Undefined for types that have none. */
export function tupleReader(family: number): ColumnReader | undefined {
  switch (family) {
    case TypeCode.DATE:
      return dateTuple
    case TypeCode.TIMESTAMP:
    case TypeCode.TIMESTAMPTZ:
      return timestampTuple
    case TypeCode.TIME:
      return timeTuple
    case TypeCode.TIMETZ:
      return timetzTuple
    case TypeCode.INTERVAL:
      return intervalTuple
    default:
      return undefined
  }
}
