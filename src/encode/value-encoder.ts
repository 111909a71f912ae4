import { types } from 'node:util'
import { InterfaceError, InternalClientError, PostgresError } from '../errors/index'
import { isThrown } from '../errors/thrown-reason'
import { describeValue } from '../types/describe-value'
import { originalOf } from './held-object'
import type { ParameterSink } from './parameter-sink'
import { bytesOf } from './view-bytes'

/** Writes a value that is neither null nor undefined; throws {@link RefusedValue} when it does not fit. */
export type ValueEncoder = (value: unknown, sink: ParameterSink) => void

/** How values of a type, or of a family of types, are encoded. */
export interface TypeEncoder {
  readonly encode: ValueEncoder
  /** Which typed arrays stand for arrays of the type; none without it. */
  readonly isArrayOfThese?: (value: unknown) => boolean
  /** Whether any array can be a value of the type. */
  readonly takesArrays?: boolean
  /** Which arrays are values of the type, where that can be told: arrays of numbers. */
  readonly isValue?: (array: readonly unknown[]) => boolean
}

/** Arrays of numbers: the coordinates of a point, a vector. */
export function isNumbers(array: readonly unknown[]): boolean {
  return array.length > 0 && array.every((item) => typeof item === 'number')
}

/** Where a value is: an element of an array by its number, from 1, or another part in words: `attribute "home"`. */
export type Place = number | string

/** Why a value cannot be encoded. Becomes a DataError once it is known which parameter it was for. */
export class RefusedValue {
  readonly value: unknown
  /** What would have been taken, such as `an integer from -32768 to 32767`; or the whole explanation. */
  readonly expected: string
  /** What the application's own code threw, when that was the reason. */
  readonly cause: unknown
  /** Where within the parameter the value is, outermost first. Elements are counted row-major. */
  readonly places: Place[] = []
  /** The type that the value was for, where it is not the parameter's. */
  typeName: string | undefined

  constructor(value: unknown, expected: string, cause?: unknown) {
    this.value = originalOf(value)
    this.expected = expected
    this.cause = cause
  }

  /** Says that the value was met within a part of a greater one, and of which type that part is. */
  within(place: Place, typeName?: string): this {
    this.places.unshift(place)
    this.typeName ??= typeName
    return this
  }

  /** What is wrong, for a value of a parameter of this type. */
  messageFor(parameterType: string): string {
    const type = this.typeName ?? parameterType
    return `invalid input for type ${type}: ${describeValue(this.value)} (expected ${this.expected})`
  }
}

/**
 * The refusal of a value whose encoder threw this. What the engine throws about revoked proxies, detached memory and
 * the like says nothing of the value; errors that say by themselves what is wrong stay as they are.
 */
export function refusalFor(error: unknown, value: unknown): unknown {
  if (isThrown(error, RefusedValue) || isOurs(error)) return error
  return new RefusedValue(value, 'a value that can be read', error)
}

function isOurs(error: unknown): boolean {
  return (
    isThrown(error, PostgresError) || isThrown(error, InterfaceError) || isThrown(error, InternalClientError)
  )
}

/** What to throw when the encoder of the value at a place within a greater one threw this. */
export function refusalAt(place: Place, error: unknown, value: unknown, typeName?: string): unknown {
  const refusal = refusalFor(error, value)
  return refusal instanceof RefusedValue ? refusal.within(place, typeName) : refusal
}

/** Writes a part of a greater value, null or not. */
export function writePart(
  value: unknown,
  encode: ValueEncoder,
  sink: ParameterSink,
  place: Place,
  typeName?: string,
): void {
  if (value === null || value === undefined) {
    sink.null()
    return
  }
  try {
    encode(value, sink)
  } catch (error) {
    throw refusalAt(place, error, value, typeName)
  }
}

const NUL = '\0'

/** Writes text, which in PostgreSQL cannot have NUL characters. */
export function writeText(text: string, value: unknown, sink: ParameterSink): void {
  if (text.includes(NUL)) throw new RefusedValue(value, 'text without NUL characters')
  sink.text(text)
}

/** The milliseconds of a Date, also of one from another realm; undefined for other values. */
export function millisOfDate(value: unknown): number | undefined {
  // instanceof is much cheaper, but does not know Dates of other realms, and takes objects that only look like one.
  if (!(value instanceof Date) && !types.isDate(value)) return undefined
  const millis = guarded(value, 'a valid Date', () => Date.prototype.getTime.call(value))
  if (Number.isNaN(millis)) throw new RefusedValue(value, 'a valid Date')
  return millis
}

/** The bytes of an ArrayBuffer view; undefined for other values. */
export function bytesOfView(value: unknown): Uint8Array | undefined {
  return ArrayBuffer.isView(value) ? bytesOf(value) : undefined
}

/** Runs code of the application; what it throws becomes the cause of the refusal. */
export function guarded<T>(value: unknown, expected: string, convert: () => T): T {
  try {
    return convert()
  } catch (error) {
    throw new RefusedValue(value, expected, error)
  }
}
