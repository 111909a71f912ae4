import { TypeCode } from '../types/type-code'
import type { ParameterSink } from './parameter-sink'

/**
 * The tuple that stands for a date or time of some kind in codecs of the format tuple: whole numbers (or bigints) as
 * PostgreSQL keeps them.
 */
export interface TupleForm {
  /** What the tuple is made of, for messages. */
  readonly parts: string
  /** Writes a tuple; false when it is not one of this form. */
  readonly write: (tuple: readonly unknown[], sink: ParameterSink) => boolean
}

const INT32_MIN = -0x80000000
const INT32_MAX = 0x7fffffff
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

const MILLIS_OF_2000 = 946_684_800_000
/** 2000-01-01 in microseconds since 1970. */
export const MICROS_OF_2000 = 946_684_800_000_000n
const MILLIS_OF_DAY = 86_400_000
const MICROS_OF_DAY = 86_400_000_000
/** How far a JavaScript Date reaches on either side of 1970. */
const MAX_MILLIS = 8_640_000_000_000_000

/** The calendar repeats itself after 400 years. */
const YEARS_OF_CYCLE = 400
const DAYS_OF_CYCLE = 146_097

/** A time zone is less than 16 hours away from UTC (MAX_TZDISP_HOUR in timestamp.h). */
const MAX_ZONE_SECONDS = 16 * 3600 - 1

/** The form for a family; undefined for families without one. */
export function tupleFormOf(code: number): TupleForm | undefined {
  return FORMS[code]
}

const FORMS: { readonly [code: number]: TupleForm } = {
  [TypeCode.DATE]: {
    parts: '[days since 2000-01-01]',
    write(tuple, sink) {
      const days = numberIn(tuple[0], INT32_MIN, INT32_MAX)
      if (tuple.length !== 1 || days === undefined) return false
      // The ends of int32 stand for ±infinity (DATEVAL_NOBEGIN and DATEVAL_NOEND in date.h).
      if (days === INT32_MIN) sink.millis(Number.NEGATIVE_INFINITY)
      else if (days === INT32_MAX) sink.millis(Number.POSITIVE_INFINITY)
      else writeDays(days, sink)
      return true
    },
  },
  [TypeCode.TIME]: {
    parts: '[microseconds of the day]',
    write(tuple, sink) {
      const micros = numberIn(tuple[0], 0, MICROS_OF_DAY)
      if (tuple.length !== 1 || micros === undefined) return false
      sink.text(timeText(micros))
      return true
    },
  },
  [TypeCode.TIMETZ]: {
    parts: '[microseconds of the day, seconds west of UTC]',
    write(tuple, sink) {
      const micros = numberIn(tuple[0], 0, MICROS_OF_DAY)
      const zone = numberIn(tuple[1], -MAX_ZONE_SECONDS, MAX_ZONE_SECONDS)
      if (tuple.length !== 2 || micros === undefined || zone === undefined) return false
      sink.text(timeText(micros) + zoneText(zone))
      return true
    },
  },
  [TypeCode.TIMESTAMP]: timestampForm(''),
  [TypeCode.TIMESTAMPTZ]: timestampForm('+00'),
  [TypeCode.INTERVAL]: {
    parts: '[months, days, microseconds]',
    write(tuple, sink) {
      const months = numberIn(tuple[0], INT32_MIN, INT32_MAX)
      const days = numberIn(tuple[1], INT32_MIN, INT32_MAX)
      const micros = int64(tuple[2])
      if (tuple.length !== 3 || months === undefined || days === undefined || micros === undefined)
        return false
      sink.interval(months, days, micros)
      return true
    },
  },
}

function timestampForm(zone: string): TupleForm {
  return {
    parts: '[microseconds since 2000-01-01]',
    write(tuple, sink) {
      const micros = int64(tuple[0])
      if (tuple.length !== 1 || micros === undefined) return false
      // DT_NOBEGIN and DT_NOEND in timestamp.h.
      if (micros === INT64_MIN) sink.millis(Number.NEGATIVE_INFINITY)
      else if (micros === INT64_MAX) sink.millis(Number.POSITIVE_INFINITY)
      else if (micros < INT64_MAX - MICROS_OF_2000) sink.i64(micros + MICROS_OF_2000)
      else sink.text(lateTimestampText(micros, zone))
      return true
    },
  }
}

/** The text of a timestamp so late that the microseconds since 1970 would not fit int64: after 2000 at least. */
export function lateTimestampText(microsSince2000: bigint, zone: string): string {
  const days = microsSince2000 / BigInt(MICROS_OF_DAY)
  const time = timeText(Number(microsSince2000 - days * BigInt(MICROS_OF_DAY)))
  return `${dateText(Number(days))} ${time}${zone}`
}

/** A date by the days since 2000-01-01. */
function writeDays(days: number, sink: ParameterSink): void {
  const millis = MILLIS_OF_2000 + days * MILLIS_OF_DAY
  if (Math.abs(millis) <= MAX_MILLIS) sink.millis(millis)
  else sink.text(dateText(days))
}

function dateText(days: number): string {
  const cycles = Math.floor(days / DAYS_OF_CYCLE)
  const within = new Date(MILLIS_OF_2000 + (days - cycles * DAYS_OF_CYCLE) * MILLIS_OF_DAY).toISOString()
  const year = Number(within.slice(0, 4)) + cycles * YEARS_OF_CYCLE
  const monthAndDay = within.slice(4, 10)
  return year > 0 ? `${year}${monthAndDay}` : `${1 - year}${monthAndDay} BC`
}

function timeText(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000)
  const fraction = String(micros % 1_000_000).padStart(6, '0')
  return `${clock(seconds)}.${fraction}`
}

function zoneText(secondsWest: number): string {
  return `${secondsWest > 0 ? '-' : '+'}${clock(Math.abs(secondsWest))}`
}

function clock(seconds: number): string {
  return [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

function int64(value: unknown): bigint | undefined {
  if (typeof value !== 'bigint') return Number.isSafeInteger(value) ? BigInt(value as number) : undefined
  return value >= INT64_MIN && value <= INT64_MAX ? value : undefined
}

/** A whole number in a range of safe integers. */
function numberIn(value: unknown, minimum: number, maximum: number): number | undefined {
  const integer = int64(value)
  if (integer === undefined || integer < BigInt(minimum) || integer > BigInt(maximum)) return undefined
  return Number(integer)
}
