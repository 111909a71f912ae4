import { isThrown } from './errors/thrown-reason'

/**
 * Keeps an error that came while another one was being dealt with: as the other's `cause`, or if that is taken, as its
 * `suppressed`.
 */
export function attachSuppressed(error: unknown, second: unknown): void {
  if (!isThrown(error, Error) || error === second || !Object.isExtensible(error)) return
  const name = error.cause === undefined ? 'cause' : 'suppressed'
  Object.defineProperty(error, name, { value: second, writable: true, configurable: true })
}
