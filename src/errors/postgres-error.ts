import { assignServerFields, type ServerMessageFields } from './server-message'
import { isTransientSqlstate } from './transient'

/** What a PostgresError can be given beside its message. */
export interface PostgresErrorFields extends ServerMessageFields {
  /** Whether the server sent it. Default false. */
  fromServer?: boolean | undefined
  /** Whether the request certainly took no effect. Default false. */
  safeToRetry?: boolean | undefined
  /** The query's text, without its parameters. */
  query?: string | undefined
  /** The parameter that does not fit, counted from 1. */
  parameter?: number | undefined
  /** The element of that parameter, an array, counted from 1. */
  element?: number | undefined
  /** The row of an executeMany or fetchMany, counted from 0. */
  row?: number | undefined
  /** The statement of a batch, counted from 0. */
  statement?: number | undefined
  /** The error behind this one, such as the system's `ECONNREFUSED`. */
  cause?: unknown
}

/**
 * The server said no, or the connection to it failed. There is a subclass for every SQLSTATE: `error instanceof
 * UniqueViolationError`, or `error.sqlstate === UniqueViolationError.sqlstate`.
 */
export class PostgresError extends Error implements ServerMessageFields {
  /** The SQLSTATE that this class stands for; undefined for the base class. */
  static readonly sqlstate: string | undefined = undefined

  /** Five characters (PostgreSQL manual, appendix A); empty when the server sent none. */
  readonly sqlstate: string
  /** Whether the server sent this error; false when the driver found the problem. */
  readonly fromServer: boolean
  /** Whether the request certainly took no effect, so that sending it again cannot do it twice. */
  readonly safeToRetry: boolean
  /** The query's text, without its parameters. It is not enumerable, for queries may hold secrets. */
  declare readonly query: string | undefined
  declare readonly severity: string | undefined
  declare readonly detail: string | undefined
  declare readonly hint: string | undefined
  /**
   * Where in the query the problem is, counted from 1 in UTF-16 units, as JavaScript counts: the text from there on is
   * `query.slice(position - 1)`.
   */
  declare readonly position: number | undefined
  /** Where in `internalQuery` the problem is, counted likewise. */
  declare readonly internalPosition: number | undefined
  declare readonly internalQuery: string | undefined
  declare readonly where: string | undefined
  declare readonly schemaName: string | undefined
  declare readonly tableName: string | undefined
  declare readonly columnName: string | undefined
  declare readonly dataTypeName: string | undefined
  declare readonly constraintName: string | undefined
  /** The file of the server's source that reported the problem. */
  declare readonly file: string | undefined
  declare readonly line: number | undefined
  declare readonly routine: string | undefined
  /** The parameter that does not fit, counted from 1. */
  declare readonly parameter: number | undefined
  /** The element of that parameter, an array, counted from 1. */
  declare readonly element: number | undefined
  /** The row of an executeMany or fetchMany that failed, counted from 0. */
  declare readonly row: number | undefined
  /** The statement of a `batch` that failed, counted from 0. */
  declare readonly statement: number | undefined
  /** Of opening a session with several hosts or addresses: what each of them came to, in the order of the attempts. */
  declare readonly errors: readonly Error[] | undefined

  constructor(message: string, fields: PostgresErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause })
    this.sqlstate = fields.sqlstate ?? new.target.sqlstate ?? ''
    this.fromServer = fields.fromServer ?? false
    this.safeToRetry = fields.safeToRetry ?? false
    assignServerFields(this, fields)
    const properties = this as { parameter?: number; element?: number; row?: number; statement?: number }
    if (fields.parameter !== undefined) properties.parameter = fields.parameter
    if (fields.element !== undefined) properties.element = fields.element
    if (fields.row !== undefined) properties.row = fields.row
    if (fields.statement !== undefined) properties.statement = fields.statement
    Object.defineProperty(this, 'query', { value: fields.query, configurable: true })
  }

  /** The SQLSTATE under the name that Node's errors and other drivers use. */
  get code(): string {
    return this.sqlstate
  }

  /** Whether the same request may well succeed when it is made again. */
  get isTransient(): boolean {
    return isTransientSqlstate(this.sqlstate, this.routine, this.message)
  }
}

/** An error that ended the session. */
export class FatalPostgresError extends PostgresError {}

/** The server sent an error without an SQLSTATE. */
export class UnknownPostgresError extends FatalPostgresError {}
