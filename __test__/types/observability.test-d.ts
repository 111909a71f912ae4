import { tracingChannel } from 'node:diagnostics_channel'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { expectTypeOf } from 'expect-type'
import type {
  AcquireTrace,
  Connection,
  ConnectOptions,
  ConnectTrace,
  LoggedQuery,
  Pool,
  PoolOptions,
  QueryLogger,
  QueryTagValues,
} from 'oxpg'
import { OxpgInstrumentation, traceparent } from 'oxpg/otel'

declare const connection: Connection
declare const pool: Pool

for (const queryable of [connection, pool]) {
  queryable.addQueryLogger((record) => expectTypeOf(record).toEqualTypeOf<LoggedQuery>())
  queryable.addQueryLogger(async () => {})
  expectTypeOf(queryable.queryLogger(console.log)).toEqualTypeOf<Disposable>()
  // @ts-expect-error a logger is a function
  queryable.addQueryLogger('console')
}
expectTypeOf<QueryLogger>().parameter(0).toEqualTypeOf<LoggedQuery>()
expectTypeOf<LoggedQuery['kind']>().toEqualTypeOf<
  'query' | 'script' | 'batch' | 'group' | 'prepare' | 'transaction'
>()
expectTypeOf<LoggedQuery['params']>().toEqualTypeOf<readonly unknown[] | undefined>()
expectTypeOf<LoggedQuery['error']>().toEqualTypeOf<unknown>()
expectTypeOf<ConnectTrace['isPooled']>().toEqualTypeOf<boolean>()
expectTypeOf<AcquireTrace['call']>().toEqualTypeOf<'acquire' | 'use' | 'transaction' | 'begin' | 'query'>()
tracingChannel<unknown, LoggedQuery>('oxpg:query').start.subscribe((query) => void query)

registerInstrumentations({ instrumentations: [new OxpgInstrumentation({ requireParentSpan: true })] })
// @ts-expect-error no such option
new OxpgInstrumentation({ requireParent: true })
expectTypeOf(traceparent).returns.toEqualTypeOf<string | undefined>()

expectTypeOf<ConnectOptions['queryTags']>().toEqualTypeOf<QueryTagValues | undefined>()
const options: PoolOptions = { queryTags: { application: 'shop', traceparent } }
// @ts-expect-error a tag is a string, or gives one
const wrong: PoolOptions = { queryTags: { application: 1 } }
void [options, wrong]
