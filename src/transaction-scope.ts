import { errorFromFailure, type Failure, InFailedSQLTransactionError, InterfaceError } from './errors/index'
import type { Limit } from './limit'
import type { CallGroup } from './native/door'
import { ScopeTurns } from './scope-turns'
import { currentFrame, runInFrame } from './transaction-frames'

/**
 * A place where transactions start: a connection, or an open transaction, in which they are savepoints. At most one
 * transaction is open in a scope at a time. One with a callback keeps the others waiting until it ends, those that are
 * started by hand as well, unless they are started inside the callback. One that was started by hand keeps nobody
 * waiting, for whoever holds it goes on in the same flow: what starts behind it is nested in it.
 */
export class Scope {
  /** Undefined for a connection. */
  readonly parent: Scope | undefined
  /** The connection's scope. */
  readonly root: Scope
  /** What the connection belongs to: its pool, if there is one. */
  readonly owner: object | undefined
  /** The connection's. */
  readonly serverPid: number
  /** Of an outermost transaction: its isolation level, if it was asked for. */
  isolation: string | undefined
  /** Why a savepoint in this transaction could not be rolled back, if so. */
  brokenBy: unknown
  /** The calls that are made in this transaction, if anybody has to know; perhaps with those of one around it. */
  calls: CallGroup | undefined
  /** A limit of its own may end it, or that of one around it. */
  isLimited: boolean
  /** It is begun with settings that hold until its end, or one around it is. */
  hasContext: boolean
  /** ROLLBACK TO SAVEPOINT was sent for it. */
  isUndone = false
  /** Why its limit has ended this transaction, if so. */
  #cutShortBy: Failure | undefined
  /** Called once, when this transaction has ended or is forgotten. */
  whenLeft: (() => void) | undefined
  /** Sends what opens this transaction; undefined before it has started, and once that is sent. */
  #unsent: (() => void) | undefined
  #hasStarted = false
  #isBroken = false
  readonly #hasCallback: boolean
  #child: Scope | undefined
  /** Of those that are to start in this scope. */
  readonly #turns = new ScopeTurns()
  /** Who wants to know when a transaction in this scope starts or ends. */
  #watching: (() => void)[] = []
  #isOver = false
  #savepoints = 0
  /** How many transactions had ended on the connection when this one was opened; undefined until that is known. */
  endedBefore: number | undefined
  #isCallbackRunning = false
  /** Its callback goes on although its limit has ended it. */
  #isLate = false
  /** Of a connection: transactions whose openings are not sent. */
  #unsentCount = 0
  /** Of a connection: how many such callbacks it has. */
  #lateCallbacks = 0

  private constructor(
    parent: Scope | undefined,
    owner: object | undefined,
    serverPid: number,
    hasCallback: boolean,
  ) {
    this.serverPid = serverPid
    this.parent = parent
    this.root = parent === undefined ? this : parent.root
    this.owner = owner
    this.calls = parent?.calls
    this.isLimited = parent?.isLimited ?? false
    this.hasContext = parent?.hasContext ?? false
    this.#hasCallback = hasCallback
  }

  /** The scope of a connection. */
  static ofConnection(owner: object | undefined, serverPid: number): Scope {
    return new Scope(undefined, owner, serverPid, false)
  }

  /** Whether a transaction in this scope is the outermost. */
  get isConnection(): boolean {
    return this.parent === undefined
  }

  /** The outermost transaction that this one is, or is in. */
  get outermost(): Scope {
    const { parent } = this
    return parent === undefined || parent.parent === undefined ? this : parent.outermost
  }

  /** The transaction that is open in it, or in that, and so on; itself when there is none. */
  get innermost(): Scope {
    const child = this.#child
    return child === undefined || child.#isOver ? this : child.innermost
  }

  /** Whether what was done in it was rolled back, while the outermost transaction may go on. */
  get isUndoneWithin(): boolean {
    return this.isUndone || (this.parent?.isUndoneWithin ?? false)
  }

  /** Whether this transaction, or one around it, has ended. */
  get isOver(): boolean {
    return this.#isOver || (this.parent?.isOver ?? false)
  }

  /** Whether its callback has not ended. */
  get isCallbackRunning(): boolean {
    return this.#isCallbackRunning
  }

  /** Whether its limit, or that of a transaction around it, has ended this one. */
  get isCutShort(): boolean {
    return this.#cutShortBy !== undefined || (this.parent?.isCutShort ?? false)
  }

  /** Its limit has ended this transaction, for this reason. */
  cutShort(failure: Failure): void {
    this.#cutShortBy = failure
    this.#noteLate(this.#isCallbackRunning)
  }

  /** This transaction has started, and `send` is to open it before anything else is sent on the connection. */
  opensBy(send: () => void): void {
    this.#hasStarted = true
    this.#unsent = send
    this.root.#unsentCount++
  }

  /** Whether nothing has been sent for this transaction. */
  get isUnsent(): boolean {
    return this.#unsent !== undefined
  }

  /** What opens this transaction is not needed any more. Gives whether it was not sent. */
  forgetOpening(): boolean {
    if (this.#unsent === undefined) return false
    this.#unsent = undefined
    this.root.#unsentCount--
    return true
  }

  /** Of a connection: sends what opens its transactions, from the outermost on, where that was not sent. */
  sendOpenings(): void {
    if (this.#unsentCount === 0) return
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#child) {
      const send = scope.#unsent
      if (send === undefined) continue
      send()
      scope.forgetOpening()
    }
  }

  /** Whether the connection is, or is about to be, in a transaction that was started here and whose BEGIN is not answered. */
  get isOpening(): boolean {
    const open = this.#child
    if (open === undefined || !open.#hasStarted) return false
    return open.endedBefore === undefined && !open.#isOver
  }

  /** Throws why its limit, or that of a transaction around it, has ended this one, if so. */
  refuseWhenCutShort(): void {
    if (this.#cutShortBy !== undefined) throw errorFromFailure(this.#cutShortBy)
    this.parent?.refuseWhenCutShort()
  }

  /**
   * Throws what has ended the transaction of this connection in whose callback this is called, if a limit has: what the
   * callback goes on to call on the connection itself would be made outside of the transaction.
   */
  refuseInLateCallback(): void {
    if (this.#lateCallbacks === 0) return
    for (let frame = currentFrame(); frame !== undefined; frame = frame.outer) {
      if (frame.scope.#isWithin(this)) frame.scope.refuseWhenCutShort()
    }
  }

  /** Whether a transaction is open in this scope, or about to be. */
  get isBusy(): boolean {
    return this.#child !== undefined || this.#turns.isReserved
  }

  /** Whether the transaction in this scope was started by hand, and its end is not on its way. */
  get hasManualChild(): boolean {
    return this.#child !== undefined && !this.#child.#hasCallback && !this.#child.#isOver
  }

  /**
   * Throws where a savepoint with a callback is open in this transaction, and this is called by another flow than that: it would
   * be done inside the savepoint, and undone with it although it was answered. What the callback itself calls on the transaction
   * around it is inside the savepoint for whoever reads it.
   *
   * @throws InterfaceError
   */
  refuseBesideSavepoint(): void {
    const child = this.#child
    if (child === undefined || !child.#hasCallback || child.#isOver) return
    for (let frame = currentFrame(); frame !== undefined; frame = frame.outer) {
      if (frame.scope.#isWithin(child)) return
    }
    throw new InterfaceError(
      'a savepoint is open in the transaction, whose function has not ended: a query that is made beside it would be undone ' +
        'with it; await the inner transaction() first, or make the query inside its function',
    )
  }

  /** Whether this transaction can only be rolled back, since a savepoint in it could not be. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  breakBy(error: unknown): void {
    this.#isBroken = true
    this.brokenBy = error
  }

  /** @throws InFailedSQLTransactionError when this transaction, or one around it, can only be rolled back. */
  refuseWhenBroken(): void {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.parent) {
      if (!scope.#isBroken) continue
      throw new InFailedSQLTransactionError(
        'the transaction can only be rolled back, since a savepoint in it could not be rolled back',
        { safeToRetry: true, cause: scope.brokenBy },
      )
    }
  }

  /** A name that no other savepoint of the connection has. */
  nextSavepointName(): string {
    return `oxpg_${++this.root.#savepoints}`
  }

  /**
   * The scope of a transaction that may start now; undefined when it has to wait for its turn.
   *
   * @throws InterfaceError when the transaction around it is over, or what has ended that.
   */
  enter(hasCallback: boolean): Scope | undefined {
    let scope = this.#here()
    while (scope.hasManualChild) scope = scope.#child!
    scope.#refuseWhenOver()
    return scope.isBusy ? undefined : scope.#open(hasCallback)
  }

  /**
   * The same in its turn.
   *
   * @throws InterfaceError when the transaction around it ends in the meantime.
   * @throws TimeoutError when its turn has not come in time.
   */
  async enterInTurn(hasCallback: boolean, limit: Limit): Promise<Scope> {
    let scope = this.#here()
    for (;;) {
      while (scope.hasManualChild) scope = scope.#child!
      scope.#refuseWhenOver()
      if (!scope.isBusy) return scope.#open(hasCallback)
      if (await scope.#turns.wait(limit, () => scope.#wakeNext())) scope.#turns.isReserved = false
    }
  }

  /** Waits until a transaction in this scope starts or ends. */
  async change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#watching.push(resolve)
    })
  }

  /** The end of this transaction is on its way: from here on it is over, and so are those inside it. */
  finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.forgetOpening()
    this.#child?.leave()
    this.#turns.wakeAll()
    this.#tellOfChange()
  }

  /** The transaction of this scope has ended, and the next one may start. */
  leave(): void {
    this.finish()
    const { parent, whenLeft } = this
    this.whenLeft = undefined
    whenLeft?.()
    if (parent === undefined || parent.#child !== this) return
    parent.#child = undefined
    parent.#wakeNext()
  }

  /** What opens this transaction was answered, and so many had ended on its connection before. */
  started(transactionsEnded: number): void {
    this.endedBefore = transactionsEnded
  }

  /**
   * Forgets the connection's transaction if it was started by hand and has ended without its object, by a query: whoever
   * lost the object, or never asks it again, would be in the way of all others.
   *
   * @param transactionsEnded So many have ended on the connection.
   */
  forgetEnded(transactionsEnded: number): void {
    const open = this.root.#child
    if (open === undefined || open.#hasCallback || open.#isOver) return
    if (open.endedBefore !== undefined && transactionsEnded > open.endedBefore) open.leave()
  }

  /** Forgets the open transactions: the session no longer has them. */
  forgetTransactions(): void {
    this.#child?.leave()
  }

  /** Runs a transaction's callback; what starts in it finds this scope, and the transaction. */
  async run<R>(callback: () => R | PromiseLike<R>, transaction: object): Promise<R> {
    this.#isCallbackRunning = true
    this.#noteLate(this.#cutShortBy !== undefined)
    try {
      return await runInFrame(this, transaction, callback)
    } finally {
      this.#isCallbackRunning = false
      this.#noteLate(false)
    }
  }

  #noteLate(isLate: boolean): void {
    if (isLate === this.#isLate) return
    this.#isLate = isLate
    this.root.#lateCallbacks += isLate ? 1 : -1
  }

  #open(hasCallback: boolean): Scope {
    this.#child = new Scope(this, this.owner, this.serverPid, hasCallback)
    // Nobody waits for one that is started by hand: they are nested in it.
    if (!hasCallback) this.#turns.wakeAll()
    this.#tellOfChange()
    return this.#child
  }

  #refuseWhenOver(): void {
    if (!this.isOver) return
    this.refuseWhenCutShort()
    throw new InterfaceError('the transaction around this one is over')
  }

  /**
   * This scope, or the one inside it whose callback is being run. What a callback starts whose transaction was cut short is
   * part of nothing.
   */
  #here(): Scope {
    for (let frame = currentFrame(); frame !== undefined; frame = frame.outer) {
      const { scope } = frame
      if (!scope.#isWithin(this)) continue
      if (!scope.isOver) return scope
      scope.refuseWhenCutShort()
    }
    return this
  }

  #isWithin(scope: Scope): boolean {
    let ancestor: Scope | undefined = this
    while (ancestor !== undefined && ancestor !== scope) ancestor = ancestor.parent
    return ancestor !== undefined
  }

  #wakeNext(): void {
    if (!this.#turns.wakeNext()) this.#tellOfChange()
  }

  #tellOfChange(): void {
    if (this.#watching.length === 0) return
    for (const tell of this.#watching.splice(0)) tell()
  }
}
