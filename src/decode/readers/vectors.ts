import { MARK_EXTRA } from '../mailbox-views'
import { calledReader } from './column-reader'
import { extraAt } from './text'

const FLOAT_BYTES = 4

/** vector, halfvec: float4 elements, little-endian, copied into memory of their own, where they are aligned. */
export const vectorReader = calledReader((views, cell, text) => {
  const start = views.u[2 * cell]!
  const bytes: Uint8Array =
    views.n[cell] === MARK_EXTRA
      ? (extraAt(text, start) as Uint8Array)
      : views.t.subarray(start, views.u[2 * cell + 1])
  const vector = new Float32Array(bytes.length / FLOAT_BYTES)
  new Uint8Array(vector.buffer).set(bytes)
  return vector
})
