import { types } from 'node:util'
import { describeArgument } from './describe-value'

type Primitive = number | bigint | string | boolean

/** Negative, 0 or positive, as a comparator of `Array.prototype.sort` gives it. */
export type Order = number

/** `numeric` as PostgreSQL prints it, and numbers and bigints as JavaScript does. */
const NUMERIC = /^([+-]?)(?:(\d+)(?:\.(\d*))?(?:e([+-]?\d{1,9}))?|(Infinity)|(NaN))$/i
/** Dates and timestamps as PostgreSQL prints them, and JavaScript's dates where they agree. */
const DATE = /^(\d{4,})(-\d\d-\d\d.*?)( BC)?$/

/**
 * Orders two bounds of ranges, or a bound and a value, as PostgreSQL orders the values that they stand for:
 *
 * - numbers, bigints and strings of decimal digits (`numeric`) by their exact value, NaN above all others;
 * - other strings as dates or timestamps where both are in PostgreSQL's ISO form, else by their code units;
 * - ±Infinity, which dates and timestamps have, below and above everything that is not a number;
 * - objects by their class' static `compare`, as Temporal's, `Buffer` and `Interval` have it, else by `valueOf`, as
 *   Dates and decimals have it.
 *
 * @throws TypeError when the two cannot be compared.
 */
export function compareBounds(a: unknown, b: unknown): Order {
  const order = orderOf(a, b)
  if (order === undefined)
    throw new TypeError(`cannot compare ${describeArgument(a)} with ${describeArgument(b)}`)
  return order
}

/**
 * Whether two bounds are the same value: numbers and bigints by number, Dates by time, objects of one class by their
 * `equals` if they have it.
 */
export function sameBounds(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  // biome-ignore lint/suspicious/noDoubleEquals: 1n and 1 are the same bound
  if (isNumber(a) && isNumber(b)) return a == b
  if (!isObject(a) || !isObject(b)) return false
  if (types.isDate(a) && types.isDate(b)) return a.getTime() === b.getTime()
  if (a.constructor !== b.constructor) return false
  const { equals } = a as { equals?: unknown }
  return typeof equals === 'function' && equals.call(a, b) === true
}

function orderOf(a: unknown, b: unknown): Order | undefined {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b)
  if (isInfinite(a)) return isNumeric(b) ? compareDigits(String(a), String(b)) : beyond(a, b)
  if (isInfinite(b)) return isNumeric(a) ? compareDigits(String(a), String(b)) : negated(beyond(b, a))
  if (isObject(a) && isObject(b)) return compareObjects(a, b)
  const [one, other] = [primitiveOf(a), primitiveOf(b)]
  // A Date beside a bare number would be compared with milliseconds, which nobody wrote.
  if (one === undefined || other === undefined || types.isDate(a) || types.isDate(b)) return undefined
  return comparePrimitives(one, other)
}

function compareObjects(a: object, b: object): Order | undefined {
  const kind: unknown = a.constructor
  if (typeof kind === 'function' && b instanceof kind) {
    const { compare } = kind as { compare?: unknown }
    if (typeof compare === 'function') return Number(compare.call(kind, a, b))
  }
  const [one, other] = [primitiveOf(a), primitiveOf(b)]
  // NaN is the time of an invalid Date.
  if (one === undefined || other === undefined || Number.isNaN(one) || Number.isNaN(other)) return undefined
  return comparePrimitives(one, other)
}

function comparePrimitives(a: Primitive, b: Primitive): Order | undefined {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b)
  if (isNumeric(a) && isNumeric(b)) return compareDigits(String(a), String(b))
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b)
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  return undefined
}

/** JavaScript compares numbers with bigints exactly. */
function compareNumbers(a: number | bigint, b: number | bigint): Order {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a < b ? -1 : a > b ? 1 : 0
}

function compareStrings(a: string, b: string): Order {
  const [date, other] = [DATE.exec(a), DATE.exec(b)]
  if (date === null || other === null) return a < b ? -1 : a > b ? 1 : 0
  const years = yearOf(date) - yearOf(other)
  if (years !== 0) return years
  const [rest, otherRest] = [date[2]!, other[2]!]
  return rest < otherRest ? -1 : rest > otherRest ? 1 : 0
}

function yearOf([, digits, , era]: RegExpExecArray): number {
  return era === undefined ? Number(digits) : 1 - Number(digits)
}

/** Numbers in decimal digits, however many there are: by their sign, then their size, then digit by digit. */
function compareDigits(a: string, b: string): Order {
  const [one, other] = [decimalOf(a), decimalOf(b)]
  if (one.sign !== other.sign) return one.sign - other.sign
  if (one.exponent !== other.exponent) return one.sign * (one.exponent < other.exponent ? -1 : 1)
  if (one.digits === other.digits) return 0
  return one.sign * (one.digits < other.digits ? -1 : 1)
}

interface Decimal {
  /** -1, 0 or 1; 2 for NaN, which PostgreSQL has above all numbers. */
  readonly sign: number
  /** The power of ten of the first digit. */
  readonly exponent: number
  /** Without zeros at either end. */
  readonly digits: string
}

function decimalOf(text: string): Decimal {
  const [, minus, whole = '', fraction = '', exponent = '0', infinity, nan] = NUMERIC.exec(text)!
  if (nan !== undefined) return { sign: 2, exponent: 0, digits: '' }
  const sign = minus === '-' ? -1 : 1
  if (infinity !== undefined) return { sign, exponent: Number.POSITIVE_INFINITY, digits: '' }
  const all = whole + fraction
  const first = all.search(/[1-9]/)
  if (first < 0) return { sign: 0, exponent: 0, digits: '' }
  return {
    sign,
    exponent: whole.length - first + Number(exponent),
    digits: withoutTrailingZeros(all.slice(first)),
  }
}

/** A pattern of zeros at the end takes quadratic time on zeros in the middle. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length
  while (digits[end - 1] === '0') end -= 1
  return digits.slice(0, end)
}

/** What an infinite bound is to a value that is not a number. */
function beyond(infinity: number, value: unknown): Order | undefined {
  if (value === null || value === undefined || typeof value === 'boolean') return undefined
  return infinity > 0 ? 1 : -1
}

function negated(order: Order | undefined): Order | undefined {
  return order === undefined ? undefined : -order
}

function primitiveOf(value: unknown): Primitive | undefined {
  const primitive: unknown = isObject(value) ? value.valueOf() : value
  switch (typeof primitive) {
    case 'number':
    case 'bigint':
    case 'string':
    case 'boolean':
      return primitive
    default:
      return undefined
  }
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function isInfinite(value: unknown): value is number {
  return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY
}

function isNumeric(value: unknown): value is number | bigint | string {
  return isNumber(value) || (typeof value === 'string' && NUMERIC.test(value))
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
