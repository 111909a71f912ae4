// Values of results in a form that `t.deepEqual` compares as they are meant.
import { Range, Row } from 'oxpg'

/**
 * The value with rows and composite values as plain objects, and with Temporal objects, whose fields are private, as
 * their class and text. Ranges are taken apart, since their bounds may be such.
 */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Range) {
    const { lower, upper, lowerInclusive, upperInclusive, isEmpty } = value
    return { range: [plain(lower), plain(upper)], lowerInclusive, upperInclusive, isEmpty }
  }
  const tag = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]
  if (typeof tag === 'string' && tag.startsWith('Temporal.')) return `${tag} ${String(value)}`
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === Object.prototype || prototype === null
  if (!isPlain && !(value instanceof Row)) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]))
}
