import { inspect } from 'node:util'
import {
  errorFromFailure,
  type Failure,
  InFailedSQLTransactionError,
  InterfaceError,
  TimeoutError,
} from './errors/index'
import type { ConnectionTarget, Request, ScriptOptions } from './native/door'
import { QueryMethods } from './query-methods'
import type { CallDefaults } from './send'
import { attachSuppressed } from './suppressed'
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

/** The connection that a transaction is on. */
export interface TransactionHost {
  /** @internal */
  readonly _defaults: CallDefaults
  /** @internal */
  _target(): ConnectionTarget
  /** @internal The same, for what ends a transaction: an exclusive use of the connection is no reason to refuse it. */
  _targetOfEnd(): ConnectionTarget
  /** @internal Takes the exclusive use of the connection back, such as a batch that is still being fed. */
  _vacate(): Promise<void>
  /** @internal Whether the session has ended, or was given back to its pool. */
  readonly _isGone: boolean
}

/** Of commands that end a transaction. */
const UNLIMITED: ScriptOptions = Object.freeze({ timeoutMs: 0, signal: undefined, isControl: true })

type State = 'new' | 'starting' | 'started' | 'ending' | 'committed' | 'rolled back' | 'failed'

/**
 * A transaction, or inside one a savepoint. Queries made on it are made on its connection, while it is open.
 */
export class Transaction extends QueryMethods {
  readonly #host: TransactionHost
  readonly #options: CheckedTransactionOptions
  /** Where it is to start; once it has started, itself. */
  #scope: Scope
  #isManaged = false
  #isNested = false
  #savepoint = ''
  #state: State = 'new'
  #whenOver: (() => Promise<void>) | undefined
  /** The last one that ends it. */
  #lastCommand: Request | undefined

  /** @internal */
  constructor(host: TransactionHost, scope: Scope, options: CheckedTransactionOptions) {
    super()
    this.#host = host
    this.#scope = scope
    this.#options = options
  }

  /**
   * Starts it: `BEGIN`, or inside an open transaction of the connection a savepoint.
   *
   * @throws InterfaceError when it has been started before, or when a transaction was begun by a query.
   */
  async start(): Promise<void> {
    this.#require('new', 'start')
    this.#state = 'starting'
    await this.#begin(this.#scope.enterByHand())
  }

  /**
   * Commits it, or releases the savepoint.
   *
   * @throws InFailedSQLTransactionError when a statement in it had failed, so that PostgreSQL rolled it back.
   * @throws TimeoutError when the server has not answered within `commandTimeoutMs`. The command is not taken back: the
   * transaction ends, but how is not known.
   */
  async commit(): Promise<void> {
    this.#refuseManaged('commit')
    if (this.#host._isGone) await this.#overWithHost()
    this.#host._target()
    await this.#commit()
  }

  /**
   * Rolls it back, or rolls back to the savepoint.
   *
   * @throws TimeoutError when the server has not answered within `commandTimeoutMs`. It rolls back all the same.
   */
  async rollback(): Promise<void> {
    this.#refuseManaged('roll back')
    if (this.#host._isGone) await this.#overWithHost()
    this.#host._target()
    await this.#rollback()
  }

  /** A savepoint to be started by hand. */
  transaction(options?: TransactionOptions): Transaction
  /** A savepoint: keeps what `callback` does, or rolls it back if it throws. */
  transaction<R>(callback: TransactionCallback<R>, options?: TransactionOptions): Promise<R>
  transaction<R>(
    first?: TransactionCallback<R> | TransactionOptions,
    options?: TransactionOptions,
  ): Promise<R> | Transaction {
    if (typeof first === 'function') return runTransaction(this.#host, this.#scope, first, options)
    return new Transaction(this.#host, this.#scope, checkTransactionOptions(first))
  }

  /** A savepoint that has been started. */
  async begin(options?: TransactionOptions): Promise<Transaction> {
    const transaction = new Transaction(this.#host, this.#scope, checkTransactionOptions(options))
    await transaction.start()
    return transaction
  }

  /** Rolls it back if it is still open. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isManaged) return
    if (this.#state === 'started' && !this.#scope.isOver && !this.#host._isGone) {
      void this.#host._vacate()
      await this.#rollback()
    } else if (this.#state !== 'ending') await this.#over()
  }

  [inspect.custom](): string {
    return `Transaction { ${this.#isNested ? 'savepoint, ' : ''}${this.#stateNow()} }`
  }

  /** @internal */
  get _defaults(): CallDefaults {
    return this.#host._defaults
  }

  /** @internal */
  _target(): ConnectionTarget {
    // It says why when the connection was released or lost.
    const target = this.#host._target()
    this.#require('started', 'make a query')
    this.#scope.refuseWhenBroken()
    return target
  }

  /** @internal Calls back once, when it has been committed, rolled back or disposed of. */
  _whenOver(callback: () => Promise<void>): void {
    this.#whenOver = callback
  }

  /** @internal Runs all of it in a scope that has been entered. */
  async _run<R>(scope: Scope, callback: TransactionCallback<R>): Promise<R> {
    this.#isManaged = true
    this.#state = 'starting'
    await this.#begin(scope)
    let result: R
    try {
      result = await scope.run(() => callback(this))
      while (scope.isBusy && !scope.hasManualChild) await scope.childOver()
    } catch (error) {
      await this.#rollbackBecause(error)
      throw error
    }
    if (scope.hasManualChild) {
      const error = new InterfaceError('the callback left a nested transaction open, so all was rolled back')
      await this.#rollbackBecause(error)
      throw error
    }
    await this.#commit()
    return result
  }

  async #begin(scope: Scope): Promise<void> {
    const isNested = !(scope.parent?.isConnection ?? true)
    this.#scope = scope
    this.#isNested = isNested
    let request: Request
    try {
      const target = this.#host._target()
      if (isNested) {
        await this.#checkNesting()
        // Its end may have gone out meanwhile.
        if (scope.isOver) throw new InterfaceError(`cannot start: ${REASONS.over}`)
        scope.parent?.refuseWhenBroken()
      } else if (target.transactionStatus !== 'I') {
        throw new InterfaceError('a transaction cannot be started in one that was begun by a query')
      }
      if (isNested) this.#savepoint = scope.nextSavepointName()
      const command = isNested
        ? savepointCommand(this.#savepoint, this.#options)
        : beginCommand(this.#options)
      request = this.#host._target().script(command, this._defaults.control)
      await request.settled
    } catch (error) {
      this.#end('failed')
      throw error
    }
    if (request.failure !== undefined) {
      if (request.failure.kind === 'timeout' && !isNested && !this.#host._isGone) this.#undoBegin()
      else this.#end('failed')
      throw errorFromFailure(request.failure)
    }
    scope.isolation = isNested ? undefined : this.#options.isolation
    this.#state = 'started'
  }

  /** Only the outermost transaction has an isolation level of its own. */
  async #checkNesting(): Promise<void> {
    const { isolation, isDeferrable } = this.#options
    if (isDeferrable !== undefined) {
      throw new InterfaceError("option 'deferrable' is for the outermost transaction only")
    }
    if (isolation === undefined) return
    let outer = this.#scope.outermost.isolation
    if (outer === undefined) {
      const request = this.#host
        ._target()
        .query('SHOW transaction_isolation', undefined, { ...this._defaults.value, timeoutMs: 0 })
      await request.settled
      if (request.failure !== undefined) throw errorFromFailure(request.failure)
      outer = (request.rows[0] as string[])[0]
    }
    if (isolation !== outer) {
      throw new InterfaceError(
        `a nested transaction cannot have another isolation level: '${isolation}' inside '${outer}'`,
      )
    }
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

  async #rollback(): Promise<void> {
    this.#require('started', 'roll back')
    await this.#ending(this.#isNested ? 'ROLLBACK TO SAVEPOINT' : 'ROLLBACK', this.#sendRollback())
  }

  async #sendRollback(): Promise<void> {
    const failure = await (this.#isNested ? this.#undoSavepoint() : this.#settledEnd('ROLLBACK'))
    if (failure !== undefined) {
      this.#end('failed')
      throw errorFromFailure(failure)
    }
    this.#end('rolled back')
  }

  /** What the savepoint did stays there if this fails: the transaction around it can only be rolled back then. */
  async #undoSavepoint(): Promise<Failure | undefined> {
    const name = this.#savepoint
    const failure = await this.#settledEnd(`ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`)
    if (failure !== undefined) this.#scope.parent?.breakBy(errorFromFailure(failure))
    return failure
  }

  async #settledEnd(command: string): Promise<Failure | undefined> {
    const request = this.#sendEnd(command)
    await request.settled
    return request.failure
  }

  /**
   * Waits for the end of the transaction, but no longer than `commandTimeoutMs`. At that time only the caller gives up:
   * the commands go out and the transaction stays in the way of others until they have been answered, or the server has
   * been silent for so long that the session is given up.
   */
  async #ending(command: string, end: Promise<void>): Promise<void> {
    const limitMs = this._defaults.commandTimeoutMs
    const all = this.#thenOver(end)
    if (limitMs === 0) return await all
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#lastCommand?.hurry()
        const message = `${command} was not answered within ${limitMs} ms; it still goes out, with an outcome not known`
        reject(new TimeoutError(message, { safeToRetry: false }))
      }, limitMs)
    })
    try {
      await Promise.race([all, limit])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Rolls back because of an error, which goes before those of the rollback. */
  async #rollbackBecause(error: unknown): Promise<void> {
    if (this.#host._isGone || this.#scope.isOver) {
      this.#end('failed')
      return
    }
    try {
      void this.#host._vacate()
      await this.#rollback()
    } catch (second) {
      // A session that has ended meanwhile took the transaction with it.
      if (!this.#host._isGone) attachSuppressed(error, second)
    }
  }

  #sendEnd(command: string): Request {
    const request = this.#send(command)
    this.#lastCommand = request
    this.#state = 'ending'
    this.#scope.finish()
    return request
  }

  /** Without a time limit: a command that was given up unsent would leave the transaction open. */
  #send(command: string): Request {
    return this.#host._targetOfEnd().script(command, UNLIMITED)
  }

  #end(state: State): void {
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

  #stateNow(): string {
    return this.#state === 'started' && this.#scope.isOver ? 'over' : this.#state
  }

  #require(state: State, what: string): void {
    const now = this.#stateNow()
    if (now === state) return
    throw new InterfaceError(`cannot ${what}: ${REASONS[now]}`)
  }

  #refuseManaged(what: string): void {
    if (!this.#isManaged) return
    throw new InterfaceError(
      `cannot ${what} inside the transaction's callback: it commits when it returns, and rolls back when it throws`,
    )
  }
}

const REASONS: { readonly [state: string]: string } = {
  new: 'the transaction has not been started',
  starting: 'the transaction is being started',
  started: 'the transaction is already started',
  ending: 'the transaction is being ended',
  committed: 'the transaction is already committed',
  'rolled back': 'the transaction is already rolled back',
  failed: 'the transaction has failed',
  over: 'the transaction around this one is over',
}

/** Runs `callback` in a transaction that starts in the scope, in its turn, and repeats it if it may be. */
export async function runTransaction<R>(
  host: TransactionHost,
  from: Scope,
  callback: TransactionCallback<R>,
  options: TransactionOptions | undefined,
): Promise<R> {
  const checked = checkTransactionOptions(options)
  for (let attempt = 0; ; attempt++) {
    const scope = await from.enterInTurn()
    try {
      return await new Transaction(host, scope, checked)._run(scope, callback)
    } catch (error) {
      const isOutermost = scope.outermost === scope
      if (!isOutermost || attempt >= checked.retry || !isRepeatable(error) || host._isGone) throw error
    }
    await pauseAfter(attempt)
  }
}
