import { types } from 'node:util'
import { LONGEST_ARRAY, lowerBoundsOf } from '../types/array-dimensions'
import { JsonValue } from '../types/json'
import { HeldObject } from './held-object'
import { jsonText } from './json'
import { postgresText, temporalClass, temporalText } from './temporal'
import { guarded, millisOfDate, RefusedValue, type TypeEncoder, writeText } from './value-encoder'
import { bufferOf } from './view-bytes'

/**
 * Types without a codec of their own: money, text search, extensions' types. Values go as text, which the server
 * reads.
 */
export function unknownEncoder(typeName: string): TypeEncoder {
  // Of PostgreSQL's own types only box has another delimiter than the comma.
  const delimiter = typeName === 'box[]' ? ';' : ','
  return {
    encode(value, sink) {
      const array = arrayOf(value)
      writeText(array === undefined ? scalarText(value) : arrayText(array, delimiter), value, sink)
    },
    isArrayOfThese: isArrayOfNumbers,
  }
}

/** Arrays, and typed arrays other than those of bytes. */
function arrayOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value
  return isArrayOfNumbers(value) ? Array.from<unknown>(value) : undefined
}

function isArrayOfNumbers(value: unknown): value is Iterable<number | bigint> {
  return types.isTypedArray(value) && !types.isUint8Array(value) && !types.isUint8ClampedArray(value)
}

/** The text of a value that is neither null nor an array. */
function scalarText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'bigint':
      return String(value)
    case 'boolean':
      return value ? 't' : 'f'
    case 'object':
      return objectText(value as object)
    default:
      throw new RefusedValue(value, 'a string, or a value that has a text')
  }
}

function objectText(value: object): string {
  const millis = millisOfDate(value)
  if (millis !== undefined) return postgresText(new Date(millis).toISOString())
  if (ArrayBuffer.isView(value)) return `\\x${bufferOf(value).toString('hex')}`
  if (value instanceof JsonValue) return jsonText(value)
  if (temporalClass(value) !== undefined) return temporalText(value)
  const text = jsonText(value)
  return isOwnText(value, text) ? (JSON.parse(text) as string) : text
}

/** Objects that JSON shows as a string (decimals, durations, URLs) stand for that string. */
function isOwnText(value: object, text: string): boolean {
  if (!text.startsWith('"')) return false
  if (HeldObject.is(value)) return value.hasOwnJson
  return typeof guarded(value, 'an object', () => (value as { toJSON?: unknown }).toJSON) === 'function'
}

/** A quote, a backslash, a brace, white space, a delimiter or nothing: what an array literal cannot show plainly. */
const NEEDS_QUOTES = /["\\{},;\s]|^$|^null$/i

/** PostgreSQL's array literal (manual, section 8.15.6, Array Input and Output Syntax). */
function arrayText(array: readonly unknown[], delimiter: string): string {
  const bounds = lowerBoundsOf(array)
  const prefix = bounds === undefined ? '' : `${boundsText(array, bounds)}=`
  return prefix + levelText(array, delimiter, 1)
}

/** PostgreSQL's MAXDIM. */
const MAX_DIMENSIONS = 6

function levelText(array: readonly unknown[], delimiter: string, depth: number): string {
  if (depth > MAX_DIMENSIONS) throw new RefusedValue(array, `at most ${MAX_DIMENSIONS} dimensions`)
  if (array.length > LONGEST_ARRAY)
    throw new RefusedValue(array, `an array of at most ${LONGEST_ARRAY} elements`)
  const items: string[] = []
  for (let index = 0; index < array.length; index++) items.push(itemText(array[index], delimiter, depth))
  return `{${items.join(delimiter)}}`
}

function itemText(item: unknown, delimiter: string, depth: number): string {
  if (item === null || item === undefined) return 'NULL'
  const array = arrayOf(item)
  if (array !== undefined) return levelText(array, delimiter, depth + 1)
  const text = scalarText(item)
  return NEEDS_QUOTES.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : text
}

function boundsText(array: readonly unknown[], bounds: readonly number[]): string {
  let level: unknown = array
  return bounds
    .map((lower) => {
      const length = Array.isArray(level) ? level.length : 0
      level = Array.isArray(level) ? level[0] : undefined
      return `[${lower}:${lower + length - 1}]`
    })
    .join('')
}
