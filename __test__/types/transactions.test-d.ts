// Two-phase commit and ambient transactions.
import { expectTypeOf } from 'expect-type'
import type { CallOptions, Connection, Pool, PoolOptions, Transaction } from 'oxpg'

expectTypeOf<Transaction['prepareTransaction']>().toEqualTypeOf<(gid: string) => Promise<void>>()
expectTypeOf<Pool['commitPrepared']>().toEqualTypeOf<(gid: string, options?: CallOptions) => Promise<void>>()
expectTypeOf<Connection['rollbackPrepared']>().toEqualTypeOf<Pool['commitPrepared']>()
expectTypeOf<Transaction>().not.toHaveProperty('commitPrepared')
expectTypeOf<PoolOptions['ambientTransactions']>().toEqualTypeOf<boolean | undefined>()
expectTypeOf<PoolOptions['listenProbeIntervalMs']>().toEqualTypeOf<number | undefined>()
