import type { Failure } from '../errors/index'
import { CloseReason, Opcode, TransactionStatusByte } from '../types/boundary'
import type { ContextStatement } from './context-target'
import { ControlRequest } from './control-request'
import type { Environment } from './environment'
import type { ServerPlace } from './logged-query'
import { isObserved, observe } from './observation'
import { Occupancy } from './occupancy'
import { OpeningRequest } from './opening-request'
import type { PoolTarget } from './pool-target'
import { Portal } from './portal'
import { CONNECTION_QUERIES, Queries } from './queries'
import type { QueryLoggers } from './query-loggers'
import { abortedRequest, NO_PARAMETERS, type Request } from './request'
import type { RequestOptions, StatementOptions } from './request-options'
import { parametersRefused } from './statement-mode'
import { StreamRequest } from './stream-request'
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
  /** Where it was looked for, as it was named. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** Milliseconds that opening it took. */
  readonly openingMs: number
}

/** An asynchronous message of a session (`NOTIFY`). */
export interface NotificationMessage {
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
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly openingMs: number
  /** Parameters that the server reports, as they are now (manual, "Asynchronous Operations"). */
  readonly parameters: Map<string, string>
  /** As of the last answer. */
  transactionStatus: TransactionStatus
  /** As of the answer before the last. */
  statusBefore: TransactionStatus = 'I'
  /** Transactions that have ended, by whatever command. */
  transactionsEnded = 0
  /** Called once, when the transaction that is open has ended, or the session; they must not throw. */
  readonly transactionEndings = new Set<() => void>()
  /** What the application has ended a transaction by, the first time since one was begun by `open`. */
  endedBy: string | undefined = undefined
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
  /** UNLISTEN or DISCARD ALL was answered in a transaction, with whose end it takes effect. */
  private hasUnlistened = false
  /** What wants it to keep the process alive. */
  private readonly keepers = new Set<object>()
  /** What has the session for itself. */
  readonly occupancy = new Occupancy()
  /** Notices of the startup that nobody has heard yet, each by its fields. */
  startupNotices: readonly Readonly<Record<string, string>>[]
  /** The fields of a NoticeResponse, named as in {@link Failure}. */
  onNotice: ((fields: Record<string, string>) => void) | undefined = undefined
  onNotification: ((message: NotificationMessage) => void) | undefined = undefined
  /** The application has sent UNLISTEN or DISCARD ALL, and it has taken effect. */
  onUnlistened: (() => void) | undefined = undefined
  /** No transaction is open any more, nor was one. Asked for once. */
  onIdle: (() => void) | undefined = undefined
  /** What came from its public object ends: the session is about to be reset, or to go back to its pool. */
  onDetached: ((isReset: boolean) => void) | undefined = undefined
  /** A reported parameter has changed; {@link parameters} has it already. */
  onParameter: ((name: string, value: string) => void) | undefined = undefined
  /** Called once. Requests in flight have failed before. */
  onClosed: ((failure: Failure | undefined) => void) | undefined = undefined

  /** `pool` is the one that leases it, if any does. */
  constructor(environment: Environment, id: number, facts: SessionFacts, pool: PoolTarget | undefined) {
    super(environment, id, pool?.queries ?? new Queries(environment.native, CONNECTION_QUERIES))
    this.pool = pool
    this.isSimple = pool?.isSimple ?? false
    this.tags = pool?.tags
    this.poolQueries = pool?.queries
    this.backendPid = facts.backendPid
    this.host = facts.host
    this.port = facts.port
    this.user = facts.user
    this.database = facts.database
    this.openingMs = facts.openingMs
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
    this.tellTransactionEnd()
    this.forget({ queries: this.queries, scope: undefined })
    this.closeTypes()
    this.logBy(undefined)
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
   * @param isOwn It was leased for a call or a transaction of the pool's: then it is not reset where nothing of that can be left.
   * @returns Fulfilled when the session is clean, or gone.
   */
  async release(isOwn: boolean): Promise<void> {
    this.tellTransactionEnd()
    const { afterRelease } = this
    if (afterRelease === undefined) {
      const request = this.request()
      this.environment.outbox.command(Opcode.RELEASE, request.slot, this.id, isOwn ? 1 : 0, 0, 0)
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
    await this.release(false)
  }

  private forget({ queries, scope }: Knowledge): void {
    if (queries !== this.poolQueries) queries.close()
    scope?.close()
  }

  /** It keeps the process alive, idle or not, as long as one keeper wants it to. */
  reference(keeper: object = this): void {
    if (this.keepers.size === 0) this.environment.native.reference(this.id)
    this.keepers.add(keeper)
  }

  /** Without a keeper it keeps the process alive only while requests are in flight. */
  unreference(keeper: object = this): void {
    if (this.keepers.delete(keeper) && this.keepers.size === 0) this.environment.native.unreference(this.id)
  }

  /** The tag of a command of the application's; of a script, of its last one. */
  override noteTag(tag: string): void {
    if (this.onUnlistened === undefined || (tag !== 'UNLISTEN' && tag !== 'DISCARD ALL')) return
    if (this.transactionStatus === 'I') this.onUnlistened()
    else this.hasUnlistened = true
  }

  override noteTransactionStatus(status: number, request: Request): void {
    if (status === 0) return
    const before = this.transactionStatus
    this.statusBefore = before
    if (status === TransactionStatusByte.IDLE) {
      this.transactionStatus = 'I'
      if (before !== 'I') this.noteEnd(request)
      if (this.hasUnlistened) {
        this.hasUnlistened = false
        this.onUnlistened?.()
      }
      const { onIdle } = this
      if (onIdle !== undefined) {
        this.onIdle = undefined
        onIdle()
      }
      return
    }
    const isAnew =
      status === TransactionStatusByte.ACTIVE_ANEW || status === TransactionStatusByte.FAILED_ANEW
    if (isAnew && before !== 'I') this.noteEnd(request)
    const isActive = status === TransactionStatusByte.ACTIVE || status === TransactionStatusByte.ACTIVE_ANEW
    this.transactionStatus = isActive ? 'T' : 'E'
  }

  private noteEnd({ executed }: Request): void {
    this.transactionsEnded++
    this.endedBy ??= executed
    this.tellTransactionEnd()
  }

  private tellTransactionEnd(): void {
    if (this.transactionEndings.size === 0) return
    for (const tell of [...this.transactionEndings]) tell()
    this.transactionEndings.clear()
  }

  override place(): ServerPlace {
    return this
  }

  override session(): ConnectionTarget {
    return this
  }

  override queryLoggers(): readonly QueryLoggers[] {
    const own = super.queryLoggers()
    return this.pool === undefined ? own : [...own, ...this.pool.queryLoggers()]
  }

  /** A portal that nothing is bound to yet. */
  portal(): Portal {
    return new Portal(this.environment, this)
  }

  /** Executes one statement whose rows are taken while they come. */
  stream(
    text: string,
    params: readonly unknown[] | undefined,
    options: StatementOptions,
  ): StreamRequest | Request {
    return isObserved()
      ? observe(this, 'query', text, params, options.timeoutMs, () => this.sendStream(text, params, options))
      : this.sendStream(text, params, options)
  }

  private sendStream(
    text: string,
    params: readonly unknown[] | undefined,
    options: StatementOptions,
  ): StreamRequest | Request {
    const { environment } = this
    const { signal, group } = options
    if (this.isSimple && params !== undefined && params.length > 0) throw parametersRefused(params.length)
    if (signal?.aborted) return abortedRequest(environment, this, signal)
    const query = this.use(text)
    const values = params === undefined || params.length === 0 ? NO_PARAMETERS : params.slice()
    const request = new StreamRequest(environment, this, query, values, options.plan)
    try {
      if (signal !== undefined) request.watch(signal)
      if (group !== undefined) request.join(group)
      request.send(options)
      request.allow()
    } catch (error) {
      request.endUnsent(error)
      throw error
    }
    return request
  }

  /** A command of the driver's own that starts or ends a transaction. */
  control(text: string, options: RequestOptions): ControlRequest {
    return isObserved()
      ? observe(this, 'transaction', text, undefined, options.timeoutMs, () =>
          this.sendControl(text, options),
        )
      : this.sendControl(text, options)
  }

  private sendControl(text: string, options: RequestOptions): ControlRequest {
    const request = new ControlRequest(this.environment, this)
    request.sendText(text, options)
    return request
  }

  /**
   * Sends what opens a transaction or savepoint right before the next request: it goes out in the same Sync group with that,
   * which does not run if it fails.
   *
   * @param told Told of its end, before whoever waits for what is sent behind it.
   */
  open(
    text: string,
    context: ContextStatement | undefined,
    told: (opening: OpeningRequest) => void,
  ): OpeningRequest {
    return isObserved()
      ? observe(this, 'transaction', text, undefined, 0, () => this.sendOpening(text, context, told))
      : this.sendOpening(text, context, told)
  }

  private sendOpening(
    text: string,
    context: ContextStatement | undefined,
    told: (opening: OpeningRequest) => void,
  ): OpeningRequest {
    const query = context === undefined ? undefined : this.queries.use(context.text)
    const opening = new OpeningRequest(this.environment, this, query, context?.values ?? [])
    opening.settled.then(() => told(opening))
    opening.sendOpening(text)
    return opening
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
