/**
 * Timestamps cross as int64 microseconds since 1970, seen as two 32-bit words: `high` signed, `low` unsigned. Nearly
 * all arithmetic here is on doubles that hold their integers exactly, so that no bigint is made.
 */

/** 2³² µs are 4294 s and 967 296 µs, and 4 294 967 ms and 296 µs. */
const SECONDS_PER_HIGH = 4294
const MICROS_LEFT_PER_HIGH = 967_296
const MILLIS_PER_HIGH = 4_294_967
const SUBMILLIS_LEFT_PER_HIGH = 296

/** The greatest distance from 1970 that a Date can hold, in milliseconds (ECMA-262, Time Values and Time Range). */
export const MAX_DATE_MILLIS = 8.64e15

/** Far below this high word there are no timestamps: PostgreSQL's begin in 4714 BC. */
const LEAST_HIGH = -0x7000_0000
/** What is added to those cells: the moments of PostgreSQL's last years, which are beyond int64. */
const BEYOND_INT64 = 2n ** 64n - 2n
const HIGH_BEYOND_INT64 = 2 ** 32
const LOW_BEYOND_INT64 = -2

/** Microseconds since 1970 of a cell that is not infinite. */
export function microsOf(cell: bigint, high: number): bigint {
  return high < LEAST_HIGH ? cell + BEYOND_INT64 : cell
}

/** +Infinity or −Infinity for the ends of int64, 0 for a moment in time. */
export function infinityOf(high: number, low: number): number {
  if (high === 0x7fffffff && low === 0xffffffff) return Number.POSITIVE_INFINITY
  return high === -0x80000000 && low === 0 ? Number.NEGATIVE_INFINITY : 0
}

/** Milliseconds since 1970, rounded down; exact in the range of Date, and outside it for all other cells. */
export function millisOf(high: number, low: number): number {
  return high * MILLIS_PER_HIGH + Math.floor((high * SUBMILLIS_LEFT_PER_HIGH + low) / 1000)
}

/** A moment as the fields of a clock that shows UTC. */
export interface ClockFields {
  /** Astronomical: 0 is 1 BC. */
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  /** 0 to 999 999. */
  microsecond: number
}

/** The clock's fields in the proleptic Gregorian calendar; exact for every cell. */
export function clockFields(high: number, low: number): ClockFields {
  return high < LEAST_HIGH
    ? exactClockFields(high + HIGH_BEYOND_INT64, low + LOW_BEYOND_INT64)
    : exactClockFields(high, low)
}

function exactClockFields(high: number, low: number): ClockFields {
  const rest = high * MICROS_LEFT_PER_HIGH + low
  const restSeconds = Math.floor(rest / 1_000_000)
  const microsecond = rest - restSeconds * 1_000_000
  const seconds = high * SECONDS_PER_HIGH + restSeconds
  const days = Math.floor(seconds / 86_400)
  const secondOfDay = seconds - days * 86_400
  const { year, month, day } = civilFromDays(days)
  return {
    year,
    month,
    day,
    hour: Math.floor(secondOfDay / 3600),
    minute: Math.floor(secondOfDay / 60) % 60,
    second: secondOfDay % 60,
    microsecond,
  }
}

/** Text as PostgreSQL prints it with DateStyle ISO: `zone` is `+00` for timestamptz, empty for timestamp. */
export function timestampText(high: number, low: number, zone: string): string {
  const at = clockFields(high, low)
  const isBc = at.year <= 0
  const year = String(isBc ? 1 - at.year : at.year).padStart(4, '0')
  const fraction =
    at.microsecond === 0 ? '' : `.${String(at.microsecond).padStart(6, '0').replace(/0+$/, '')}`
  const date = `${year}-${twoDigits(at.month)}-${twoDigits(at.day)}`
  const time = `${twoDigits(at.hour)}:${twoDigits(at.minute)}:${twoDigits(at.second)}${fraction}`
  return `${date} ${time}${zone}${isBc ? ' BC' : ''}`
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

/**
 * Days since 1970-01-01 to year, month and day. The year is counted from March, so that the leap day comes last, in
 * eras of 400 years, which all have 146 097 days.
 */
function civilFromDays(days: number): { year: number; month: number; day: number } {
  const sinceMarchOf0 = days + 719_468
  const era = Math.floor(sinceMarchOf0 / 146_097)
  const dayOfEra = sinceMarchOf0 - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  }
}

/** Days since 1970-01-01 of a date in the proleptic Gregorian calendar; the year is astronomical. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const yearFromMarch = month <= 2 ? year - 1 : year
  const era = Math.floor(yearFromMarch / 400)
  const yearOfEra = yearFromMarch - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}
