import { assignServerFields, type ServerMessageFields } from './server-message'

/**
 * A message that the server sent without being asked: a notice, a warning, a line of its log. Warnings are of the
 * subclass {@link PostgresWarning} and its subclasses. It is no Error, since nothing failed.
 */
export class PostgresLogMessage implements ServerMessageFields {
  /** The SQLSTATE that this class stands for; undefined for the base class. */
  static readonly sqlstate: string | undefined = undefined

  /** The text for people. */
  readonly message: string
  /** Five characters; `00000` for plain notices. */
  readonly sqlstate: string
  /** `WARNING`, `NOTICE`, `DEBUG`, `INFO` or `LOG`. */
  declare readonly severity: string | undefined
  declare readonly detail: string | undefined
  declare readonly hint: string | undefined
  /** Where in the query the cause is, in characters, counted from 1. */
  declare readonly position: number | undefined
  /** Where in `internalQuery` the cause is, in characters, counted from 1. */
  declare readonly internalPosition: number | undefined
  declare readonly internalQuery: string | undefined
  declare readonly where: string | undefined
  declare readonly schemaName: string | undefined
  declare readonly tableName: string | undefined
  declare readonly columnName: string | undefined
  declare readonly dataTypeName: string | undefined
  declare readonly constraintName: string | undefined
  /** The file of the server's source that sent the message. */
  declare readonly file: string | undefined
  declare readonly line: number | undefined
  declare readonly routine: string | undefined

  constructor(message: string, fields: ServerMessageFields = {}) {
    this.message = message
    this.sqlstate = fields.sqlstate ?? new.target.sqlstate ?? '00000'
    assignServerFields(this, fields)
  }

  /** The SQLSTATE under the name that errors have for it. */
  get code(): string {
    return this.sqlstate
  }
}
