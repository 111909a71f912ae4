import { types } from 'node:util'

/**
 * The sizes of views by the getters of their classes: an own property of the same name, or a class of the
 * application's that has another getter, says nothing of the memory.
 */
type Getter<T> = (this: ArrayBufferView) => T

function getterOf<T>(prototype: object, name: string): Getter<T> {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get as Getter<T>
}

const TYPED_ARRAY: object = Object.getPrototypeOf(Uint8Array.prototype)
const typedBuffer = getterOf<ArrayBufferLike>(TYPED_ARRAY, 'buffer')
const typedOffset = getterOf<number>(TYPED_ARRAY, 'byteOffset')
const typedBytes = getterOf<number>(TYPED_ARRAY, 'byteLength')
const dataBuffer = getterOf<ArrayBufferLike>(DataView.prototype, 'buffer')
const dataOffset = getterOf<number>(DataView.prototype, 'byteOffset')
const dataBytes = getterOf<number>(DataView.prototype, 'byteLength')
/** `slice` of all typed arrays: it copies, which a Buffer's own does not. */
const sliceOf = Uint8Array.prototype.slice

/** How many bytes a Uint8Array has; 0 when its memory is detached. */
export function byteCountOf(bytes: Uint8Array): number {
  return typedBytes.call(bytes)
}

/**
 * A view's bytes, in the memory that it shows.
 *
 * @throws TypeError when the memory of a DataView is detached or too short by now.
 */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  if (types.isUint8Array(view)) return view
  if (types.isTypedArray(view)) {
    return new Uint8Array(typedBuffer.call(view), typedOffset.call(view), typedBytes.call(view))
  }
  return new Uint8Array(dataBuffer.call(view), dataOffset.call(view), dataBytes.call(view))
}

/** The same as a Buffer. */
export function bufferOf(view: ArrayBufferView): Buffer {
  const bytes = bytesOf(view)
  return Buffer.from(typedBuffer.call(bytes), typedOffset.call(bytes), typedBytes.call(bytes))
}

/** Whether the bytes can change or go without the application's code running: memory of threads, or that is resized. */
export function isUnsteady(bytes: Uint8Array): boolean {
  const buffer = typedBuffer.call(bytes)
  return types.isSharedArrayBuffer(buffer) || (buffer as { readonly resizable?: boolean }).resizable === true
}

/**
 * A view of the same kind with memory of its own.
 *
 * @throws TypeError when the memory is detached.
 */
export function copyOfView(view: ArrayBufferView): ArrayBufferView {
  if (types.isTypedArray(view)) return sliceOf.call(view as Uint8Array)
  return new DataView(sliceOf.call(bytesOf(view)).buffer)
}
