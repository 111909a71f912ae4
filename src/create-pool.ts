import { connectPlan, dsnAndOptions } from './connect-options'
import type { RowMode } from './decode/mapping'
import { errorFromFailure } from './errors/index'
import { openPool } from './native/door'
import { Pool } from './pool'
import { POOL_OPTIONS, type PoolOptions, poolPlan } from './pool-options'
import { checkNamedTypeCodecs, openWithTypeCodecs } from './type-codecs'

/**
 * Opens a pool of connections, `minSize` of them at once.
 *
 * @param dsn `postgres://user:password@host:port/database?option=value`, or libpq's `key=value` pairs; the former
 * may be a URL object.
 * @throws ClientConfigurationError, TimeoutError, or a PostgresError such as InvalidPasswordError.
 */
export function createPool<M extends RowMode = 'object'>(
  dsn?: string | URL,
  options?: PoolOptions<M>,
): Promise<Pool<M>>
export function createPool<M extends RowMode = 'object'>(options?: PoolOptions<M>): Promise<Pool<M>>
export async function createPool<M extends RowMode>(
  first?: string | URL | PoolOptions<M>,
  second?: PoolOptions<M>,
): Promise<Pool<M>> {
  const { dsn, options } = dsnAndOptions('createPool', first, second, POOL_OPTIONS)
  const { optionsJson, acquireTimeoutMs, hooks } = poolPlan(options)
  const typeCodecs = checkNamedTypeCodecs(options.typeCodecs)
  const { configJson, defaults, signal } = await connectPlan(dsn, options)
  const { pool, ready } = openPool(configJson, optionsJson, signal)
  await ready.settled
  if (ready.failure !== undefined) {
    pool.terminate()
    throw errorFromFailure(ready.failure)
  }
  await openWithTypeCodecs(pool, typeCodecs, defaults.commandTimeoutMs)
  return Pool._of<M>({ target: pool, defaults, hooks, acquireTimeoutMs })
}
