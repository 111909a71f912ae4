import { types } from 'node:util'
import { lowerBoundsOf } from '../types/array-dimensions'
import type { ArrayDimension, ParameterSink } from './parameter-sink'
import { type FamilyEncoder, RefusedValue, type ValueEncoder } from './value-encoder'

/** PostgreSQL's MAXDIM. */
const MAX_DIMENSIONS = 6

type Level = ArrayLike<unknown>

/**
 * Arrays, nested by dimension; every array of a level has the same length.
 *
 * @param isNested Whether arrays within the array are dimensions. In a `json[]` they are JSON arrays, unless the
 * array is one that came from PostgreSQL with several dimensions.
 */
export function arrayEncoder(element: FamilyEncoder, isNested: boolean): ValueEncoder {
  const takesTypedArrays = element.takesTypedArrays === true
  const asLevel = (value: unknown): Level | undefined => {
    if (Array.isArray(value)) return value
    return takesTypedArrays && types.isTypedArray(value) ? value : undefined
  }

  return (value, sink) => {
    const outer = asLevel(value)
    if (outer === undefined) {
      throw new RefusedValue(value, takesTypedArrays ? 'an array or typed array' : 'an array')
    }
    const lowerBounds = lowerBoundsOf(outer)
    const levelsAtMost = isNested ? MAX_DIMENSIONS + 1 : (lowerBounds?.length ?? 1)
    const lengths = lengthsOf(outer, asLevel, levelsAtMost)
    if (lengths.length > MAX_DIMENSIONS) {
      throw new RefusedValue(value, `at most ${MAX_DIMENSIONS} dimensions`)
    }
    // One-dimensional arrays, nearly all, are not copied.
    const elements = lengths.length === 1 ? outer : flatten(outer, lengths, asLevel)
    const count = lengths.length === 1 ? lengths[0]! : elements.length
    if (count === 0) {
      sink.array([], 0)
      return
    }
    sink.array(dimensionsOf(lengths, lowerBounds), count)
    writeElements(elements, count, element.encode, sink)
  }
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

function writeElements(elements: Level, count: number, encode: ValueEncoder, sink: ParameterSink): void {
  let index = 0
  try {
    for (; index < count; index++) {
      const value = elements[index]
      if (value === null || value === undefined) sink.null()
      else encode(value, sink)
    }
  } catch (error) {
    if (error instanceof RefusedValue) error.element = index + 1
    throw error
  }
}
