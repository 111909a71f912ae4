import {
  errorFromFailure,
  type Failure,
  InterfaceError,
  TimeoutError,
  TransactionResolutionUnknownError,
} from './errors/index'
import { Limit } from './limit'
import type { TransactionHost } from './transaction-host'
import type { CheckedTransactionOptions } from './transaction-options'
import type { Scope } from './transaction-scope'

/** How long a transaction may take to start. */
export function startLimit(host: TransactionHost, { timeoutMs, signal }: CheckedTransactionOptions): Limit {
  return new Limit(timeoutMs ?? host._defaults.commandTimeoutMs, signal)
}

/** How long the ROLLBACK of a callback that threw may take if nobody has set a limit: nobody asked for it either. */
export const OWN_ROLLBACK_LIMIT_MS = 60_000

/** BEGIN was not answered in time. It is undone, and nothing was done in the transaction. */
export function lateStart(timeoutMs: number): TimeoutError {
  return new TimeoutError(`the transaction did not start within ${timeoutMs} ms`, { safeToRetry: true })
}

/** We stopped hearing of a request, by a time limit or a signal: it may still be carried out. */
export function isGivenUp({ kind }: Failure): boolean {
  return kind === 'timeout' || kind === 'thrown'
}

/** Its end was not answered in time, but is on its way. Of a COMMIT that means what a lost answer means (08007). */
export function lateEnd(command: string, timeoutMs: number): Error {
  const message = `${command} was not answered within ${timeoutMs} ms; it still goes out, with an outcome not known`
  const late = new TimeoutError(message, { safeToRetry: false })
  if (command !== 'COMMIT') return late
  return new TransactionResolutionUnknownError(message, { safeToRetry: false, cause: late })
}

/**
 * Checks what a nested transaction asks for: only the outermost has an isolation level of its own.
 *
 * @param scope The nested transaction's.
 * @throws InterfaceError
 */
export async function checkNesting(
  host: TransactionHost,
  scope: Scope,
  { isolation, isDeferrable }: CheckedTransactionOptions,
): Promise<void> {
  if (isDeferrable !== undefined) {
    throw new InterfaceError("option 'deferrable' is for the outermost transaction only")
  }
  if (isolation === undefined) return
  let outer = scope.outermost.isolation
  if (outer === undefined) {
    const options = { ...host._defaults.value, timeoutMs: 0 }
    const request = host._target().query('SHOW transaction_isolation', undefined, options)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure)
    outer = (request.rows[0] as string[])[0]
  }
  if (isolation !== outer) {
    throw new InterfaceError(
      `a nested transaction cannot have another isolation level: '${isolation}' inside '${outer}'`,
    )
  }
}
