import { inspect } from 'node:util'
import { checkCallOptions } from './call-arguments'
import { ConnectionListener } from './connection-listener'
import type { RowMode } from './decode/mapping'
import {
  ConnectionDoesNotExistError,
  errorFromFailure,
  InterfaceError,
  logMessageFromFields,
  type PostgresLogMessage,
} from './errors/index'
import type { Limit } from './limit'
import { checkListen, type ListenCallOptions, type ListenOptions } from './listen-options'
import { Listeners } from './listeners'
import { type ConnectionTarget, type ContextStatement, type QueryLogger, QueryLoggers } from './native/door'
import type { NotificationHandler } from './notification'
import { checkFunction, durationMs } from './options'
import { notByNew } from './other-drivers'
import type { CallOptions } from './query-options'
import type { CallDefaults } from './send'
import { parseServerVersion, type ServerVersion } from './server-version'
import { inTransaction } from './session-channels'
import { SessionMethods } from './session-methods'
import type { Subscription } from './subscription'
import { runTransaction, Transaction } from './transaction'
import type { TransactionHost } from './transaction-host'
import { wholeLimit } from './transaction-limits'
import {
  checkTransactionOptions,
  type TransactionCallback,
  type TransactionOptions,
} from './transaction-options'
import { Scope } from './transaction-scope'
import { endPrepared } from './two-phase'
import {
  type BuiltinTypeCodecOptions,
  checkBuiltinTypeCodec,
  checkTypeCodec,
  checkTypeSchema,
  resetTypeCodecOf,
  type TypeCodecOptions,
  type TypeSchemaOptions,
  useTypeCodecs,
} from './type-codecs'

/** Options of `close`. */
export interface CloseOptions {
  /**
   * Milliseconds that it may take; 0, the default, for no limit. Then what still runs is ended at once, and `close`
   * rejects with a TimeoutError.
   */
  timeoutMs?: number | undefined
}

/** Options of `reset`. */
export interface ResetOptions {
  /** Milliseconds; 0 for no limit. Default: `commandTimeoutMs`. */
  timeoutMs?: number | undefined
}

/** What a connection is made of. Only the driver can make one: see `connect`, and `acquire` of pools. */
export interface ConnectionParts {
  /** @internal */
  readonly target: ConnectionTarget
  /** @internal */
  readonly defaults: CallDefaults
  /** @internal What it belongs to: its pool. */
  readonly owner?: object | undefined
}

const TIMEOUT_ONLY: ReadonlySet<string> = new Set(['timeoutMs'])

/**
 * A session with a PostgreSQL server.
 *
 * @typeParam M The row mode of calls that name none.
 */
export class Connection<M extends RowMode = 'object'> extends SessionMethods<M> implements TransactionHost {
  readonly #target: ConnectionTarget
  readonly #defaults: CallDefaults
  readonly #scope: Scope
  readonly #owner: object | undefined
  readonly #notices = new Listeners<[PostgresLogMessage, Connection<M>]>()
  readonly #terminations = new Listeners<[Connection<M>]>()
  #listener: ConnectionListener<M> | undefined
  readonly #loggers = new QueryLoggers()

  protected constructor(parts: ConnectionParts) {
    super()
    if (parts?.target === undefined) throw notByNew(new.target)
    this.#target = parts.target
    this.#defaults = parts.defaults
    this.#scope = Scope.ofConnection(parts.owner, parts.target.backendPid)
    this.#owner = parts.owner
    const scope = this.#scope
    this.#target.onClosed = () => scope.forgetTransactions()
  }

  /** @internal */
  static _of<M extends RowMode>(parts: ConnectionParts): Connection<M> {
    return new Connection<M>(parts)
  }

  /** The process id of the server's backend. */
  get serverPid(): number {
    return this.#target.backendPid
  }

  /** The server's version. */
  get serverVersion(): ServerVersion {
    return parseServerVersion(this.#target.parameters.get('server_version') ?? '')
  }

  /** The settings that the server reports by itself, as they are now (manual, "Asynchronous Operations"). */
  get settings(): Readonly<Record<string, string>> {
    return Object.freeze(Object.fromEntries(this.#target.parameters))
  }

  /** Whether the session has ended, or was told to end at once. */
  get isClosed(): boolean {
    return this.#target.isClosed
  }

  /**
   * Whether a transaction is open, as of the last answer of the server. One that was started by `transaction()` or `begin()` is
   * open from then on, though its BEGIN goes out with its first query.
   */
  get isInTransaction(): boolean {
    return (this.#target.transactionStatus !== 'I' || this.#scope.isOpening) && !this.isClosed
  }

  /** @internal Whether a transaction is open, or has been begun by a call. */
  get _hasTransaction(): boolean {
    return this.isInTransaction || this.#scope.isBusy
  }

  /** A transaction to be started by hand; inside an open one it becomes a savepoint. */
  transaction(options?: TransactionOptions): Transaction<M>
  /** Commits what `callback` does, or rolls it back if it throws; inside a transaction it is a savepoint. */
  transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>
  transaction<R>(
    first?: TransactionCallback<R, M> | TransactionOptions,
    options?: TransactionOptions,
  ): Promise<R> | Transaction<M> {
    if (typeof first === 'function') return runTransaction(this, this.#scope, first, options)
    return new Transaction(this, this.#scope, checkTransactionOptions(first))
  }

  async begin(options?: TransactionOptions): Promise<Transaction<M>> {
    return this._beginWithin(options, wholeLimit(checkTransactionOptions(options)))
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

  /** @internal A transaction that has been started, within a limit that has begun. */
  async _beginWithin(
    options: TransactionOptions | undefined,
    whole: Limit | undefined,
    context?: ContextStatement,
  ): Promise<Transaction<M>> {
    const transaction = new Transaction<M>(this, this.#scope, checkTransactionOptions(options), context)
    await transaction._startWithin(whole)
    return transaction
  }

  /** @internal Runs one within a limit that has begun. */
  _transactionWithin<R>(
    callback: TransactionCallback<R, M>,
    options: TransactionOptions | undefined,
    whole: Limit | undefined,
    context?: ContextStatement,
  ): Promise<R> {
    return runTransaction(this, this.#scope, callback, options, whole, context)
  }

  /**
   * Calls `listener` with each notice and warning that the server sends. What it said at the startup (a login trigger,
   * PostgreSQL 19 of MD5 passwords) is told to the first that listens, soon after.
   *
   * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
   * @returns A function that ends it.
   */
  onNotice(listener: (message: PostgresLogMessage, connection: Connection<M>) => void): () => void {
    checkFunction('onNotice', listener)
    const reference = this._reference()
    const tell = (fields: Readonly<Record<string, string>>) => {
      const connection = reference.deref()
      if (connection !== undefined) connection.#notices.call(logMessageFromFields(fields), connection)
    }
    const { startupNotices } = this.#target
    this.#target.onNotice = tell
    if (startupNotices.length > 0) {
      this.#target.startupNotices = []
      // Not before the caller has what this gives.
      queueMicrotask(() => startupNotices.forEach(tell))
    }
    return this.#notices.add(listener)
  }

  /**
   * Calls `listener` when the session has ended, however it ended.
   *
   * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
   * @returns A function that ends it.
   */
  onTermination(listener: (connection: Connection<M>) => void): () => void {
    checkFunction('onTermination', listener)
    const reference = this._reference()
    const scope = this.#scope
    this.#target.onClosed = () => {
      scope.forgetTransactions()
      const connection = reference.deref()
      if (connection === undefined) return
      connection.#terminations.call(connection)
      connection.#terminations.clear()
    }
    return this.#terminations.add(listener)
  }

  /**
   * Listens to a channel, until the subscription ends: by its `unlisten`, with the connection, by a `reset` or a release to a
   * pool, or by an UNLISTEN of the application's. The name is taken as it is, upper case and all, while in a query
   * `NOTIFY Jobs` means the channel `jobs`. Many may listen to one channel.
   *
   * @param handler Called with each message, in the context of `AsyncLocalStorage` of this call. Without one the subscription is
   * an iterable of messages.
   * @throws InterfaceError in a transaction, whose rollback would undo it, and when the name is none.
   * @throws TimeoutError
   */
  listen(channel: string, handler: NotificationHandler<M>, options?: ListenCallOptions): Promise<Subscription>
  listen(channel: string, options?: ListenOptions): Promise<Subscription>
  async listen(
    channel: string,
    first?: NotificationHandler<M> | ListenOptions,
    second?: ListenCallOptions,
  ): Promise<Subscription> {
    const { handler, maxQueued, limit } = checkListen(channel, first, second, this.#defaults.commandTimeoutMs)
    const target = this._target()
    if (target.transactionStatus !== 'I' || this.#scope.isBusy) throw inTransaction()
    this.#listener ??= new ConnectionListener<M>(target, this._reference(), this.#defaults)
    return this.#listener.listen(channel, handler, maxQueued, limit)
  }

  /**
   * Has `logger` told of each query that is made on this connection, when it is over: those of its transactions and prepared
   * statements, and what starts and ends a transaction, among them. On a pool's connection it holds until that is released.
   *
   * @param logger It is called before the query's caller goes on, in his context of `AsyncLocalStorage`. What it throws is
   * an uncaught exception. Adding it again does nothing.
   */
  addQueryLogger(logger: QueryLogger): void {
    checkFunction('addQueryLogger', logger)
    const target = this._targetOfEnd()
    const reference = this._reference()
    this.#loggers.add(logger)
    target.logBy(() => {
      const connection = reference.deref()
      return connection === undefined ? undefined : connection.#loggers
    })
  }

  /** Takes back what `addQueryLogger` or `queryLogger` has added. One that is not there is none to be taken back. */
  removeQueryLogger(logger: QueryLogger): void {
    checkFunction('removeQueryLogger', logger)
    this.#loggers.delete(logger)
    if (this.#loggers.size === 0) this.#target.logBy(undefined)
  }

  /** Adds a query logger for as long as what it gives is not disposed of: `using scope = connection.queryLogger(console.log)`. */
  queryLogger(logger: QueryLogger): Disposable {
    this.addQueryLogger(logger)
    return { [Symbol.dispose]: () => this.removeQueryLogger(logger) }
  }

  /**
   * Brings the session back to how it was when it was opened: rolls back, takes back the role, releases advisory locks,
   * closes cursors, ends LISTEN, resets the settings, drops temporary tables and statements of PREPARE, and forgets what
   * sequences gave. Prepared statements of the driver, codecs, query loggers and the listeners of `onNotice` and
   * `onTermination` stay.
   */
  async reset(options?: ResetOptions): Promise<void> {
    checkCallOptions(options, TIMEOUT_ONLY)
    const timeoutMs =
      options?.timeoutMs === undefined
        ? this.#defaults.commandTimeoutMs
        : durationMs('timeoutMs', options.timeoutMs)
    const target = this._targetToBegin()
    this.#scope.forgetTransactions()
    target.onDetached?.(true)
    const request = target.reset(timeoutMs)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure)
  }

  /**
   * Gives values of a type a codec of the application's, alone and wherever they are part of other values. On a pool's
   * connection it holds until the connection is released, or for good when the pool's `init` sets it.
   *
   * @param typeName The type's name in `pg_type`: of a base type, an enum, a range or (with the format 'tuple') a
   * composite type.
   * @throws InterfaceError when there is no such type, or it is a domain, an array type or a pseudo-type.
   * @throws UnsupportedClientFeatureError when the type has no such format.
   */
  async setTypeCodec<T>(typeName: string, options: TypeCodecOptions<T>): Promise<void> {
    await useTypeCodecs(this._target(), [checkTypeCodec(typeName, options)], this.#defaults.control)
  }

  /** Makes values of a type come and go like those of a type that the driver knows. It holds as `setTypeCodec`. */
  async setBuiltinTypeCodec(typeName: string, options: BuiltinTypeCodecOptions): Promise<void> {
    const checked = [checkBuiltinTypeCodec(typeName, options)]
    await useTypeCodecs(this._target(), checked, this.#defaults.control)
  }

  /** Takes what `setTypeCodec` or `setBuiltinTypeCodec` has set back. Without any it does nothing. */
  async resetTypeCodec(typeName: string, options?: TypeSchemaOptions): Promise<void> {
    const type = checkTypeSchema(typeName, options)
    await resetTypeCodecOf(this._target(), type, this.#defaults.control)
  }

  /**
   * Forgets what is known of the database's types and of statements, on all connections of a pool: it is asked for again
   * when it is needed. The driver does so by itself when a server shows that a type has changed.
   */
  async reloadSchemaState(): Promise<void> {
    this._targetToBegin().reloadTypes()
  }

  /**
   * Closes the session once the calls in flight have ended; resolves when the server has ended it too, so that its locks
   * and its place among the server's connections are free (or has not done so within two seconds). Closing again does
   * nothing.
   *
   * @throws TimeoutError
   */
  async close(options?: CloseOptions): Promise<void> {
    checkCallOptions(options, TIMEOUT_ONLY)
    const timeoutMs = options?.timeoutMs === undefined ? 0 : durationMs('timeoutMs', options.timeoutMs)
    if (this.isClosed) return
    const request = this.#target.close(timeoutMs)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure)
  }

  /**
   * Ends the session at once; calls in flight reject. What the server is at for them is cancelled in the background, as far as
   * that can be done.
   */
  terminate(): void {
    if (!this.isClosed) this.#target.terminate()
  }

  /** Keeps the process alive, even while no call is in flight. */
  ref(): this {
    this.#target.reference()
    return this
  }

  /**
   * Takes `ref` back: it keeps the process alive while calls are in flight, as is the default, and by subscriptions of
   * `listen`, which have an `unref` of their own.
   */
  unref(): this {
    this.#target.unreference()
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    const state = this.isClosed ? 'closed' : this.isInTransaction ? 'in a transaction' : 'idle'
    return `${this.constructor.name} { serverPid: ${this.serverPid}, ${state} }`
  }

  /** @internal */
  get _defaults(): CallDefaults {
    return this.#defaults
  }

  /** @internal The pool. */
  get _owner(): object | undefined {
    return this.#owner
  }

  /** @internal What the session may keep of this object while somebody listens. */
  _reference(): { deref(): Connection<M> | undefined } {
    return { deref: () => this }
  }

  /** @internal */
  get _isGone(): boolean {
    return this.#target.isClosed
  }

  /** @internal */
  _target(): ConnectionTarget {
    const target = this._targetToBegin()
    this.#scope.sendOpenings()
    return target
  }

  /** @internal */
  get _scope(): Scope {
    return this.#scope
  }

  /** @internal */
  _targetOfPortal(): ConnectionTarget {
    return this._target()
  }

  /** @internal */
  _targetToBegin(): ConnectionTarget {
    const target = this._targetOfEnd()
    this.#scope.refuseInLateCallback()
    target.occupancy.refuse()
    return target
  }

  /** @internal */
  _targetOfEnd(): ConnectionTarget {
    const target = this.#target
    if (!target.isClosed) return target
    if (target.closeFailure === undefined) throw new InterfaceError('the connection is closed')
    throw new ConnectionDoesNotExistError('the connection was lost', {
      safeToRetry: true,
      cause: errorFromFailure(target.closeFailure),
    })
  }

  /** @internal */
  _vacate(): Promise<void> {
    return this.#target.occupancy.vacate()
  }

  /** @internal Ends what came from this object, for the session goes on without it. */
  _detach(): void {
    this.#scope.forgetTransactions()
    this.#notices.clear()
    this.#terminations.clear()
    const target = this.#target
    target.onDetached?.(false)
    target.onDetached = undefined
    target.onNotification = undefined
    target.onUnlistened = undefined
    target.onNotice = undefined
    target.onClosed = undefined
    target.logBy(undefined)
  }
}
