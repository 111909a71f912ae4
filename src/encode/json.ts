import { types } from 'node:util'
import { Row } from '../record'
import { JsonValue } from '../types/json'
import { isPlain } from '../types/plain-object'
import { guarded, RefusedValue, type TypeEncoder, writeText } from './value-encoder'

const EXPECTED = 'a value that JSON.stringify can write, or JSON text'
const EMPTIED = 'a value that JSON has: JSON.stringify would write it as {}'

/**
 * The same within arrays and composite values, where nothing says which of the strings that were read from there are
 * text: all are values, so that what is read can be written back.
 */
export const jsonPartEncoder: TypeEncoder = {
  encode(value, sink) {
    writeText(jsonText(value), value, sink)
  },
  takesArrays: true,
}

/** json, jsonb: a string is JSON text already; `json(value)` encodes anything. */
export const jsonEncoder: TypeEncoder = {
  encode(value, sink) {
    writeText(typeof value === 'string' ? value : jsonText(value), value, sink)
  },
  takesArrays: true,
}

/** What JSON.stringify makes of a value, which may be marked by `json(…)`. */
export function jsonText(value: unknown): string {
  const plain = value instanceof JsonValue ? value.value : value
  // An integer of any size is a JSON number; JSON.stringify only does not know whether its reader can take it.
  if (typeof plain === 'bigint') return plain.toString()
  if (typeof plain === 'number' && !Number.isFinite(plain)) throw new RefusedValue(value, 'a finite number')
  const text: string | undefined = guarded(value, EXPECTED, () => JSON.stringify(plain))
  if (text === undefined) throw new RefusedValue(value, EXPECTED)
  if (text.includes('{}')) refuseEmptied(plain)
  return text
}

/**
 * Refuses what JSON.stringify writes as `{}` though it is not empty: Promises, Maps, Errors, queries, and other objects
 * of classes that have no fields of their own.
 */
function refuseEmptied(json: unknown): void {
  JSON.stringify(json, (_name, value: unknown) => {
    if (isEmptied(value)) throw new RefusedValue(value, EMPTIED)
    return value
  })
}

function isEmptied(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Row)
    return false
  if (isPlain(value) || ArrayBuffer.isView(value) || types.isBoxedPrimitive(value)) return false
  return Object.keys(value).length === 0
}
