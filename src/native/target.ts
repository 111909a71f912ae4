import type { ResultPlan } from '../decode/mapping'
import type { Failure } from '../errors/index'
import { Flag, Opcode } from '../types/boundary'
import type { ConnectionTarget } from './connection-target'
import type { Environment } from './environment'
import { GroupPart, GroupRequest, type GroupStatement } from './group-request'
import { HeldQuery } from './held-query'
import type { ServerPlace } from './logged-query'
import { countLogged, isObserved, type ObservedTarget, observe } from './observation'
import { checkText, type Queries, type Query } from './queries'
import type { QueryLoggers } from './query-loggers'
import type { QueryTags } from './query-tags'
import { abortedRequest, NO_PARAMETERS, Request, thrown } from './request'
import type { RequestOptions, ScriptOptions, StatementOptions } from './request-options'
import { callRefused, parametersRefused } from './statement-mode'
import { TypeScope } from './type-scope'

/** What is known of statements, and the codecs that it goes by. */
export interface Knowledge {
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
export abstract class Target implements ObservedTarget {
  /** As Rust knows it. */
  readonly id: number
  /** Queries are sent by the simple protocol, which has no parameters and nothing to prepare. */
  isSimple = false
  /** What its queries are tagged with. */
  tags: QueryTags | undefined = undefined
  protected readonly environment: Environment
  private statements: Queries
  private scope: TypeScope | undefined = undefined
  /** Gives the loggers of the calls that are made here, unless whoever they are kept by is gone. */
  private loggers: (() => QueryLoggers | undefined) | undefined = undefined

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

  abstract place(): ServerPlace

  abstract session(): ConnectionTarget | undefined

  queryLoggers(): readonly QueryLoggers[] {
    const loggers = this.loggers?.()
    return loggers === undefined ? [] : [loggers]
  }

  /** Has the calls that are made here logged, or no longer. */
  logBy(loggers: (() => QueryLoggers | undefined) | undefined): void {
    if ((loggers === undefined) !== (this.loggers === undefined)) countLogged(loggers === undefined ? -1 : 1)
    this.loggers = loggers
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
    return isObserved() ? this.observedQuery(text, params, options) : this.sendQuery(text, params, options)
  }

  // Apart from `query`, so that calls of which nobody wants to know allocate no context for a closure.
  private observedQuery(
    text: string,
    params: readonly unknown[] | undefined,
    options: StatementOptions,
  ): Request {
    const { timeoutMs } = options
    return observe(this, 'query', text, params, timeoutMs, () => this.sendQuery(text, params, options))
  }

  protected sendQuery(
    text: string,
    params: readonly unknown[] | undefined,
    options: StatementOptions,
  ): Request {
    const { environment } = this
    const { signal, group } = options
    if (this.isSimple && params !== undefined && params.length > 0) throw parametersRefused(params.length)
    if (signal?.aborted) return abortedRequest(environment, this, signal)
    const query = this.use(text)
    const values = params === undefined || params.length === 0 ? NO_PARAMETERS : params.slice()
    const request = new Request(environment, this, query, values, options.plan)
    try {
      if (signal !== undefined) request.watch(signal)
      if (group !== undefined) request.join(group)
      request.send(options)
      if (options.maxResultBytes > 0) request.limit(options.maxResultBytes)
    } catch (error) {
      request.endUnsent(error)
      throw error
    }
    return request
  }

  /** Executes a script of any number of statements; gives the tag of the last one and no rows. */
  script(text: string, options: ScriptOptions): Request {
    return isObserved() ? this.observedScript(text, options) : this.sendScript(text, options)
  }

  private observedScript(text: string, options: ScriptOptions): Request {
    return observe(this, 'script', text, undefined, options.timeoutMs, () => this.sendScript(text, options))
  }

  private sendScript(text: string, options: ScriptOptions): Request {
    const { environment } = this
    const { signal, group } = options
    if (signal?.aborted) return abortedRequest(environment, this, signal)
    checkText(text)
    const sent = this.tags === undefined ? text : (this.tags.changing(text) ?? this.tags.fixed(text))
    const request = this.request()
    request.text = text
    const flags = options.isControl === true ? Flag.CONTROL : 0
    try {
      if (signal !== undefined) request.watch(signal)
      if (group !== undefined) request.join(group)
      environment.outbox.script(request.slot, this.id, sent, flags, options.timeoutMs)
    } catch (error) {
      request.endUnsent(error)
      throw error
    }
    return request
  }

  /** The query of a text, with its tags. It is released with its request. */
  use(text: string): Query {
    return this.tags === undefined ? this.queries.use(text) : this.taggedQuery(text, this.tags)
  }

  /** What is always the same is part of the text that is prepared; with anything else it is prepared for this use alone. */
  private taggedQuery(text: string, tags: QueryTags): Query {
    const { queries } = this
    const fixed = tags.fixed(text)
    // What a prepared statement is executed by is that one.
    const changing = queries.isHeld(fixed) ? undefined : tags.changing(text)
    return changing === undefined ? queries.use(fixed) : queries.useOnce(changing)
  }

  /** Executes statements under one Sync: all of them take effect or, outside a transaction, none. */
  group(statements: readonly GroupStatement[], options: RequestOptions): GroupRequest {
    return isObserved() ? this.observedGroup(statements, options) : this.sendGroup(statements, options)
  }

  private observedGroup(statements: readonly GroupStatement[], options: RequestOptions): GroupRequest {
    const texts = statements.map(({ text }) => text)
    const send = (): GroupRequest => this.sendGroup(statements, options)
    return observe(this, 'group', texts.join(';\n'), undefined, options.timeoutMs, send, texts)
  }

  /** Why a text has no place here, whatever it is sent with. */
  refusalOf(_text: string): Failure | undefined {
    return undefined
  }

  protected sendGroup(statements: readonly GroupStatement[], options: RequestOptions): GroupRequest {
    return this.groupBehind(undefined, statements, options)
  }

  protected groupBehind(
    context: { readonly text: string; readonly values: readonly string[] } | undefined,
    statements: readonly GroupStatement[],
    { timeoutMs, signal, group }: RequestOptions,
  ): GroupRequest {
    const { environment, queries } = this
    if (this.isSimple) throw callRefused('a call with several statements, or with settings of its own,')
    const parts: GroupPart[] = []
    let request: GroupRequest
    try {
      for (const { text, params, options } of statements) {
        parts.push(new GroupPart(this.use(text), params, options))
      }
      const front =
        context === undefined ? undefined : { query: queries.use(context.text), values: context.values }
      request = new GroupRequest(environment, this, parts, front)
    } catch (error) {
      for (const part of parts) queries.release(part.query)
      throw error
    }
    if (signal?.aborted) {
      request.endUnsent(signal.reason)
      return request
    }
    try {
      if (signal !== undefined) request.watch(signal)
      if (group !== undefined) request.join(group)
      request.sendGroup(timeoutMs)
      const { maxResultBytes } = parts[0]!.options
      if (maxResultBytes > 0) request.limit(maxResultBytes)
    } catch (error) {
      request.endUnsent(error)
      throw error
    }
    return request
  }

  /** Keeps the statement of a text prepared, see {@link HeldQuery}. */
  hold(text: string): HeldQuery {
    if (this.isSimple) throw callRefused('prepare')
    return new HeldQuery(this.queries, this.tags?.fixed(text) ?? text)
  }

  /** Prepares a statement; the request's `description` says what it is. */
  prepare(text: string, options: RequestOptions): Request {
    return isObserved()
      ? observe(this, 'prepare', text, undefined, options.timeoutMs, () => this.sendPrepare(text, options))
      : this.sendPrepare(text, options)
  }

  private sendPrepare(text: string, options: RequestOptions): Request {
    const { environment } = this
    const { signal } = options
    if (this.isSimple) throw callRefused('prepare')
    if (signal?.aborted) return abortedRequest(environment, this, signal)
    const query = this.use(text)
    const request = new Request(environment, this, query, NO_PARAMETERS, undefined)
    return this.commanded(request, Opcode.PREPARE, query.id, 0, options)
  }

  /** Starts a request of one statement that is fed while it runs, such as a batch. */
  startFed<R extends Request>(kind: FedRequestClass<R>, text: string, options: StatementOptions): R {
    return isObserved()
      ? observe(this, 'batch', text, undefined, options.timeoutMs, () => this.sendFed(kind, text, options))
      : this.sendFed(kind, text, options)
  }

  private sendFed<R extends Request>(kind: FedRequestClass<R>, text: string, options: StatementOptions): R {
    const { environment } = this
    const { plan, form, signal, maxResultBytes } = options
    if (this.isSimple) throw callRefused('a call with many rows of parameters, executeMany or fetchMany,')
    const query = this.use(text)
    const request = new kind(environment, this, query, plan)
    if (signal?.aborted) {
      request.freeSlot()
      request.settle(thrown(signal.reason))
      return request
    }
    this.commanded(request, kind.opcode, query.id, form, options)
    if (maxResultBytes > 0) request.limit(maxResultBytes)
    return request
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
  noteTransactionStatus(_status: number, _request: Request): void {}

  /** The tag of a command that has no number of its own. */
  noteTag(_tag: string): void {}

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
