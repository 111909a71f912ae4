// What cursors and streams give, by their type parameters and row mode.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expectTypeOf } from 'expect-type'
import {
  type Connection,
  type Cursor,
  type CursorFactory,
  type Pool,
  type PoolConnection,
  type PreparedStatement,
  type Queryable,
  type Row,
  type RowStream,
  sql,
  type Transaction,
} from 'oxpg'

interface N {
  n: number
}

declare const connection: Connection
declare const leased: PoolConnection<'record'>
declare const arrays: Connection<'array'>
declare const pool: Pool
declare const tx: Transaction
declare const statement: PreparedStatement
declare const queryable: Queryable

expectTypeOf(connection.stream('select 1')).toEqualTypeOf<RowStream<Record<string, unknown>>>()
expectTypeOf(pool.stream<N>('select 1', [1])).toEqualTypeOf<RowStream<N>>()
expectTypeOf(queryable.stream<N>(sql`select 1`)).toEqualTypeOf<RowStream<N>>()
expectTypeOf(leased.stream<N>('select 1')).toEqualTypeOf<RowStream<Row<N>>>()
expectTypeOf(arrays.stream<[number]>('select 1')).toEqualTypeOf<RowStream<[number]>>()
expectTypeOf(tx.stream('select 1', [], { rowMode: 'array' })).toEqualTypeOf<RowStream<unknown[]>>()
expectTypeOf(tx.stream<N>('select 1', [], { rowMode: 'record', timeoutMs: 1, int8: 'bigint' })).toEqualTypeOf<
  RowStream<Row<N>>
>()
expectTypeOf(statement.stream<N>([1], { signal: new AbortController().signal })).toEqualTypeOf<RowStream<N>>()
expectTypeOf(tx.stream<N>('select 1')).toExtend<AsyncIterable<N>>()
expectTypeOf(tx.stream<N>('select 1')).toExtend<AsyncDisposable>()
expectTypeOf(tx.stream<N>('select 1').batches()).toExtend<AsyncIterable<N[]>>()
Readable.from(pool.stream<N>('select 1'))
void pipeline(pool.stream<N>('select 1'), async (rows) => {
  for await (const row of rows) expectTypeOf(row).toEqualTypeOf<N>()
})
// @ts-expect-error a stream is as large as it is
connection.stream('select 1', [], { maxResultBytes: 1 })

expectTypeOf(tx.cursor('select 1')).toEqualTypeOf<CursorFactory<Record<string, unknown>>>()
expectTypeOf(connection.cursor<N>('select 1', [], { prefetch: 10 })).toEqualTypeOf<CursorFactory<N>>()
expectTypeOf(leased.cursor<N>('select 1')).toEqualTypeOf<CursorFactory<Row<N>>>()
expectTypeOf(tx.cursor('select 1', [], { rowMode: 'array', prefetch: 1 })).toEqualTypeOf<
  CursorFactory<unknown[]>
>()
expectTypeOf(statement.cursor<N>([1])).toEqualTypeOf<CursorFactory<N>>()
expectTypeOf(tx.cursor<N>('select 1').open()).resolves.toEqualTypeOf<Cursor<N>>()
// @ts-expect-error a pool has no transaction for it
pool.cursor('select 1')

declare const cursor: Cursor<N>
expectTypeOf(cursor.fetch(1)).resolves.toEqualTypeOf<N[]>()
expectTypeOf(cursor.fetchRow()).resolves.toEqualTypeOf<N | null>()
expectTypeOf(cursor.forward(1)).resolves.toEqualTypeOf<number>()
expectTypeOf(cursor).toExtend<AsyncDisposable>()
