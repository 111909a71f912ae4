import { types } from 'node:util'
import type { ParameterSink } from './parameter-sink'
import { guarded, RefusedValue, type TypeEncoder } from './value-encoder'

/** bool */
export const boolEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value !== 'boolean') throw new RefusedValue(value, 'true or false')
    sink.bool(value)
  },
}

/** int2, int4, oid: whole numbers in a range. */
function int32Encoder(minimum: number, maximum: number): TypeEncoder {
  const expected = `a whole number from ${minimum} to ${maximum}`
  return {
    encode(value, sink) {
      const number = typeof value === 'number' ? value : wholeNumber(value)
      // Comparisons with NaN are false.
      if (!(number >= minimum && number <= maximum && Number.isInteger(number))) {
        throw new RefusedValue(value, expected)
      }
      sink.i32(number)
    },
    isArrayOfThese: types.isTypedArray,
  }
}

export const int2Encoder = int32Encoder(-0x8000, 0x7fff)
export const int4Encoder = int32Encoder(-0x80000000, 0x7fffffff)
export const oidEncoder = int32Encoder(0, 0xffffffff)

const WHOLE = /^[+-]?[0-9]+$/

/** A bigint or the digits of an integer as a number; rounding cannot bring it into the range of 32 bits. */
function wholeNumber(value: unknown): number {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'string') return Number.NaN
  const digits = value.trim()
  return WHOLE.test(digits) ? Number(digits) : Number.NaN
}

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const INT8_EXPECTED = `a whole number from ${INT64_MIN} to ${INT64_MAX}`
/** The digits of a 64-bit integer, leading zeros aside: no bigint is made of longer ones. */
const MAX_INT8_DIGITS = 19

/** int8 */
export const int8Encoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value)) {
        throw new RefusedValue(value, 'a safe integer; pass greater ones as bigint or string')
      }
      sink.i64Number(value)
    } else if (typeof value === 'bigint') {
      writeInt64(value, value, sink)
    } else if (typeof value === 'string') {
      const integer = bigintOfDigits(value, MAX_INT8_DIGITS)
      if (integer === undefined) throw new RefusedValue(value, INT8_EXPECTED)
      writeInt64(integer, value, sink)
    } else {
      throw new RefusedValue(value, INT8_EXPECTED)
    }
  },
  isArrayOfThese: types.isTypedArray,
}

function writeInt64(integer: bigint, value: unknown, sink: ParameterSink): void {
  if (integer < INT64_MIN || integer > INT64_MAX) throw new RefusedValue(value, INT8_EXPECTED)
  sink.i64(integer)
}

const XID8_MAX = 2n ** 64n - 1n
const XID8_EXPECTED = `a whole number from 0 to ${XID8_MAX}`
/** The digits of the greatest xid8. */
const MAX_XID8_DIGITS = 20

/** xid8: unsigned, in the cell of an int8. */
export const xid8Encoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
      sink.i64Number(value)
      return
    }
    const integer = typeof value === 'string' ? bigintOfDigits(value, MAX_XID8_DIGITS) : value
    if (typeof integer !== 'bigint' || integer < 0n || integer > XID8_MAX) {
      throw new RefusedValue(value, XID8_EXPECTED)
    }
    sink.i64(BigInt.asIntN(64, integer))
  },
  isArrayOfThese: types.isTypedArray,
}

/** The integer that a text has the digits of; undefined for other text, and when it has more digits than that. */
function bigintOfDigits(text: string, maxDigits: number): bigint | undefined {
  const digits = text.trim()
  if (!WHOLE.test(digits) || digits.replace(/^[+-]?0*/, '').length > maxDigits) return undefined
  return BigInt(digits.startsWith('+') ? digits.slice(1) : digits)
}

const DECIMAL = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i

/** The words that PostgreSQL takes for numbers that are not finite, in lower case. */
const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
  ['+infinity', Number.POSITIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
])

/** float4, float8: `round` gives what the type keeps of a number. */
function floatEncoder(round: (value: number) => number, typeName: string): TypeEncoder {
  const expected = `a number in the range of ${typeName}`
  return {
    encode(value, sink) {
      const special = typeof value === 'string' ? SPECIAL.get(value.trim().toLowerCase()) : undefined
      const number = special ?? (typeof value === 'number' ? value : finiteNumber(value))
      // What was finite must not become infinite in the type.
      if (number === undefined) throw new RefusedValue(value, 'a number')
      const mayBeInfinite = special !== undefined || (typeof value === 'number' && !Number.isFinite(value))
      if (!mayBeInfinite && !Number.isFinite(round(number))) throw new RefusedValue(value, expected)
      sink.f64(number)
    },
    isArrayOfThese: types.isTypedArray,
  }
}

/** A bigint or decimal text as a number; undefined for other values. */
function finiteNumber(value: unknown): number | undefined {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  return DECIMAL.test(text) ? Number(text) : undefined
}

export const float4Encoder = floatEncoder(Math.fround, 'float4')
export const float8Encoder = floatEncoder((value) => value, 'float8')

const NUMERIC_EXPECTED = 'a number, bigint, numeric string or an object whose toString gives one'

/** More bits than any numeric has; the digits of bigints far longer take seconds to compute. */
const MAX_NUMERIC_BITS = 2 ** 19

/** numeric: exact, so that numbers go as their shortest decimal text. */
export const numericEncoder: TypeEncoder = {
  encode(value, sink) {
    sink.text(typeof value === 'number' ? String(value) : numericText(value))
  },
  isArrayOfThese: types.isTypedArray,
}

function numericText(value: unknown): string {
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(MAX_NUMERIC_BITS, value) !== value)
      throw new RefusedValue(value, 'at most 131072 digits')
    return value.toString()
  }
  const text = typeof value === 'object' ? textOfObject(value as object) : value
  if (typeof text !== 'string') throw new RefusedValue(value, NUMERIC_EXPECTED)
  const trimmed = text.trim()
  const special = SPECIAL.get(trimmed.toLowerCase())
  if (special !== undefined) return String(special)
  if (!DECIMAL.test(trimmed)) throw new RefusedValue(value, NUMERIC_EXPECTED)
  return trimmed
}

function textOfObject(value: object): unknown {
  // `[5].toString()` is numeric too.
  if (Array.isArray(value)) throw new RefusedValue(value, NUMERIC_EXPECTED)
  return guarded(value, NUMERIC_EXPECTED, () => value.toString())
}
