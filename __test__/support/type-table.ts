// Values of types in every place that a value can have: read from the server, and sent to it.
import test, { type ExecutionContext } from 'ava'
import { type Connection, type ConnectOptions, connect, DataError, type FetchOptions } from 'oxpg'
import { uniqueName, url } from './server.js'
import { attributesOf, type Names, namesOf, PLACES, type Place } from './type-places.js'
import { plain } from './values.js'

/** A literal in SQL, the value that it is in JavaScript, and what is special about the two. */
export type TypeRow = readonly [literal: string, value: unknown, extras?: RowExtras]

export interface RowExtras {
  /** How the value is read, where that is not the default. */
  readonly options?: FetchOptions
  /** What is sent instead of the value. */
  readonly parameter?: unknown
  /** The first major version of the server that has the value. */
  readonly since?: number
}

/** What a type does not have, or what cannot be done with it. */
export type Lack =
  /** An operator `=`: values are compared by their text. */
  | 'equality'
  /** A default operator class of btree, on which ranges stand. */
  | 'ranges'
  /** A binary form that the driver reads, which is all that an anonymous record has. */
  | 'records'
  /** Arrays given as parameters have one dimension, since an array can be a value of the type. */
  | 'nesting'

export interface TypeTable {
  /** The name as SQL writes it. */
  readonly type: string
  readonly rows: readonly TypeRow[]
  readonly lacks?: readonly Lack[]
  /** The first major version of the server that has the type. */
  readonly since?: number
  /** What is sent for a value, where that is not the value. */
  readonly parameter?: (value: any) => unknown
  /** Statements that have to be run before the type is there. */
  readonly create?: string
  /** A query that fails where the server was built without the type. */
  readonly probe?: string
}

/** The schema of this process, for the types that a file makes. */
export const schema = uniqueName('types')

let opened: Connection | undefined

/** The connection that the tests of a file share; they all run at once, so that their queries are a pipeline. */
export function shared(): Connection {
  if (opened === undefined) throw new Error('no connection yet: it is there when the tests run')
  return opened
}

/** Opens the shared connection and makes the schema; `create` is run in it. To be called once a file. */
export function useSchema(create: (c: Connection) => Promise<void>, options: ConnectOptions = {}): void {
  test.before(async () => {
    opened = await connect(url, options)
    await opened.execute(`create schema ${schema}; create sequence ${schema}.executions`)
    await create(opened)
  })
  test.after.always(async () => {
    await opened?.execute(`set client_min_messages = warning; drop schema ${schema} cascade`)
    await opened?.close()
  })
}

/** Makes a test of every place for each of the types. To be called once a file. */
export function testTypes(tables: readonly TypeTable[]): void {
  const absent = new Set<TypeTable>()
  useSchema(async (c) => {
    const present: string[] = []
    for (const [index, table] of tables.entries()) {
      if (await isAbsent(c, table)) absent.add(table)
      else present.push(table.create ?? '', creation(table, namesOf(table.type, schema, index), c))
    }
    await c.execute(present.join(';\n'))
  })
  for (const [index, table] of tables.entries()) {
    const names = namesOf(table.type, schema, index)
    for (const place of PLACES) {
      if (place.needs !== undefined && table.lacks?.includes(place.needs)) continue
      test(`${table.type} ${place.name}`, async (t) => {
        const c = shared()
        const isThere = !absent.has(table) && c.serverVersion.major >= (place.since ?? 0)
        const rows = table.rows.filter(([, , extras]) => c.serverVersion.major >= (extras?.since ?? 0))
        if (isThere) for (const row of rows) await checkRow(t, c, table, names, place, row)
        t.pass()
      })
    }
    test(`${table.type} is NULL, and empty arrays`, async (t) => {
      if (!absent.has(table)) await checkNothing(t, shared(), table, names)
      t.pass()
    })
  }
}

async function isAbsent(c: Connection, { since, probe }: TypeTable): Promise<boolean> {
  if (since !== undefined && c.serverVersion.major < since) return true
  if (probe === undefined) return false
  return await c.fetchVal(probe).then(
    () => false,
    () => true,
  )
}

/** The types around a type: a domain, a range, and two composites, one of which has no binary format. */
function creation(table: TypeTable, names: Names, c: Connection): string {
  const attributes = attributesOf(table, names).map(({ name, type }) => `${name} ${type}`)
  const multirange = c.serverVersion.major >= 14 ? `, multirange_type_name = ${names.multirange}` : ''
  const statements = [
    `create domain ${names.domain} as ${table.type}`,
    `create type ${names.composite} as (${attributes})`,
    `create type ${names.textComposite} as (${attributes}, acl aclitem)`,
  ]
  const range = `create type ${names.range} as range (subtype = ${table.type}${multirange})`
  if (!table.lacks?.includes('ranges')) statements.splice(1, 0, range)
  return statements.join(';\n')
}

async function checkRow(
  t: ExecutionContext,
  c: Connection,
  table: TypeTable,
  names: Names,
  place: Place,
  [literal, value, extras]: TypeRow,
): Promise<void> {
  const { options = {} } = extras ?? {}
  const expected = plain(place.value(value, table, names))
  const expression = place.expression(`(${literal})::${table.type}`, table, names)
  let read: unknown
  // The first execution reads with the loop, the third with compiled code.
  for (let round = 0; round < 3; round += 1) {
    read = await c.fetchVal(`select ${expression}`, [], options)
    t.deepEqual(plain(read), expected, `${expression} as it is read`)
  }
  const type = place.type(table, names)
  if (type === undefined) return
  const isOther = table.parameter !== undefined || (extras !== undefined && 'parameter' in extras)
  const part = isOther ? (extras?.parameter ?? table.parameter?.(value)) : value
  const given =
    place.parameter === undefined ? place.value(part, table, names) : place.parameter(part, table, names)
  const parameters: unknown[] = given === undefined ? [] : [given, given]
  if (!isOther) parameters.push(read)
  const isSame = table.lacks?.includes('equality') ? 'null' : `$1::${type} is not distinct from ${expression}`
  const query = `select ($1::${type})::text as sent, (${expression})::text as meant, $1::${type} as back${
    place.comparesValues ? `, ${isSame} as same` : ''
  }`
  for (const parameter of parameters) {
    const row = await c.fetchRow(query, [parameter], { ...options, rowMode: 'object' })
    t.is(row?.sent, row?.meant, `${expression} as it is sent`)
    t.deepEqual(plain(row?.back), expected, `${expression} as it comes back`)
    t.not(row?.same, false, `${expression} is what was sent`)
  }
}

async function checkNothing(
  t: ExecutionContext,
  c: Connection,
  { type }: TypeTable,
  names: Names,
): Promise<void> {
  for (const each of [type, `${type}[]`, names.domain, names.composite, names.textComposite]) {
    for (let round = 0; round < 3; round += 1) {
      const row = await c.fetchRow(
        `select null::${each} as read, $1::${each} as back, $1::${each} is null as sent`,
        [null],
      )
      t.deepEqual({ ...row }, { read: null, back: null, sent: true }, each)
    }
  }
  for (const each of [`${type}[]`, `${names.domain}[]`, `${names.composite}[]`, `${names.textComposite}[]`]) {
    for (let round = 0; round < 3; round += 1) {
      const row = await c.fetchRow(
        `select '{}'::${each} as read, $1::${each} as back, ($1::${each})::text as sent`,
        [[]],
      )
      t.deepEqual({ ...row }, { read: [], back: [], sent: '{}' }, each)
    }
  }
}

/** A type, a value that does not fit it, how the message shows the value, and the type where a part is to blame. */
export type Refusal = readonly [type: string, value: unknown, shown?: RegExp, part?: string]

/** Makes a test of every refusal: by parameter, type and value; nothing is executed; the connection goes on. */
export function testRefusals(refusals: readonly Refusal[]): void {
  for (const [type, value, shown, part = type] of refusals) {
    test(`${type} refuses ${titleOf(value)}`, async (t) => {
      const c = shared()
      const query = `select $1::${type}, nextval('${schema}.executions')`
      for (let round = 0; round < 2; round += 1) {
        const error = await t.throwsAsync(c.fetch(query, [value]), { instanceOf: DataError })
        t.regex(error?.message ?? '', /\$1/)
        t.true(error?.message.includes(messageName(part)), `"${error?.message}" names ${messageName(part)}`)
        if (shown !== undefined) t.regex(error?.message ?? '', shown)
        t.false(error?.fromServer)
      }
      t.false(await c.fetchVal(`select is_called from ${schema}.executions`))
    })
  }
}

/** A type's name without schema, modifier and dimensions. */
function messageName(type: string): string {
  return type.replace(/^.*\./, '').replace(/\(.*\)|\[\]|"/g, '')
}

let titles = 0

/** A title that no other test has. */
function titleOf(value: unknown): string {
  titles += 1
  const text =
    typeof value === 'string' ? JSON.stringify(value) : Array.isArray(value) ? 'an array' : String(value)
  return `${text.slice(0, 40).replaceAll('\0', '\\0')} (${titles})`
}
