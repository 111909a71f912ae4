import { CALL_OPTIONS, checkCallOptions, signalOf, timeoutOf } from './call-arguments'
import type { RowMode } from './decode/mapping'
import { errorFromFailure, type PoolHolder, TimeoutError } from './errors/index'
import { Limit } from './limit'
import {
  type AcquireTrace,
  acquireChannel,
  type ConnectionTarget,
  type PoolTarget,
  sessionTrace,
  traced,
} from './native/door'
import type { AcquireOptions } from './pool'
import { PoolConnection, type PoolConnectionParts, withHandBack } from './pool-connection'
import type { PoolLeases } from './pool-leases'
import type { PoolHooks } from './pool-options'
import { leftOpen, nestingError } from './pool-refusals'
import type { QueryMethods } from './query-methods'
import type { CallOptions } from './query-options'
import { type Lease, type SourceQuery, StreamSource, type Waits } from './row-source'
import type { CallDefaults } from './send'
import { transactionPidOf } from './transaction-frames'
import { wholeLimit } from './transaction-limits'
import { checkTransactionOptions, type TransactionOptions } from './transaction-options'

/** Which call of the application's a lease is for. */
export interface Claim {
  readonly call: PoolHolder['call']
  /** Of that call, if anybody will want to know it. */
  readonly stack: string | undefined
}

/** What a stream, of which a transaction is a part, has to do with the wait for its connection. */
export interface StreamWait {
  /** Gets what ends it. */
  readonly waits: Waits
  /** Of the stream's first rows. */
  readonly limit: Limit
}

/** How long a call inside one of the pool's own transactions may wait for a second connection, if nobody asked for a limit. */
const NESTED_TIMEOUT_MS = 1_000

/** What a pool lends by. */
export interface PoolLendingParts<M extends RowMode> {
  readonly owner: object
  readonly target: PoolTarget
  readonly defaults: CallDefaults
  readonly hooks: PoolHooks<M>
  readonly leases: PoolLeases
  readonly acquireTimeoutMs: number
  readonly isAcquireTimeoutGiven: boolean
}

/** Leases connections of a pool, runs their hooks, and gives them back. */
export class PoolLending<M extends RowMode> {
  readonly #owner: object
  readonly #target: PoolTarget
  readonly #defaults: CallDefaults
  readonly #hooks: PoolHooks<M>
  readonly #leases: PoolLeases
  readonly #acquireTimeoutMs: number
  readonly #isAcquireTimeoutGiven: boolean
  readonly #hasHooks: boolean
  /** Sessions that have had their `init`. */
  readonly #initialized = new WeakSet<ConnectionTarget>()

  constructor(parts: PoolLendingParts<M>) {
    this.#owner = parts.owner
    this.#target = parts.target
    this.#defaults = parts.defaults
    this.#hooks = parts.hooks
    this.#leases = parts.leases
    this.#acquireTimeoutMs = parts.acquireTimeoutMs
    this.#isAcquireTimeoutGiven = parts.isAcquireTimeoutGiven
    const { init, setup, reset } = parts.hooks
    this.#hasHooks = init !== undefined || setup !== undefined || reset !== undefined
  }

  /** Whether a call needs a connection of its own: hooks want that, and a call that may have to be told that it waits for itself. */
  get isNeeded(): boolean {
    return this.#hasHooks || this.holderPidWhenFull !== undefined
  }

  /** Leases a connection for the application itself. */
  acquire(options: AcquireOptions | undefined, claim: Claim): Promise<PoolConnection<M>> {
    checkCallOptions(options, CALL_OPTIONS)
    const limit = new Limit(timeoutOf(options, this.#acquireTimeoutMs), signalOf(options))
    return this.#lease(limit, options?.timeoutMs !== undefined || this.#isAcquireTimeoutGiven, claim)
  }

  /** Leases a connection for a transaction, whose own limit begins here. */
  async toStart(
    options: TransactionOptions | undefined,
    claim: Claim,
    stream?: StreamWait,
  ): Promise<{ connection: PoolConnection<M>; whole: Limit | undefined }> {
    const checked = checkTransactionOptions(options)
    const whole = wholeLimit(checked)
    const isGiven = checked.timeoutMs !== undefined
    if (stream !== undefined) {
      const { limit, isAsked } = this.#limitsOfLease(stream.limit)
      return { connection: await this.#lease(limit, isAsked, claim, stream.waits), whole }
    }
    const limit = isGiven ? whole! : new Limit(this.#acquireTimeoutMs, checked.signal)
    return { connection: await this.#lease(limit, isGiven || this.#isAcquireTimeoutGiven, claim), whole }
  }

  /** Makes a call on a connection that is leased for it: its time is for the waiting, the hooks and the query together. */
  async forCall<R, O extends CallOptions>(
    call: (host: QueryMethods<M>, options: O | undefined) => Promise<R>,
    options: O | undefined,
  ): Promise<R> {
    const limit = new Limit(timeoutOf(options, this.#defaults.commandTimeoutMs), signalOf(options))
    const { limit: wait, isAsked } = this.#limitsOfLease(limit)
    const connection = await this.#lease(wait, isAsked, undefined)
    const rest = limit.timeoutMs === 0 ? options : ({ ...options, timeoutMs: limit.remainingMs } as O)
    return withHandBack(
      connection,
      async () => {
        const result = await call(connection, rest)
        if (connection.isInTransaction) throw leftOpen()
        return result
      },
      new Limit(0, limit.signal),
    )
  }

  /** How long a call with this limit may wait for its connection. */
  #limitsOfLease(limit: Limit): { limit: Limit; isAsked: boolean } {
    const acquireMs = this.#acquireTimeoutMs
    const isShorter = limit.timeoutMs !== 0 && (acquireMs === 0 || limit.timeoutMs < acquireMs)
    return {
      limit: isShorter ? limit : new Limit(acquireMs, limit.signal),
      isAsked: limit.timeoutMs !== 0 || this.#isAcquireTimeoutGiven,
    }
  }

  /**
   * Called inside one of the pool's own transactions while no connection is free for it: the pid of its connection. What is
   * being opened is for those who wait already.
   */
  get holderPidWhenFull(): number | undefined {
    const pid = transactionPidOf(this.#owner)
    if (pid === undefined) return undefined
    const { idle, size, opening, waiting, maxSize } = this.#target.stats()
    return idle === 0 && size + Math.max(opening, waiting) >= maxSize ? pid : undefined
  }

  /** Leases a connection for a stream, from its first rows on. */
  async toStream(query: SourceQuery, claim: Claim, waits: Waits): Promise<Lease> {
    const { text, options } = query
    const refusal = this.#target.refusalOf(text)
    if (refusal !== undefined) throw errorFromFailure(refusal, { query: text })
    const { limit, isAsked } = this.#limitsOfLease(new Limit(options.timeoutMs, options.signal))
    const connection = await this.#lease(limit, isAsked, claim, waits)
    return {
      source: new StreamSource(connection, query),
      handBack: () => connection._handBackQuietly(),
    }
  }

  /**
   * Leases a connection.
   *
   * @param claim What it is for, if that is the application's.
   * @param isAsked Whether the application asked for a limit: inside one of the pool's own transactions there is a shorter
   * one otherwise.
   * @param waits Gets what ends the wait, for a reason.
   */
  #lease(
    limit: Limit,
    isAsked: boolean,
    claim: Claim | undefined,
    waits?: Waits,
  ): Promise<PoolConnection<M>> {
    if (!acquireChannel.hasSubscribers) return this.#take(limit, isAsked, claim, waits)
    const call = (claim?.call ?? 'query') as AcquireTrace['call']
    const trace: AcquireTrace = { call, timeoutMs: limit.timeoutMs, ...sessionTrace(this.#target.lastPlace) }
    return traced(
      acquireChannel,
      trace,
      () => this.#take(limit, isAsked, claim, waits),
      (connection) => connection._targetOfEnd(),
    )
  }

  async #take(
    limit: Limit,
    isAsked: boolean,
    claim: Claim | undefined,
    waits: Waits | undefined,
  ): Promise<PoolConnection<M>> {
    const holderPid = this.holderPidWhenFull
    const isShortened =
      holderPid !== undefined && !isAsked && (limit.timeoutMs === 0 || limit.timeoutMs > NESTED_TIMEOUT_MS)
    const timeoutMs = isShortened ? NESTED_TIMEOUT_MS : limit.remainingMs
    const request = this.#target.acquire({ timeoutMs, signal: limit.signal })
    waits?.((reason) => request.giveUp(reason))
    await request.settled
    const { failure } = request
    if (failure !== undefined) {
      if (holderPid === undefined || failure.kind !== 'timeout') throw errorFromFailure(failure)
      const nesting = nestingError(this.#target.stats().maxSize, holderPid)
      if (isShortened) throw nesting
      throw new TimeoutError(`${failure.message}; ${nesting.message}`, { safeToRetry: true, cause: nesting })
    }
    const target = request.connection!
    const leases = this.#leases
    const isOwn = !this.#hasHooks && claim?.call !== 'acquire' && claim?.call !== 'use'
    const parts = {
      target,
      defaults: this.#defaults,
      hooks: this.#hooks,
      owner: this.#owner,
      limit,
      leases,
      isOwn,
    }
    const connection = PoolConnection._lend<M>(parts)
    if (claim !== undefined) leases.open(connection, target, claim.call, claim.stack, takeBackOf(parts))
    if (this.#hasHooks) {
      const isNew = !this.#initialized.has(target)
      await connection._prepare(isNew)
      if (isNew) this.#initialized.add(target)
    }
    return connection
  }
}

/** Gives a session back whose lease was forgotten. It must not know the leased object: that would never be forgotten. */
function takeBackOf<M extends RowMode>(parts: PoolConnectionParts<M>): () => void {
  return () => void PoolConnection._lend<M>(parts)._handBackQuietly()
}
