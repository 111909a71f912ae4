import { types } from 'node:util'
import type { ParameterSink } from './parameter-sink'

/** Writes a value that is neither null nor undefined; throws {@link RefusedValue} when it does not fit. */
export type ValueEncoder = (value: unknown, sink: ParameterSink) => void

/** How a family of types is encoded. */
export interface FamilyEncoder {
  readonly encode: ValueEncoder
  /** Whether typed arrays of numbers stand for arrays of this family. */
  readonly takesTypedArrays?: boolean
}

/** Why a value cannot be encoded. Becomes a DataError once it is known which parameter it was for. */
export class RefusedValue {
  readonly value: unknown
  /** What would have been taken, such as `an integer from -32768 to 32767`; or the whole explanation. */
  readonly expected: string
  /** What the application's own code threw, when that was the reason. */
  readonly cause: unknown
  /** Which element of an array the value is, row-major, counted from 1. */
  element: number | undefined

  constructor(value: unknown, expected: string, cause?: unknown) {
    this.value = value
    this.expected = expected
    this.cause = cause
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
  if (!ArrayBuffer.isView(value)) return undefined
  if (value instanceof Uint8Array) return value
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
}

/** Runs code of the application; what it throws becomes the cause of the refusal. */
export function guarded<T>(value: unknown, expected: string, convert: () => T): T {
  try {
    return convert()
  } catch (error) {
    throw new RefusedValue(value, expected, error)
  }
}
