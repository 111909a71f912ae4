/**
 * The fields of an ErrorResponse or NoticeResponse (PostgreSQL manual, "Error and Notice Message Fields"). A field that
 * the server did not send is undefined.
 */
export interface ServerMessageFields {
  /** `ERROR`, `FATAL`, `PANIC`, `WARNING`, `NOTICE`, `DEBUG`, `INFO` or `LOG`. */
  severity?: string | undefined
  /** Five characters (PostgreSQL manual, appendix A). */
  sqlstate?: string | undefined
  /** A second sentence with more about the problem. */
  detail?: string | undefined
  /** What to do about it, perhaps. */
  hint?: string | undefined
  /** Where in the query the problem is, in characters, counted from 1. */
  position?: number | undefined
  /** The same in `internalQuery`. */
  internalPosition?: number | undefined
  /** The text of a failed command that a function of the server generated. */
  internalQuery?: string | undefined
  /** The call stack of procedural functions and generated queries, one entry a line, newest first. */
  where?: string | undefined
  schemaName?: string | undefined
  tableName?: string | undefined
  columnName?: string | undefined
  dataTypeName?: string | undefined
  constraintName?: string | undefined
  /** The file of the server's source that reported the problem. */
  file?: string | undefined
  /** The line in that file. */
  line?: number | undefined
  /** The function in that file. */
  routine?: string | undefined
}

const TEXT_FIELDS = [
  'severity',
  'detail',
  'hint',
  'internalQuery',
  'where',
  'schemaName',
  'tableName',
  'columnName',
  'dataTypeName',
  'constraintName',
  'file',
  'routine',
] as const

const NUMBER_FIELDS = ['position', 'internalPosition', 'line'] as const

/** Sets the fields that are there as own properties, so that a printed error shows those only. */
export function assignServerFields(target: object, fields: ServerMessageFields): void {
  const properties = target as { [name: string]: unknown }
  for (const name of TEXT_FIELDS) if (fields[name] !== undefined) properties[name] = fields[name]
  for (const name of NUMBER_FIELDS) if (fields[name] !== undefined) properties[name] = fields[name]
}

/** The fields as they cross from Rust, all text, with their numbers read. */
export function serverFieldsFromText(texts: Readonly<Record<string, string>>): ServerMessageFields {
  const fields: ServerMessageFields = {}
  for (const name of TEXT_FIELDS) if (texts[name] !== undefined) fields[name] = texts[name]
  for (const name of NUMBER_FIELDS) {
    const value = Number.parseInt(texts[name] ?? '', 10)
    if (!Number.isNaN(value)) fields[name] = value
  }
  if (texts.sqlstate !== undefined) fields.sqlstate = texts.sqlstate
  return fields
}
