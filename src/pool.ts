import { inspect } from 'node:util'
import { CALL_OPTIONS, checkCallOptions, signalOf, timeoutOf } from './call-arguments'
import type { CloseOptions } from './connection'
import type { RowMode } from './decode/mapping'
import { errorFromFailure, InterfaceError } from './errors/index'
import type { ConnectionTarget, PoolStats, PoolTarget } from './native/door'
import { checkFunction, durationMs } from './options'
import { notACall, notByNew } from './other-drivers'
import { PoolConnection, withRelease } from './pool-connection'
import type { PoolHooks } from './pool-options'
import { type Lender, QueryMethods } from './query-methods'
import type { CallDefaults } from './send'
import type { Transaction } from './transaction'
import type { TransactionCallback, TransactionOptions } from './transaction-options'
import { transactionPidOf } from './transaction-scope'
import { describeArgument } from './types/describe-value'

export type { PoolStats } from './native/door'

/** Options of `acquire` and `use`. */
export interface AcquireOptions {
  /** Milliseconds to wait for a connection; 0 for no limit. Default: `acquireTimeoutMs` of the pool. */
  timeoutMs?: number | undefined
  /** Ends the waiting, which rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

/** What a pool is made of. Only the driver can make one: see `createPool`. */
export interface PoolParts<M extends RowMode> {
  /** @internal */
  readonly target: PoolTarget
  /** @internal */
  readonly defaults: CallDefaults
  /** @internal */
  readonly hooks: PoolHooks<M>
  /** @internal */
  readonly acquireTimeoutMs: number
}

const TIMEOUT_ONLY: ReadonlySet<string> = new Set(['timeoutMs'])

/** How long a call inside one of the pool's own transactions may wait for a second connection. */
const NESTED_TIMEOUT_MS = 1_000

/**
 * Connections for everybody. Queries can be made on the pool itself, and those that are single statements share its
 * connections; what needs a session of its own takes one by `acquire`, `use` or `transaction`.
 *
 * @typeParam M The row mode of calls that name none.
 */
export class Pool<M extends RowMode = 'object'> extends QueryMethods<M> {
  readonly #target: PoolTarget
  readonly #defaults: CallDefaults
  readonly #hooks: PoolHooks<M>
  readonly #acquireTimeoutMs: number
  readonly #hasHooks: boolean
  /** Sessions that have had their `init`. */
  readonly #initialized = new WeakSet<ConnectionTarget>()
  readonly #lend: Lender<M> = (call) => this.use((connection) => call(connection))

  protected constructor(parts: PoolParts<M>) {
    super()
    if (parts?.target === undefined) throw notByNew(new.target)
    this.#target = parts.target
    this.#defaults = parts.defaults
    this.#hooks = parts.hooks
    this.#acquireTimeoutMs = parts.acquireTimeoutMs
    const { init, setup, reset } = parts.hooks
    this.#hasHooks = init !== undefined || setup !== undefined || reset !== undefined
  }

  /** @internal */
  static _of<M extends RowMode>(parts: PoolParts<M>): Pool<M> {
    return new Pool<M>(parts)
  }

  /** The number of connections and of calls that wait for one, now, and counters. */
  get stats(): PoolStats {
    return this.#target.stats()
  }

  /**
   * Leases a connection, which has to be released: `await using connection = await pool.acquire()`.
   *
   * @throws TimeoutError when none has become free in time.
   * @throws InterfaceError when the pool is closed, or when it is called inside one of the pool's own transactions and
   * no connection has become free within a second.
   */
  async acquire(options?: AcquireOptions): Promise<PoolConnection<M>> {
    checkCallOptions(options, CALL_OPTIONS)
    const givenMs = timeoutOf(options, this.#acquireTimeoutMs)
    const signal = signalOf(options)
    const holderPid = this.#holderPidWhenFull()
    const timeoutMs =
      holderPid !== undefined && (givenMs === 0 || givenMs > NESTED_TIMEOUT_MS) ? NESTED_TIMEOUT_MS : givenMs
    const request = this.#target.acquire({ timeoutMs, signal })
    await request.settled
    if (request.failure !== undefined) {
      if (holderPid !== undefined && timeoutMs !== givenMs && request.failure.kind === 'timeout') {
        throw nestingError(this.stats.maxSize, holderPid)
      }
      throw errorFromFailure(request.failure)
    }
    const target = request.connection!
    const connection = PoolConnection._lend({
      target,
      defaults: this.#defaults,
      hooks: this.#hooks,
      owner: this,
    })
    if (this.#hasHooks) {
      const isNew = !this.#initialized.has(target)
      await connection._prepare(isNew)
      if (isNew) this.#initialized.add(target)
    }
    return connection
  }

  /**
   * Gives a connection back. Giving it back again does nothing.
   *
   * @throws InterfaceError when it is not one of this pool.
   */
  async release(connection: PoolConnection<M>): Promise<void> {
    if (!(connection instanceof PoolConnection)) {
      throw new InterfaceError(
        `release: expected a connection of the pool, not ${describeArgument(connection)}`,
      )
    }
    if (connection._owner !== this) throw new InterfaceError('release: the connection is one of another pool')
    await connection.release()
  }

  /** Runs `callback` with a connection that it has for itself. */
  async use<R>(
    callback: (connection: PoolConnection<M>) => R | PromiseLike<R>,
    options?: AcquireOptions,
  ): Promise<R> {
    checkFunction('use', callback)
    return withRelease(await this.acquire(options), callback)
  }

  /** Runs `callback` in a transaction, on a connection that it has for itself. */
  async transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R> {
    checkFunction('transaction', callback)
    return withRelease(await this.acquire(), (connection) => connection.transaction(callback, options))
  }

  /** A transaction that has been started, on a connection that goes back to the pool when it ends. */
  async begin(options?: TransactionOptions): Promise<Transaction<M>> {
    const connection = await this.acquire()
    try {
      const transaction = await connection.begin(options)
      transaction._whenOver(() => connection.release())
      return transaction
    } catch (error) {
      await connection.release()
      throw error
    }
  }

  /** Replaces all connections: the idle ones now, the others when they come back. */
  expireConnections(): void {
    this.#target.expire()
  }

  /** Waits until all connections are back, and closes them. Nothing new is accepted. */
  async close(options?: CloseOptions): Promise<void> {
    checkCallOptions(options, TIMEOUT_ONLY)
    const timeoutMs = options?.timeoutMs === undefined ? 0 : durationMs('timeoutMs', options.timeoutMs)
    const request = this.#target.close(timeoutMs)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure)
  }

  /** Ends all connections at once; calls in flight reject. */
  terminate(): void {
    this.#target.terminate()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    const { size, maxSize, idle, waiting } = this.stats
    return `Pool { size: ${size} of ${maxSize}, idle: ${idle}, waiting: ${waiting} }`
  }

  /** @internal pg's name. */
  connect(): never {
    throw notACall('connect')
  }

  /** @internal */
  get _defaults(): CallDefaults {
    return this.#defaults
  }

  /** @internal */
  _target(): PoolTarget {
    return this.#target
  }

  /** @internal Hooks want a lease, and so does a call that may have to be told that it waits for itself. */
  override _lender(): Lender<M> | undefined {
    return this.#hasHooks || this.#holderPidWhenFull() !== undefined ? this.#lend : undefined
  }

  /** Called inside one of the pool's own transactions while no connection is free: the pid of its connection. */
  #holderPidWhenFull(): number | undefined {
    const pid = transactionPidOf(this)
    if (pid === undefined) return undefined
    const { idle, size, opening, maxSize } = this.stats
    return idle === 0 && size + opening >= maxSize ? pid : undefined
  }
}

function nestingError(maxSize: number, holderPid: number): Error {
  return new InterfaceError(
    `a call on the pool inside one of the pool's own transactions waited for a connection, and all ${maxSize} are in ` +
      `use, one of them (server pid ${holderPid}) by that transaction: make the call on the transaction, or make the ` +
      'pool larger',
  )
}
