import { inspect } from 'node:util'
import type { RowMode } from './decode/mapping'
import { errorFromFailure, type Failure, InFailedSQLTransactionError, InterfaceError } from './errors/index'
import { Limit } from './limit'
import type { ConnectionTarget, ControlRequest, GroupMember, RequestOptions } from './native/door'
import { notByNew } from './other-drivers'
import { QueryMethods } from './query-methods'
import type { CallDefaults } from './send'
import { attachSuppressed } from './suppressed'
import type { TransactionHost } from './transaction-host'
import {
  checkNesting,
  cutEnd,
  isGivenUp,
  lateEnd,
  lateRepetition,
  lateStart,
  OWN_ROLLBACK_LIMIT_MS,
  startLimit,
  TransactionLimit,
  wholeLimit,
} from './transaction-limits'
import {
  beginCommand,
  type CheckedTransactionOptions,
  checkTransactionOptions,
  savepointCommand,
  type TransactionCallback,
  type TransactionOptions,
} from './transaction-options'
import { isRepeatable, pauseAfter } from './transaction-retry'
import type { Scope } from './transaction-scope'
import { endedByQuery, saysEndedByQuery, type TransactionState, wrongState } from './transaction-state'

/** A limit has ended a transaction, for this reason. */
interface Cut {
  readonly failure: Failure
}

/** Of commands that end a transaction. */
const UNLIMITED: RequestOptions = Object.freeze({ timeoutMs: 0, signal: undefined })

/**
 * A transaction, or inside one a savepoint. Queries made on it are made on its connection, while it is open.
 *
 * @typeParam M The row mode of calls that name none.
 */
export class Transaction<M extends RowMode = 'object'> extends QueryMethods<M> {
  readonly #host: TransactionHost
  readonly #options: CheckedTransactionOptions
  /** Where it is to start; once it has started, itself. */
  #scope: Scope
  #isManaged = false
  #isNested = false
  #savepoint = ''
  /** Transactions that had ended on the connection when this one had started. */
  #endedBefore = 0
  #state: TransactionState = 'new'
  #whenOver: (() => Promise<void>) | undefined
  /** The last one that ends it. */
  #lastCommand: ControlRequest | undefined
  /** Its own. */
  #limit: TransactionLimit | undefined
  /** Those of its calls, where a limit holds. */
  #limitedDefaults: CallDefaults | undefined
  /** Tells who waits for its callback or its end that a limit has ended it. */
  #tellCut: ((cut: Cut) => void) | undefined
  /** Fulfilled when what its limit has cut short is undone, or the session gone. */
  #undoing: Promise<void> | undefined

  /** @internal */
  constructor(host: TransactionHost, scope: Scope, options: CheckedTransactionOptions) {
    super()
    if (host === undefined || scope === undefined) throw notByNew(new.target)
    this.#host = host
    this.#scope = scope
    this.#options = options
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
    await this._startWithin(wholeLimit(this.#options))
  }

  /** @internal The same within a limit that has begun. */
  async _startWithin(whole: Limit | undefined): Promise<void> {
    this.#require('new', 'start')
    this.#state = 'starting'
    const limit = startLimit(this.#host, whole, this.#options)
    let scope: Scope
    try {
      forgetEnded(this.#host, this.#scope)
      scope = this.#scope.enter(false) ?? (await this.#scope.enterInTurn(false, limit))
    } catch (error) {
      this.#state = 'failed'
      throw error
    }
    await this.#begin(scope, limit, whole)
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
    this.#refuseManaged('commit')
    this.#scope.refuseWhenCutShort()
    if (this.#host._isGone) await this.#overWithHost()
    this.#host._target()
    await this.#commit()
  }

  /**
   * Rolls it back, or rolls back to the savepoint. An executeMany or fetchMany whose asynchronous iterable is not at its
   * end is taken back. One that its limit has ended is waited for.
   *
   * @throws TimeoutError when the server has not answered within `commandTimeoutMs` or the time of the transaction. It rolls
   * back all the same.
   */
  async rollback(): Promise<void> {
    this.#refuseManaged('roll back')
    if (this.#scope.isCutShort) {
      await this.#undoing
      return
    }
    if (this.#host._isGone) await this.#overWithHost()
    this.#host._targetOfEnd()
    this.#require('started', 'roll back')
    void this.#host._vacate()
    await this.#rollback()
  }

  /** A savepoint to be started by hand. */
  transaction(options?: TransactionOptions): Transaction<M>
  /** A savepoint: keeps what `callback` does, or rolls it back if it throws. */
  transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>
  transaction<R>(
    first?: TransactionCallback<R, M> | TransactionOptions,
    options?: TransactionOptions,
  ): Promise<R> | Transaction<M> {
    if (typeof first === 'function') return runTransaction(this.#host, this.#scope, first, options)
    return new Transaction(this.#host, this.#scope, checkTransactionOptions(first))
  }

  /** A savepoint that has been started. */
  async begin(options?: TransactionOptions): Promise<Transaction<M>> {
    const transaction = new Transaction<M>(this.#host, this.#scope, checkTransactionOptions(options))
    await transaction.start()
    return transaction
  }

  /** Rolls it back if it is still open. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isManaged) return
    if (this.#scope.isCutShort) await this.#undoing
    else if (this.#state === 'started' && !this.#scope.isOver && !this.#host._isGone) {
      void this.#host._vacate()
      await this.#rollback()
    } else if (this.#state !== 'ending') await this.#over()
  }

  [inspect.custom](): string {
    return `Transaction { ${this.#isNested ? 'savepoint, ' : ''}${this.#stateNow()} }`
  }

  /** @internal */
  get _defaults(): CallDefaults {
    return this.#limitedDefaults ?? this.#host._defaults
  }

  /** @internal */
  _target(): ConnectionTarget {
    this.#scope.refuseWhenCutShort()
    // It says why when the connection was released or lost.
    const target = this.#host._target()
    this.#require('started', 'make a query')
    // Another one may be open already, by AND CHAIN or a BEGIN.
    const isAnother = target.transactionsEnded !== this.#endedBefore
    if (target.transactionStatus === 'I' || isAnother) throw endedByQuery()
    this.#scope.refuseWhenBroken()
    return target
  }

  /** @internal Calls back once, when it has been committed, rolled back or disposed of. */
  _whenOver(callback: () => Promise<void>): void {
    this.#whenOver = callback
  }

  /** @internal Runs all of it in a scope that has been entered. */
  async _run<R>(
    scope: Scope,
    limit: Limit,
    whole: Limit | undefined,
    callback: TransactionCallback<R, M>,
  ): Promise<R> {
    this.#isManaged = true
    this.#state = 'starting'
    await this.#begin(scope, limit, whole)
    let result: R
    try {
      result = await this.#untilCut(this.#callBack(scope, callback), errorFromFailure)
    } catch (error) {
      if (!scope.isCutShort) await this.#rollbackBecause(error)
      throw error
    }
    scope.refuseWhenCutShort()
    if (scope.hasManualChild) {
      const error = new InterfaceError('the callback left a nested transaction open, so all was rolled back')
      await this.#rollbackBecause(error)
      throw error
    }
    await this.#commit()
    return result
  }

  async #callBack<R>(scope: Scope, callback: TransactionCallback<R, M>): Promise<R> {
    const result = await scope.run(() => callback(this))
    while (scope.isBusy && !scope.hasManualChild) await scope.change()
    return result
  }

  async #begin(scope: Scope, limit: Limit, whole: Limit | undefined): Promise<void> {
    const isNested = !(scope.parent?.isConnection ?? true)
    this.#scope = scope
    this.#isNested = isNested
    let request: ControlRequest
    try {
      const target = this.#host._target()
      if (isNested) {
        await checkNesting(this.#host, scope, this.#options)
        // Its end may have gone out meanwhile.
        if (scope.isOver) throw wrongState('over', 'start')
        scope.parent?.refuseWhenBroken()
      } else if (target.transactionStatus !== 'I') {
        throw new InterfaceError('a transaction cannot be started in one that was begun by a query')
      }
      if (isNested) this.#savepoint = scope.nextSavepointName()
      const command = isNested
        ? savepointCommand(this.#savepoint, this.#options)
        : beginCommand(this.#options)
      const options = { timeoutMs: limit.remainingMs, signal: limit.signal, group: scope.calls }
      request = this.#host._target().control(command, options)
      await request.settled
    } catch (error) {
      this.#end('failed')
      scope.refuseWhenCutShort()
      throw error
    }
    if (request.failure !== undefined) {
      if (isGivenUp(request.failure) && !isNested && !this.#host._isGone) this.#undoBegin()
      else this.#end('failed')
      scope.refuseWhenCutShort()
      if (request.failure.kind === 'timeout') throw lateStart(limit.timeoutMs)
      throw errorFromFailure(request.failure)
    }
    scope.isolation = isNested ? undefined : this.#options.isolation
    this.#endedBefore = request.transactionsEnded
    if (!isNested) scope.started(request.transactionsEnded)
    this.#state = 'started'
    this.#holdTo(whole)
    scope.refuseWhenCutShort()
  }

  /** From here on its own limit holds, and that of a transaction around it. */
  #holdTo(whole: Limit | undefined): void {
    const scope = this.#scope
    const outer = scope.calls
    if (whole === undefined && outer === undefined) return
    const limit = whole === undefined ? undefined : new TransactionLimit(whole)
    this.#limit = limit
    scope.calls = limit?.calls ?? outer
    this.#limitedDefaults = this.#host._defaults.within(scope.calls!)
    const member: GroupMember = {
      endBy: (failure) => this.#cutShort(failure, false),
      keepsTransaction: () => limit?.calls.keepsTransaction() ?? true,
    }
    outer?.add(member)
    scope.whenLeft = () => {
      limit?.stop()
      outer?.delete(member)
    }
    // One that was begun by hand and forgotten does not keep the process alive.
    limit?.start((failure) => this.#cutShort(failure, true), this.#isManaged)
  }

  /**
   * A limit ends it from outside: what runs in it is given up, and it is rolled back, whoever still works with it. An end
   * that is on its way is not taken back.
   *
   * @param isOwn Whether it was its own limit. One of a transaction around it has that rolled back.
   */
  #cutShort(failure: Failure, isOwn: boolean): void {
    const { _isGone: isGone } = this.#host
    if (this.#state === 'started' && !this.#scope.isOver && !isGone) {
      this.#scope.cutShort(failure)
      this.#tellCut?.({ failure })
      this.#limit?.calls.endBy(failure)
      if (isOwn) this.#undoing = this.#undo()
    } else this.#tellCut?.({ failure })
  }

  /** Nobody waits for it, but the connection is in nobody else's hands before. */
  async #undo(): Promise<void> {
    try {
      void this.#host._vacate()
      const end = this.#thenOver(this.#sendRollback())
      this.#lastCommand?.hurry()
      await end
    } catch {
      // The session is gone, or will be with what is around the savepoint.
    }
  }

  /** Waits for `work`, unless a limit ends the transaction before. */
  async #untilCut<T>(work: Promise<T>, errorOf: (failure: Failure) => unknown): Promise<T> {
    if (this.#limitedDefaults === undefined) return work
    const cut = new Promise<Cut>((resolve) => {
      this.#tellCut = resolve
    })
    const none = { failure: undefined }
    const first = await Promise.race([cut, work.then((value) => ({ ...none, value }))])
    if (first.failure !== undefined) throw errorOf(first.failure)
    return (first as { value: T }).value
  }

  /** A BEGIN of which we stopped hearing may still be carried out; until it is undone nothing else starts. */
  #undoBegin(): void {
    this.#state = 'failed'
    this.#scope.finish()
    this.#send('ROLLBACK').settled.then(() => this.#scope.leave())
  }

  async #commit(): Promise<void> {
    // It says why when the connection was released or lost.
    this.#host._targetOfEnd()
    this.#require('started', 'commit')
    if (this.#scope.isBusy) {
      throw new InterfaceError('the transaction cannot be committed: one that is nested in it is open')
    }
    // The loop may not have come round to it: better rolled back for certain than committed perhaps.
    const late = this.#limit?.failure
    if (late !== undefined) {
      this.#cutShort(late, true)
      throw errorFromFailure(late)
    }
    const command = this.#isNested ? `RELEASE SAVEPOINT ${this.#savepoint}` : 'COMMIT'
    await this.#ending(command, this.#scope.isBroken ? this.#rollbackBroken() : this.#sendCommit(command))
  }

  async #sendCommit(command: string): Promise<void> {
    const request = this.#sendEnd(command)
    await request.settled
    if (request.failure !== undefined) {
      if (this.#isNested && !this.#host._isGone) await this.#undoSavepoint()
      this.#end('failed')
      throw errorFromFailure(request.failure)
    }
    if (!this.#isNested && !this.#wasEndedBy(request)) {
      this.#end('failed')
      throw endedByQuery()
    }
    // PostgreSQL answers the COMMIT of a failed transaction so (manual, COMMIT).
    if (!this.#isNested && request.tag() === 'ROLLBACK') {
      this.#end('rolled back')
      throw new InFailedSQLTransactionError(
        'the transaction was rolled back instead of committed, since a statement in it had failed',
        { safeToRetry: true },
      )
    }
    this.#end('committed')
  }

  /** What was to be undone in it is still there: it must not be committed. */
  async #rollbackBroken(): Promise<void> {
    const { brokenBy } = this.#scope
    await this.#sendRollback()
    throw new InFailedSQLTransactionError(
      'the transaction was rolled back instead of committed, since a savepoint in it could not be rolled back',
      { safeToRetry: true, cause: brokenBy },
    )
  }

  async #rollback(defaultLimitMs = 0): Promise<void> {
    this.#require('started', 'roll back')
    const command = this.#isNested ? 'ROLLBACK TO SAVEPOINT' : 'ROLLBACK'
    await this.#ending(command, this.#sendRollback(), defaultLimitMs)
  }

  async #sendRollback(): Promise<void> {
    if (this.#isNested) {
      const failure = await this.#undoSavepoint()
      this.#end(failure === undefined ? 'rolled back' : 'failed')
      if (failure !== undefined) throw errorFromFailure(failure)
      return
    }
    const request = this.#sendEnd('ROLLBACK')
    await request.settled
    const { failure } = request
    const isUndone = failure === undefined && this.#wasEndedBy(request)
    this.#end(isUndone ? 'rolled back' : 'failed')
    if (!isUndone) throw failure === undefined ? endedByQuery() : errorFromFailure(failure)
  }

  /** Whether it was this command that ended the transaction, and not a query before it. */
  #wasEndedBy(request: ControlRequest): boolean {
    return request.wasInTransaction && request.transactionsEnded === this.#endedBefore + 1
  }

  /** What the savepoint did stays there if this fails: the transaction around it can only be rolled back then. */
  async #undoSavepoint(): Promise<Failure | undefined> {
    const name = this.#savepoint
    const request = this.#sendEnd(`ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`)
    await request.settled
    const { failure } = request
    if (failure !== undefined) this.#scope.parent?.breakBy(errorFromFailure(failure))
    return failure
  }

  /**
   * Waits for the end of the transaction, but no longer than `commandTimeoutMs` and its own limit. At that time only the
   * caller gives up: the commands go out and the transaction stays in the way of others until they have been answered, or
   * the server has been silent for so long that the session is given up.
   */
  async #ending(command: string, end: Promise<void>, defaultLimitMs = 0): Promise<void> {
    const limit = new Limit(this._defaults.commandTimeoutMs || defaultLimitMs)
    const held = limit.hold(this.#thenOver(end), (limitMs) => {
      this.#lastCommand?.hurry()
      return lateEnd(command, limitMs)
    })
    await this.#untilCut(held, (failure) => {
      this.#lastCommand?.hurry()
      return cutEnd(command, failure)
    })
  }

  /** Rolls back because of an error, which goes before those of the rollback. */
  async #rollbackBecause(error: unknown): Promise<void> {
    if (this.#host._isGone || this.#scope.isOver) {
      this.#end('failed')
      return
    }
    try {
      void this.#host._vacate()
      await this.#rollback(OWN_ROLLBACK_LIMIT_MS)
    } catch (second) {
      // A session that has ended meanwhile took the transaction with it; and nothing needs to be said twice.
      const isKnown = this.#host._isGone || (saysEndedByQuery(error) && saysEndedByQuery(second))
      if (!isKnown) attachSuppressed(error, second)
    }
  }

  #sendEnd(command: string): ControlRequest {
    const request = this.#send(command)
    this.#lastCommand = request
    this.#state = 'ending'
    this.#scope.finish()
    return request
  }

  /** Without a time limit: a command that was given up unsent would leave the transaction open. */
  #send(command: string): ControlRequest {
    return this.#host._targetOfEnd().control(command, UNLIMITED)
  }

  #end(state: TransactionState): void {
    this.#state = state
    this.#scope.leave()
  }

  /** It ends, well or not, and so does what depends on it. */
  async #thenOver(end: Promise<void>): Promise<void> {
    try {
      await end
    } catch (error) {
      await this.#over().catch((second: unknown) => attachSuppressed(error, second))
      throw error
    }
    await this.#over()
  }

  async #over(): Promise<void> {
    const whenOver = this.#whenOver
    this.#whenOver = undefined
    await whenOver?.()
  }

  /** The session was released or lost: there is nothing left to end. Throws why. */
  async #overWithHost(): Promise<void> {
    try {
      this.#host._targetOfEnd()
    } catch (error) {
      await this.#over().catch((second: unknown) => attachSuppressed(error, second))
      throw error
    }
  }

  #stateNow(): TransactionState {
    return this.#state === 'started' && this.#scope.isOver ? 'over' : this.#state
  }

  #require(state: TransactionState, what: string): void {
    const now = this.#stateNow()
    if (now === state) return
    this.#scope.refuseWhenCutShort()
    throw wrongState(now, what)
  }

  #refuseManaged(what: string): void {
    if (!this.#isManaged) return
    throw new InterfaceError(
      `cannot ${what} inside the transaction's callback: it commits when it returns, and rolls back when it throws`,
    )
  }
}

/** One that was begun by hand, and that a query has ended, is in nobody's way. */
function forgetEnded(host: TransactionHost, scope: Scope): void {
  if (!host._isGone) scope.forgetEnded(host._targetOfEnd().transactionsEnded)
}

/**
 * Runs `callback` in a transaction that starts in the scope, in its turn, and repeats it if it may be.
 *
 * @param given A limit that has begun, in place of that of the options.
 */
export async function runTransaction<R, M extends RowMode>(
  host: TransactionHost,
  from: Scope,
  callback: TransactionCallback<R, M>,
  options: TransactionOptions | undefined,
  given?: Limit,
): Promise<R> {
  const checked = checkTransactionOptions(options)
  const whole = given ?? wholeLimit(checked)
  for (let attempt = 0; ; attempt++) {
    const limit = startLimit(host, whole, checked)
    forgetEnded(host, from)
    const scope = from.enter(true) ?? (await from.enterInTurn(true, limit))
    try {
      return await new Transaction<M>(host, scope, checked)._run(scope, limit, whole, callback)
    } catch (error) {
      const isOutermost = scope.outermost === scope
      if (!isOutermost || attempt >= checked.retry || !isRepeatable(error) || host._isGone) throw error
      const pause = pauseAfter(attempt)
      await (whole?.hold(pause, (timeoutMs) => lateRepetition(timeoutMs, error)) ?? pause)
    }
  }
}
