import { connectPlan, dsnAndOptions } from './connect-options'
import { errorFromFailure } from './errors/index'
import { openPool } from './native/door'
import { Pool } from './pool'
import { POOL_OPTIONS, type PoolOptions, poolPlan } from './pool-options'
import { checkNamedTypeCodecs, openWithTypeCodecs } from './type-codecs'

/**
 * Opens a pool of connections, `minSize` of them at once.
 *
 * @param dsn `postgres://user:password@host:port/database?option=value`, or libpq's `key=value` pairs.
 * @throws ClientConfigurationError, TimeoutError, or a PostgresError such as InvalidPasswordError.
 */
export function createPool(dsn?: string, options?: PoolOptions): Promise<Pool>
export function createPool(options?: PoolOptions): Promise<Pool>
export async function createPool(first?: string | PoolOptions, second?: PoolOptions): Promise<Pool> {
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
  return Pool._of({ target: pool, defaults, hooks, acquireTimeoutMs })
}
