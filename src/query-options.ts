import type { ResultMapping, RowMode } from './decode/mapping'
import type { Row } from './record'
import type { Sql } from './sql'

/** A query with `$1` placeholders, or sql`…`, which brings its parameters along. */
export type Query = string | Sql

/** Values for `$1`, `$2` …; `undefined` is NULL, like null. */
export type Parameters = readonly unknown[]

/** Rows of parameters, one an execution. */
export type ParametersList = Iterable<Parameters> | AsyncIterable<Parameters>

/** A statement of a batch: a query, or one with its parameters. */
export type BatchStatement = Query | readonly [query: Query, params?: Parameters | undefined]

/** The rows of each statement of a batch, of which `T` says what is known: of those that it says nothing of, what a row is. */
export type BatchRows<M extends RowMode, T extends readonly unknown[]> = {
  -readonly [K in keyof T]: RowOf<M, unknown extends T[K] ? UnknownRow<M> : T[K]>[]
}

/** As many statements as `T` has row types. */
export type BatchStatements<T extends readonly unknown[]> = { readonly [K in keyof T]: BatchStatement }

/** Options of every call. */
export interface CallOptions {
  /**
   * Milliseconds after which the call rejects with a TimeoutError and the query is cancelled; 0 for no limit. Default:
   * `commandTimeoutMs` of the connection or pool.
   */
  timeoutMs?: number | undefined
  /** Aborts the call, which rejects with the signal's reason; the query is cancelled. */
  signal?: AbortSignal | undefined
}

/**
 * Options of calls that give rows. What is left out is as the connection or pool has it.
 *
 * @typeParam M The row mode that it may name.
 */
export interface FetchOptions<M extends RowMode = 'object'> extends CallOptions, ResultMapping {
  /** Default `'object'`: a plain object. `'record'` is a {@link Row}, `'array'` an array of the values. */
  rowMode?: M | undefined
  /**
   * Bytes that the rows may have as they come from the server; 0 for no limit. A call whose result has more rejects with
   * an InterfaceError, and the query is cancelled. Default: `maxResultBytes` of the connection or pool.
   */
  maxResultBytes?: number | undefined
}

/**
 * Options of `stream`. What is left out is as the connection or pool has it.
 *
 * @typeParam M The row mode that it may name.
 */
export interface StreamOptions<M extends RowMode = 'object'> extends ResultMapping {
  /** As in {@link FetchOptions}. */
  rowMode?: M | undefined
  /**
   * Milliseconds that each wait for more rows may take, the first with the waiting for a pool's connection, after which it
   * rejects with a TimeoutError and the query is cancelled; 0 for no limit. What the reader takes for itself does not
   * count. Default: `commandTimeoutMs` of the connection or pool.
   */
  timeoutMs?: number | undefined
  /** Ends the stream, whose reader gets the signal's reason; the query is cancelled. */
  signal?: AbortSignal | undefined
}

/**
 * Options of `cursor`. What is left out is as the connection or pool has it; `timeoutMs` and `maxResultBytes` are for each
 * step.
 *
 * @typeParam M The row mode that it may name.
 */
export interface CursorOptions<M extends RowMode = 'object'> extends FetchOptions<M> {
  /** Rows that are fetched at a time where the cursor is iterated over. Default 50. */
  prefetch?: number | undefined
}

/** Options of `fetchVal`. */
export interface FetchValOptions extends CallOptions, ResultMapping {
  /** The column's position, counted from 0, or its name. Default 0. */
  column?: number | string | undefined
  /** As in {@link FetchOptions}. */
  maxResultBytes?: number | undefined
}

/** Asks for rows that are arrays. */
export interface ArrayMode extends FetchOptions<'array'> {
  rowMode: 'array'
}

/** Asks for rows that are plain objects. */
export interface ObjectMode extends FetchOptions {
  rowMode: 'object'
}

/** Asks for rows that are Rows. */
export interface RecordMode extends FetchOptions<'record'> {
  rowMode: 'record'
}

/** Rows of a row mode, of which `T` says what is known: a {@link Row} of these columns in 'record', else `T` itself. */
export type RowOf<M extends RowMode, T> = M extends 'record' ? Row<T> : T

/** What can be said of rows of a row mode: in 'array' the values in order, else the columns by name. */
export type RowTypes<M extends RowMode> = M extends 'array' ? readonly unknown[] : unknown

/** Rows of a row mode of which nothing is said. */
export type UnknownRow<M extends RowMode> = M extends 'array' ? unknown[] : Record<string, unknown>
