import { InterfaceError } from '../errors/index'
import { PARAMETERS_BYTES } from '../types/boundary'

/** What is said of parameters that PostgreSQL takes in no message. */
export function tooLong(): InterfaceError {
  return new InterfaceError(
    `the parameters are longer than PostgreSQL takes in one message (1 GiB; here at most ${PARAMETERS_BYTES} bytes)`,
  )
}

/** What is said of parameters that no command has room for. */
export const tooMany = (): InterfaceError => new InterfaceError('the parameters have too many elements')

/**
 * Adds up the texts and byte strings among parameters that are about to be copied.
 *
 * @throws InterfaceError when they are too long for one message.
 */
export function checkLength(params: readonly unknown[]): void {
  if (isTooLong(params)) throw tooLong()
}

/** Whether that is so. */
export function isTooLong(params: readonly unknown[]): boolean {
  let bytes = 0
  for (let index = 0; index < params.length; index++) {
    const value = params[index]
    // UTF-8 has a byte at least for each UTF-16 unit.
    if (typeof value === 'string') bytes += value.length
    else if (ArrayBuffer.isView(value)) bytes += lengthOf(value)
  }
  return bytes > PARAMETERS_BYTES
}

function lengthOf(view: ArrayBufferView): number {
  try {
    return view.byteLength
  } catch {
    // Detached memory, which the encoder refuses, naming the parameter.
    return 0
  }
}
