// What the query methods give, by their type parameters and row mode.
import { expectTypeOf } from 'expect-type'
import {
  type Attribute,
  type BatchStatement,
  type Connection,
  type ConnectOptions,
  connect,
  createPool,
  Pool,
  type PoolConnection,
  type PoolContext,
  type PoolOptions,
  type PreparedStatement,
  type Queryable,
  type QueryResult,
  Row,
  type RowMode,
  type RowOf,
  type Sql,
  sql,
  type Transaction,
  type UnknownRow,
} from 'oxpg'

interface Person {
  id: number
  name: string
}

declare const connection: Connection
declare const pool: Pool
declare const tx: Transaction

expectTypeOf(connect('postgres://localhost')).resolves.toEqualTypeOf<Connection>()
expectTypeOf<NonNullable<ConnectOptions['statementMode']>>().toEqualTypeOf<'cache' | 'unnamed' | 'simple'>()
expectTypeOf<PoolOptions>().toHaveProperty('statementMode')
expectTypeOf(connect({ host: 'localhost', port: 5432 })).resolves.toEqualTypeOf<Connection>()
expectTypeOf(createPool('postgres://localhost', { maxSize: 2 })).resolves.toEqualTypeOf<Pool>()

// Everything that can query is a Queryable.
expectTypeOf(connection).toExtend<Queryable>()
expectTypeOf(pool).toExtend<Queryable>()
expectTypeOf(tx).toExtend<Queryable>()

expectTypeOf(connection.execute('select 1')).resolves.toEqualTypeOf<string>()
expectTypeOf(connection.fetch<Person>('select')).resolves.toEqualTypeOf<Person[]>()
expectTypeOf(connection.fetchRow<Person>('select', [1])).resolves.toEqualTypeOf<Person | null>()
expectTypeOf(connection.fetch('select')).resolves.toEqualTypeOf<Record<string, unknown>[]>()
expectTypeOf(connection.run<Person>('select')).resolves.toEqualTypeOf<QueryResult<Person>>()
expectTypeOf(connection.run('select', [1], { rowMode: 'array' })).resolves.toEqualTypeOf<
  QueryResult<unknown[]>
>()
expectTypeOf(connection.run<Person>('select', [], { rowMode: 'record' })).resolves.toEqualTypeOf<
  QueryResult<Row<Person>>
>()
expectTypeOf(connection.run('select').then(({ fields }) => fields)).resolves.toEqualTypeOf<
  readonly Attribute[]
>()
expectTypeOf(connection.fetchVal<number>('select', [])).resolves.toEqualTypeOf<number | null>()
expectTypeOf(connection.fetchVal('select')).resolves.toBeUnknown()
// A batch gives a tuple: the rows of each statement in its place.
expectTypeOf(connection.batch(['select 1', ['select $1', [2]], sql`select ${3}`])).resolves.toEqualTypeOf<
  [Record<string, unknown>[], Record<string, unknown>[], Record<string, unknown>[]]
>()
expectTypeOf(connection.batch<[Person, { n: number }]>(['select', 'select'])).resolves.toEqualTypeOf<
  [Person[], { n: number }[]]
>()
expectTypeOf(connection.batch(['select', 'select'], { rowMode: 'array' })).resolves.toEqualTypeOf<
  [unknown[][], unknown[][]]
>()
expectTypeOf(connection.batch<[[number], [string]]>(['a', 'b'], { rowMode: 'array' })).resolves.toEqualTypeOf<
  [[number][], [string][]]
>()
expectTypeOf(connection.batch<[Person]>(['select'], { rowMode: 'record' })).resolves.toEqualTypeOf<
  [Row<Person>[]]
>()
expectTypeOf(pool.batch([] as BatchStatement[])).resolves.toEqualTypeOf<Record<string, unknown>[][]>()
expectTypeOf(tx.batch(['select'], { timeoutMs: 1 })).resolves.toEqualTypeOf<[Record<string, unknown>[]]>()
expectTypeOf(connection.batch([])).resolves.toEqualTypeOf<[]>()
// @ts-expect-error: options are not one of the parameters
connection.batch([['select', [1], {}]])
// @ts-expect-error: there are two row types for one statement
connection.batch<[Person, Person]>(['select'])

// A context is a Queryable with settings of its own.
expectTypeOf(
  pool.withContext({ settings: { 'app.tenant': 'a', 'app.n': 1, 'app.b': true }, role: 'r' }),
).toEqualTypeOf<PoolContext>()
expectTypeOf(pool.withContext({}).withContext({ role: 'r' })).toExtend<Queryable>()
expectTypeOf(pool.withContext({}).fetchRow<Person>('select')).resolves.toEqualTypeOf<Person | null>()
// @ts-expect-error: not a value of a setting
pool.withContext({ settings: { a: null } })

expectTypeOf(connection.executeMany('insert', [[1], [2]])).resolves.toEqualTypeOf<number>()
expectTypeOf(pool.prepare).returns.resolves.toEqualTypeOf<PreparedStatement>()

// A Row is the columns themselves, and positions.
declare const row: Row<Person>
expectTypeOf(row.name).toEqualTypeOf<string>()
expectTypeOf(row).toExtend<Person>()
expectTypeOf(row[Symbol.iterator]).toBeFunction()

// Row modes.
expectTypeOf(connection.fetch<Person>('select', [], { rowMode: 'object' })).resolves.toEqualTypeOf<Person[]>()
expectTypeOf(connection.fetch<[number, string]>('select', [], { rowMode: 'array' })).resolves.toEqualTypeOf<
  [number, string][]
>()

expectTypeOf(connection.fetch<Person>('select', [], { rowMode: 'record' })).resolves.toEqualTypeOf<
  Row<Person>[]
>()
expectTypeOf(connection.fetch('select', [], { rowMode: 'array' })).resolves.toEqualTypeOf<unknown[][]>()
expectTypeOf(
  connection.fetch<Person>('select', [], { timeoutMs: 5, rowMode: undefined }),
).resolves.toEqualTypeOf<Person[]>()

// The functions of Row take rows of both modes.
declare const person: Person
expectTypeOf(Row.keys(person)).toEqualTypeOf<string[]>()
expectTypeOf(Row.at(row, 0)).toBeAny()
expectTypeOf(Row.toObject(person)).toEqualTypeOf<Person>()
expectTypeOf(Row.toObject(row)).toEqualTypeOf<Person>()

// A row mode of the connection is known to all that comes from it.
declare const arrays: Connection<'array'>
expectTypeOf(connect({ rowMode: 'array' })).resolves.toEqualTypeOf<Connection<'array'>>()
expectTypeOf(connect('postgres://localhost', { rowMode: 'record' })).resolves.toEqualTypeOf<
  Connection<'record'>
>()
expectTypeOf(arrays.fetch<[number, string]>('select')).resolves.toEqualTypeOf<[number, string][]>()
expectTypeOf(arrays.fetch('select')).resolves.toEqualTypeOf<unknown[][]>()
expectTypeOf(arrays.fetchRow<[number]>('select', [], { timeoutMs: 1 })).resolves.toEqualTypeOf<
  [number] | null
>()
expectTypeOf(arrays.fetchMany<[number]>('select', [])).resolves.toEqualTypeOf<[number][]>()
expectTypeOf(arrays.fetch<Person>('select', [], { rowMode: 'object' })).resolves.toEqualTypeOf<Person[]>()
expectTypeOf(arrays.run<[number]>('select')).resolves.toEqualTypeOf<QueryResult<[number]>>()
expectTypeOf(arrays.fetchVal<number>('select')).resolves.toEqualTypeOf<number | null>()
// @ts-expect-error an array has no columns by name
arrays.fetch<Person>('select')
expectTypeOf(arrays.prepare('select')).resolves.toEqualTypeOf<PreparedStatement<'array'>>()
arrays.prepare('select').then((statement) => {
  expectTypeOf(statement.fetch<[number]>([1])).resolves.toEqualTypeOf<[number][]>()
  expectTypeOf(statement.fetch<Person>([1], { rowMode: 'object' })).resolves.toEqualTypeOf<Person[]>()
})
arrays.transaction((inner) => expectTypeOf(inner).toEqualTypeOf<Transaction<'array'>>())
expectTypeOf(arrays.begin()).resolves.toEqualTypeOf<Transaction<'array'>>()
expectTypeOf(arrays).toExtend<Queryable<'array'>>()
expectTypeOf(arrays).not.toExtend<Queryable>()

const records = createPool({ rowMode: 'record', init: (leased) => leased.fetch('select') })
expectTypeOf(records).resolves.toEqualTypeOf<Pool<'record'>>()
records.then((open) => {
  expectTypeOf(open.fetch<Person>('select')).resolves.toEqualTypeOf<Row<Person>[]>()
  expectTypeOf(open.acquire()).resolves.toEqualTypeOf<PoolConnection<'record'>>()
  open.use((leased) =>
    expectTypeOf(leased.fetchRow<Person>('select')).resolves.toEqualTypeOf<Row<Person> | null>(),
  )
  open.transaction((inner) => expectTypeOf(inner).toEqualTypeOf<Transaction<'record'>>())
})
// Row modes that are known at run time only give what either gives.
declare const either: ConnectOptions<'object' | 'record'>
expectTypeOf(connect(either).then((open) => open.fetch<Person>('select'))).resolves.toEqualTypeOf<
  (Person | Row<Person>)[]
>()
// What takes rows of any mode is generic.
async function firstOf<M extends RowMode>(db: Queryable<M>): Promise<RowOf<M, UnknownRow<M>> | null> {
  return await db.fetchRow('select')
}
expectTypeOf(firstOf(connection)).resolves.toEqualTypeOf<Record<string, unknown> | null>()
expectTypeOf(firstOf(arrays)).resolves.toEqualTypeOf<unknown[] | null>()

// Rows to write are any objects, interfaces among them.
const people: Person[] = [{ id: 1, name: 'Ada' }]
expectTypeOf(sql.values(people)).toEqualTypeOf<Sql>()
expectTypeOf(sql.values(people[0]!, ['name'])).toEqualTypeOf<Sql>()
expectTypeOf(sql.values([[1, 'Ada']])).toEqualTypeOf<Sql>()
expectTypeOf(sql.set(people[0]!)).toEqualTypeOf<Sql>()
// @ts-expect-error
sql.set('name')

// Where to connect may be a URL object.
expectTypeOf(connect(new URL('postgres://localhost'))).resolves.toEqualTypeOf<Connection>()
expectTypeOf(createPool(new URL('postgres://localhost'), { maxSize: 2 })).resolves.toEqualTypeOf<Pool>()

// What other drivers have is refused.
// @ts-expect-error
new Pool({ connectionString: 'postgres://localhost' })
// @ts-expect-error
connection.query('select')
// @ts-expect-error
createPool({ connectionString: 'postgres://localhost' })

// A transaction gives what its function gives.
expectTypeOf(connection.transaction(async () => 'done' as const)).resolves.toEqualTypeOf<'done'>()
expectTypeOf(pool.transaction(async (inner) => inner.fetchVal<number>('select'))).resolves.toEqualTypeOf<
  number | null
>()
tx.transaction((inner) => expectTypeOf(inner).toEqualTypeOf<Transaction>())

// Options that do not exist, and values that do not fit, are refused.
// @ts-expect-error the unit belongs to the name
connection.fetch('select', [], { timeout: 1 })
// @ts-expect-error
connection.fetch('select', [], { rowMode: 'objects' })
// @ts-expect-error
connection.transaction(async () => 1, { isolation: 'sometimes' })
// @ts-expect-error parameters are an array
connection.fetch('select $1', 1)
// @ts-expect-error
createPool('postgres://localhost', { maxsize: 2 })
