// What the query methods give, by their type parameters and row mode.
import { expectTypeOf } from 'expect-type'
import {
  type Connection,
  connect,
  createPool,
  type Pool,
  type PreparedStatement,
  type Queryable,
  type Row,
  type Transaction,
} from 'oxpg'

interface Person {
  id: number
  name: string
}

declare const connection: Connection
declare const pool: Pool
declare const tx: Transaction

expectTypeOf(connect('postgres://localhost')).resolves.toEqualTypeOf<Connection>()
expectTypeOf(connect({ host: 'localhost', port: 5432 })).resolves.toEqualTypeOf<Connection>()
expectTypeOf(createPool('postgres://localhost', { maxSize: 2 })).resolves.toEqualTypeOf<Pool>()

// Everything that can query is a Queryable.
expectTypeOf(connection).toExtend<Queryable>()
expectTypeOf(pool).toExtend<Queryable>()
expectTypeOf(tx).toExtend<Queryable>()

expectTypeOf(connection.execute('select 1')).resolves.toEqualTypeOf<string>()
expectTypeOf(connection.fetch<Person>('select')).resolves.toEqualTypeOf<Row<Person>[]>()
expectTypeOf(connection.fetchRow<Person>('select', [1])).resolves.toEqualTypeOf<Row<Person> | null>()
expectTypeOf(connection.fetchVal<number>('select', [])).resolves.toEqualTypeOf<number | null>()
expectTypeOf(connection.fetchVal('select')).resolves.toBeUnknown()
expectTypeOf(connection.executeMany('insert', [[1], [2]])).resolves.toEqualTypeOf<number>()
expectTypeOf(pool.prepare).returns.resolves.toEqualTypeOf<PreparedStatement>()

// A row is the columns themselves.
declare const row: Row<Person>
expectTypeOf(row.name).toEqualTypeOf<string>()
expectTypeOf(row).toExtend<Person>()
expectTypeOf(row[Symbol.iterator]).toBeFunction()

// Row modes.
expectTypeOf(connection.fetch<Person>('select', [], { rowMode: 'object' })).resolves.toEqualTypeOf<Person[]>()
expectTypeOf(connection.fetch<[number, string]>('select', [], { rowMode: 'array' })).resolves.toEqualTypeOf<
  [number, string][]
>()

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
