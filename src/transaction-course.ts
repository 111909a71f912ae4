import { errorFromFailure, type Failure, InFailedSQLTransactionError, InterfaceError } from './errors/index'
import { Limit } from './limit'
import {
  CallGroup,
  type ConnectionTarget,
  type ContextStatement,
  type ControlRequest,
  type GroupMember,
  type RequestOptions,
  thrown,
} from './native/door'
import type { CallDefaults } from './send'
import { keepSuppressed } from './suppressed'
import type { TransactionHost } from './transaction-host'
import {
  checkNesting,
  cutEnd,
  failedEnd,
  lateEnd,
  OWN_ROLLBACK_LIMIT_MS,
  rolledBack,
  startLimit,
  TransactionLimit,
} from './transaction-limits'
import { beginCommand, type CheckedTransactionOptions, savepointCommand } from './transaction-options'
import type { Scope } from './transaction-scope'
import { endedByQuery, saysEndedByQuery, type TransactionState, wrongState } from './transaction-state'

/** A limit has ended a transaction, for this reason. */
interface Cut {
  readonly failure: Failure
}

/** Of commands that end a transaction. */
const UNLIMITED: RequestOptions = Object.freeze({ timeoutMs: 0, signal: undefined })

/**
 * What is sent to start and end one transaction or savepoint, and what its limits do to it meanwhile. The application has a
 * `Transaction` in front of it.
 */
export class TransactionCourse {
  readonly host: TransactionHost
  readonly options: CheckedTransactionOptions
  /** Where it is to start; once it has started, itself. */
  scope: Scope
  /** A callback is run in it. */
  isManaged = false
  isNested = false
  state: TransactionState = 'new'
  /** Fulfilled when what its limit has cut short is undone, or the session gone. */
  undoing: Promise<void> | undefined
  #savepoint = ''
  /** It ends by `prepareTransaction`. */
  preparing: Promise<void> | undefined
  /** What is executed right behind what opens it. */
  readonly #context: ContextStatement | undefined
  #whenOver: (() => Promise<void>) | undefined
  /** The last one that ends it. */
  #lastCommand: ControlRequest | undefined
  /** Its own. */
  #limit: TransactionLimit | undefined
  /** The calls that are made in it; undefined where nobody has to know, or where they are those of one around it. */
  #calls: CallGroup | undefined
  /** Made when the first call asks for them. */
  #defaults: CallDefaults | undefined
  /** Tells who waits for its callback or its end that a limit has ended it. */
  #tellCut: ((cut: Cut) => void) | undefined

  constructor(
    host: TransactionHost,
    scope: Scope,
    options: CheckedTransactionOptions,
    context: ContextStatement | undefined,
  ) {
    this.#context = context
    this.host = host
    this.scope = scope
    this.options = options
  }

  /** Of the calls made in it. */
  get defaults(): CallDefaults {
    const { calls } = this.scope
    if (this.#defaults !== undefined) return this.#defaults
    // Before it has started, the scope is the one around it.
    if (this.state === 'new' || this.state === 'starting' || calls === undefined) return this.host._defaults
    this.#defaults = this.host._defaults.within(calls)
    return this.#defaults
  }

  /** How many of the calls that its callback has made are not answered. */
  get unanswered(): number {
    return this.#calls?.unanswered ?? 0
  }

  /** Calls back once, when it has been committed, rolled back or disposed of. */
  whenOver(callback: () => Promise<void>): void {
    this.#whenOver = callback
  }

  /** Starts it by hand, in its turn. */
  async start(whole: Limit | undefined): Promise<void> {
    this.expect('new', 'start')
    this.state = 'starting'
    const limit = startLimit(this.host, whole, this.options)
    let scope: Scope
    try {
      expectSession(this.host, this.scope)
      forgetEnded(this.host, this.scope)
      scope = this.scope.enter(false) ?? (await this.scope.enterInTurn(false, limit))
    } catch (error) {
      this.state = 'failed'
      throw error
    }
    await this.begin(scope, limit, whole)
  }

  /**
   * Starts it in a scope that has been entered, within a limit; from then on `whole` holds. What opens it goes out with the
   * first query in it.
   */
  async begin(scope: Scope, limit: Limit, whole: Limit | undefined): Promise<void> {
    const isNested = !(scope.parent?.isConnection ?? true)
    this.scope = scope
    this.isNested = isNested
    let target: ConnectionTarget
    try {
      target = this.host._targetToBegin()
      if (isNested) {
        if (this.options.isolation !== undefined || this.options.isDeferrable !== undefined)
          await checkNesting(this.host, scope, this.options)
        // Its end may have gone out meanwhile.
        if (scope.isOver) throw wrongState('over', 'start')
        scope.parent?.refuseWhenBroken()
      } else if (target.transactionStatus !== 'I') {
        throw new InterfaceError('a transaction cannot be started in one that was begun by a query')
      }
      // It may have waited for its turn until now.
      if (limit.signal?.aborted === true) throw errorFromFailure(thrown(limit.signal.reason))
    } catch (error) {
      this.#end('failed')
      scope.refuseWhenCutShort()
      throw error
    }
    if (isNested) this.#savepoint = scope.nextSavepointName()
    scope.isolation = isNested ? undefined : this.options.isolation
    scope.hasContext ||= this.#context !== undefined
    this.#openLater(scope, target)
    this.state = 'started'
    this.#holdTo(whole)
    scope.refuseWhenCutShort()
  }

  /**
   * It is opened in front of what is sent next on its connection. If that fails, nothing in it runs: neither what has been sent
   * nor what its callback goes on to ask for.
   *
   * The scope, which the session keeps, must not know the objects of the application's: whoever forgets to release the
   * connection would never be found out.
   */
  #openLater(scope: Scope, target: ConnectionTarget): void {
    const command = this.isNested
      ? savepointCommand(this.#savepoint, this.options)
      : beginCommand(this.options)
    const context = this.#context
    const course = new WeakRef(this)
    scope.opensBy(() => {
      target.open(command, context, ({ failure, transactionsEnded }) => {
        if (failure === undefined) {
          scope.started(transactionsEnded)
          return
        }
        scope.cutShort(failure)
        scope.leave()
        const known = course.deref()
        if (known !== undefined) known.#fail()
      })
    })
  }

  /** It could not be opened. */
  #fail(): void {
    this.#end('failed')
    this.undoing = this.over().catch(() => {})
  }

  /**
   * Whether a query has ended it behind its back, as far as was heard. Until its opening has been answered, nothing behind that
   * has.
   */
  wasEndedByQuery(target: ConnectionTarget): boolean {
    const { endedBefore } = this.scope
    if (endedBefore === undefined) return false
    return target.transactionStatus === 'I' || target.transactionsEnded !== endedBefore
  }

  /** From here on its own limit holds, and that of a transaction around it; and of a callback's calls is known which are open. */
  #holdTo(whole: Limit | undefined): void {
    const scope = this.scope
    const outer = scope.calls
    const limit = whole === undefined ? undefined : new TransactionLimit(whole)
    const calls = limit?.calls ?? (this.isManaged ? new CallGroup() : undefined)
    this.#limit = limit
    this.#calls = calls
    scope.calls = calls ?? outer
    scope.isLimited ||= limit !== undefined
    // Without a limit there is nothing that ends it from outside.
    if (!scope.isLimited) return
    const member: GroupMember = {
      endBy: (failure) => this.#cutShort(failure, false),
      keepsTransaction: () => calls?.keepsTransaction() ?? true,
      isCall: false,
    }
    outer?.add(member)
    scope.whenLeft = () => {
      limit?.stop()
      outer?.delete(member)
    }
    // One that was begun by hand and forgotten does not keep the process alive.
    limit?.start((failure) => this.#cutShort(failure, true), this.isManaged)
  }

  /**
   * A limit ends it from outside: what runs in it is given up, and it is rolled back, whoever still works with it. An end
   * that is on its way is not taken back.
   *
   * @param isOwn Whether it was its own limit. One of a transaction around it has that rolled back.
   */
  #cutShort(failure: Failure, isOwn: boolean): void {
    const { _isGone: isGone } = this.host
    if (this.state === 'started' && !this.scope.isOver && !isGone) {
      const told = isOwn ? rolledBack(failure) : failure
      this.scope.cutShort(told)
      this.#tellCut?.({ failure: told })
      this.#calls?.endBy(told)
      if (isOwn) this.undoing = this.#undo()
    } else this.#tellCut?.({ failure })
  }

  /** Nobody waits for it, but the connection is in nobody else's hands before. */
  async #undo(): Promise<void> {
    try {
      void this.host._vacate()
      const end = this.#thenOver(this.#sendRollback())
      this.#lastCommand?.hurry()
      await end
    } catch {
      // The session is gone, or will be with what is around the savepoint.
    }
  }

  /** Waits for `work`, unless a limit ends the transaction before. */
  async untilCut<T>(work: Promise<T>, errorOf: (failure: Failure) => unknown): Promise<T> {
    if (!this.scope.isLimited) return work
    const cut = new Promise<Cut>((resolve) => {
      this.#tellCut = resolve
    })
    const none = { failure: undefined }
    const first = await Promise.race([cut, work.then((value) => ({ ...none, value }))])
    if (first.failure !== undefined) throw errorOf(first.failure)
    return (first as { value: T }).value
  }

  /** @throws InterfaceError when something in it is still open, and what its end came to. */
  async commit(): Promise<void> {
    this.#expectEnd('commit', 'committed')
    const command = this.isNested ? `RELEASE SAVEPOINT ${this.#savepoint}` : 'COMMIT'
    await this.#ending(command, this.scope.isBroken ? this.#rollbackBroken() : this.#sendCommit(command))
  }

  /** PREPARE TRANSACTION, the first half of a two-phase commit; what is wrong with the call leaves it open. */
  prepare(gid: string): Promise<void> {
    this.#expectEnd('prepare', 'prepared')
    if (this.isNested)
      throw new InterfaceError('only the outermost transaction can be prepared, not a savepoint')
    const end = this.scope.isBroken ? this.#rollbackBroken() : this.#sendPrepare(gid)
    this.preparing = this.#ending('PREPARE TRANSACTION', end)
    return this.preparing
  }

  /** @throws InterfaceError when something in it is still open; why its limit has ended it. */
  #expectEnd(what: string, done: string): void {
    // It says why when the connection was released or lost.
    this.host._targetOfEnd()
    this.expect('started', what)
    if (this.scope.isBusy) {
      throw new InterfaceError(`the transaction cannot be ${done}: one that is nested in it is open`)
    }
    // The loop may not have come round to it: better rolled back for certain than committed perhaps.
    const late = this.#limit?.failure
    if (late !== undefined) {
      this.#cutShort(late, true)
      this.scope.refuseWhenCutShort()
      throw errorFromFailure(late)
    }
  }

  async #sendPrepare(gid: string): Promise<void> {
    // Also one in which nothing was done.
    this.scope.root.sendOpenings()
    const request = this.#sendEnd(`PREPARE TRANSACTION ${gid}`)
    await request.settled
    if (request.failure !== undefined) {
      // Where it fails PostgreSQL rolls back; nothing of it may stay open anywhere.
      const isOpen = !this.host._isGone && this.host._targetOfEnd().transactionStatus !== 'I'
      if (isOpen) await this.#send('ROLLBACK').settled
      this.#end('failed')
      throw failedEnd('PREPARE TRANSACTION', request.failure)
    }
    if (!this.#wasEndedBy(request)) {
      this.#end('failed')
      throw endedByQuery(request.endedBy)
    }
    if (request.tag() === 'ROLLBACK') {
      this.#end('rolled back')
      throw rolledBackInstead('prepared')
    }
    this.#end('prepared')
  }

  async #sendCommit(command: string): Promise<void> {
    if (this.scope.isUnsent) {
      // Nothing was done in it, and the server has not heard of it.
      this.#endUnsent('committed')
      return
    }
    const request = this.#sendEnd(command)
    await request.settled
    if (request.failure !== undefined) {
      if (this.isNested && !this.host._isGone) await this.#undoSavepoint()
      this.#end('failed')
      throw errorFromFailure(request.failure)
    }
    if (!this.isNested && !this.#wasEndedBy(request)) {
      this.#end('failed')
      throw endedByQuery(request.endedBy)
    }
    // PostgreSQL answers the COMMIT of a failed transaction so (manual, COMMIT).
    if (!this.isNested && request.tag() === 'ROLLBACK') {
      this.#end('rolled back')
      throw rolledBackInstead('committed')
    }
    this.#end('committed')
  }

  /** What was to be undone in it is still there: it must not be committed. */
  async #rollbackBroken(): Promise<void> {
    const { brokenBy } = this.scope
    await this.#sendRollback()
    throw new InFailedSQLTransactionError(
      'the transaction was rolled back instead of committed, since a savepoint in it could not be rolled back',
      { safeToRetry: true, cause: brokenBy },
    )
  }

  /** @param defaultLimitMs How long that may take where nobody has set a limit; 0 for ever. */
  async rollback(defaultLimitMs = 0): Promise<void> {
    this.expect('started', 'roll back')
    const command = this.isNested ? 'ROLLBACK TO SAVEPOINT' : 'ROLLBACK'
    await this.#ending(command, this.#sendRollback(), defaultLimitMs)
  }

  async #sendRollback(): Promise<void> {
    if (this.scope.isUnsent) {
      this.#endUnsent('rolled back')
      return
    }
    if (this.isNested) {
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
    if (!isUndone) throw failure === undefined ? endedByQuery(request.endedBy) : errorFromFailure(failure)
  }

  /** Whether it was this command that ended the transaction, and not a query before it. */
  #wasEndedBy(request: ControlRequest): boolean {
    return request.wasInTransaction && request.transactionsEnded === (this.scope.endedBefore ?? 0) + 1
  }

  /** What the savepoint did stays there if this fails: the transaction around it can only be rolled back then. */
  async #undoSavepoint(): Promise<Failure | undefined> {
    const name = this.#savepoint
    const request = this.#sendEnd(`ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`)
    await request.settled
    const { failure } = request
    if (failure !== undefined) this.scope.parent?.breakBy(errorFromFailure(failure))
    return failure
  }

  /**
   * Waits for the end of the transaction, but no longer than `commandTimeoutMs` and its own limit. At that time only the
   * caller gives up: the commands go out and the transaction stays in the way of others until they have been answered, or
   * the server has been silent for so long that the session is given up.
   */
  async #ending(command: string, end: Promise<void>, defaultLimitMs = 0): Promise<void> {
    const limit = new Limit(this.defaults.commandTimeoutMs || defaultLimitMs)
    const held = limit.hold(this.#thenOver(end), (limitMs) => {
      this.#lastCommand?.hurry()
      return lateEnd(command, limitMs)
    })
    await this.untilCut(held, (failure) => {
      this.#lastCommand?.hurry()
      return cutEnd(command, failure)
    })
  }

  /** Rolls back because of an error, which goes before those of the rollback. */
  async rollbackBecause(error: unknown): Promise<void> {
    if (this.host._isGone || this.scope.isOver) {
      this.#end('failed')
      return
    }
    try {
      void this.host._vacate()
      await this.rollback(OWN_ROLLBACK_LIMIT_MS)
    } catch (second) {
      // A session that has ended meanwhile took the transaction with it; and nothing needs to be said twice.
      const isKnown = this.host._isGone || (saysEndedByQuery(error) && saysEndedByQuery(second))
      if (!isKnown) keepSuppressed(error, second)
    }
  }

  #sendEnd(command: string): ControlRequest {
    const request = this.#send(command)
    this.#lastCommand = request
    this.state = 'ending'
    this.scope.finish()
    return request
  }

  /** Without a time limit: a command that was given up unsent would leave the transaction open. */
  #send(command: string): ControlRequest {
    return this.host._targetOfEnd().control(command, UNLIMITED)
  }

  #endUnsent(state: TransactionState): void {
    this.scope.forgetOpening()
    this.#end(state)
  }

  #end(state: TransactionState): void {
    this.state = state
    this.scope.leave()
  }

  /** It ends, well or not, and so does what depends on it. */
  async #thenOver(end: Promise<void>): Promise<void> {
    try {
      await end
    } catch (error) {
      await this.over().catch((second: unknown) => keepSuppressed(error, second))
      throw error
    }
    await this.over()
  }

  /** Tells of its end, once. */
  async over(): Promise<void> {
    const whenOver = this.#whenOver
    this.#whenOver = undefined
    await whenOver?.()
  }

  /** The session was released or lost: there is nothing left to end. Throws why. */
  async overWithHost(): Promise<void> {
    try {
      this.host._targetOfEnd()
    } catch (error) {
      await this.over().catch((second: unknown) => keepSuppressed(error, second))
      throw error
    }
  }

  /** How far it is, or the transaction around it. */
  stateNow(): TransactionState {
    return this.state === 'started' && this.scope.isOver ? 'over' : this.state
  }

  /** @throws InterfaceError when it is not so far, or what has cut it short. */
  expect(state: TransactionState, what: string): void {
    const now = this.stateNow()
    if (now === state) return
    this.scope.refuseWhenCutShort()
    throw wrongState(now, what)
  }
}

/** A statement in it had failed. */
function rolledBackInstead(of: string): Error {
  return new InFailedSQLTransactionError(
    `the transaction was rolled back instead of ${of}, since a statement in it had failed`,
    { safeToRetry: true },
  )
}

/**
 * Where a transaction is to start in a scope.
 *
 * @throws why there is no session any more, if so: that says more than that the transaction around it has ended with it.
 */
export function expectSession(host: TransactionHost, scope: Scope): void {
  scope.refuseWhenCutShort()
  if (host._isGone) host._targetOfEnd()
}

/** One that was begun by hand, and that a query has ended, is in nobody's way. */
export function forgetEnded(host: TransactionHost, scope: Scope): void {
  if (!host._isGone) scope.forgetEnded(host._targetOfEnd().transactionsEnded)
}
