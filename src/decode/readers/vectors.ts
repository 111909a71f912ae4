import { MARK_ASIDE } from '../mailbox-views'
import { type ColumnReader, calledReader } from './column-reader'

const FLOAT_BYTES = 4

/** Elements are float4, little-endian, copied into memory of their own, where they are aligned. */
const readVector = calledReader((views, cell, text) => {
  const start = views.u[2 * cell]!
  const bytes: Uint8Array =
    views.n[cell] === MARK_ASIDE
      ? (text.extras[start] as Uint8Array)
      : views.t.subarray(start, views.u[2 * cell + 1])
  const vector = new Float32Array(bytes.length / FLOAT_BYTES)
  new Uint8Array(vector.buffer).set(bytes)
  return vector
})

/** vector, halfvec: may be given as arrays of numbers, so arrays of them have to show their dimensions. */
export const vectorReader: ColumnReader = { ...readVector, mayBeArray: true }
