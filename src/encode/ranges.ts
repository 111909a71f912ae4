import { FieldNames, type NamedFields } from './named-fields'
import { RefusedValue, refusalAt, type TypeEncoder, writePart, writeText } from './value-encoder'

/** PostgreSQL's flags of a range (rangetypes.h). */
const EMPTY = 1
const LOWER_INCLUSIVE = 2
const UPPER_INCLUSIVE = 4
const NO_LOWER = 8
const NO_UPPER = 16

const EXPECTED =
  "a Range, an object with its fields lower, upper, lowerInclusive, upperInclusive and isEmpty, or PostgreSQL's text"

const NAMES = new FieldNames(['lower', 'upper', 'lowerInclusive', 'upperInclusive', 'isEmpty'])

/**
 * Ranges. A bound that is null or missing is none; without a word on it the lower bound is inclusive and the upper is
 * not, as with PostgreSQL's range constructors. Of a range that is empty the bounds do not matter.
 */
export function rangeEncoder(bound: TypeEncoder, boundType: string): TypeEncoder {
  return {
    encode(value, sink) {
      if (typeof value === 'string') {
        writeText(value, value, sink)
        return
      }
      const range = NAMES.objectOf(value)
      // Without any of these an object is more likely a mistake than the range of everything.
      if (range === undefined || !('lower' in range || 'upper' in range || 'isEmpty' in range)) {
        throw new RefusedValue(value, EXPECTED)
      }
      if (flag(range, 'isEmpty', false)) {
        sink.range(EMPTY)
        sink.null()
        sink.null()
        return
      }
      const lower = range.lower ?? null
      const upper = range.upper ?? null
      const isLowerInclusive = flag(range, 'lowerInclusive', true)
      const isUpperInclusive = flag(range, 'upperInclusive', false)
      // What is unbounded is not inclusive (`range_serialize` in rangetypes.c).
      const lowerFlag = lower === null ? NO_LOWER : isLowerInclusive ? LOWER_INCLUSIVE : 0
      const upperFlag = upper === null ? NO_UPPER : isUpperInclusive ? UPPER_INCLUSIVE : 0
      sink.range(lowerFlag | upperFlag)
      writePart(lower, bound.encode, sink, 'lower bound', boundType)
      writePart(upper, bound.encode, sink, 'upper bound', boundType)
    },
  }
}

function flag(range: NamedFields, name: string, missing: boolean): boolean {
  const value = range[name] ?? missing
  if (typeof value !== 'boolean') throw new RefusedValue(value, 'true or false').within(`field "${name}"`)
  return value
}

/** Multiranges: arrays of ranges, or PostgreSQL's text. */
export function multirangeEncoder(range: TypeEncoder, rangeType: string): TypeEncoder {
  return {
    encode(value, sink) {
      if (typeof value === 'string') {
        writeText(value, value, sink)
        return
      }
      if (!Array.isArray(value)) {
        throw new RefusedValue(value, "an array of ranges, or PostgreSQL's text of a multirange")
      }
      const count = value.length
      sink.multirange(count)
      for (let index = 0; index < count; index++) {
        const item: unknown = value[index]
        try {
          if (item === null || item === undefined) {
            throw new RefusedValue(item, 'a range: multiranges have no NULL')
          }
          range.encode(item, sink)
        } catch (error) {
          throw refusalAt(`range ${index + 1}`, error, item, rangeType)
        }
      }
    },
    takesArrays: true,
  }
}
