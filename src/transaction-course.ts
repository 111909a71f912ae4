import { errorFromFailure, type Failure, InterfaceError } from './errors/index'
import type { Limit } from './limit'
import {
  CallGroup,
  type ConnectionTarget,
  type ContextStatement,
  type GroupMember,
  thrown,
} from './native/door'
import type { CallDefaults } from './send'
import { keepSuppressed } from './suppressed'
import { TransactionEnding } from './transaction-ending'
import type { TransactionHost } from './transaction-host'
import { checkNesting, rolledBack, startLimit, TransactionLimit } from './transaction-limits'
import { beginCommand, type CheckedTransactionOptions, savepointCommand } from './transaction-options'
import type { Scope } from './transaction-scope'
import { type TransactionState, wrongState } from './transaction-state'

/** A limit has ended a transaction, for this reason. */
interface Cut {
  readonly failure: Failure
}

/**
 * What is sent to start one transaction or savepoint, and what its limits do to it meanwhile. The application has a
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
  /** The name of what it is, inside another one. */
  savepoint = ''
  /** How it ends. */
  readonly ending: TransactionEnding
  /** It ends by `prepareTransaction`. */
  preparing: Promise<void> | undefined
  /** What is executed right behind what opens it. */
  readonly #context: ContextStatement | undefined
  #whenOver: (() => Promise<void>) | undefined
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
    this.ending = new TransactionEnding(this)
  }

  /** What of its own limit has ended it, if that has; the loop may not have come round to it. */
  cutShortIfLate(): Failure | undefined {
    const late = this.#limit?.failure
    if (late !== undefined) this.#cutShort(late, true)
    return late
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
      this.end('failed')
      scope.refuseWhenCutShort()
      throw error
    }
    if (isNested) this.savepoint = scope.nextSavepointName()
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
      ? savepointCommand(this.savepoint, this.options)
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
    this.end('failed')
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
      await this.thenOver(this.ending.hurriedRollback())
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

  /** It has ended, and so. */
  end(state: TransactionState): void {
    this.state = state
    this.scope.leave()
  }

  /** It ends, well or not, and so does what depends on it. */
  async thenOver(end: Promise<void>): Promise<void> {
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
