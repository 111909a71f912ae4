import { type CellViews, MARK_NULL, MARK_VALUE } from '../mailbox-views'
import type { CellReader, RunReader } from './column-reader'

/** Runs up to this length start as copies of a template. */
const TEMPLATE_LENGTH = 1024

/**
 * Templates by the kind of their elements: V8 copies one as a block of memory, and the copy is packed, has its final
 * length, and suits the values that come. That is several times faster than pushing values onto an empty array.
 */
const integers = template(0)
const doubles = template(0.5)
const references = template<unknown>(null)

function template<T>(value: T): readonly T[] {
  const array: T[] = []
  for (let k = 0; k < TEMPLATE_LENGTH; k++) array.push(value)
  return array
}

function blankRun<T>(length: number, values: readonly T[]): T[] {
  return length <= TEMPLATE_LENGTH ? values.slice(0, length) : []
}

/** Elements by calls of their reader. */
export function runOf(read: CellReader): RunReader {
  return (views, first, length, text) => {
    const run = blankRun(length, references)
    for (let k = 0, cell = first; k < length; k++, cell++) {
      run[k] = views.n[cell] === MARK_NULL ? null : read(views, cell, text)
    }
    return run
  }
}

/** int2, int4 */
export function int32Run({ i, n }: CellViews, first: number, length: number): unknown[] {
  const run: unknown[] = blankRun(length, integers)
  for (let k = 0, cell = first; k < length; k++, cell++) run[k] = n[cell] === MARK_VALUE ? i[2 * cell] : null
  return run
}

/** oid, xid, cid */
export function uint32Run({ u, n }: CellViews, first: number, length: number): unknown[] {
  const run: unknown[] = blankRun(length, integers)
  for (let k = 0, cell = first; k < length; k++, cell++) run[k] = n[cell] === MARK_VALUE ? u[2 * cell] : null
  return run
}

/** float4, float8 */
export function doubleRun({ f, n }: CellViews, first: number, length: number): unknown[] {
  const run: unknown[] = blankRun(length, doubles)
  for (let k = 0, cell = first; k < length; k++, cell++) {
    // Two stores: a choice between a double and null would box every double.
    if (n[cell] === MARK_VALUE) run[k] = f[cell]
    else run[k] = null
  }
  return run
}

/** int8 whose values are numbers where they can be; most fit 32 bits, and `readWide` reads the others. */
export function int8Run(readWide: CellReader): RunReader {
  return (views, first, length, text) => {
    const { i, n } = views
    const run: unknown[] = blankRun(length, integers)
    for (let k = 0, cell = first; k < length; k++, cell++) {
      const low = i[2 * cell]!
      if (n[cell] !== MARK_VALUE) run[k] = null
      else run[k] = low >> 31 === i[2 * cell + 1] ? low : readWide(views, cell, text)
    }
    return run
  }
}
