import { feed } from './batch-feed'
import {
  CALL_OPTIONS,
  checkCallOptions,
  checkParametersList,
  checkQueryOptions,
  FETCH_OPTIONS,
  parametersOf,
  STREAM_OPTIONS,
  textOf,
  textWithoutParameters,
} from './call-arguments'
import type { CursorFactory } from './cursor'
import type { RowMode } from './decode/mapping'
import { errorFromFailure, InterfaceError } from './errors/index'
import { type Target, takenNow } from './native/door'
import { checkPayload, quoteChannel } from './notification'
import { notACall } from './other-drivers'
import { PreparedStatement, prepareOn, ShownDescription } from './prepared-statement'
import type {
  ArrayMode,
  BatchRows,
  BatchStatement,
  BatchStatements,
  CallOptions,
  CursorOptions,
  FetchOptions,
  FetchValOptions,
  ObjectMode,
  Parameters,
  ParametersList,
  Query,
  RecordMode,
  RowOf,
  RowTypes,
  StreamOptions,
  UnknownRow,
} from './query-options'
import { type QueryResult, resultOf } from './query-result'
import type { Queryable } from './queryable'
import { quoteLiteral } from './quote-literal'
import type { Row } from './record'
import { type RowSource, readHere, type SourceQuery } from './row-source'
import { RowStream } from './row-stream'
import {
  type CallDefaults,
  firstValue,
  type QueryHost,
  sendExecute,
  sendExecuteMany,
  sendFetch,
  sendFetchMany,
  sendFetchVal,
  sendScript,
  statementOptions,
} from './send'
import { checkStatements, runBatch } from './statement-batch'
import type { Transaction } from './transaction'
import type { TransactionCallback, TransactionOptions } from './transaction-options'

const NOTIFY = 'select pg_catalog.pg_notify($1, $2)'

/**
 * Runs a call on a connection that is leased for it alone, with what is left of the time in its options, and its parameters as they
 * are now.
 */
export type Lender<M extends RowMode> = <R, O extends CallOptions>(
  call: (host: QueryMethods<M>, options: O | undefined, params: Parameters | undefined) => Promise<R>,
  options: O | undefined,
  params?: Parameters | undefined,
) => Promise<R>

/**
 * The query methods of connections, pools and transactions. Each is one `async` function, which makes its error after
 * its `await`: so the stack shows the caller, and calls that succeed pay for no stack.
 */
export abstract class QueryMethods<M extends RowMode = 'object'> implements Queryable<M>, QueryHost {
  /** @internal */
  abstract readonly _defaults: CallDefaults
  /** @internal */
  abstract _target(): Target
  abstract transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>
  abstract begin(options?: TransactionOptions): Promise<Transaction<M>>

  /** @internal Where the rows of a stream come from. */
  abstract _rowSource(query: SourceQuery): RowSource

  /** @internal Of what has no session of its own: there is nothing that a cursor could live in. */
  _cursor(
    _text: string,
    _params: Parameters | undefined,
    _options: CursorOptions<RowMode> | undefined,
  ): CursorFactory<unknown> {
    throw new InterfaceError(
      'a cursor needs a transaction, and a statement of a pool has none: prepare it inside transaction() or begin(), or ' +
        'call stream()',
    )
  }

  /** @internal pg's name. */
  query(): never {
    throw notACall('query')
  }

  /** @internal pg's name. */
  end(): never {
    throw notACall('end')
  }

  /** @internal The name of event emitters. */
  on(): never {
    throw notACall('on')
  }

  /**
   * @internal Of a pool whose calls need a connection of their own: lends them one. `needsSession`: this one is fed while it
   * runs, or prepares.
   *
   * @throws what a pool says of a query of which nothing would come there.
   */
  _lender(_text?: string, _needsSession?: boolean): Lender<M> | undefined {
    return undefined
  }

  async execute(query: Query, params?: Parameters, options?: CallOptions): Promise<string> {
    const text = textOf(query)
    const values = parametersOf(query, params)
    checkQueryOptions(options, CALL_OPTIONS)
    const lend = this._lender(text)
    if (lend !== undefined)
      return lend((host, rest, taken) => host.execute(text, taken, rest), options, values)
    const request =
      values === undefined ? sendScript(this, text, options) : sendExecute(this, text, values, options)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: text })
    return request.tag()
  }

  fetch<T extends readonly unknown[] = unknown[]>(
    query: Query,
    params: Parameters | undefined,
    options: ArrayMode,
  ): Promise<T[]>
  fetch<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: ObjectMode,
  ): Promise<T[]>
  fetch<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: RecordMode,
  ): Promise<Row<T>[]>
  fetch<T extends RowTypes<M> = UnknownRow<M>>(
    query: Query,
    params?: Parameters,
    options?: FetchOptions<M>,
  ): Promise<RowOf<M, T>[]>
  async fetch(query: Query, params?: Parameters, options?: FetchOptions<RowMode>): Promise<unknown[]> {
    const text = textOf(query)
    const values = parametersOf(query, params)
    const lend = this._lender(text)
    if (lend !== undefined)
      return lend((host, rest, taken) => host.fetch(text, taken, rest as FetchOptions<M>), options, values)
    const request = sendFetch(this, text, values, options, this._defaults.rows)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: text })
    return request.rows
  }

  fetchRow<T extends readonly unknown[] = unknown[]>(
    query: Query,
    params: Parameters | undefined,
    options: ArrayMode,
  ): Promise<T | null>
  fetchRow<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: ObjectMode,
  ): Promise<T | null>
  fetchRow<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: RecordMode,
  ): Promise<Row<T> | null>
  fetchRow<T extends RowTypes<M> = UnknownRow<M>>(
    query: Query,
    params?: Parameters,
    options?: FetchOptions<M>,
  ): Promise<RowOf<M, T> | null>
  async fetchRow(query: Query, params?: Parameters, options?: FetchOptions<RowMode>): Promise<unknown> {
    const text = textOf(query)
    const values = parametersOf(query, params)
    const lend = this._lender(text)
    if (lend !== undefined)
      return lend((host, rest, taken) => host.fetchRow(text, taken, rest as FetchOptions<M>), options, values)
    const request = sendFetch(this, text, values, options, this._defaults.row)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: text })
    return request.rows[0] ?? null
  }

  run<T extends readonly unknown[] = unknown[]>(
    query: Query,
    params: Parameters | undefined,
    options: ArrayMode,
  ): Promise<QueryResult<T>>
  run<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: ObjectMode,
  ): Promise<QueryResult<T>>
  run<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: RecordMode,
  ): Promise<QueryResult<Row<T>>>
  run<T extends RowTypes<M> = UnknownRow<M>>(
    query: Query,
    params?: Parameters,
    options?: FetchOptions<M>,
  ): Promise<QueryResult<RowOf<M, T>>>
  async run(query: Query, params?: Parameters, options?: FetchOptions<RowMode>): Promise<unknown> {
    const text = textOf(query)
    const values = parametersOf(query, params)
    const lend = this._lender(text)
    if (lend !== undefined)
      return lend((host, rest, taken) => host.run(text, taken, rest as FetchOptions<M>), options, values)
    const request = sendFetch(this, text, values, options, this._defaults.rows)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: text })
    return resultOf(request, request.tag())
  }

  async fetchVal<T = unknown>(
    query: Query,
    params?: Parameters,
    options?: FetchValOptions,
  ): Promise<T | null> {
    const text = textOf(query)
    const values = parametersOf(query, params)
    const lend = this._lender(text)
    if (lend !== undefined)
      return lend((host, rest, taken) => host.fetchVal<T>(text, taken, rest), options, values)
    const request = sendFetchVal(this, text, values, options)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure, { query: text })
    return firstValue(request, options?.column) as T | null
  }

  fetchMany<T extends readonly unknown[] = unknown[]>(
    query: Query,
    paramsList: ParametersList,
    options: ArrayMode,
  ): Promise<T[]>
  fetchMany<T = Record<string, unknown>>(
    query: Query,
    paramsList: ParametersList,
    options: ObjectMode,
  ): Promise<T[]>
  fetchMany<T = Record<string, unknown>>(
    query: Query,
    paramsList: ParametersList,
    options: RecordMode,
  ): Promise<Row<T>[]>
  fetchMany<T extends RowTypes<M> = UnknownRow<M>>(
    query: Query,
    paramsList: ParametersList,
    options?: FetchOptions<M>,
  ): Promise<RowOf<M, T>[]>
  async fetchMany(
    query: Query,
    paramsList: ParametersList,
    options?: FetchOptions<RowMode>,
  ): Promise<unknown[]> {
    const text = textWithoutParameters(query)
    checkParametersList(paramsList)
    const lend = this._lender(text, true)
    if (lend !== undefined)
      return lend((host, rest) => host.fetchMany(query, paramsList, rest as FetchOptions<M>), options)
    const batch = sendFetchMany(this, text, options)
    await feed(batch, paramsList)
    if (batch.failure !== undefined) throw errorFromFailure(batch.failure, { query: text })
    return batch.rows
  }

  async executeMany(query: Query, paramsList: ParametersList, options?: CallOptions): Promise<number> {
    const text = textWithoutParameters(query)
    checkParametersList(paramsList)
    checkQueryOptions(options, CALL_OPTIONS)
    const lend = this._lender(text, true)
    if (lend !== undefined) return lend((host, rest) => host.executeMany(query, paramsList, rest), options)
    const batch = sendExecuteMany(this, text, options)
    await feed(batch, paramsList)
    if (batch.failure !== undefined) throw errorFromFailure(batch.failure, { query: text })
    return batch.rowCount
  }

  /**
   * Sends a message to all who listen to a channel; in a transaction, when that commits (manual, "NOTIFY"). The name is taken
   * as it is, upper case and all.
   *
   * @param payload Shorter than 8 000 bytes.
   * @throws InterfaceError when the name of the channel is none.
   */
  async notify(channel: string, payload?: string, options?: CallOptions): Promise<void> {
    const name = quoteChannel('notify', channel)
    const text = checkPayload(payload)
    checkCallOptions(options, CALL_OPTIONS)
    // The function takes both as parameters, where there are some.
    if (this._target().isSimple)
      await this.execute(`NOTIFY ${name}, ${quoteLiteral(text)}`, undefined, options)
    else await this.execute(NOTIFY, [channel, text], options)
  }

  stream<T extends readonly unknown[] = unknown[]>(
    query: Query,
    params: Parameters | undefined,
    options: ArrayMode & StreamOptions<'array'>,
  ): RowStream<T>
  stream<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: ObjectMode & StreamOptions,
  ): RowStream<T>
  stream<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: RecordMode & StreamOptions<'record'>,
  ): RowStream<Row<T>>
  stream<T extends RowTypes<M> = UnknownRow<M>>(
    query: Query,
    params?: Parameters,
    options?: StreamOptions<M>,
  ): RowStream<RowOf<M, T>>
  stream(query: Query, params?: Parameters, options?: StreamOptions<RowMode>): RowStream<unknown> {
    return this._stream(textOf(query), parametersOf(query, params), options)
  }

  /** @internal */
  _stream(
    text: string,
    params: Parameters | undefined,
    options: StreamOptions<RowMode> | undefined,
  ): RowStream<unknown> {
    checkQueryOptions(options, STREAM_OPTIONS)
    const given = { ...statementOptions(this._defaults.rows, options), maxResultBytes: 0 }
    return new RowStream(readHere(this._rowSource({ text, params: takenNow(params), options: given })))
  }

  batch<T extends readonly unknown[] | []>(
    statements: BatchStatements<T>,
    options: ArrayMode,
  ): Promise<BatchRows<'array', T>>
  batch<T extends readonly unknown[] | []>(
    statements: BatchStatements<T>,
    options: ObjectMode,
  ): Promise<BatchRows<'object', T>>
  batch<T extends readonly unknown[] | []>(
    statements: BatchStatements<T>,
    options: RecordMode,
  ): Promise<BatchRows<'record', T>>
  batch<T extends readonly unknown[] | []>(
    statements: BatchStatements<T>,
    options?: FetchOptions<M>,
  ): Promise<BatchRows<M, T>>
  async batch(statements: readonly BatchStatement[], options?: FetchOptions<RowMode>): Promise<unknown[][]> {
    const checked = checkStatements(statements)
    checkQueryOptions(options, FETCH_OPTIONS)
    if (checked.length === 0) return []
    const lend = this._lender()
    if (lend !== undefined) return lend((host, rest) => runBatch(host, checked, rest), options)
    return runBatch(this, checked, options)
  }

  async prepare(query: Query, options?: CallOptions): Promise<PreparedStatement<M>> {
    const text = textWithoutParameters(query)
    checkQueryOptions(options, CALL_OPTIONS)
    const lend = this._lender(text, true)
    const held = this._target().hold(text)
    try {
      const description = await (lend === undefined
        ? prepareOn(this, text, options)
        : lend((host, rest) => prepareOn(host, text, rest), options))
      const statement = new PreparedStatement(this, text, new ShownDescription(held, description))
      held.endWith(statement)
      return statement
    } catch (error) {
      held.letGo()
      throw error
    }
  }
}
