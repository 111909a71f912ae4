// What pools tell of their sessions and of who holds them.
import { expectTypeOf } from 'expect-type'
import type {
  Pool,
  PoolCloseReason,
  PoolHolder,
  PoolOptions,
  PoolSession,
  PoolSessionEnd,
  PostgresLogMessage,
  ServerVersion,
  TimeoutError,
} from 'oxpg'

expectTypeOf<PoolOptions['leakDetectionMs']>().toEqualTypeOf<number | undefined>()
expectTypeOf<TimeoutError['holders']>().toEqualTypeOf<readonly PoolHolder[] | undefined>()
expectTypeOf<PoolHolder['call']>().toEqualTypeOf<
  'acquire' | 'use' | 'transaction' | 'begin' | 'stream' | 'init' | 'setup' | 'reset'
>()

expectTypeOf<Pool['onConnect']>().toEqualTypeOf<(listener: (session: PoolSession) => void) => () => void>()
expectTypeOf<Pool['onClose']>().toEqualTypeOf<
  (listener: (session: PoolSession, end: PoolSessionEnd) => void) => () => void
>()
expectTypeOf<Pool['onNotice']>().toEqualTypeOf<
  (listener: (message: PostgresLogMessage, session: PoolSession) => void) => () => void
>()
expectTypeOf<PoolSession>().toEqualTypeOf<{
  readonly serverPid: number
  readonly serverVersion: ServerVersion
}>()
expectTypeOf<PoolSessionEnd['error']>().toEqualTypeOf<Error | undefined>()
expectTypeOf<PoolCloseReason>().toExtend<string>()
