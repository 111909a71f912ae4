import { CONNECT_OPTIONS, type ConnectOptions, connectPlan, dsnAndOptions } from './connect-options'
import { Connection } from './connection'
import type { RowMode } from './decode/mapping'
import { errorFromFailure } from './errors/index'
import { openConnection } from './native/door'
import { checkNamedTypeCodecs, openWithTypeCodecs } from './type-codecs'

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
  const { configJson, defaults, signal } = await connectPlan(dsn, options)
  const request = openConnection(configJson, signal)
  await request.settled
  if (request.failure !== undefined) throw errorFromFailure(request.failure)
  const target = request.connection!
  await openWithTypeCodecs(target, typeCodecs, defaults.commandTimeoutMs)
  return Connection._of<M>({ target, defaults })
}
