import { JsonValue } from '../types/json'
import { guarded, RefusedValue, type TypeEncoder, writeText } from './value-encoder'

const EXPECTED = 'a value that JSON.stringify can write, or JSON text'

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
  return text
}
