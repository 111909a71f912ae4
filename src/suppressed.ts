import { inspect } from 'node:util'
import { InterfaceError, InternalClientError, PostgresError, TimeoutError } from './errors/index'
import { isThrown } from './errors/thrown-reason'

const OWN = [PostgresError, InterfaceError, InternalClientError, TimeoutError]

/**
 * Keeps an error that came while another one was being dealt with, which is what the caller gets. One of the driver's has it as
 * `cause`, or if that is taken, as `suppressed`. What the application has thrown is not changed: it may be shared, or compared, and
 * the second error is not its cause. Then a warning of the process tells.
 */
export function keepSuppressed(error: unknown, second: unknown): void {
  if (error === second) return
  if (!OWN.some((each) => isThrown(error, each)) || !Object.isExtensible(error)) {
    process.emitWarning("the rollback or release after an error of the application's came to an error too", {
      type: 'OxpgWarning',
      code: 'OXPG_SUPPRESSED',
      detail: inspect(second),
    })
    return
  }
  const name = (error as Error).cause === undefined ? 'cause' : 'suppressed'
  Object.defineProperty(error, name, { value: second, writable: true, configurable: true })
}
