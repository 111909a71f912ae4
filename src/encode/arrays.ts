import { lowerBoundsOf } from '../types/array-dimensions'
import type { ArrayDimension, ParameterSink } from './parameter-sink'
import { RefusedValue, refusalAt, type TypeEncoder, type ValueEncoder, writeText } from './value-encoder'

/** PostgreSQL's MAXDIM. */
const MAX_DIMENSIONS = 6

/** A command has room for no more, each with a cell of its own. */
const MOST_ELEMENTS = 2 ** 23

type Level = ArrayLike<unknown>

/**
 * Arrays, nested by dimension; every array of a level has the same length. A string is PostgreSQL's text of an array
 * (manual, section 8.15.2, Array Value Input).
 *
 * Where any array can be a value of the element's type (json, composites, multiranges, domains over arrays, types with a
 * codec of the application's), arrays within the array are values, and it has one dimension. It has more only when it
 * came from PostgreSQL with more, which is marked on it together with its lower bounds. Points and vectors may be given as
 * arrays of numbers, which no dimension of them is.
 *
 * @param elementType The name of the element's type, for messages, where it is another than the parameter's says.
 */
export function arrayEncoder(element: TypeEncoder, elementType?: string): TypeEncoder {
  const { isArrayOfThese, isValue } = element
  const isNested = element.takesArrays !== true
  const kinds = isArrayOfThese === undefined ? 'an array' : 'an array, typed array'
  const expected = `${kinds} or PostgreSQL's text of one`
  const asLevel = (value: unknown): Level | undefined => {
    if (Array.isArray(value)) return value
    return isArrayOfThese?.(value) ? (value as Level) : undefined
  }
  const asInnerLevel =
    isValue === undefined
      ? asLevel
      : (value: unknown) => (Array.isArray(value) && isValue(value) ? undefined : asLevel(value))

  const encode: ValueEncoder = (value, sink) => {
    if (typeof value === 'string') {
      writeText(value, value, sink)
      return
    }
    const outer = asLevel(value)
    if (outer === undefined) throw new RefusedValue(value, expected)
    const lowerBounds = lowerBoundsOf(outer)
    const levelsAtMost = isNested ? MAX_DIMENSIONS + 1 : (lowerBounds?.length ?? 1)
    const lengths = lengthsOf(outer, asInnerLevel, levelsAtMost)
    if (lengths.length > MAX_DIMENSIONS) {
      throw new RefusedValue(value, `at most ${MAX_DIMENSIONS} dimensions`)
    }
    if (lengths.reduce((product, length) => product * length, 1) > MOST_ELEMENTS)
      throw new RefusedValue(value, `an array of at most ${MOST_ELEMENTS} elements`)
    // One-dimensional arrays, nearly all, are not copied.
    const elements = lengths.length === 1 ? outer : flatten(outer, lengths, asInnerLevel)
    const count = lengths.length === 1 ? lengths[0]! : elements.length
    if (count === 0) {
      sink.array([], 0)
      return
    }
    sink.array(dimensionsOf(lengths, lowerBounds), count)
    writeElements(elements, count, element.encode, sink, elementType)
  }
  return { encode, takesArrays: true }
}

/** The length of each dimension, as the first array of each level has it. */
function lengthsOf(outer: Level, asLevel: (value: unknown) => Level | undefined, atMost: number): number[] {
  const lengths: number[] = []
  for (let level: Level | undefined = outer; level !== undefined && lengths.length < atMost; ) {
    // The length of a proxy can be anything.
    if (level.length >>> 0 !== level.length) throw new RefusedValue(level, 'an array with a length')
    lengths.push(level.length)
    level = asLevel(level[0])
  }
  return lengths
}

/** The elements in row-major order. */
function flatten(
  outer: Level,
  lengths: readonly number[],
  asLevel: (value: unknown) => Level | undefined,
): unknown[] {
  const elements: unknown[] = []
  const walk = (array: Level, depth: number): void => {
    const length = lengths[depth]!
    for (let index = 0; index < length; index++) {
      const item = array[index]
      if (depth === lengths.length - 1) {
        elements.push(item)
        continue
      }
      const next = asLevel(item)
      if (next === undefined || next.length !== lengths[depth + 1]) {
        throw new RefusedValue(
          item,
          `an array of ${lengths[depth + 1]} elements, like the others of its level`,
        )
      }
      walk(next, depth + 1)
    }
  }
  walk(outer, 0)
  return elements
}

function dimensionsOf(
  lengths: readonly number[],
  lowerBounds: readonly number[] | undefined,
): readonly ArrayDimension[] {
  const bounds = lowerBounds?.length === lengths.length ? lowerBounds : undefined
  return lengths.map((length, dimension) => ({ length, lowerBound: bounds?.[dimension] ?? 1 }))
}

function writeElements(
  elements: Level,
  count: number,
  encode: ValueEncoder,
  sink: ParameterSink,
  elementType: string | undefined,
): void {
  let index = 0
  try {
    for (; index < count; index++) {
      const value = elements[index]
      if (value === null || value === undefined) sink.null()
      else encode(value, sink)
    }
  } catch (error) {
    throw refusalAt(index + 1, error, elements[index], elementType)
  }
}
