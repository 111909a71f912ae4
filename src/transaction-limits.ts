import {
  errorFromFailure,
  type Failure,
  InterfaceError,
  TimeoutError,
  TransactionResolutionUnknownError,
} from './errors/index'
import { Limit } from './limit'
import { CallGroup, thrown } from './native/door'
import type { TransactionHost } from './transaction-host'
import type { CheckedTransactionOptions as Checked } from './transaction-options'
import type { Scope } from './transaction-scope'

/** What a transaction may take to start: all of its own limit, or else that of a call. */
export function startLimit(host: TransactionHost, whole: Limit | undefined, options: Checked): Limit {
  if (whole !== undefined && options.timeoutMs !== undefined) return whole
  return new Limit(host._defaults.commandTimeoutMs, options.signal)
}

/** What is asked of all of a transaction, from here on; undefined when nothing is. */
export function wholeLimit({ timeoutMs, signal }: Checked): Limit | undefined {
  return timeoutMs === undefined && signal === undefined ? undefined : new Limit(timeoutMs ?? 0, signal)
}

/** A transaction's time limit and signal, over all that is done in it. */
export class TransactionLimit {
  /** The calls that are made in it, and the transactions inside it. */
  readonly calls = new CallGroup()
  readonly #limit: Limit
  #stop: (() => void) | undefined
  #isStopped = false

  constructor(limit: Limit) {
    this.#limit = limit
  }

  /** Calls back when the time is over or the signal fires, unless it was stopped. */
  start(end: (failure: Failure) => void, isReferenced: boolean): void {
    const stop = this.#limit.onEnd((isAborted) => end(this.#failure(isAborted)), isReferenced)
    if (this.#isStopped) stop()
    else this.#stop = stop
  }

  stop(): void {
    this.#isStopped = true
    this.#stop?.()
  }

  /** What has ended it, if its time is over or its signal has fired. */
  get failure(): Failure | undefined {
    const { signal } = this.#limit
    return this.#limit.isOver ? this.#failure(signal?.aborted === true) : undefined
  }

  #failure(isAborted: boolean): Failure {
    const { signal, timeoutMs } = this.#limit
    if (isAborted) return thrown(signal?.reason)
    return {
      kind: 'timeout',
      message: `the transaction did not end within ${timeoutMs} ms`,
      safeToRetry: this.calls.keepsTransaction(),
    }
  }
}

/** What whoever works in a transaction is told for which that was the end: nothing of it stays. */
export function rolledBack(failure: Failure): Failure {
  if (failure.kind !== 'timeout') return failure
  return { ...failure, message: `${failure.message}, and is rolled back` }
}

/** All of it, with what was tried. */
export function lateRepetition(timeoutMs: number, cause: unknown): TimeoutError {
  return new TimeoutError(`the transaction did not succeed within ${timeoutMs} ms`, {
    safeToRetry: true,
    cause,
  })
}

/** How long the ROLLBACK of a callback that threw may take if nobody has set a limit: nobody asked for it either. */
export const OWN_ROLLBACK_LIMIT_MS = 60_000

/** Whether it makes what was done last. */
const isDecision = (command: string): boolean => command === 'COMMIT' || command === 'PREPARE TRANSACTION'

/** Its end was not answered in time, but is on its way. Of a COMMIT that means what a lost answer means (08007). */
export function lateEnd(command: string, timeoutMs: number): Error {
  const message = `${command} was not answered within ${timeoutMs} ms; ${GOES_OUT}`
  const late = new TimeoutError(message, { safeToRetry: false })
  return isDecision(command) ? unknownEnd(message, late) : late
}

/** The same where the transaction's own limit ended meanwhile, for this reason. */
export function cutEnd(command: string, failure: Failure): unknown {
  const cause = errorFromFailure({ ...failure, safeToRetry: false })
  if (!isDecision(command)) return cause
  const when = failure.kind === 'timeout' ? 'in the time of the transaction' : 'before the signal fired'
  return unknownEnd(`${command} was not answered ${when}; ${GOES_OUT}`, cause)
}

/** What became of an end that was sent; Rust calls each that may commit a COMMIT. */
export function failedEnd(command: string, failure: Failure): unknown {
  if (failure.sqlstate !== UNKNOWN_RESOLUTION) return errorFromFailure(failure)
  return errorFromFailure({ ...failure, message: lostEnd(command) })
}

export function lostEnd(command: string): string {
  return `the connection was lost while ${command} was under way: whether the transaction took effect is not known`
}

const UNKNOWN_RESOLUTION = TransactionResolutionUnknownError.sqlstate

const GOES_OUT = 'it still goes out, with an outcome not known'

function unknownEnd(message: string, cause: unknown): Error {
  return new TransactionResolutionUnknownError(message, { safeToRetry: false, cause })
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
  { isolation, isDeferrable }: Checked,
): Promise<void> {
  if (isDeferrable !== undefined) {
    throw new InterfaceError("option 'deferrable' is for the outermost transaction only")
  }
  if (isolation === undefined) return
  let outer = scope.outermost.isolation
  if (outer === undefined) {
    const options = { ...host._defaults.value, timeoutMs: 0, group: scope.calls }
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
