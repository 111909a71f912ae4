import { type Attribute, attributesOf } from './attributes'
import type { Request } from './native/door'

/**
 * All that the server says of a query: what `run` gives.
 *
 * @typeParam R A row.
 */
export interface QueryResult<R> {
  /** The rows; none of a query that gives none. */
  rows: R[]
  /** What the server did, without its counts: `SELECT`, `INSERT`, `CREATE TABLE`; empty for an empty query. */
  command: string
  /** Rows that were affected: inserted, updated, deleted, merged or selected. 0 for commands that count none. */
  rowCount: number
  /** The columns of the result; none of a query that gives no rows. */
  fields: readonly Attribute[]
}

const NO_COLUMNS: readonly never[] = Object.freeze([])

/** The result of a request that has ended well, by its command tag. */
export function resultOf<R>(request: Request, tag: string): QueryResult<R> {
  return {
    rows: request.rows as R[],
    command: tag.replace(COUNTS, ''),
    rowCount: request.rowCount,
    fields: attributesOf(request.description?.columns ?? NO_COLUMNS),
  }
}

/** At the end of a command tag; of INSERT there are two (manual, "Message Formats", CommandComplete). */
const COUNTS = /(?: \d+)+$/
