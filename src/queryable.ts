import type { RowMode } from './decode/mapping'
import type { PreparedStatement } from './prepared-statement'
import type {
  ArrayMode,
  BatchRows,
  BatchStatements,
  CallOptions,
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
import type { QueryResult } from './query-result'
import type { Row } from './record'
import type { RowStream } from './row-stream'
import type { Transaction } from './transaction'
import type { TransactionCallback, TransactionOptions } from './transaction-options'

/**
 * What queries can be made on: a connection, a pool, a transaction. Calls made on one connection without awaiting them
 * run as a pipeline, in order.
 *
 * @typeParam M The row mode of calls that name none.
 */
export interface Queryable<M extends RowMode = 'object'> {
  /**
   * Executes a query, or without `params` a script of any number of them.
   *
   * @returns The command tag, such as `INSERT 0 1`; of a script the last one.
   */
  execute(query: Query, params?: Parameters, options?: CallOptions): Promise<string>

  /** All rows of a query. */
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

  /** The first row of a query, or null when there is none. The server makes no more than that row. */
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

  /**
   * All that the server says of a query: its rows, the command, the number of rows affected, and the columns.
   *
   * @returns `{ rows, command, rowCount, fields }`
   */
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

  /** One value of the first row, or null when there is no row. */
  fetchVal<T = unknown>(query: Query, params?: Parameters, options?: FetchValOptions): Promise<T | null>

  /** Executes a query once for each row of parameters, all or nothing, and gives the rows of all executions. */
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

  /**
   * Executes a query once for each row of parameters, all or nothing. The rows are sent while they are made, and an
   * iterable is not asked for more than the connection takes.
   *
   * @returns The number of rows affected.
   */
  executeMany(query: Query, paramsList: ParametersList, options?: CallOptions): Promise<number>

  /**
   * The rows of a query, read no faster than they are wanted, in bounded memory. Outside of a transaction it has its
   * connection for itself from its first row to its end: other calls on the connection are refused meanwhile, and a pool
   * leases it one. Inside a transaction the rows are fetched in parts, and other calls can be made in between.
   *
   * @throws InterfaceError, from the first row on also while another stream is open on the connection.
   */
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

  /**
   * Executes statements in order, atomically, in one round trip once the connection knows them: either all of them take effect
   * or, since the first that fails ends the batch, none. Inside a transaction they are a part of it.
   *
   * Statements other than SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, TABLE, WITH, SHOW and EXPLAIN, and those that need
   * what one before them has made, are executed in a transaction around them, which takes two more round trips.
   *
   * @param statements Each a query, or `[query, params]`.
   * @returns The rows of each, none for a statement without a result.
   * @throws InterfaceError when one is BEGIN, COMMIT or the like, or a COPY; nothing is sent then.
   * @throws What the server says of the first that fails, with its position as `statement`.
   */
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

  /** Prepares a query, to be executed any number of times. */
  prepare(query: Query, options?: CallOptions): Promise<PreparedStatement<M>>

  /**
   * Commits what `callback` does, or rolls it back if it throws. Inside a transaction it is a savepoint.
   *
   * @returns What `callback` returns.
   */
  transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>

  /** A transaction that has been started. Disposing of it rolls it back unless it was committed. */
  begin(options?: TransactionOptions): Promise<Transaction<M>>
}
