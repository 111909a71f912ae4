import { inspect } from 'node:util'
import type { CursorFactory } from './cursor'
import type { RowMode } from './decode/mapping'
import { errorFromFailure, InterfaceError } from './errors/index'
import type { Limit } from './limit'
import { type ConnectionTarget, type ContextStatement, sharingOf } from './native/door'
import { notByNew } from './other-drivers'
import type { CallOptions, CursorOptions, Parameters, Query } from './query-options'
import type { RowSource, SourceQuery } from './row-source'
import type { CallDefaults } from './send'
import { SessionMethods } from './session-methods'
import { expectSession, forgetEnded, TransactionCourse } from './transaction-course'
import type { TransactionHost } from './transaction-host'
import { lateRepetition, startLimit, wholeLimit } from './transaction-limits'
import {
  type CheckedTransactionOptions,
  checkTransactionOptions,
  type TransactionCallback,
  type TransactionOptions,
} from './transaction-options'
import { isRepeatable, pauseAfter } from './transaction-retry'
import type { Scope } from './transaction-scope'
import { endedByQuery, endsContext, leftUnanswered } from './transaction-state'
import { quoteGid } from './two-phase'

/**
 * A transaction, or inside one a savepoint. Queries made on it are made on its connection, while it is open.
 *
 * @typeParam M The row mode of calls that name none.
 */
export class Transaction<M extends RowMode = 'object'> extends SessionMethods<M> {
  readonly #host: TransactionHost
  readonly #course: TransactionCourse

  /** @internal */
  constructor(
    host: TransactionHost,
    scope: Scope,
    options: CheckedTransactionOptions,
    context?: ContextStatement,
  ) {
    super()
    if (host === undefined || scope === undefined) throw notByNew(new.target)
    this.#host = host
    this.#course = new TransactionCourse(host, scope, options, context)
  }

  /**
   * Starts it: `BEGIN`, or inside an open transaction of the connection a savepoint. While the callback of another
   * transaction is being run on the connection, it waits for the end of that one, unless it is started inside the
   * callback.
   *
   * @throws InterfaceError when it has been started before, or when a transaction was begun by a query.
   * @throws TimeoutError when it has not started in time.
   */
  async start(): Promise<void> {
    await this._startWithin(wholeLimit(this.#course.options))
  }

  /** @internal The same within a limit that has begun. */
  async _startWithin(whole: Limit | undefined): Promise<void> {
    await this.#course.start(whole)
  }

  /**
   * Commits it, or releases the savepoint.
   *
   * @throws InFailedSQLTransactionError when a statement in it had failed, so that PostgreSQL rolled it back.
   * @throws InterfaceError while an executeMany or fetchMany takes rows of an asynchronous iterable.
   * @throws TransactionResolutionUnknownError when the server has not answered within `commandTimeoutMs` or the time of the
   * transaction, its signal has fired, or the connection was lost. The command is not taken back: the transaction ends, but
   * how is not known.
   * @throws TimeoutError, or the signal's reason, when its limit had ended it before.
   */
  async commit(): Promise<void> {
    const host = this.#host
    const course = this.#course
    this.#refuseManaged('commit')
    course.scope.refuseWhenCutShort()
    if (host._isGone) await course.overWithHost()
    host._targetToBegin()
    await course.ending.commit()
  }

  /**
   * Ends it by the first half of a two-phase commit: what it did is kept on disk and its locks are held, with no connection,
   * until `commitPrepared` or `rollbackPrepared` (manual, "PREPARE TRANSACTION"; the server needs `max_prepared_transactions`).
   * In a callback nothing more can be done in it then, and returning commits nothing. If it fails, the transaction is rolled back.
   *
   * @param gid Its identifier in all databases of the server, of up to 199 bytes.
   * @throws InterfaceError in a savepoint, while one is open, and when the identifier is none; the transaction stays open.
   * @throws InFailedSQLTransactionError when a statement in it had failed, so that PostgreSQL rolled it back.
   * @throws TransactionResolutionUnknownError when the server has not answered, as of `commit`: whether it is prepared is not
   * known, and `pg_prepared_xacts` tells.
   */
  async prepareTransaction(gid: string): Promise<void> {
    const host = this.#host
    const course = this.#course
    const literal = quoteGid('prepareTransaction', gid)
    course.scope.refuseWhenCutShort()
    if (host._isGone) await course.overWithHost()
    host._target()
    course.preparing = course.ending.prepare(literal)
    await course.preparing
  }

  /**
   * Rolls it back, or rolls back to the savepoint. An executeMany or fetchMany whose asynchronous iterable is not at its
   * end is taken back. One that its limit has ended is waited for.
   *
   * @throws TimeoutError when the server has not answered within `commandTimeoutMs` or the time of the transaction. It rolls
   * back all the same.
   */
  async rollback(): Promise<void> {
    const host = this.#host
    const course = this.#course
    this.#refuseManaged('roll back')
    if (course.scope.isCutShort) {
      await course.undoing
      return
    }
    if (host._isGone) await course.overWithHost()
    host._targetOfEnd()
    course.expect('started', 'roll back')
    void host._vacate()
    await course.ending.rollback()
  }

  /** @internal */
  override _lender(text?: string): undefined {
    if (text !== undefined) this.#refuseToEndContext(text)
    return undefined
  }

  /** @internal */
  override _cursor(
    text: string,
    params: Parameters | undefined,
    options: CursorOptions<RowMode> | undefined,
  ): CursorFactory<unknown> {
    this.#refuseToEndContext(text)
    return super._cursor(text, params, options)
  }

  /** @internal */
  override _rowSource(query: SourceQuery): RowSource {
    this.#refuseToEndContext(query.text)
    return super._rowSource(query)
  }

  /** A single statement can go out with what opens the transaction, as a script cannot. */
  override execute(query: Query, params?: Parameters, options?: CallOptions): Promise<string> {
    const isFirst = params === undefined && typeof query === 'string' && this.#course.scope.isUnsent
    return super.execute(query, isFirst && sharingOf(query).isPlain ? [] : params, options)
  }

  /** A savepoint to be started by hand. */
  transaction(options?: TransactionOptions): Transaction<M>
  /** A savepoint: keeps what `callback` does, or rolls it back if it throws. */
  transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>
  transaction<R>(
    first?: TransactionCallback<R, M> | TransactionOptions,
    options?: TransactionOptions,
  ): Promise<R> | Transaction<M> {
    if (typeof first === 'function') return this.#nested(first, options)
    return new Transaction(this.#host, this.#course.scope, checkTransactionOptions(first))
  }

  /** A savepoint that has been started. */
  async begin(options?: TransactionOptions): Promise<Transaction<M>> {
    const transaction = new Transaction<M>(this.#host, this.#course.scope, checkTransactionOptions(options))
    await transaction.start()
    return transaction
  }

  /** Rolls it back if it is still open. */
  async [Symbol.asyncDispose](): Promise<void> {
    const host = this.#host
    const course = this.#course
    if (course.isManaged) return
    if (course.scope.isCutShort) await course.undoing
    else if (course.state === 'started' && !course.scope.isOver && !host._isGone) {
      void host._vacate()
      await course.ending.rollback()
    } else if (course.state !== 'ending') await course.over()
  }

  [inspect.custom](): string {
    return `Transaction { ${this.#course.isNested ? 'savepoint, ' : ''}${this.#course.stateNow()} }`
  }

  /** @internal */
  get _defaults(): CallDefaults {
    return this.#course.defaults
  }

  /** @internal */
  get _hasTransaction(): boolean {
    return true
  }

  /** @internal */
  _target(): ConnectionTarget {
    const { scope } = this.#course
    const target = this._targetOfPortal()
    scope.refuseBesideSavepoint()
    scope.root.sendOpenings()
    return target
  }

  /** @internal */
  get _scope(): Scope {
    return this.#course.scope
  }

  /** @internal */
  _targetOfPortal(): ConnectionTarget {
    const host = this.#host
    const course = this.#course
    course.scope.refuseWhenCutShort()
    // It says why when the connection was released or lost.
    const target = host._targetToBegin()
    course.expect('started', 'make a query')
    // Another one may be open already, by AND CHAIN or a BEGIN.
    if (course.wasEndedByQuery(target)) throw endedByQuery(target.endedBy)
    course.scope.refuseWhenBroken()
    return target
  }

  /** @internal Calls back once, when it has been committed, rolled back or disposed of. */
  _whenOver(callback: () => Promise<void>): void {
    this.#course.whenOver(callback)
  }

  /** @internal Runs all of it in a scope that has been entered. */
  async _run<R>(
    scope: Scope,
    limit: Limit,
    whole: Limit | undefined,
    callback: TransactionCallback<R, M>,
  ): Promise<R> {
    const course = this.#course
    course.isManaged = true
    course.state = 'starting'
    await course.begin(scope, limit, whole)
    let result: R
    try {
      result = await course.untilCut(this.#callBack(scope, callback), errorFromFailure)
    } catch (error) {
      if (course.preparing !== undefined) await course.preparing.catch(() => {})
      else if (!scope.isCutShort) await course.ending.rollbackBecause(error)
      throw error
    }
    if (course.preparing !== undefined) {
      await course.preparing
      return result
    }
    scope.refuseWhenCutShort()
    if (scope.hasManualChild) {
      const error = new InterfaceError('the callback left a nested transaction open, so all was rolled back')
      await course.ending.rollbackBecause(error)
      throw error
    }
    await course.ending.commit()
    return result
  }

  /** For the callback around it, a savepoint is a call that it has to await. */
  async #nested<R>(callback: TransactionCallback<R, M>, options: TransactionOptions | undefined): Promise<R> {
    const { scope } = this.#course
    const answered = scope.calls?.begun()
    try {
      return await runTransaction(this.#host, scope, callback, options)
    } finally {
      answered?.()
    }
  }

  async #callBack<R>(scope: Scope, callback: TransactionCallback<R, M>): Promise<R> {
    const course = this.#course
    const result = await scope.run(() => callback(this), this)
    const { unanswered } = course
    while (scope.isBusy && !scope.hasManualChild) await scope.change()
    // Those before a PREPARE TRANSACTION are part of that.
    if (unanswered > 0 && course.preparing === undefined) throw leftUnanswered(unanswered)
    return result
  }

  /** What is executed in a context does not end it: the rest would be executed without its settings and role. */
  #refuseToEndContext(text: string): void {
    if (this.#course.scope.hasContext && sharingOf(text).hasControl) throw endsContext()
  }

  #refuseManaged(what: string): void {
    if (!this.#course.isManaged) return
    throw new InterfaceError(
      `cannot ${what} inside the transaction's callback: it commits when it returns, and rolls back when it throws`,
    )
  }
}

/**
 * Runs `callback` in a transaction that starts in the scope, in its turn, and repeats it if it may be.
 *
 * @param given A limit that has begun, in place of that of the options.
 * @param context What is executed right behind its BEGIN.
 */
export async function runTransaction<R, M extends RowMode>(
  host: TransactionHost,
  from: Scope,
  callback: TransactionCallback<R, M>,
  options: TransactionOptions | undefined,
  given?: Limit,
  context?: ContextStatement,
): Promise<R> {
  const checked = checkTransactionOptions(options)
  const whole = given ?? wholeLimit(checked)
  for (let attempt = 0; ; attempt++) {
    const limit = startLimit(host, whole, checked)
    expectSession(host, from)
    forgetEnded(host, from)
    const scope = from.enter(true) ?? (await from.enterInTurn(true, limit))
    try {
      return await new Transaction<M>(host, scope, checked, context)._run(scope, limit, whole, callback)
    } catch (error) {
      const isOutermost = scope.outermost === scope
      if (!isOutermost || attempt >= checked.retry || !isRepeatable(error) || host._isGone) throw error
      const pause = pauseAfter(attempt)
      await (whole?.hold(pause, (timeoutMs) => lateRepetition(timeoutMs, error)) ?? pause)
    }
  }
}
