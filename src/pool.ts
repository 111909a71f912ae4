import { inspect } from 'node:util'
import { checkCallOptions } from './call-arguments'
import type { CloseOptions } from './connection'
import { type ContextOptions, checkContext, NO_CONTEXT } from './context-options'
import type { RowMode } from './decode/mapping'
import { errorFromFailure, InterfaceError, type PostgresLogMessage } from './errors/index'
import { checkPoolListen, type ListenOptions, type PoolListenOptions } from './listen-options'
import {
  type ContextStatement,
  callRefused,
  onPoolEnd,
  openPools,
  type PoolStats,
  type PoolTarget,
  type QueryLogger,
  QueryLoggers,
  type ServerPlace,
  takenNow,
} from './native/door'
import type { Notification, NotificationGap, PoolNotificationHandler } from './notification'
import { checkFunction, durationMs } from './options'
import { notACall, notByNew } from './other-drivers'
import { waitForClose } from './pool-close'
import { PoolConnection, withHandBack, withRelease } from './pool-connection'
import { PoolContext } from './pool-context'
import { PoolEvents, type PoolSession, type PoolSessionEnd } from './pool-events'
import { describeHolders, PoolLeases } from './pool-leases'
import { type Claim, PoolLending, type StreamWait } from './pool-lending'
import type { PoolListener } from './pool-listener'
import type { PoolHooks } from './pool-options'
import { type Lender, QueryMethods } from './query-methods'
import type { CallOptions } from './query-options'
import { LeasedSource, type RowSource, type SourceQuery } from './row-source'
import type { CallDefaults } from './send'
import type { Subscription } from './subscription'
import { keepSuppressed } from './suppressed'
import type { Transaction } from './transaction'
import { joinedTransaction } from './transaction-frames'
import type { TransactionCallback, TransactionOptions } from './transaction-options'
import { endPrepared } from './two-phase'
import { CloseReason } from './types/boundary'
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
  /** @internal Whether it was asked for. */
  readonly isAcquireTimeoutGiven: boolean
  /** @internal */
  readonly leakDetectionMs: number
  /** @internal Whether calls join the transaction in whose callback they are made. */
  readonly isAmbient: boolean
  /** @internal */
  readonly listener: PoolListener
}

/** What is measured of a pool. */
export interface ObservedPool {
  /** The same object each time. */
  readonly identity: object
  /** Where its sessions are. */
  readonly place: ServerPlace
  readonly stats: PoolStats
}

const observedPool = (target: PoolTarget): ObservedPool => ({
  identity: target,
  place: target.place(),
  stats: target.stats(),
})

/** A method that the application has called. */
// biome-ignore lint/suspicious/noExplicitAny: it is only looked for in a stack.
type PublicMethod = (...parameters: any[]) => unknown

const TIMEOUT_ONLY: ReadonlySet<string> = new Set(['timeoutMs'])

/**
 * Connections for everybody. Queries can be made on the pool itself, and those that are single statements share its
 * connections; what needs a session of its own takes one by `acquire`, `use` or `transaction`.
 *
 * @typeParam M The row mode of calls that name none.
 */
export class Pool<M extends RowMode = 'object'> extends QueryMethods<M> {
  readonly #target: PoolTarget
  readonly #defaults: CallDefaults
  readonly #acquireTimeoutMs: number
  readonly #isAmbient: boolean
  readonly #leases: PoolLeases
  readonly #events: PoolEvents
  readonly #listener: PoolListener
  readonly #lending: PoolLending<M>
  readonly #loggers = new QueryLoggers()
  readonly #lend: Lender<M> = (call, options, params) => {
    const taken = takenNow(params)
    return this.#lending.forCall((host, rest) => call(host, rest, taken), options)
  }

  protected constructor(parts: PoolParts<M>) {
    super()
    if (parts?.target === undefined) throw notByNew(new.target)
    this.#target = parts.target
    this.#defaults = parts.defaults
    this.#acquireTimeoutMs = parts.acquireTimeoutMs
    this.#isAmbient = parts.isAmbient
    const leases = new PoolLeases(parts.leakDetectionMs)
    const events = new PoolEvents(parts.target)
    this.#leases = leases
    this.#lending = new PoolLending({ ...parts, owner: this, leases })
    this.#events = events
    this.#listener = parts.listener
    parts.target.onPooledClosed = (connection, failure, reason) => {
      // What a terminated pool had lent is told of by the close that has waited for it.
      if (reason === CloseReason.POOL_TERMINATED) leases.keep()
      else leases.end(connection)
      events.ended(connection, failure, reason)
    }
    parts.target.onWaitInVain = () => {
      const holders = leases.holders()
      return { holders, text: describeHolders(holders) }
    }
  }

  /** @internal */
  static _of<M extends RowMode>(parts: PoolParts<M>): Pool<M> {
    return new Pool<M>(parts)
  }

  /** @internal The pools that are open in this thread. */
  static _open(): ObservedPool[] {
    return openPools().map(observedPool)
  }

  /** @internal Calls back with each that ends, until what it gives is called. */
  static _onEnd(tell: (pool: ObservedPool) => void): () => void {
    return onPoolEnd((target) => tell(observedPool(target)))
  }

  /** The number of connections and of calls that wait for one, now, and counters. */
  get stats(): PoolStats {
    return this.#target.stats()
  }

  /**
   * Leases a connection, which has to be released: `await using connection = await pool.acquire()`.
   *
   * @throws TimeoutError when none has become free, or the pool's hooks have not ended, in time.
   * @throws InterfaceError when the pool is closed; or when it is called inside one of the pool's own transactions, no
   * limit was asked for, and no connection has become free within a second.
   */
  async acquire(options?: AcquireOptions): Promise<PoolConnection<M>> {
    return this.#lending.acquire(options, { call: 'acquire', stack: this.#leases.stackAt(this.acquire) })
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

  /**
   * Runs `callback` with a connection that it has for itself, which is clean again when this resolves. What came of it stands:
   * a `reset` hook that fails costs the session, and is told of by a warning (`OXPG_RESET_HOOK`).
   */
  async use<R>(
    callback: (connection: PoolConnection<M>) => R | PromiseLike<R>,
    options?: AcquireOptions,
  ): Promise<R> {
    checkFunction('use', callback)
    const claim: Claim = { call: 'use', stack: this.#leases.stackAt(this.use) }
    return withRelease(await this.#lending.acquire(options, claim), callback)
  }

  /** Runs `callback` in a transaction, on a connection that it has for itself. */
  async transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R> {
    checkFunction('transaction', callback)
    const joined = this.#joined()
    if (joined !== undefined) return joined.transaction(callback, options)
    return this._transactionIn(undefined, callback, options, this.transaction)
  }

  /** @internal The same with settings of its own; `caller` is the method that was called. */
  async _transactionIn<R>(
    context: ContextStatement | undefined,
    callback: TransactionCallback<R, M>,
    options: TransactionOptions | undefined,
    caller: PublicMethod,
  ): Promise<R> {
    const claim: Claim = { call: 'transaction', stack: this.#leases.stackAt(caller) }
    const { connection, whole } = await this.#lending.toStart(options, claim)
    return withHandBack(
      connection,
      () => connection._transactionWithin(callback, options, whole, context),
      whole,
    )
  }

  /** A transaction that has been started, on a connection that goes back to the pool when it ends. */
  async begin(options?: TransactionOptions): Promise<Transaction<M>> {
    const joined = this.#joined()
    if (joined !== undefined) return joined.begin(options)
    return this._beginIn(undefined, options, this.begin)
  }

  /** @internal The same with settings of its own. */
  async _beginIn(
    context: ContextStatement | undefined,
    options: TransactionOptions | undefined,
    caller: PublicMethod,
    stream?: StreamWait,
  ): Promise<Transaction<M>> {
    const call = stream === undefined ? 'begin' : 'stream'
    const claim: Claim = { call, stack: this.#leases.stackAt(caller) }
    const { connection, whole } = await this.#lending.toStart(options, claim, stream)
    try {
      const transaction = await connection._beginWithin(options, whole, context)
      transaction._whenOver(() => connection._handBackQuietly())
      return transaction
    } catch (error) {
      await connection.release().catch((second: unknown) => keepSuppressed(error, second))
      throw error
    }
  }

  /**
   * Commits a transaction that `prepareTransaction` has left, on this connection or any other, or before a crash of the server
   * (manual, "COMMIT PREPARED"). Only its owner and superusers may, in the same database, outside of a transaction.
   *
   * @throws UndefinedObjectError when there is none of this name: it has been committed or rolled back already.
   * @throws TransactionResolutionUnknownError when the connection was lost meanwhile.
   */
  async commitPrepared(gid: string, options?: CallOptions): Promise<void> {
    await endPrepared(this, 'COMMIT', gid, options)
  }

  /**
   * Rolls such a transaction back (manual, "ROLLBACK PREPARED").
   *
   * @throws UndefinedObjectError when there is none of this name.
   */
  async rollbackPrepared(gid: string, options?: CallOptions): Promise<void> {
    await endPrepared(this, 'ROLLBACK', gid, options)
  }

  /**
   * Listens to a channel on a connection that all subscriptions of the pool share, beside the `maxSize` others. It is opened
   * with the first subscription and closed with the last. When it is lost it is opened again, as often as it takes, and listens
   * to all channels; what was sent meanwhile is lost, of which `onGap` and iterations are told. A link that is cut off without
   * a word is found out by `listenProbeIntervalMs`. The pool's hooks do not see it.
   *
   * @param handler Called with each message, in the context of `AsyncLocalStorage` of this call. Without one the subscription
   * is an iterable of messages and gaps.
   * @throws InterfaceError when the name is none, or the pool is closed.
   * @throws what opening the connection comes to, and TimeoutError. Only once it has listened does a subscription live on
   * without a connection.
   */
  listen(
    channel: string,
    handler: PoolNotificationHandler,
    options?: PoolListenOptions,
  ): Promise<Subscription<Notification | NotificationGap>>
  listen(channel: string, options?: ListenOptions): Promise<Subscription<Notification | NotificationGap>>
  async listen(
    channel: string,
    first?: PoolNotificationHandler | ListenOptions,
    second?: PoolListenOptions,
  ): Promise<Subscription<Notification | NotificationGap>> {
    return this.#listener.listen(channel, checkPoolListen(channel, first, second, this.#acquireTimeoutMs))
  }

  /**
   * The pool in a context: each call on it, and each transaction, has these settings and this role, and leaves nothing of them
   * behind, also through a transaction pooler. They are made in the same round trip.
   *
   * @throws ClientConfigurationError that names a setting whose name or value cannot be taken.
   * @throws UnsupportedClientFeatureError with `statementMode: 'simple'`, which has no parameters.
   */
  withContext(options: ContextOptions): PoolContext<M> {
    if (this.#target.isSimple) throw callRefused('withContext')
    return PoolContext._of<M>(this, checkContext(options, NO_CONTEXT))
  }

  /** Replaces all connections: the idle ones now, the others when they come back, or are open; that of `listen` stays. */
  expireConnections(): void {
    this.#target.expire()
  }

  /**
   * Calls `listener` with each notice and warning that the server sends on any of the pool's sessions, whoever uses it. What
   * was said at the startup and nobody has heard yet is told soon after.
   *
   * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
   * @returns A function that ends it.
   */
  onNotice(listener: (message: PostgresLogMessage, session: PoolSession) => void): () => void {
    checkFunction('onNotice', listener)
    return this.#events.onNotice(listener)
  }

  /**
   * Calls `listener` with each session that the pool opens; soon after, also with those that are open already.
   *
   * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
   * @returns A function that ends it.
   */
  onConnect(listener: (session: PoolSession) => void): () => void {
    checkFunction('onConnect', listener)
    return this.#events.onConnect(listener)
  }

  /**
   * Calls `listener` with each session of the pool that has ended, and why.
   *
   * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
   * @returns A function that ends it.
   */
  onClose(listener: (session: PoolSession, end: PoolSessionEnd) => void): () => void {
    checkFunction('onClose', listener)
    return this.#events.onClose(listener)
  }

  /**
   * Has `logger` told of each query that is made on this pool or on its connections, when it is over: those of transactions and
   * prepared statements, and what starts and ends a transaction, among them.
   *
   * @param logger It is called before the query's caller goes on, in his context of `AsyncLocalStorage`. What it throws is
   * an uncaught exception. Adding it again does nothing.
   */
  addQueryLogger(logger: QueryLogger): void {
    checkFunction('addQueryLogger', logger)
    this.#loggers.add(logger)
    this.#target.logBy(() => this.#loggers)
  }

  /** Takes back what `addQueryLogger` or `queryLogger` has added. One that is not there is none to be taken back. */
  removeQueryLogger(logger: QueryLogger): void {
    checkFunction('removeQueryLogger', logger)
    this.#loggers.delete(logger)
    if (this.#loggers.size === 0) this.#target.logBy(undefined)
  }

  /** Adds a query logger for as long as what it gives is not disposed of: `using scope = pool.queryLogger(console.log)`. */
  queryLogger(logger: QueryLogger): Disposable {
    this.addQueryLogger(logger)
    return { [Symbol.dispose]: () => this.removeQueryLogger(logger) }
  }

  /**
   * Lets all calls end that were made before, those that wait for a connection among them, waits until all connections are
   * back, and closes them; resolves when the server has ended their sessions too, as `close` of a connection. Nothing new is
   * accepted, and subscriptions of `listen` end. After a minute a warning of the process (`OXPG_CLOSE_WAITS`) says who has not released what. At the timeout the
   * pool is terminated.
   *
   * @throws TimeoutError, which names them as well.
   */
  async close(options?: CloseOptions): Promise<void> {
    checkCallOptions(options, TIMEOUT_ONLY)
    const timeoutMs = options?.timeoutMs === undefined ? 0 : durationMs('timeoutMs', options.timeoutMs)
    const request = this.#target.close(timeoutMs)
    const listenerEnd = this.#listener.close(timeoutMs)
    await waitForClose(request.settled, timeoutMs, this.#leases, () => this.stats)
    await listenerEnd
    const { failure } = request
    if (failure === undefined) return
    this.#leases.silence()
    if (failure.kind === 'timeout') {
      failure.message = `the pool did not close within ${timeoutMs} ms, and what still ran or waited was ended`
      this.#target.explainWait(failure)
    }
    throw errorFromFailure(failure)
  }

  /**
   * Ends all connections at once; calls in flight reject. A callback of `use` or `transaction` cannot be stopped: its next
   * call rejects, and so does `transaction` when it returns. What the server is at is cancelled in the background, as far as
   * that can be done.
   */
  terminate(): void {
    this.#leases.silence()
    this.#listener.terminate()
    this.#target.terminate()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    const { size, maxSize, idle, waiting } = this.stats
    if (this.#target.isForgotten) return 'Pool { closed }'
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

  /** @internal A stream has a connection for itself, from its first part to its end, unless it joins a transaction. */
  override _rowSource(query: SourceQuery): RowSource {
    const joined = this.#joined()
    if (joined !== undefined) return joined._rowSource(query)
    const claim: Claim = { call: 'stream', stack: this.#leases.stackAt(this.stream) }
    return new LeasedSource((waits) => this.#lending.toStream(query, claim, waits))
  }

  /**
   * @internal What has settings of its own is no part of the transaction around it: they would hold for the rest of that.
   *
   * @throws InterfaceError where it would join one.
   */
  _refuseToJoin(): void {
    if (this.#joined() === undefined) return
    throw new InterfaceError(
      'a call in a context cannot join the transaction that it is made in, for which the settings of the context would hold ' +
        'from then on: make them there, or make the call on a connection of its own, by acquire() or use() of the pool',
    )
  }

  /** @internal Whether a call needs a connection of its own. */
  _needsLease(): boolean {
    return this.#lending.isNeeded
  }

  /**
   * @internal Hooks want a lease, and so does a call that may have to be told that it waits for itself. One that joins a
   * transaction is lent that.
   */
  override _lender(text?: string): Lender<M> | undefined {
    const joined = this.#joined()
    if (joined === undefined && !this._needsLease()) return undefined
    // On a connection that is lent it would be like any other query.
    const refusal = text === undefined ? undefined : this.#target.refusalOf(text)
    if (refusal !== undefined) throw errorFromFailure(refusal, { query: text })
    return joined === undefined ? this.#lend : (call, options, params) => call(joined, options, params)
  }

  /** The transaction that a call made here joins. */
  #joined(): Transaction<M> | undefined {
    return this.#isAmbient ? (joinedTransaction(this) as Transaction<M> | undefined) : undefined
  }
}
