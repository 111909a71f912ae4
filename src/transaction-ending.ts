import { errorFromFailure, type Failure, InFailedSQLTransactionError, InterfaceError } from './errors/index'
import { Limit } from './limit'
import type { ControlRequest, RequestOptions } from './native/door'
import { keepSuppressed } from './suppressed'
import type { TransactionCourse } from './transaction-course'
import { cutEnd, failedEnd, lateEnd, OWN_ROLLBACK_LIMIT_MS } from './transaction-limits'
import { endedByQuery, saysEndedByQuery, type TransactionState } from './transaction-state'

/** Of commands that end a transaction. */
const UNLIMITED: RequestOptions = Object.freeze({ timeoutMs: 0, signal: undefined })

/** What is sent to end one transaction or savepoint, and what its answers mean. */
export class TransactionEnding {
  readonly #course: TransactionCourse
  /** The last command that ends it. */
  #last: ControlRequest | undefined

  constructor(course: TransactionCourse) {
    this.#course = course
  }

  /** @throws InterfaceError when something in it is still open, and what its end came to. */
  async commit(): Promise<void> {
    const { scope, isNested, savepoint } = this.#course
    this.#expect('commit', 'committed')
    const command = isNested ? `RELEASE SAVEPOINT ${savepoint}` : 'COMMIT'
    await this.#await(command, scope.isBroken ? this.#rollbackBroken() : this.#sendCommit(command))
  }

  /** PREPARE TRANSACTION, the first half of a two-phase commit; what is wrong with the call leaves it open. */
  prepare(gid: string): Promise<void> {
    const { scope, isNested } = this.#course
    this.#expect('prepare', 'prepared')
    if (isNested) throw new InterfaceError('only the outermost transaction can be prepared, not a savepoint')
    return this.#await(
      'PREPARE TRANSACTION',
      scope.isBroken ? this.#rollbackBroken() : this.#sendPrepare(gid),
    )
  }

  /** @param defaultLimitMs How long that may take where nobody has set a limit; 0 for ever. */
  async rollback(defaultLimitMs = 0): Promise<void> {
    const course = this.#course
    course.expect('started', 'roll back')
    const command = course.isNested ? 'ROLLBACK TO SAVEPOINT' : 'ROLLBACK'
    await this.#await(command, this.#sendRollback(), defaultLimitMs)
  }

  /** Rolls back because of an error, which goes before those of the rollback. */
  async rollbackBecause(error: unknown): Promise<void> {
    const course = this.#course
    const { host, scope } = course
    if (host._isGone || scope.isOver) {
      course.end('failed')
      return
    }
    try {
      void host._vacate()
      await this.rollback(OWN_ROLLBACK_LIMIT_MS)
    } catch (second) {
      // A session that has ended meanwhile took the transaction with it; and nothing needs to be said twice.
      const isKnown = host._isGone || (saysEndedByQuery(error) && saysEndedByQuery(second))
      if (!isKnown) keepSuppressed(error, second)
    }
  }

  /** Rolls back what its limit has ended, whatever it is at. */
  hurriedRollback(): Promise<void> {
    const end = this.#sendRollback()
    this.#last?.hurry()
    return end
  }

  /** @throws InterfaceError when something in it is still open; why its limit has ended it. */
  #expect(what: string, done: string): void {
    const course = this.#course
    // It says why when the connection was released or lost.
    course.host._targetOfEnd()
    course.expect('started', what)
    if (course.scope.isBusy) {
      throw new InterfaceError(`the transaction cannot be ${done}: one that is nested in it is open`)
    }
    // Better rolled back for certain than committed perhaps.
    const late = course.cutShortIfLate()
    if (late !== undefined) {
      course.scope.refuseWhenCutShort()
      throw errorFromFailure(late)
    }
  }

  /**
   * Waits for the end of the transaction, but no longer than `commandTimeoutMs` and its own limit. At that time only the
   * caller gives up: the commands go out and the transaction stays in the way of others until they have been answered, or
   * the server has been silent for so long that the session is given up.
   */
  async #await(command: string, end: Promise<void>, defaultLimitMs = 0): Promise<void> {
    const course = this.#course
    const limit = new Limit(course.defaults.commandTimeoutMs || defaultLimitMs)
    const held = limit.hold(course.thenOver(end), (limitMs) => {
      this.#last?.hurry()
      return lateEnd(command, limitMs)
    })
    await course.untilCut(held, (failure) => {
      this.#last?.hurry()
      return cutEnd(command, failure)
    })
  }

  async #sendCommit(command: string): Promise<void> {
    const course = this.#course
    const { host, scope, isNested } = course
    if (scope.isUnsent) {
      // Nothing was done in it, and the server has not heard of it.
      this.#endUnsent('committed')
      return
    }
    const request = this.#sendEnd(command)
    await request.settled
    if (request.failure !== undefined) {
      if (isNested && !host._isGone) await this.#undoSavepoint()
      course.end('failed')
      throw errorFromFailure(request.failure)
    }
    if (!isNested && !this.#wasEndedBy(request)) {
      course.end('failed')
      throw endedByQuery(request.endedBy)
    }
    // PostgreSQL answers the COMMIT of a failed transaction so (manual, COMMIT).
    if (!isNested && request.tag() === 'ROLLBACK') {
      course.end('rolled back')
      throw rolledBackInstead('committed')
    }
    course.end('committed')
  }

  async #sendPrepare(gid: string): Promise<void> {
    const course = this.#course
    const { host, scope } = course
    // Also one in which nothing was done.
    scope.root.sendOpenings()
    const request = this.#sendEnd(`PREPARE TRANSACTION ${gid}`)
    await request.settled
    if (request.failure !== undefined) {
      // Where it fails PostgreSQL rolls back; nothing of it may stay open anywhere.
      const isOpen = !host._isGone && host._targetOfEnd().transactionStatus !== 'I'
      if (isOpen) await this.#send('ROLLBACK').settled
      course.end('failed')
      throw failedEnd('PREPARE TRANSACTION', request.failure)
    }
    if (!this.#wasEndedBy(request)) {
      course.end('failed')
      throw endedByQuery(request.endedBy)
    }
    if (request.tag() === 'ROLLBACK') {
      course.end('rolled back')
      throw rolledBackInstead('prepared')
    }
    course.end('prepared')
  }

  /** What was to be undone in it is still there: it must not be committed. */
  async #rollbackBroken(): Promise<void> {
    const { brokenBy } = this.#course.scope
    await this.#sendRollback()
    throw new InFailedSQLTransactionError(
      'the transaction was rolled back instead of committed, since a savepoint in it could not be rolled back',
      { safeToRetry: true, cause: brokenBy },
    )
  }

  async #sendRollback(): Promise<void> {
    const course = this.#course
    if (course.scope.isUnsent) {
      this.#endUnsent('rolled back')
      return
    }
    if (course.isNested) {
      const failure = await this.#undoSavepoint()
      course.end(failure === undefined ? 'rolled back' : 'failed')
      if (failure !== undefined) throw errorFromFailure(failure)
      return
    }
    const request = this.#sendEnd('ROLLBACK')
    await request.settled
    const { failure } = request
    const isUndone = failure === undefined && this.#wasEndedBy(request)
    course.end(isUndone ? 'rolled back' : 'failed')
    if (!isUndone) throw failure === undefined ? endedByQuery(request.endedBy) : errorFromFailure(failure)
  }

  /** What the savepoint did stays there if this fails: the transaction around it can only be rolled back then. */
  async #undoSavepoint(): Promise<Failure | undefined> {
    const { scope, savepoint } = this.#course
    const request = this.#sendEnd(`ROLLBACK TO SAVEPOINT ${savepoint}; RELEASE SAVEPOINT ${savepoint}`)
    scope.isUndone = true
    await request.settled
    const { failure } = request
    if (failure !== undefined) scope.parent?.breakBy(errorFromFailure(failure))
    return failure
  }

  /** Whether it was this command that ended the transaction, and not a query before it. */
  #wasEndedBy(request: ControlRequest): boolean {
    const { endedBefore } = this.#course.scope
    return request.wasInTransaction && request.transactionsEnded === (endedBefore ?? 0) + 1
  }

  #sendEnd(command: string): ControlRequest {
    const course = this.#course
    const request = this.#send(command)
    this.#last = request
    course.state = 'ending'
    course.scope.finish()
    return request
  }

  /** Without a time limit: a command that was given up unsent would leave the transaction open. */
  #send(command: string): ControlRequest {
    return this.#course.host._targetOfEnd().control(command, UNLIMITED)
  }

  #endUnsent(state: TransactionState): void {
    this.#course.scope.forgetOpening()
    this.#course.end(state)
  }
}

/** A statement in it had failed. */
function rolledBackInstead(of: string): Error {
  return new InFailedSQLTransactionError(
    `the transaction was rolled back instead of ${of}, since a statement in it had failed`,
    { safeToRetry: true },
  )
}
