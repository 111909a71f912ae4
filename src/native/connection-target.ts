import type { Failure } from '../errors/index'
import { CloseReason, Opcode, TransactionStatusByte } from '../types/boundary'
import type { ContextStatement } from './context-target'
import { ControlRequest } from './control-request'
import type { Environment } from './environment'
import { Occupancy } from './occupancy'
import { OpeningRequest } from './opening-request'
import type { PoolTarget } from './pool-target'
import { CONNECTION_QUERIES, Queries } from './queries'
import type { Request } from './request'
import type { RequestOptions } from './request-options'
import { type Knowledge, Target } from './target'
import type { TypeScope } from './type-scope'

/** What the server says of a transaction: none, open, or failed. */
export type TransactionStatus = 'I' | 'T' | 'E'

/** What Rust tells of a session when JavaScript first hears of it. */
export interface SessionFacts {
  readonly backendPid: number
  readonly parameters: readonly (readonly [name: string, value: string])[]
  readonly transactionStatus: string
  /** What the server said at the startup, each by its fields. */
  readonly notices: readonly Readonly<Record<string, string>>[]
}

/** An asynchronous message of another session (`NOTIFY`). */
export interface Notification {
  /** Process id of the notifying backend. */
  readonly pid: number
  readonly channel: string
  readonly payload: string
}

/** One session. Connections of a pool are the same object at each lease. */
export class ConnectionTarget extends Target {
  /** The pool that it belongs to. */
  readonly pool: PoolTarget | undefined
  /** What is known of statements in the pool that leases it, if any does. */
  private readonly poolQueries: Queries | undefined
  /** Of a pool's connection: it has codecs of its own for good. */
  private hasOwnTypes = false
  /** Of a pool's connection that has codecs of its own until it is released: what holds then. */
  private afterRelease: Knowledge | undefined = undefined
  /** The pool's `init` hook runs: what it says holds for good. */
  isInitializing = false
  readonly backendPid: number
  /** Parameters that the server reports, as they are now (manual, "Asynchronous Operations"). */
  readonly parameters: Map<string, string>
  /** As of the last answer. */
  transactionStatus: TransactionStatus
  /** As of the answer before the last. */
  statusBefore: TransactionStatus = 'I'
  /** Transactions that have ended, by whatever command. */
  transactionsEnded = 0
  /** It is closed, or has been told to end at once. */
  isClosed = false
  /** Why it closed; undefined while it is open and after an orderly close. */
  closeFailure: Failure | undefined = undefined
  /** It ended with its pool, which was terminated. */
  isPoolTerminated = false
  /** CLOSED has come. */
  private isOver = false
  /** Called at CLOSED, see {@link onceOver}. */
  private readonly endings = new Set<() => void>()
  /** What has the session for itself. */
  readonly occupancy = new Occupancy()
  /** Notices of the startup that nobody has heard yet, each by its fields. */
  startupNotices: readonly Readonly<Record<string, string>>[]
  /** The fields of a NoticeResponse, named as in {@link Failure}. */
  onNotice: ((fields: Record<string, string>) => void) | undefined = undefined
  onNotification: ((notification: Notification) => void) | undefined = undefined
  /** A reported parameter has changed; {@link parameters} has it already. */
  onParameter: ((name: string, value: string) => void) | undefined = undefined
  /** Called once. Requests in flight have failed before. */
  onClosed: ((failure: Failure | undefined) => void) | undefined = undefined

  /** `pool` is the one that leases it, if any does. */
  constructor(environment: Environment, id: number, facts: SessionFacts, pool: PoolTarget | undefined) {
    super(environment, id, pool?.queries ?? new Queries(environment.native, CONNECTION_QUERIES))
    this.pool = pool
    this.isSimple = pool?.isSimple ?? false
    this.poolQueries = pool?.queries
    this.backendPid = facts.backendPid
    this.parameters = new Map(facts.parameters)
    this.transactionStatus = facts.transactionStatus as TransactionStatus
    this.startupNotices = facts.notices
  }

  /** CLOSED: the session is over, for this reason if there was one; `reason` is its pool's, −1 for none. */
  noteClosed(failure: Failure | undefined, reason: number): void {
    this.isClosed = true
    this.isOver = true
    this.closeFailure = failure
    if (reason === CloseReason.POOL_TERMINATED) this.isPoolTerminated = true
    for (const tell of this.endings) tell()
    this.endings.clear()
    this.forget({ queries: this.queries, scope: undefined })
    this.closeTypes()
    if (this.afterRelease !== undefined) this.forget(this.afterRelease)
    this.onClosed?.(failure)
    this.pool?.onPooledClosed?.(this, failure, reason)
  }

  /**
   * Calls back once when the session is over, at once if it is already. Requests in flight have failed before.
   *
   * @param tell It must not throw.
   * @returns A function that ends it.
   */
  onceOver(tell: () => void): () => void {
    if (this.isOver) tell()
    else this.endings.add(tell)
    return () => void this.endings.delete(tell)
  }

  /** Its codecs. A pool's connection gets some of its own: the pool's other connections keep theirs. */
  override get types(): TypeScope {
    if (this.poolQueries !== undefined) {
      if (!this.isInitializing) this.afterRelease ??= this.fork()
      else if (!this.hasOwnTypes) {
        this.hasOwnTypes = true
        this.fork()
      }
    }
    return super.types
  }

  private fork(): Knowledge {
    this.environment.outbox.flush()
    this.environment.native.forkTypes(this.id)
    const queries = new Queries(this.environment.native, CONNECTION_QUERIES)
    return this.exchange({ queries, scope: undefined })
  }

  /** Brings the session back to how it was when it was opened. */
  reset(timeoutMs: number): Request {
    return this.commanded(this.request(), Opcode.RESET, 0, 0, { timeoutMs, signal: undefined })
  }

  /**
   * Gives a leased connection back to its pool, which resets it.
   *
   * @returns Fulfilled when the session is clean, or gone.
   */
  async release(): Promise<void> {
    const { afterRelease } = this
    if (afterRelease === undefined) {
      const request = this.request()
      this.environment.outbox.command(Opcode.RELEASE, request.slot, this.id, 0, 0, 0)
      await request.settled
      return
    }
    // Calls in flight go by its codecs to their end.
    const last = this.request()
    this.environment.outbox.command(Opcode.SETTLE, last.slot, this.id, 0, 0, 0)
    await last.settled
    if (this.isClosed) return
    if (last.failure !== undefined) this.terminate()
    this.environment.outbox.flush()
    this.environment.native.joinTypes(this.id)
    this.afterRelease = undefined
    this.forget(this.exchange(afterRelease))
    await this.release()
  }

  private forget({ queries, scope }: Knowledge): void {
    if (queries !== this.poolQueries) queries.close()
    scope?.close()
  }

  /** It keeps the process alive, idle or not. */
  reference(): void {
    this.environment.native.reference(this.id)
  }

  /** It keeps the process alive only while requests are in flight. */
  unreference(): void {
    this.environment.native.unreference(this.id)
  }

  override noteTransactionStatus(status: number): void {
    if (status === 0) return
    const before = this.transactionStatus
    this.statusBefore = before
    if (status === TransactionStatusByte.IDLE) {
      this.transactionStatus = 'I'
      if (before !== 'I') this.transactionsEnded++
      return
    }
    const isAnew =
      status === TransactionStatusByte.ACTIVE_ANEW || status === TransactionStatusByte.FAILED_ANEW
    if (isAnew && before !== 'I') this.transactionsEnded++
    const isActive = status === TransactionStatusByte.ACTIVE || status === TransactionStatusByte.ACTIVE_ANEW
    this.transactionStatus = isActive ? 'T' : 'E'
  }

  /** A command of the driver's own that starts or ends a transaction. */
  control(text: string, options: RequestOptions): ControlRequest {
    const request = new ControlRequest(this.environment, this)
    request.sendText(text, options)
    return request
  }

  /**
   * What opens a transaction or savepoint, to be sent right before the next request: it goes out in the same Sync group with
   * that, which does not run if it fails.
   */
  opening(context: ContextStatement | undefined): OpeningRequest {
    if (context === undefined) return new OpeningRequest(this.environment, this, undefined, [])
    return new OpeningRequest(this.environment, this, this.queries.use(context.text), context.values)
  }

  /** At once it is nobody's any more; CLOSED follows. */
  override terminate(): void {
    super.terminate()
    this.isClosed = true
  }

  /** Whether it is one of this pool's. */
  isOf(pool: PoolTarget): boolean {
    return this.pool === pool
  }
}
