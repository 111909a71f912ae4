import { inspect } from 'node:util'
import { timeoutOf } from './call-arguments'
import { type CheckedContext, type ContextOptions, checkContext, contextStatement } from './context-options'
import { ContextSource } from './context-source'
import type { RowMode } from './decode/mapping'
import { errorFromFailure } from './errors/index'
import { Limit } from './limit'
import {
  type ContextStatement,
  type ContextTarget,
  type PoolTarget,
  sharingOf,
  takenNow,
} from './native/door'
import { checkFunction } from './options'
import { notByNew } from './other-drivers'
import type { Pool } from './pool'
import { type Lender, QueryMethods } from './query-methods'
import type { CallOptions } from './query-options'
import type { RowSource, SourceQuery, Waits } from './row-source'
import type { CallDefaults } from './send'
import type { Transaction } from './transaction'
import type { TransactionCallback, TransactionOptions } from './transaction-options'
import { endsContext } from './transaction-state'

/**
 * A pool in a context: whatever is executed on it has the context's settings and role, from the first statement to the last,
 * and leaves nothing of them behind. See `withContext` of pools.
 *
 * A call that is one SELECT, INSERT or the like takes one round trip, as on the pool itself; what needs a session of its own, or
 * is anything else, is executed in a transaction.
 *
 * @typeParam M The row mode of calls that name none.
 */
export class PoolContext<M extends RowMode = 'object'> extends QueryMethods<M> {
  readonly #pool: Pool<M>
  readonly #context: CheckedContext
  readonly #statement: ContextStatement | undefined
  readonly #poolTarget: PoolTarget
  readonly #target: ContextTarget | PoolTarget

  private constructor(pool: Pool<M>, context: CheckedContext) {
    super()
    if (context === undefined) throw notByNew(new.target)
    const target = pool._target()
    const statement = contextStatement(context)
    this.#pool = pool
    this.#context = context
    this.#statement = statement
    this.#poolTarget = target
    this.#target = statement === undefined ? target : target.inContext(statement)
  }

  /** @internal */
  static _of<M extends RowMode>(pool: Pool<M>, context: CheckedContext): PoolContext<M> {
    return new PoolContext(pool, context)
  }

  /** A context with these settings and this role laid over its own. */
  withContext(options: ContextOptions): PoolContext<M> {
    return new PoolContext(this.#pool, checkContext(options, this.#context))
  }

  /** Runs `callback` in a transaction whose settings are made right behind its BEGIN. */
  async transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R> {
    checkFunction('transaction', callback)
    this.#pool._refuseToJoin()
    return this.#pool._transactionIn(this.#statement, callback, options, this.transaction)
  }

  /** A transaction that has been started, with its settings, on a connection that goes back to the pool when it ends. */
  async begin(options?: TransactionOptions): Promise<Transaction<M>> {
    this.#pool._refuseToJoin()
    return this.#pool._beginIn(this.#statement, options, this.begin)
  }

  [inspect.custom](): string {
    const { names, role } = this.#context
    // Values may be anything, such as a user's data.
    const parts = names.list()
    if (role !== undefined) parts.push(`role ${role}`)
    return `PoolContext { ${parts.join(', ')} }`
  }

  /** @internal */
  get _defaults(): CallDefaults {
    return this.#pool._defaults
  }

  /** @internal */
  _target(): ContextTarget | PoolTarget {
    return this.#target
  }

  /** @internal What cannot share its Sync group with the settings is executed in a transaction. */
  override _lender(text?: string, needsSession = false): Lender<M> | undefined {
    if (this.#target === this.#poolTarget) return this.#pool._lender(text)
    this.#pool._refuseToJoin()
    if (text !== undefined) {
      const { hasControl, isPlain } = sharingOf(text)
      if (isPlain && !needsSession && !this.#pool._needsLease()) return undefined
      const refusal = this.#poolTarget.refusalOf(text)
      if (refusal !== undefined) throw errorFromFailure(refusal, { query: text })
      if (hasControl) throw endsContext()
      return this.#lend()
    }
    return needsSession || this.#pool._needsLease() ? this.#lend() : undefined
  }

  /** @internal Rows that are read piece by piece take a transaction. */
  override _rowSource(query: SourceQuery): RowSource {
    if (this.#target === this.#poolTarget) return this.#pool._rowSource(query)
    const { timeoutMs, signal } = query.options
    const begin = async (waits: Waits): Promise<Transaction> => {
      this.#pool._refuseToJoin()
      const wait = { waits, limit: new Limit(timeoutMs, signal) }
      return (await this.#pool._beginIn(this.#statement, { signal }, this.stream, wait)) as Transaction
    }
    return new ContextSource(begin, query)
  }

  #lend(): Lender<M> {
    return (call, options, params) => {
      const taken = takenNow(params)
      return this.#inTransaction((host, rest) => call(host, rest, taken), options)
    }
  }

  #inTransaction<R, O extends CallOptions>(
    call: (host: QueryMethods<M>, options: O | undefined) => Promise<R>,
    options: O | undefined,
  ): Promise<R> {
    const limitMs = timeoutOf(options, this._defaults.commandTimeoutMs)
    if (options === undefined && limitMs === 0)
      return this.transaction((transaction) => call(transaction, undefined))
    // One limit for all of it, the wait for a connection included.
    const rest = { ...options, timeoutMs: 0, signal: undefined } as O
    const limits = { timeoutMs: limitMs === 0 ? undefined : limitMs, signal: options?.signal }
    return this.transaction((transaction) => call(transaction, rest), limits)
  }
}
