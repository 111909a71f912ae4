import {
  CONNECT_OPTIONS,
  type ConnectOptions,
  type ConnectPlan,
  connectPlan,
  dsnAndOptions,
} from './connect-options'
import { Connection } from './connection'
import { askForCredentials } from './credentials'
import type { RowMode } from './decode/mapping'
import { errorFromFailure } from './errors/index'
import { Limit } from './limit'
import {
  type ConnectTrace,
  connectChannel,
  connectTimeoutOf,
  openConnection,
  sessionTrace,
  traced,
} from './native/door'
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
  const plan = connectPlan(dsn, options)
  if (!connectChannel.hasSubscribers) return open(plan, typeCodecs)
  const trace: ConnectTrace = { isPooled: false, ...sessionTrace() }
  return traced(
    connectChannel,
    trace,
    () => open<M>(plan, typeCodecs),
    (connection) => connection._targetOfEnd(),
  )
}

async function open<M extends RowMode>(
  { config, credentials, defaults, isSimple, tags, signal }: ConnectPlan,
  typeCodecs: ReturnType<typeof checkNamedTypeCodecs>,
): Promise<Connection<M>> {
  let configJson = JSON.stringify(config)
  // What is done here is done in the time for all of connecting.
  const isMoreToDo = credentials !== undefined || typeCodecs.length > 0
  const limit = new Limit(isMoreToDo ? connectTimeoutOf(configJson) : 0, signal)
  if (credentials !== undefined) {
    const given = await askForCredentials(credentials, limit)
    const particulars = { ...given, connectTimeoutMs: limit.remainingMs }
    configJson = JSON.stringify({ ...config, options: { ...config.options, ...particulars } })
  }
  const request = openConnection(configJson, signal)
  await request.settled
  if (request.failure !== undefined) throw errorFromFailure(request.failure)
  const target = request.connection!
  target.isSimple = isSimple
  target.tags = tags
  await openWithTypeCodecs(target, typeCodecs, limit)
  return Connection._of<M>({ target, defaults })
}
