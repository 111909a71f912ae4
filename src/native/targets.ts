import type { ResultPlan } from '../decode/mapping'
import type { Failure, PoolHolder } from '../errors/index'
import { Flag, Opcode, TransactionStatusByte } from '../types/boundary'
import { ControlRequest } from './control-request'
import type { Environment } from './environment'
import { HeldQuery } from './held-query'
import type { PoolStats } from './load'
import { Occupancy } from './occupancy'
import { statsOfEnded } from './pool-stats'
import { CONNECTION_QUERIES, checkText, POOL_QUERIES, Queries, type Query } from './queries'
import { abortedRequest, NO_PARAMETERS, Request, thrown } from './request'
import type { RequestOptions, ScriptOptions, StatementOptions } from './request-options'
import { callRefused, parametersRefused } from './statement-mode'
import { TypeScope } from './type-scope'

/** What the server says of a transaction: none, open, or failed. */
export type TransactionStatus = 'I' | 'T' | 'E'

/** What a session is opened with, where it is not the configuration's. */
export interface Credentials {
  readonly password?: string
  readonly oauthToken?: string
}

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

/** What is known of statements, and the codecs that it goes by. */
interface Knowledge {
  readonly queries: Queries
  readonly scope: TypeScope | undefined
}

/** A subclass of {@link Request} whose requests are fed while they run. */
export interface FedRequestClass<R extends Request> {
  /** The command that starts one. */
  readonly opcode: number
  new (environment: Environment, target: Target, query: Query, plan: ResultPlan): R
}

/** What requests go to: a connection, or a pool that chooses one. */
export abstract class Target {
  /** As Rust knows it. */
  readonly id: number
  /** Queries are sent by the simple protocol, which has no parameters and nothing to prepare. */
  isSimple = false
  protected readonly environment: Environment
  private statements: Queries
  private scope: TypeScope | undefined = undefined

  constructor(environment: Environment, id: number, queries: Queries) {
    this.environment = environment
    this.id = id
    this.statements = queries
  }

  /** What is known of statements. A pool and its connections have the same, unless one has codecs of its own. */
  get queries(): Queries {
    return this.statements
  }

  /** The codecs of the application's for types. */
  get types(): TypeScope {
    // Commands that were written before go by the codecs from before.
    this.environment.outbox.flush()
    this.scope ??= new TypeScope(this.environment.native, this.id, () => this.environment.slots.taken === 0)
    return this.scope
  }

  /** The type code of a type by its name in `pg_type`; 0 when it has no binary codec. */
  familyOf(typeName: string): number {
    return this.environment.native.familyOf(typeName)
  }

  /** Forgets what was looked up about types. */
  reloadTypes(): void {
    this.environment.outbox.flush()
    this.environment.native.reloadTypes(this.id)
  }

  /** Goes by other codecs, and by what statements are known to be with those; gives what there was before. */
  protected exchange(knowledge: Knowledge): Knowledge {
    const before = { queries: this.statements, scope: this.scope }
    this.statements = knowledge.queries
    this.scope = knowledge.scope
    return before
  }

  /** Forgets the codecs that were given here. */
  protected closeTypes(): void {
    this.scope?.close()
    this.scope = undefined
  }

  /**
   * Executes one statement.
   *
   * @param params Copied, with the bytes of Buffers and other views among them.
   */
  query(text: string, params: readonly unknown[] | undefined, options: StatementOptions): Request {
    const { environment } = this
    const { signal, group } = options
    if (this.isSimple && params !== undefined && params.length > 0) throw parametersRefused(params.length)
    if (signal?.aborted) return abortedRequest(environment, this, signal)
    const query = this.queries.use(text)
    const values = params === undefined || params.length === 0 ? NO_PARAMETERS : params.slice()
    const request = new Request(environment, this, query, values, options.plan)
    try {
      if (signal !== undefined) request.watch(signal)
      if (group !== undefined) request.join(group)
      request.send(options)
    } catch (error) {
      request.endUnsent(error)
      throw error
    }
    return request
  }

  /** Executes a script of any number of statements; gives the tag of the last one and no rows. */
  script(text: string, options: ScriptOptions): Request {
    const { environment } = this
    const { signal, group } = options
    if (signal?.aborted) return abortedRequest(environment, this, signal)
    checkText(text)
    const request = this.request()
    const flags = options.isControl === true ? Flag.CONTROL : 0
    try {
      if (signal !== undefined) request.watch(signal)
      if (group !== undefined) request.join(group, text)
      environment.outbox.script(request.slot, this.id, text, flags, options.timeoutMs)
    } catch (error) {
      request.endUnsent(error)
      throw error
    }
    return request
  }

  /** Keeps the statement of a text prepared, see {@link HeldQuery}. */
  hold(text: string): HeldQuery {
    if (this.isSimple) throw callRefused('prepare')
    return new HeldQuery(this.queries, text)
  }

  /** Prepares a statement; the request's `description` says what it is. */
  prepare(text: string, options: RequestOptions): Request {
    const { environment } = this
    const { signal } = options
    if (this.isSimple) throw callRefused('prepare')
    if (signal?.aborted) return abortedRequest(environment, this, signal)
    const query = this.queries.use(text)
    const request = new Request(environment, this, query, NO_PARAMETERS, undefined)
    return this.commanded(request, Opcode.PREPARE, query.id, 0, options)
  }

  /** Starts a request of one statement that is fed while it runs, such as a batch. */
  startFed<R extends Request>(kind: FedRequestClass<R>, text: string, options: StatementOptions): R {
    const { environment } = this
    const { plan, form, signal } = options
    if (this.isSimple) throw callRefused('a call with many rows of parameters, executeMany or fetchMany,')
    const query = this.queries.use(text)
    const request = new kind(environment, this, query, plan)
    if (signal?.aborted) {
      request.freeSlot()
      request.settle(thrown(signal.reason))
      return request
    }
    return this.commanded(request, kind.opcode, query.id, form, options)
  }

  /** Closes it gracefully: requests in flight end first. At the timeout it is terminated. */
  close(timeoutMs: number): Request {
    return this.commanded(this.request(), Opcode.CLOSE, 0, 0, { timeoutMs, signal: undefined })
  }

  /** Ends it at once; requests in flight fail. */
  terminate(): void {
    this.environment.outbox.command(Opcode.TERMINATE, 0, this.id, 0, 0, 0)
  }

  /** ReadyForQuery said so at the end of a request; 0 when it did not. */
  noteTransactionStatus(_status: number): void {}

  /** A request has waited in vain for a connection of the pool that this is: adds who has them. */
  explainWait(_failure: Failure): void {}

  protected request(): Request {
    return new Request(this.environment, this, undefined, NO_PARAMETERS, undefined)
  }

  /** Writes a command of a request's, which is as if it had never been when that fails. */
  protected commanded<R extends Request>(
    request: R,
    opcode: number,
    query: number,
    form: number,
    { timeoutMs, signal, group }: RequestOptions,
  ): R {
    try {
      if (signal !== undefined) request.watch(signal)
      if (group !== undefined) request.join(group)
      this.environment.outbox.command(opcode, request.slot, this.id, query, form, timeoutMs)
    } catch (error) {
      request.endUnsent(error)
      throw error
    }
    return request
  }
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
    this.closeFailure = failure
    this.forget({ queries: this.queries, scope: undefined })
    this.closeTypes()
    if (this.afterRelease !== undefined) this.forget(this.afterRelease)
    this.onClosed?.(failure)
    this.pool?.onPooledClosed?.(this, failure, reason)
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

/** A pool of connections. */
export class PoolTarget extends Target {
  private lastStats: PoolStats | undefined = undefined
  /** Called for each new session when the pool was opened so; {@link answerCredentials} or {@link refuseCredentials} follows. */
  onCredentials: ((opening: number) => void) | undefined = undefined

  /** POOLED: it has a new connection. */
  onPooled: ((connection: ConnectionTarget) => void) | undefined = undefined
  /** A connection's NoticeResponse, by its fields. */
  onPooledNotice: ((connection: ConnectionTarget, fields: Record<string, string>) => void) | undefined =
    undefined
  /** A connection is gone; `reason` is one of `CloseReason`, −1 when the pool did not close it. */
  onPooledClosed:
    | ((connection: ConnectionTarget, failure: Failure | undefined, reason: number) => void)
    | undefined = undefined
  /** Gives who has leased its connections, and the same in words. */
  onWaitInVain: (() => { readonly holders: readonly PoolHolder[]; readonly text: string }) | undefined =
    undefined
  /** What that gave in this turn: many may wait in vain at once. */
  private held: { readonly holders: readonly PoolHolder[]; readonly text: string } | undefined = undefined

  constructor(environment: Environment, id: number) {
    super(environment, id, new Queries(environment.native, POOL_QUERIES))
  }

  /** Its connections that are open, as far as JavaScript has heard. */
  connections(): ConnectionTarget[] {
    return [...this.environment.connections.values()].filter((connection) => connection.isOf(this))
  }

  override explainWait(failure: Failure): void {
    if (this.held === undefined) {
      this.held = this.onWaitInVain?.()
      queueMicrotask(() => {
        this.held = undefined
      })
    }
    if (this.held === undefined) return
    failure.holders = this.held.holders
    if (this.held.text !== '') failure.message += `; ${this.held.text}`
  }

  /** Leases a connection alone; the request's `connection` when it has settled well. */
  acquire(options: RequestOptions): Request {
    const { signal } = options
    if (signal?.aborted) return abortedRequest(this.environment, this, signal)
    return this.commanded(this.request(), Opcode.ACQUIRE, 0, 0, options)
  }

  /** CREDENTIALS: a session that is being opened needs one. */
  askCredentials(opening: number): void {
    if (this.onCredentials === undefined)
      this.refuseCredentials(opening, 'nobody gives a password or a token', false)
    else this.onCredentials(opening)
  }

  /** `remainingMs` is what is left of `connectTimeoutMs`, 0 for no limit. */
  answerCredentials(opening: number, { password, oauthToken }: Credentials, remainingMs: number): void {
    this.environment.outbox.flush()
    this.environment.native.answerCredentials(opening, password, oauthToken, remainingMs)
  }

  /** There is none, and the session is not opened. */
  refuseCredentials(opening: number, why: string, isLate: boolean): void {
    this.environment.outbox.flush()
    this.environment.native.refuseCredentials(opening, why, isLate)
  }

  /** Why a query is not sent through a pool, where nothing would come of it. Rust refuses those by itself that it gets. */
  refusalOf(text: string): Failure | undefined {
    return this.environment.native.refusalThroughPool(text) ?? undefined
  }

  /** The counters now; of a pool that is gone the last ones, with nothing open. */
  stats(): PoolStats {
    const { environment, id, lastStats } = this
    // Calls of this tick count as well.
    environment.outbox.flush()
    const stats = environment.native.poolStats(id)
    if (stats === null || stats === undefined) {
      return statsOfEnded(lastStats)
    }
    this.lastStats = stats
    return stats
  }

  /**
   * Connections older than this call are closed, those in use when they come back, and what is known of statements is
   * forgotten.
   */
  expire(): void {
    this.environment.outbox.flush()
    this.environment.native.expirePool(this.id)
    this.environment.native.reloadTypes(this.id)
    this.queries.forgetAll()
  }

  override close(timeoutMs: number): Request {
    // Nobody is given a connection any more: the counters stay as they are.
    this.stats()
    const request = super.close(timeoutMs)
    request.settled.then(() => this.forget())
    return request
  }

  override terminate(): void {
    this.stats()
    super.terminate()
    for (const connection of this.connections()) connection.isClosed = true
    this.forget()
  }

  private forget(): void {
    this.environment.pools.delete(this.id)
    this.queries.close()
    this.closeTypes()
  }
}
