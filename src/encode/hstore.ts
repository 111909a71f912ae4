import { types } from 'node:util'
import { describeValue } from '../types/describe-value'
import { isPlain } from '../types/plain-object'
import { HeldObject } from './held-object'
import type { ParameterSink } from './parameter-sink'
import { RefusedValue, type TypeEncoder, writePart, writeText } from './value-encoder'

const EXPECTED = "an object or Map of strings, or hstore's text"

/** hstore: objects by their own enumerable properties, and Maps. */
export const hstoreEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value === 'string') {
      writeText(value, value, sink)
      return
    }
    const pairs = pairsOf(value)
    if (pairs === undefined) throw new RefusedValue(value, EXPECTED)
    sink.hstore(pairs.length)
    for (const [key, item] of pairs) {
      if (typeof key !== 'string') throw new RefusedValue(key, 'a string as key')
      const place = `key ${describeValue(key)}`
      writePart(key, encodeText, sink, place)
      writePart(item, encodeText, sink, place)
    }
  },
}

function pairsOf(value: unknown): [key: unknown, value: unknown][] | undefined {
  if (types.isMap(value)) return [...value]
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    return undefined
  }
  const pairs = Object.entries(HeldObject.is(value) ? value.fields : value)
  // A Date or a Set has no properties: that is not the same as no pairs.
  return pairs.length === 0 && !isPlain(value) ? undefined : pairs
}

function encodeText(value: unknown, sink: ParameterSink): void {
  if (typeof value !== 'string') throw new RefusedValue(value, 'a string or null')
  writeText(value, value, sink)
}
