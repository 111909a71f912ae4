import { type InspectOptionsStylized, inspect } from 'node:util'
import { outOfRange, wrongKind } from './argument-error'

const MICROSECONDS_PER_SECOND = 1_000_000
const MICROSECONDS_PER_MINUTE = 60 * MICROSECONDS_PER_SECOND
const MICROSECONDS_PER_HOUR = 60 * MICROSECONDS_PER_MINUTE
const MICROSECONDS_PER_DAY = 24n * BigInt(MICROSECONDS_PER_HOUR)

const MAX_INT32 = 2 ** 31 - 1
const MIN_INT32 = -(2 ** 31)
const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

/** Fields of months and days, which are numbers. */
type CalendarField = 'years' | 'months' | 'weeks' | 'days'
/** Fields of microseconds: what one of each is, and the decimal places that it may have. */
const TIME_FIELDS = [
  ['hours', MICROSECONDS_PER_HOUR, 0],
  ['minutes', MICROSECONDS_PER_MINUTE, 0],
  ['seconds', MICROSECONDS_PER_SECOND, 6],
  ['milliseconds', 1_000, 3],
  ['microseconds', 1, 0],
] as const

const FIELD_NAMES: ReadonlySet<string> = new Set([
  'years',
  'months',
  'weeks',
  'days',
  ...TIME_FIELDS.map(([name]) => name),
])

const COUNT = '([+-]?\\d{1,20})'
const ISO_8601 = new RegExp(
  `^([+-]?)P(?=.)(?:${COUNT}Y)?(?:${COUNT}M)?(?:${COUNT}W)?(?:${COUNT}D)?` +
    `(?:T(?=.)(?:${COUNT}H)?(?:${COUNT}M)?(?:${COUNT}(?:[.,](\\d{1,6}))?S)?)?$`,
)

/**
 * What an {@link Interval} is made of. All fields are added up; each may be negative, and is 0 when left out. They are
 * whole, but for seconds and milliseconds, which may have decimal places down to a microsecond.
 */
export interface IntervalFields {
  /** 12 months each. */
  readonly years?: number | undefined
  readonly months?: number | undefined
  /** 7 days each. */
  readonly weeks?: number | undefined
  readonly days?: number | undefined
  readonly hours?: number | bigint | undefined
  readonly minutes?: number | bigint | undefined
  readonly seconds?: number | bigint | undefined
  readonly milliseconds?: number | bigint | undefined
  readonly microseconds?: number | bigint | undefined
}

/**
 * A value of PostgreSQL's `interval`: months, days and microseconds, each with its own sign. The three are kept apart,
 * since months differ in length, and days do where clocks change (manual, section 8.5.4, Interval Input).
 *
 * `infinity` and `-infinity`, which PostgreSQL has since version 17, are the intervals with the greatest and the least
 * of all three; see {@link Interval.isFinite}.
 */
export class Interval {
  /** Whole months, years included: a 32-bit integer. */
  readonly months: number
  /** Whole days, weeks included: a 32-bit integer. */
  readonly days: number
  /** Microseconds: a number while that is a safe integer, else a bigint of 64 bits. */
  readonly microseconds: number | bigint

  /**
   * @throws TypeError for a field that there is not, or one that is not a number (or bigint).
   * @throws RangeError for a fraction that would be lost, and for more than `interval` holds.
   */
  constructor(fields: IntervalFields = {}) {
    if (typeof fields !== 'object' || fields === null) {
      throw wrongKind('fields', 'an object such as { days: 1, hours: 12 }', fields)
    }
    for (const name in fields) {
      if (!FIELD_NAMES.has(name)) throw wrongKind('fields', `fields of ${[...FIELD_NAMES].join(', ')}`, name)
    }
    refuseNanoseconds(fields)
    this.months = int32('months', calendarField(fields, 'years') * 12 + calendarField(fields, 'months'))
    this.days = int32('days', calendarField(fields, 'weeks') * 7 + calendarField(fields, 'days'))
    let microseconds: number | bigint = 0
    for (const [name, factor, places] of TIME_FIELDS) {
      const value = fields[name]
      if (value !== undefined && value !== 0) {
        microseconds = sum(microseconds, inMicroseconds(name, value, factor, places))
      }
    }
    if (typeof microseconds === 'bigint' && (microseconds < MIN_INT64 || microseconds > MAX_INT64)) {
      throw outOfRange('microseconds', 'at most 64 bits in all', microseconds)
    }
    this.microseconds = microseconds
  }

  /**
   * Reads the ISO 8601 form that {@link Interval.toString} writes: `P1Y2M3DT4H5M6.789S`, with a sign on any part or
   * before the P, weeks, up to six decimal places of seconds; and `infinity`.
   *
   * @throws TypeError when `text` is not a string.
   * @throws RangeError when it has another form or is more than `interval` holds.
   */
  static parse(text: string): Interval {
    if (typeof text !== 'string') throw wrongKind('text', 'a string', text)
    if (text === 'infinity') return new Interval(INFINITY)
    if (text === '-infinity') return new Interval(MINUS_INFINITY)
    const match = ISO_8601.exec(text)
    if (match === null) throw outOfRange('text', 'an ISO 8601 duration such as P1Y2M3DT4H5M6.789S', text)
    const [, sign, years, months, weeks, days, hours, minutes, seconds = '0', fraction = ''] = match
    const direction = sign === '-' ? -1 : 1
    const calendar = (digits = '0') => direction * Number(digits)
    const clock = (digits = '0') => BigInt(direction) * bigintOf(digits)
    // Digits of one number, so that the sign of -0.5 holds for the fraction as well.
    const microseconds = clock(`${seconds}${fraction.padEnd(6, '0')}`)
    return new Interval({
      years: calendar(years),
      months: calendar(months),
      weeks: calendar(weeks),
      days: calendar(days),
      hours: clock(hours),
      minutes: clock(minutes),
      microseconds,
    })
  }

  /**
   * Orders two intervals as PostgreSQL does, with days of 24 hours and months of 30 days: negative, 0 or positive, for
   * `Array.prototype.sort`. 0 does not mean that they are the same: see {@link Interval.equals}.
   *
   * @throws TypeError when one of them is not an Interval.
   */
  static compare(one: Interval, other: Interval): number {
    const a = comparable('one', one)
    const b = comparable('other', other)
    return a < b ? -1 : a > b ? 1 : 0
  }

  /** False for `infinity` and `-infinity`. */
  get isFinite(): boolean {
    return !this.equals(INFINITY) && !this.equals(MINUS_INFINITY)
  }

  /**
   * Whether `other` is an Interval with the same months, days and microseconds. PostgreSQL's `=` goes by
   * {@link Interval.compare}: there 1 month, 30 days and 720 hours are equal; here they are not.
   */
  equals(other: unknown): boolean {
    return (
      other instanceof Interval &&
      this.months === other.months &&
      this.days === other.days &&
      this.microseconds === other.microseconds
    )
  }

  /**
   * ISO 8601 as PostgreSQL writes it with `intervalstyle = iso_8601` (`EncodeInterval` in datetime.c):
   * `P1Y2M3DT4H5M6.789S`, a sign on each part (`P-1Y-2M3DT-4H`), `PT0S` for nothing. PostgreSQL reads it whatever
   * `intervalstyle` is.
   */
  toString(): string {
    if (!this.isFinite) return this.months > 0 ? 'infinity' : '-infinity'
    const calendar =
      part(Math.trunc(this.months / 12), 'Y') + part(this.months % 12, 'M') + part(this.days, 'D')
    const clock = clockText(this.microseconds)
    return calendar === '' && clock === '' ? 'PT0S' : `P${calendar}${clock}`
  }

  /** The text of {@link Interval.toString}. */
  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return `Interval ${options.stylize(this.toString(), 'date')}`
  }
}

const INFINITY = new Interval({ months: MAX_INT32, days: MAX_INT32, microseconds: MAX_INT64 })
const MINUS_INFINITY = new Interval({ months: MIN_INT32, days: MIN_INT32, microseconds: MIN_INT64 })

/** A Temporal.Duration has all the fields and one more, which must not get lost. */
function refuseNanoseconds(fields: IntervalFields & { readonly nanoseconds?: unknown }): void {
  const { nanoseconds } = fields
  if (nanoseconds !== undefined && nanoseconds !== 0) {
    throw outOfRange('nanoseconds', 'none, since an interval has whole microseconds', nanoseconds)
  }
}

/** Each field is held to 32 bits by itself, so that adding up is exact. */
function calendarField(fields: IntervalFields, name: CalendarField): number {
  const value = fields[name]
  if (value === undefined) return 0
  if (typeof value !== 'number') throw wrongKind(name, 'a number', value)
  return int32(name, value)
}

function int32(name: string, value: number): number {
  if (!Number.isInteger(value) || value < MIN_INT32 || value > MAX_INT32) {
    throw outOfRange(name, `a whole number from ${MIN_INT32} to ${MAX_INT32}`, value)
  }
  // Without the sign of -0.
  return value + 0
}

function inMicroseconds(name: string, value: unknown, factor: number, places: number): number | bigint {
  if (typeof value === 'bigint') return normal(value * BigInt(factor))
  if (typeof value !== 'number') throw wrongKind(name, 'a number or bigint', value)
  if (Number.isSafeInteger(value)) {
    const product = value * factor
    return Number.isSafeInteger(product) ? product : BigInt(value) * BigInt(factor)
  }
  // The decimal digits that JavaScript prints are exactly those that were meant; a product of floats is not.
  const [whole, fraction] = String(value).split('.')
  if (whole === undefined || fraction === undefined || !/^\d+$/.test(fraction) || fraction.length > places) {
    const expected = places === 0 ? 'a whole number' : `a number of at most ${places} decimal places`
    throw outOfRange(name, `${expected} that is a safe integer or a bigint`, value)
  }
  return normal(BigInt(whole + fraction.padEnd(places, '0')))
}

function sum(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a + b)) return a + b
  return normal(BigInt(a) + BigInt(b))
}

/** A number while that is a safe integer, so that each count has one form only. */
function normal(value: bigint): number | bigint {
  const rounded = Number(value)
  return Number.isSafeInteger(rounded) ? rounded : value
}

/** BigInt() takes no plus sign. */
function bigintOf(digits: string): bigint {
  return BigInt(digits.startsWith('+') ? digits.slice(1) : digits)
}

/** `interval_cmp_value` in timestamp.c. */
function comparable(argument: string, interval: Interval): bigint {
  if (!(interval instanceof Interval)) throw wrongKind(argument, 'an Interval', interval)
  const days = BigInt(interval.months) * 30n + BigInt(interval.days)
  return days * MICROSECONDS_PER_DAY + BigInt(interval.microseconds)
}

function part(count: number, designator: string): string {
  return count === 0 ? '' : `${count}${designator}`
}

/** The time with its T, or nothing. */
function clockText(microseconds: number | bigint): string {
  if (microseconds === 0) return ''
  const sign = microseconds < 0 ? '-' : ''
  const [hours, rest] = wholeHours(microseconds)
  const minutes = Math.trunc(rest / MICROSECONDS_PER_MINUTE)
  const seconds = Math.trunc((rest % MICROSECONDS_PER_MINUTE) / MICROSECONDS_PER_SECOND)
  const fraction = rest % MICROSECONDS_PER_SECOND
  let text = 'T'
  if (hours !== 0) text += `${sign}${hours}H`
  if (minutes !== 0) text += `${sign}${minutes}M`
  if (seconds !== 0 || fraction !== 0) {
    const decimals = fraction === 0 ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`
    text += `${sign}${seconds}${decimals}S`
  }
  return text
}

/** The hours and the microseconds beside them, without their sign. */
function wholeHours(microseconds: number | bigint): [hours: number, rest: number] {
  if (typeof microseconds === 'bigint') {
    const magnitude = microseconds < 0n ? -microseconds : microseconds
    const perHour = BigInt(MICROSECONDS_PER_HOUR)
    return [Number(magnitude / perHour), Number(magnitude % perHour)]
  }
  const magnitude = Math.abs(microseconds)
  const rest = magnitude % MICROSECONDS_PER_HOUR
  return [(magnitude - rest) / MICROSECONDS_PER_HOUR, rest]
}
