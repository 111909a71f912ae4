import {
  CONNECT_OPTIONS,
  type ConnectOptions,
  type ConnectPlan,
  connectPlan,
  dsnAndOptions,
} from './connect-options'
import { Connection } from './connection'
import type { RowMode } from './decode/mapping'
import {
  type ConnectionTarget,
  type ConnectTrace,
  connectChannel,
  explainConfig,
  NOWHERE,
  type ServerPlace,
  sessionTrace,
  traced,
} from './native/door'
import { openSession } from './open-session'
import type { ParsedDsn } from './parse-dsn'
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
  const trace = (): ConnectTrace => ({ isPooled: false, ...sessionTrace(placeOf(plan.config)) })
  const target = connectChannel.hasSubscribers
    ? await traced(connectChannel, trace(), open, (opened) => opened)
    : await open()
  return Connection._of<M>({ target, defaults: plan.defaults })
}

/** Where a session will be, as far as that is known before it is open: of several hosts it may be any. */
function placeOf(config: ConnectPlan['config']): ServerPlace {
  const explained = explainConfig(JSON.stringify(config))
  if (typeof explained !== 'string') return NOWHERE
  const { hosts, database, user } = JSON.parse(explained) as ParsedDsn
  const [first] = hosts
  return hosts.length === 1
    ? { host: first!.host, port: first!.port, database, user }
    : { host: undefined, port: undefined, database, user }
}
