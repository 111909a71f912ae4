import type { RowMode } from './decode/mapping'
import { ClientConfigurationError } from './errors/index'
import { abortSignal, checkOptions, durationMs, flag, wholeNumber } from './options'
import type { Transaction } from './transaction'
import { describeArgument } from './types/describe-value'

/** PostgreSQL manual, "Transaction Isolation". The words may be joined by underscores, as in asyncpg, or spaces. */
export type IsolationLevel =
  | 'read_uncommitted'
  | 'read uncommitted'
  | 'read_committed'
  | 'read committed'
  | 'repeatable_read'
  | 'repeatable read'
  | 'serializable'

/** How a transaction is started. What is left out is as the server has it (`default_transaction_isolation` …). */
export interface TransactionOptions {
  /** Inside a transaction it has to be the one of the outermost. */
  isolation?: IsolationLevel | undefined
  /** Refuses writes to tables. */
  readOnly?: boolean | undefined
  /** With `serializable` and `readOnly`: waits at the start for a snapshot that can no longer fail. */
  deferrable?: boolean | undefined
  /**
   * How many more times the callback may be called when PostgreSQL refuses the transaction with a serialization failure
   * or a deadlock (40001, 40P01). Default 0. Inside a transaction it has no effect: the outermost is repeated.
   */
  retry?: number | undefined
  /**
   * Milliseconds for all of it: for getting a connection of the pool, waiting for its turn, BEGIN, what is done in it, all
   * repetitions, and COMMIT; 0 for no limit. When they are over the transaction is rolled back, what runs in it is
   * cancelled, and it rejects with a TimeoutError, whether or not its callback has ended; but a COMMIT that has been sent is
   * a TransactionResolutionUnknownError. Default: no limit for all of it; to start, `acquireTimeoutMs` of the pool for its
   * connection and `commandTimeoutMs` for the rest.
   */
  timeoutMs?: number | undefined
  /** Ends it in the same way when it fires: it rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

/** What is done in a transaction. */
export type TransactionCallback<R, M extends RowMode = 'object'> = (
  transaction: Transaction<M>,
) => R | PromiseLike<R>

/** Options after their check. */
export interface CheckedTransactionOptions {
  /** As `SHOW transaction_isolation` gives it. */
  readonly isolation: string | undefined
  readonly isReadOnly: boolean | undefined
  readonly isDeferrable: boolean | undefined
  readonly retry: number
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal | undefined
}

const ISOLATION_LEVELS: readonly string[] = [
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
]
const KNOWN: ReadonlySet<string> = new Set([
  'isolation',
  'readOnly',
  'deferrable',
  'retry',
  'timeoutMs',
  'signal',
])
const MAX_RETRIES = 1_000
const DEFAULTS: CheckedTransactionOptions = {
  isolation: undefined,
  isReadOnly: undefined,
  isDeferrable: undefined,
  retry: 0,
  timeoutMs: undefined,
  signal: undefined,
}

/** @throws ClientConfigurationError */
export function checkTransactionOptions(options: TransactionOptions | undefined): CheckedTransactionOptions {
  if (options === undefined) return DEFAULTS
  checkOptions(options, KNOWN, 'options of the transaction')
  const { isolation, readOnly, deferrable, retry, timeoutMs, signal } = options
  return {
    isolation: isolation === undefined ? undefined : isolationLevel(isolation),
    isReadOnly: readOnly === undefined ? undefined : flag('readOnly', readOnly),
    isDeferrable: deferrable === undefined ? undefined : flag('deferrable', deferrable),
    retry: retry === undefined ? 0 : wholeNumber('retry', retry, 0, MAX_RETRIES),
    timeoutMs: timeoutMs === undefined ? undefined : durationMs('timeoutMs', timeoutMs),
    signal: signal === undefined ? undefined : abortSignal('signal', signal),
  }
}

function isolationLevel(given: unknown): string {
  const level = typeof given === 'string' ? given.replaceAll('_', ' ') : ''
  if (ISOLATION_LEVELS.includes(level)) return level
  const words = ISOLATION_LEVELS.map((known) => `'${known.replaceAll(' ', '_')}'`).join(', ')
  throw new ClientConfigurationError(
    `option 'isolation' must be one of ${words}, not ${describeArgument(given)}`,
  )
}

/** The command that starts a transaction (PostgreSQL manual, BEGIN). */
export function beginCommand({ isolation, isReadOnly, isDeferrable }: CheckedTransactionOptions): string {
  let command = 'BEGIN'
  if (isolation !== undefined) command += ` ISOLATION LEVEL ${isolation.toUpperCase()}`
  if (isReadOnly !== undefined) command += isReadOnly ? ' READ ONLY' : ' READ WRITE'
  if (isDeferrable !== undefined) command += isDeferrable ? ' DEFERRABLE' : ' NOT DEFERRABLE'
  return command
}

/** The commands that start a savepoint; its being read-only ends with it (PostgreSQL manual, SET TRANSACTION). */
export function savepointCommand(name: string, { isReadOnly }: CheckedTransactionOptions): string {
  if (isReadOnly === undefined) return `SAVEPOINT ${name}`
  return `SAVEPOINT ${name}; SET TRANSACTION READ ${isReadOnly ? 'ONLY' : 'WRITE'}`
}
