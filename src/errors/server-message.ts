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
  /** Where in the query the problem is, counted from 1 in UTF-16 units, as JavaScript counts. */
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
  countInUnits(fields, 'internalPosition', fields.internalQuery)
  return fields
}

/**
 * The server counts characters, of which those beyond U+FFFF are two UTF-16 units. Without the text the position stays
 * as it is.
 */
export function countInUnits(
  fields: ServerMessageFields,
  name: 'position' | 'internalPosition',
  text: string | undefined,
): void {
  const position = fields[name]
  if (position === undefined || text === undefined) return
  let units = 0
  let characters = 1
  for (; characters < position && units < text.length; characters++) {
    units += text.codePointAt(units)! > 0xffff ? 2 : 1
  }
  fields[name] = units + 1 + position - characters
}
