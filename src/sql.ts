import { InterfaceError } from './errors/index'
import { describeArgument } from './types/describe-value'

const MAKE = Symbol('oxpg.sql')

/** A piece of text that goes into the query as it is. */
class RawText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

interface Rendered {
  readonly text: string
  readonly params: readonly unknown[]
}

/**
 * A query, or a piece of one, made by {@link sql}: text with `$1` placeholders, and the values for them. Query methods
 * take it in place of a string, and other sql`…` templates as a part.
 */
export class Sql {
  readonly #parts: readonly unknown[]
  #rendered: Rendered | undefined

  /** @internal Parts are {@link RawText}, other queries, and values. */
  constructor(key: typeof MAKE, parts: readonly unknown[]) {
    if (key !== MAKE) throw new InterfaceError('a Sql is made by sql`…` and its functions only')
    this.#parts = parts
  }

  /** The text, with `$1`, `$2` … where the values go. */
  get text(): string {
    return this.#render().text
  }

  /** The values, in the order of their placeholders. */
  get params(): readonly unknown[] {
    return this.#render().params
  }

  #render(): Rendered {
    if (this.#rendered === undefined) {
      const params: unknown[] = []
      this.#rendered = { text: this.#write(params), params: Object.freeze(params) }
    }
    return this.#rendered
  }

  #write(params: unknown[]): string {
    let text = ''
    for (const part of this.#parts) {
      if (part instanceof RawText) text += part.text
      else if (part instanceof Sql) text += part.#write(params)
      else text += `$${params.push(part)}`
    }
    return text
  }
}

/** Columns and their values, for {@link SqlTag.set} and {@link SqlTag.values}: any object, by its own properties. */
export type SqlColumns = object

/** The function behind sql`…`, and those that make pieces for it. */
export interface SqlTag {
  /**
   * A query whose values become parameters: they are never put into its text. A value that is itself a Sql becomes a
   * part of the query. Backslashes are PostgreSQL's, so that `'^\\w+$'` is what it says; only a backtick and `${` are
   * written with one before them.
   */
  (strings: TemplateStringsArray, ...values: unknown[]): Sql
  /** A quoted name; several are a qualified one: `sql.identifier('public', 'users')` is `"public"."users"`. */
  identifier(...names: string[]): Sql
  /** The items with a separator (default `, `) between them; those that are no Sql become parameters. */
  join(items: Iterable<unknown>, separator?: string | Sql): Sql
  /** Text that goes into the query as it is. Whoever can choose the text can run any command. */
  raw(text: string): Sql
  /** The list after UPDATE … SET: `"name" = $1, "age" = $2`. A value that is a Sql is taken as an expression. */
  set(columns: SqlColumns): Sql
  /**
   * For INSERT INTO …: `("name", "age") VALUES ($1, $2), ($3, $4)` of an object or several, which have the same columns
   * unless those that are wanted are listed; `VALUES ($1, $2), ($3, $4)` of several arrays.
   */
  values(
    rows: SqlColumns | readonly SqlColumns[] | readonly (readonly unknown[])[],
    columns?: readonly string[],
  ): Sql
}

/** The backslash before what would end the template's text: the only escapes, as text could not be written without. */
const ESCAPED = /\\(?=`|\$\{)/g

function sqlTemplate(strings: TemplateStringsArray, ...values: unknown[]): Sql {
  if (!Array.isArray(strings) || !Array.isArray(strings.raw)) {
    throw new InterfaceError(
      'sql is the tag of a template: sql`select …`; for text as it is there is sql.raw(text)',
    )
  }
  const parts: unknown[] = []
  strings.raw.forEach((source, index) => {
    const text = source.includes('\\') ? source.replace(ESCAPED, '') : source
    if (text !== '') parts.push(new RawText(text))
    if (index < values.length) parts.push(values[index])
  })
  return new Sql(MAKE, parts)
}

function identifier(...names: string[]): Sql {
  if (names.length === 0) throw new InterfaceError('sql.identifier: expected at least one name')
  return new Sql(MAKE, [new RawText(names.map(quote).join('.'))])
}

function quote(name: string): string {
  if (typeof name !== 'string')
    throw new InterfaceError(`sql.identifier: expected strings, not ${describeArgument(name)}`)
  if (name === '' || name.includes('\0')) {
    throw new InterfaceError('sql.identifier: a name can neither be empty nor contain a NUL character')
  }
  return `"${name.replaceAll('"', '""')}"`
}

function join(items: Iterable<unknown>, separator: string | Sql = ', '): Sql {
  const between = typeof separator === 'string' ? new RawText(separator) : separator
  if (!(between instanceof RawText || between instanceof Sql)) {
    throw new InterfaceError(
      `sql.join: expected a separator that is a string or sql\`…\`, not ${describeArgument(separator)}`,
    )
  }
  const parts: unknown[] = []
  for (const item of items) {
    if (parts.length > 0) parts.push(between)
    parts.push(item)
  }
  return new Sql(MAKE, parts)
}

function raw(text: string): Sql {
  if (typeof text !== 'string')
    throw new InterfaceError(`sql.raw: expected a string, not ${describeArgument(text)}`)
  return new Sql(MAKE, [new RawText(text)])
}

function set(columns: SqlColumns): Sql {
  if (!isColumns(columns))
    throw new InterfaceError(`sql.set: expected an object by column, not ${describeArgument(columns)}`)
  const names = Object.keys(columns)
  if (names.length === 0) throw new InterfaceError('sql.set: expected at least one column')
  const assignments = names.map(
    (name) => new Sql(MAKE, [identifier(name), new RawText(' = '), columnValue('set', columns, name)]),
  )
  return join(assignments)
}

function values(
  rows: SqlColumns | readonly SqlColumns[] | readonly (readonly unknown[])[],
  columns?: readonly string[],
): Sql {
  const list: readonly unknown[] = Array.isArray(rows) ? rows : [rows]
  const first = list[0]
  if (first === undefined) throw new InterfaceError('sql.values: expected at least one row')
  if (Array.isArray(first)) return valuesOfArrays(list, columns)
  if (!isColumns(first)) {
    throw new InterfaceError(
      `sql.values: expected objects by column or arrays, not ${describeArgument(first)}`,
    )
  }
  const names = columns ?? Object.keys(first)
  if (names.length === 0) throw new InterfaceError('sql.values: expected at least one column')
  const tuples = list.map((row, index) => {
    if (!isColumns(row))
      throw new InterfaceError(`sql.values: row ${index} is no object, but the first row is`)
    if (columns === undefined) refuseOtherColumns(row, index, first)
    return tuple(names.map((name) => columnValue(`values: row ${index}`, row, name)))
  })
  return new Sql(MAKE, [columnList(names), new RawText(' VALUES '), join(tuples)])
}

/** A column that the first row lacks would be dropped. */
function refuseOtherColumns(row: SqlColumns, index: number, first: SqlColumns): void {
  for (const name of Object.keys(row)) {
    if (Object.hasOwn(first, name)) continue
    throw new InterfaceError(
      `sql.values: row ${index} has a column ${name}, which the first row lacks; give null for NULL, or list the columns`,
    )
  }
}

function valuesOfArrays(rows: readonly unknown[], columns: readonly string[] | undefined): Sql {
  const width = columns?.length ?? (rows[0] as readonly unknown[]).length
  if (width === 0) throw new InterfaceError('sql.values: expected at least one column')
  const tuples = rows.map((row, index) => {
    if (!Array.isArray(row))
      throw new InterfaceError(`sql.values: row ${index} is no array, but the first row is`)
    if (row.length !== width) {
      throw new InterfaceError(`sql.values: row ${index} has ${row.length} values, expected ${width}`)
    }
    return tuple(row)
  })
  const list = columns === undefined ? [] : [columnList(columns), new RawText(' ')]
  return new Sql(MAKE, [...list, new RawText('VALUES '), join(tuples)])
}

function columnList(names: readonly string[]): Sql {
  return tuple(names.map((name) => identifier(name)))
}

function tuple(items: readonly unknown[]): Sql {
  return new Sql(MAKE, [new RawText('('), join(items), new RawText(')')])
}

function columnValue(where: string, columns: SqlColumns, name: string): unknown {
  const value = Object.hasOwn(columns, name) ? (columns as { [name: string]: unknown })[name] : undefined
  if (value === undefined) {
    throw new InterfaceError(
      `sql.${where}: column ${name} is undefined; use null for NULL, or leave the column out`,
    )
  }
  return value
}

function isColumns(value: unknown): value is SqlColumns {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Sql)
}

/**
 * The tag of queries with values in them: sql`select * from users where id = ${id}`. Values become parameters; names
 * and other parts are made by its functions.
 */
export const sql: SqlTag = Object.assign(sqlTemplate, { identifier, join, raw, set, values })
