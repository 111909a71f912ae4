import { CONNECT_OPTIONS, type ConnectOptions, connectPlan, dsnAndOptions } from './connect-options'
import { Connection } from './connection'
import type { RowMode } from './decode/mapping'
import { type ConnectionTarget, type ConnectTrace, connectChannel, sessionTrace, traced } from './native/door'
import { openSession } from './open-session'
import { checkNamedTypeCodecs } from './type-codecs'

/**
 * Opens a session.
 *
 * @param dsn `postgres://user:password@host:port/database?option=value`, or libpq's `key=value` pairs; the former
 * may be a URL object.
 * @throws ClientConfigurationError, TimeoutError, or a PostgresError such as InvalidPasswordError.
 */
export function connect<M extends RowMode = 'object'>(
  dsn?: string | URL,
  options?: ConnectOptions<M>,
): Promise<Connection<M>>
export function connect<M extends RowMode = 'object'>(options?: ConnectOptions<M>): Promise<Connection<M>>
export async function connect<M extends RowMode>(
  first?: string | URL | ConnectOptions<M>,
  second?: ConnectOptions<M>,
): Promise<Connection<M>> {
  const { dsn, options } = dsnAndOptions('connect', first, second, CONNECT_OPTIONS)
  const typeCodecs = checkNamedTypeCodecs(options.typeCodecs)
  const plan = connectPlan(dsn, options)
  const open = (): Promise<ConnectionTarget> => openSession(plan, typeCodecs, plan.signal)
  const trace = (): ConnectTrace => ({ isPooled: false, ...sessionTrace() })
  const target = connectChannel.hasSubscribers
    ? await traced(connectChannel, trace(), open, (opened) => opened)
    : await open()
  return Connection._of<M>({ target, defaults: plan.defaults })
}
