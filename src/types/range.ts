import { type InspectOptionsStylized, inspect, types } from 'node:util'
import { wrongKind } from './argument-error'
import { compareBounds, sameBounds } from './bound-order'

/** Which bounds belong to a {@link Range}. */
export interface RangeOptions {
  /** Whether the lower bound is in the range. Default true. */
  readonly lowerInclusive?: boolean | undefined
  /** Whether the upper bound is in the range. Default false. */
  readonly upperInclusive?: boolean | undefined
  /** With true the range holds nothing, whatever the bounds say. Default false. */
  readonly isEmpty?: boolean | undefined
}

/**
 * A value of a range type, such as `int4range` or `tstzrange` (manual, section 8.17, Range Types). A multirange is an
 * array of them.
 *
 * It is kept as it was made. PostgreSQL, when it gets it, refuses a lower bound above the upper one, gives `int4range`,
 * `int8range` and `daterange` the form `[)`, and makes a range such as `[1,1)` the empty one.
 *
 * @typeParam T What the bounds are: the JavaScript type of the range's subtype.
 */
export class Range<T> {
  /** Null when the range has no lower bound, or is empty. */
  readonly lower: T | null
  /** Null when the range has no upper bound, or is empty. */
  readonly upper: T | null
  /** Whether the lower bound is in the range; false when there is none. */
  readonly lowerInclusive: boolean
  /** Whether the upper bound is in the range; false when there is none. */
  readonly upperInclusive: boolean
  /** Whether the range is the one that holds nothing. */
  readonly isEmpty: boolean

  /**
   * @param lower Null or left out: the range goes down without end.
   * @param upper Null or left out: the range goes up without end.
   * @throws TypeError when an option is not a boolean, or a bound is an invalid Date.
   */
  constructor(lower?: T | null, upper?: T | null, options: RangeOptions = {}) {
    if (typeof options !== 'object' || options === null) {
      throw wrongKind('options', 'an object such as { upperInclusive: true }', options)
    }
    const isEmpty = booleanOption(options, 'isEmpty', false)
    const lowerInclusive = booleanOption(options, 'lowerInclusive', true)
    const upperInclusive = booleanOption(options, 'upperInclusive', false)
    this.lower = isEmpty ? null : boundOf('lower', lower)
    this.upper = isEmpty ? null : boundOf('upper', upper)
    this.lowerInclusive = lowerInclusive && this.lower !== null
    this.upperInclusive = upperInclusive && this.upper !== null
    this.isEmpty = isEmpty
  }

  /** The range that holds nothing. */
  static empty<T = never>(): Range<T> {
    return new Range<T>(null, null, { isEmpty: true })
  }

  /** Whether the range goes down without end. False for a lower bound of -Infinity, which dates have. */
  get isLowerInfinite(): boolean {
    return this.lower === null && !this.isEmpty
  }

  /** Whether the range goes up without end. False for an upper bound of Infinity, which dates have. */
  get isUpperInfinite(): boolean {
    return this.upper === null && !this.isEmpty
  }

  /**
   * Whether a value is in the range: PostgreSQL's `@>`.
   *
   * Numbers, bigints and strings of decimal digits are compared by their exact value; strings of dates and timestamps in
   * PostgreSQL's form by time, other strings by their code units and not by a collation; objects by the static
   * `compare` of their class (Temporal, Interval, Buffer) or by `valueOf` (Date, decimals).
   *
   * @throws TypeError when the value cannot be compared with the bounds.
   */
  contains(value: T): boolean {
    if (value === null || value === undefined) throw wrongKind('value', 'a value', value)
    if (this.isEmpty) return false
    return (
      isInside(this.lower, value, this.lowerInclusive, 1) &&
      isInside(this.upper, value, this.upperInclusive, -1)
    )
  }

  /**
   * Whether everything in this range is in the other one: PostgreSQL's `<@`. Compares as {@link Range.contains} does.
   *
   * @throws TypeError when `other` is not a Range, or the bounds cannot be compared.
   */
  isSubsetOf(other: Range<T>): boolean {
    if (!(other instanceof Range)) throw wrongKind('other', 'a Range', other)
    if (this.isEmpty || other.isEmpty) return this.isEmpty
    return (
      isWithin(this.lower, this.lowerInclusive, other.lower, other.lowerInclusive, 1) &&
      isWithin(this.upper, this.upperInclusive, other.upper, other.upperInclusive, -1)
    )
  }

  /**
   * Whether everything in the other range is in this one: PostgreSQL's `@>`.
   *
   * @throws TypeError when `other` is not a Range, or the bounds cannot be compared.
   */
  isSupersetOf(other: Range<T>): boolean {
    if (!(other instanceof Range)) throw wrongKind('other', 'a Range', other)
    return other.isSubsetOf(this)
  }

  /**
   * Whether `other` is a Range of the same form: equal bounds, which belong to it or not alike. `[1,5]` and `[1,6)` of
   * integers are not equal here; PostgreSQL gives both as `[1,6)`. Numbers and bigints are equal by value, Dates by
   * time, objects by their own `equals`, strings when they are the same text.
   */
  equals(other: unknown): boolean {
    return (
      other instanceof Range &&
      this.isEmpty === other.isEmpty &&
      this.lowerInclusive === other.lowerInclusive &&
      this.upperInclusive === other.upperInclusive &&
      sameBounds(this.lower, other.lower) &&
      sameBounds(this.upper, other.upper)
    )
  }

  /**
   * PostgreSQL's text (`range_out` in rangetypes.c): `[1,5)`, `(,"a b"]`, `empty`. Bounds are their `toString()`, Dates
   * in ISO 8601, bytes in hex.
   */
  toString(): string {
    if (this.isEmpty) return 'empty'
    return textBetween(this, boundText(this.lower), boundText(this.upper))
  }

  /** The fields, which the constructor takes back; bigints are numbers where that is exact, else digit strings. */
  toJSON(): {
    lower: unknown
    upper: unknown
    lowerInclusive: boolean
    upperInclusive: boolean
    isEmpty: boolean
  } {
    const { lower, upper, lowerInclusive, upperInclusive, isEmpty } = this
    return { lower: jsonBound(lower), upper: jsonBound(upper), lowerInclusive, upperInclusive, isEmpty }
  }

  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    if (depth < 0) return options.stylize('[Range]', 'special')
    if (this.isEmpty) return `Range ${options.stylize('empty', 'special')}`
    const nested = { ...options, depth: options.depth == null ? null : options.depth - 1 }
    const shown = (bound: T | null): string => (bound === null ? '' : inspect(bound, nested))
    return `Range ${textBetween(this, shown(this.lower), shown(this.upper))}`
  }
}

function textBetween(range: Range<unknown>, lower: string, upper: string): string {
  return `${range.lowerInclusive ? '[' : '('}${lower},${upper}${range.upperInclusive ? ']' : ')'}`
}

/** 1 looks upwards from a lower bound, -1 downwards from an upper one. */
type Direction = 1 | -1

/** Whether a value is on the inner side of a bound. */
function isInside(bound: unknown, value: unknown, isInclusive: boolean, direction: Direction): boolean {
  if (bound === null) return true
  const order = compareBounds(value, bound) * direction
  return order > 0 || (order === 0 && isInclusive)
}

/** Whether a bound is on the inner side of another range's bound. */
function isWithin(
  bound: unknown,
  isInclusive: boolean,
  outer: unknown,
  isOuterInclusive: boolean,
  direction: Direction,
): boolean {
  if (outer === null) return true
  return bound !== null && isInside(outer, bound, isOuterInclusive || !isInclusive, direction)
}

function booleanOption(options: RangeOptions, name: keyof RangeOptions, byDefault: boolean): boolean {
  const value = options[name]
  if (value === undefined) return byDefault
  if (typeof value !== 'boolean') throw wrongKind(name, 'a boolean', value)
  return value
}

function boundOf<T>(name: string, bound: T | null | undefined): T | null {
  if (types.isDate(bound) && Number.isNaN(bound.getTime())) throw wrongKind(name, 'a valid Date', bound)
  return bound ?? null
}

/** `range_bound_escape` in rangetypes.c. */
function boundText(bound: unknown): string {
  if (bound === null) return ''
  const text = unquotedText(bound)
  return text === '' || /[ \t\n\v\f\r"\\()[\],]/.test(text) ? `"${text.replaceAll(/["\\]/g, '$&$&')}"` : text
}

function unquotedText(bound: unknown): string {
  if (types.isDate(bound)) return dateText(bound)
  if (types.isUint8Array(bound)) {
    return `\\x${Buffer.from(bound.buffer, bound.byteOffset, bound.byteLength).toString('hex')}`
  }
  return String(bound)
}

/** ISO 8601, but with years as PostgreSQL reads them: those before 1 with BC, those beyond 9999 without a plus sign. */
function dateText(date: Date): string {
  const year = date.getUTCFullYear()
  // -MM-DDTHH:MM:SS.sssZ
  const rest = date.toISOString().slice(-20)
  return year > 0
    ? `${String(year).padStart(4, '0')}${rest}`
    : `${String(1 - year).padStart(4, '0')}${rest} BC`
}

/** JSON.stringify refuses bigints. */
function jsonBound(bound: unknown): unknown {
  if (typeof bound !== 'bigint') return bound
  const rounded = Number(bound)
  return Number.isSafeInteger(rounded) ? rounded : bound.toString()
}
