import { type Attribute, attributesOf, type Type, typeOf } from './attributes'
import { feed } from './batch-feed'
import { CALL_OPTIONS, checkParameters, checkParametersList, checkQueryOptions } from './call-arguments'
import type { CursorFactory } from './cursor'
import { DEFAULT_PLAN, planFor, planWithoutCodecs, type RowMode } from './decode/mapping'
import { errorFromFailure, InternalClientError } from './errors/index'
import type { Description, HeldQuery, Request } from './native/door'
import { checkOptions, flag } from './options'
import { notByNew } from './other-drivers'
import type { QueryMethods } from './query-methods'
import type {
  ArrayMode,
  CallOptions,
  CursorOptions,
  FetchOptions,
  FetchValOptions,
  ObjectMode,
  Parameters,
  ParametersList,
  RecordMode,
  RowOf,
  RowTypes,
  StreamOptions,
  UnknownRow,
} from './query-options'
import { type QueryResult, resultOf } from './query-result'
import type { Row } from './record'
import type { RowStream } from './row-stream'
import {
  callOptions,
  firstValue,
  type QueryHost,
  sendExecute,
  sendExecuteMany,
  sendFetch,
  sendFetchMany,
  sendFetchVal,
} from './send'

/** Options of `explain`. */
export interface ExplainOptions extends CallOptions {
  /** Executes the query as well, in a transaction (or savepoint) that is rolled back. Default false. */
  analyze?: boolean | undefined
}

const EXPLAIN_OPTIONS: ReadonlySet<string> = new Set([...CALL_OPTIONS, 'analyze'])
const EXPLAIN_PLAN = planWithoutCodecs(planFor(DEFAULT_PLAN, { rowMode: 'array' }))

/** What a prepared statement shows of itself: the server may describe it anew, when a table has got another column. */
export class ShownDescription {
  readonly #held: HeldQuery
  #description: Description
  #shown: { readonly parameters: readonly Type[]; readonly attributes: readonly Attribute[] } | undefined

  constructor(held: HeldQuery, description: Description) {
    this.#held = held
    this.#description = description
  }

  /** The same objects as long as nothing has changed. */
  now() {
    const latest = this.#held.description ?? this.#description
    if (this.#shown === undefined || latest !== this.#description) {
      this.#description = latest
      this.#shown = { parameters: latest.parameters.map(typeOf), attributes: attributesOf(latest.columns) }
    }
    return this.#shown
  }
}

/**
 * A query that the server has parsed. It lives as long as the connection or pool it was made on. While it is in use, each
 * connection that has prepared it keeps it prepared, besides the `statementCacheSize` others; where the server's side of
 * it is lost, it is made again.
 *
 * @typeParam M The row mode of calls that name none.
 */
export class PreparedStatement<M extends RowMode = 'object'> {
  /** The query's text. */
  readonly query: string
  readonly #host: QueryMethods<M>
  readonly #shown: ShownDescription
  readonly #last: { tag: string | null }

  /** @internal */
  constructor(
    host: QueryMethods<M>,
    query: string,
    shown: ShownDescription,
    last = { tag: null as string | null },
  ) {
    if (host === undefined || shown === undefined) throw notByNew(new.target)
    this.#host = host
    this.#shown = shown
    this.#last = last
    this.query = query
  }

  /** The types of `$1`, `$2` …, as the server described them last. */
  get parameters(): readonly Type[] {
    return this.#shown.now().parameters
  }

  /** The columns of the result, as the server described them last; none when the query gives no rows. */
  get attributes(): readonly Attribute[] {
    return this.#shown.now().attributes
  }

  /** The command tag of the last execution, such as `SELECT 3`; null before the first, empty when it was cut short. */
  get statusMessage(): string | null {
    return this.#last.tag
  }

  /** Executes the statement and gives the command tag. */
  async execute(params?: Parameters, options?: CallOptions): Promise<string> {
    checkQueryOptions(options, CALL_OPTIONS)
    checkParameters(params)
    const lend = this.#host._lender(this.query)
    if (lend !== undefined) return lend((host, rest) => this.#on(host).execute(params, rest), options)
    const request = sendExecute(this.#host, this.query, params, options)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: this.query })
    return this.#noteTag(request)
  }

  /** All rows. */
  fetch<T extends readonly unknown[] = unknown[]>(
    params: Parameters | undefined,
    options: ArrayMode,
  ): Promise<T[]>
  fetch<T = Record<string, unknown>>(params: Parameters | undefined, options: ObjectMode): Promise<T[]>
  fetch<T = Record<string, unknown>>(params: Parameters | undefined, options: RecordMode): Promise<Row<T>[]>
  fetch<T extends RowTypes<M> = UnknownRow<M>>(
    params?: Parameters,
    options?: FetchOptions<M>,
  ): Promise<RowOf<M, T>[]>
  async fetch(params?: Parameters, options?: FetchOptions<RowMode>): Promise<unknown[]> {
    checkParameters(params)
    const lend = this.#host._lender(this.query)
    if (lend !== undefined)
      return lend((host, rest) => this.#on(host).fetch(params, rest as FetchOptions<M>), options)
    const request = sendFetch(this.#host, this.query, params, options, this.#host._defaults.rows)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: this.query })
    this.#noteTag(request)
    return request.rows
  }

  /** The first row, or null when there is none. */
  fetchRow<T extends readonly unknown[] = unknown[]>(
    params: Parameters | undefined,
    options: ArrayMode,
  ): Promise<T | null>
  fetchRow<T = Record<string, unknown>>(
    params: Parameters | undefined,
    options: ObjectMode,
  ): Promise<T | null>
  fetchRow<T = Record<string, unknown>>(
    params: Parameters | undefined,
    options: RecordMode,
  ): Promise<Row<T> | null>
  fetchRow<T extends RowTypes<M> = UnknownRow<M>>(
    params?: Parameters,
    options?: FetchOptions<M>,
  ): Promise<RowOf<M, T> | null>
  async fetchRow(params?: Parameters, options?: FetchOptions<RowMode>): Promise<unknown> {
    checkParameters(params)
    const lend = this.#host._lender(this.query)
    if (lend !== undefined)
      return lend((host, rest) => this.#on(host).fetchRow(params, rest as FetchOptions<M>), options)
    const request = sendFetch(this.#host, this.query, params, options, this.#host._defaults.row)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: this.query })
    this.#noteTag(request)
    return request.rows[0] ?? null
  }

  /** One value of the first row, or null when there is no row. */
  async fetchVal<T = unknown>(params?: Parameters, options?: FetchValOptions): Promise<T | null> {
    checkParameters(params)
    const lend = this.#host._lender(this.query)
    if (lend !== undefined) return lend((host, rest) => this.#on(host).fetchVal<T>(params, rest), options)
    const request = sendFetchVal(this.#host, this.query, params, options)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: this.query })
    this.#noteTag(request)
    return firstValue(request, options?.column) as T | null
  }

  /** All rows, with the command, the number of rows affected and the columns. */
  run<T extends readonly unknown[] = unknown[]>(
    params: Parameters | undefined,
    options: ArrayMode,
  ): Promise<QueryResult<T>>
  run<T = Record<string, unknown>>(
    params: Parameters | undefined,
    options: ObjectMode,
  ): Promise<QueryResult<T>>
  run<T = Record<string, unknown>>(
    params: Parameters | undefined,
    options: RecordMode,
  ): Promise<QueryResult<Row<T>>>
  run<T extends RowTypes<M> = UnknownRow<M>>(
    params?: Parameters,
    options?: FetchOptions<M>,
  ): Promise<QueryResult<RowOf<M, T>>>
  async run(params?: Parameters, options?: FetchOptions<RowMode>): Promise<unknown> {
    checkParameters(params)
    const lend = this.#host._lender(this.query)
    if (lend !== undefined)
      return lend((host, rest) => this.#on(host).run(params, rest as FetchOptions<M>), options)
    const request = sendFetch(this.#host, this.query, params, options, this.#host._defaults.rows)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: this.query })
    return resultOf(request, this.#noteTag(request))
  }

  /** Executes the statement once for each row of parameters, all or nothing, and gives the rows of all executions. */
  fetchMany<T extends readonly unknown[] = unknown[]>(
    paramsList: ParametersList,
    options: ArrayMode,
  ): Promise<T[]>
  fetchMany<T = Record<string, unknown>>(paramsList: ParametersList, options: ObjectMode): Promise<T[]>
  fetchMany<T = Record<string, unknown>>(paramsList: ParametersList, options: RecordMode): Promise<Row<T>[]>
  fetchMany<T extends RowTypes<M> = UnknownRow<M>>(
    paramsList: ParametersList,
    options?: FetchOptions<M>,
  ): Promise<RowOf<M, T>[]>
  async fetchMany(paramsList: ParametersList, options?: FetchOptions<RowMode>): Promise<unknown[]> {
    checkParametersList(paramsList)
    const lend = this.#host._lender(this.query, true)
    if (lend !== undefined)
      return lend((host, rest) => this.#on(host).fetchMany(paramsList, rest as FetchOptions<M>), options)
    const batch = sendFetchMany(this.#host, this.query, options)
    await feed(batch, paramsList)
    if (batch.failure !== undefined) throw errorFromFailure(batch.failure, { query: this.query })
    this.#noteTag(batch)
    return batch.rows
  }

  /** Executes the statement once for each row of parameters, all or nothing, and gives the number of rows affected. */
  async executeMany(paramsList: ParametersList, options?: CallOptions): Promise<number> {
    checkQueryOptions(options, CALL_OPTIONS)
    checkParametersList(paramsList)
    const lend = this.#host._lender(this.query, true)
    if (lend !== undefined) return lend((host, rest) => this.#on(host).executeMany(paramsList, rest), options)
    const batch = sendExecuteMany(this.#host, this.query, options)
    await feed(batch, paramsList)
    if (batch.failure !== undefined) throw errorFromFailure(batch.failure, { query: this.query })
    this.#noteTag(batch)
    return batch.rowCount
  }

  /** The rows, fetched in parts, in a transaction: see `cursor` of connections and transactions. */
  cursor<T extends readonly unknown[] = unknown[]>(
    params: Parameters | undefined,
    options: ArrayMode & CursorOptions<'array'>,
  ): CursorFactory<T>
  cursor<T = Record<string, unknown>>(
    params: Parameters | undefined,
    options: ObjectMode & CursorOptions,
  ): CursorFactory<T>
  cursor<T = Record<string, unknown>>(
    params: Parameters | undefined,
    options: RecordMode & CursorOptions<'record'>,
  ): CursorFactory<Row<T>>
  cursor<T extends RowTypes<M> = UnknownRow<M>>(
    params?: Parameters,
    options?: CursorOptions<M>,
  ): CursorFactory<RowOf<M, T>>
  cursor(params?: Parameters, options?: CursorOptions<RowMode>): CursorFactory<unknown> {
    checkParameters(params)
    return this.#host._cursor(this.query, params, options)
  }

  /** The rows, read no faster than they are wanted: see `stream` of connections, pools and transactions. */
  stream<T extends readonly unknown[] = unknown[]>(
    params: Parameters | undefined,
    options: ArrayMode & StreamOptions<'array'>,
  ): RowStream<T>
  stream<T = Record<string, unknown>>(
    params: Parameters | undefined,
    options: ObjectMode & StreamOptions,
  ): RowStream<T>
  stream<T = Record<string, unknown>>(
    params: Parameters | undefined,
    options: RecordMode & StreamOptions<'record'>,
  ): RowStream<Row<T>>
  stream<T extends RowTypes<M> = UnknownRow<M>>(
    params?: Parameters,
    options?: StreamOptions<M>,
  ): RowStream<RowOf<M, T>>
  stream(params?: Parameters, options?: StreamOptions<RowMode>): RowStream<unknown> {
    checkParameters(params)
    return this.#host._stream(this.query, params, options)
  }

  /** The plan of the query, as `EXPLAIN (FORMAT JSON, VERBOSE)` gives it. */
  explain(params: Parameters | undefined, options?: ExplainOptions): Promise<unknown[]>
  explain(options?: ExplainOptions): Promise<unknown[]>
  async explain(first?: Parameters | ExplainOptions, second?: ExplainOptions): Promise<unknown[]> {
    const isFirstOptions = second === undefined && typeof first === 'object' && !Array.isArray(first)
    const params = isFirstOptions ? undefined : (first as Parameters | undefined)
    const options = isFirstOptions ? (first as ExplainOptions) : second
    checkParameters(params)
    if (options !== undefined) checkOptions(options, EXPLAIN_OPTIONS, 'options of explain')
    const isAnalyzed = options?.analyze !== undefined && flag('analyze', options.analyze)
    const lend = this.#host._lender(this.query)
    if (lend !== undefined) return lend((host, rest) => this.#on(host).explain(params, rest), options)
    if (!isAnalyzed) return explainOn(this.#host, 'VERBOSE', this.query, params, options)
    // ANALYZE does what the query says (PostgreSQL manual, EXPLAIN).
    let plan: unknown[] = []
    const undo = new Error('explained')
    try {
      await this.#host.transaction(async (transaction) => {
        plan = await explainOn(transaction, 'VERBOSE, ANALYZE', this.query, params, options)
        throw undo
      }, limitsOf(options))
    } catch (error) {
      if (error !== undo) throw error
    }
    return plan
  }

  /** This statement on a connection that a pool has lent. */
  #on(host: QueryMethods<M>): PreparedStatement<M> {
    return new PreparedStatement(host, this.query, this.#shown, this.#last)
  }

  #noteTag(request: Request): string {
    const tag = request.tag()
    this.#last.tag = tag
    return tag
  }
}

/** Prepares a query and gives its description. */
export async function prepareOn(
  host: QueryHost,
  text: string,
  options: CallOptions | undefined,
): Promise<Description> {
  const given = callOptions(host._defaults.count, options)
  const request = host._target().prepare(text, given)
  await request.settled
  if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: text })
  if (request.description === undefined) throw new InternalClientError('a statement without a description')
  return request.description
}

/** Of a call, for the transaction that it is made in. */
function limitsOf(options: CallOptions | undefined): CallOptions | undefined {
  if (options === undefined) return undefined
  const { timeoutMs, signal } = options
  return { timeoutMs, signal }
}

async function explainOn(
  host: QueryHost,
  words: string,
  query: string,
  params: Parameters | undefined,
  options: CallOptions | undefined,
): Promise<unknown[]> {
  const text = `EXPLAIN (FORMAT JSON, ${words}) ${query}`
  const given = { ...callOptions(host._defaults.row, options), plan: EXPLAIN_PLAN }
  const request = host._target().query(text, params, given)
  await request.settled
  if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: text })
  const plan = firstValue(request, undefined)
  // Where json has a codec of the application's, this is what the codec would have got.
  return (typeof plan === 'string' || Buffer.isBuffer(plan) ? JSON.parse(plan.toString()) : plan) as unknown[]
}
