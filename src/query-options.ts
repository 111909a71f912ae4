import type { ResultMapping, RowMode } from './decode/mapping'
import type { Sql } from './sql'

/** A query with `$1` placeholders, or sql`…`, which brings its parameters along. */
export type Query = string | Sql

/** Values for `$1`, `$2` …; `undefined` is NULL, like null. */
export type Parameters = readonly unknown[]

/** Rows of parameters, one an execution. */
export type ParametersList = Iterable<Parameters> | AsyncIterable<Parameters>

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

/** Options of calls that give rows. What is left out is as the connection or pool has it. */
export interface FetchOptions extends CallOptions, ResultMapping {
  /** Default `'record'`: a {@link Row}. `'object'` is a plain object, `'array'` an array of the values. */
  rowMode?: RowMode | undefined
}

/** Options of `fetchVal`. */
export interface FetchValOptions extends CallOptions, ResultMapping {
  /** The column's position, counted from 0, or its name. Default 0. */
  column?: number | string | undefined
}

/** Asks for rows that are arrays. */
export interface ArrayMode extends FetchOptions {
  rowMode: 'array'
}

/** Asks for rows that are plain objects. */
export interface ObjectMode extends FetchOptions {
  rowMode: 'object'
}
