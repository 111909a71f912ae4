// What `await using` can hold.
import { expectTypeOf } from 'expect-type'
import type { Connection, Pool, PoolConnection, Transaction } from 'oxpg'

expectTypeOf<Connection>().toExtend<AsyncDisposable>()
expectTypeOf<Pool>().toExtend<AsyncDisposable>()
expectTypeOf<PoolConnection>().toExtend<AsyncDisposable>()
expectTypeOf<PoolConnection>().toExtend<Connection>()
expectTypeOf<Transaction>().toExtend<AsyncDisposable>()
