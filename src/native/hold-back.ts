import { types } from 'node:util'

/** `slice` of all typed arrays: it copies, which a Buffer's own does not. */
const sliceOf = Uint8Array.prototype.slice

/**
 * Parameters that are encoded after the call has returned: bytes among them are copied, since the caller may change
 * them meanwhile. The array itself must be a copy already, and stays the same if it has no bytes.
 */
export function holdBack(params: readonly unknown[]): readonly unknown[] {
  let held: unknown[] | undefined
  for (let index = 0; index < params.length; index++) {
    const value = params[index]
    if (!ArrayBuffer.isView(value)) continue
    held ??= params.slice()
    held[index] = copyOf(value)
  }
  return held ?? params
}

/** A view of the same class with memory of its own. */
function copyOf(view: ArrayBufferView): unknown {
  try {
    if (types.isTypedArray(view)) return sliceOf.call(view as Uint8Array)
    return new DataView(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))
  } catch {
    // Detached memory, which the encoder refuses, naming the parameter.
    return view
  }
}
