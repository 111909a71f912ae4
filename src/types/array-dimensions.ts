/** V8 ends the process where an array that is put together grows beyond some 100 million elements. */
export const LONGEST_ARRAY = 2 ** 26

const LOWER_BOUNDS = Symbol('oxpg.lowerBounds')

/**
 * Notes the lower bound of each dimension on an array that came from PostgreSQL. The mark is not enumerable, and
 * copies of the array do not have it.
 */
export function markLowerBounds(array: unknown[], lowerBounds: readonly number[]): void {
  Object.defineProperty(array, LOWER_BOUNDS, { value: lowerBounds, configurable: true })
}

/** The lower bounds noted on an array, one a dimension, or undefined when there are none. */
export function lowerBoundsOf(array: object): readonly number[] | undefined {
  return (array as { [LOWER_BOUNDS]?: readonly number[] })[LOWER_BOUNDS]
}
