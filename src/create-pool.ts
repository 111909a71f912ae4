import { AsyncResource } from 'node:async_hooks'
import { connectPlan, dsnAndOptions } from './connect-options'
import { askForCredentials, type CredentialFunctions } from './credentials'
import type { RowMode } from './decode/mapping'
import { errorFromFailure, TimeoutError } from './errors/index'
import { thrownReason } from './errors/thrown-reason'
import { Limit } from './limit'
import { connectTimeoutOf, openPool } from './native/door'
import { openSession } from './open-session'
import { Pool } from './pool'
import { PoolListener } from './pool-listener'
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
  const { settings, hooks, isAcquireTimeoutGiven, leakDetectionMs, listenProbeIntervalMs, isAmbient } =
    poolPlan(options)
  const typeCodecs = checkNamedTypeCodecs(options.typeCodecs)
  const plan = connectPlan(dsn, options)
  const { config, credentials, defaults, isSimple, tags, signal } = plan
  const configJson = JSON.stringify(config)
  const connectTimeoutMs = connectTimeoutOf(configJson)
  const limit = new Limit(connectTimeoutMs, signal)
  const optionsJson = JSON.stringify({ ...settings, asksCredentials: credentials !== undefined })
  const { pool, ready } = openPool(configJson, optionsJson, signal)
  pool.isSimple = isSimple
  pool.tags = tags
  if (credentials !== undefined) {
    // News comes in nobody's context.
    pool.onCredentials = AsyncResource.bind(async (opening: number) => {
      const own = new Limit(connectTimeoutMs)
      try {
        pool.answerCredentials(opening, await askForCredentials(credentials, own), own.remainingMs)
      } catch (error) {
        // Before the pool is open this is what createPool rejects with.
        ready.giveUp(error)
        pool.refuseCredentials(opening, reasonOf(error, credentials), error instanceof TimeoutError)
      }
    })
  }
  await ready.settled
  if (ready.failure !== undefined) {
    pool.terminate()
    throw errorFromFailure(ready.failure)
  }
  await openWithTypeCodecs(pool, typeCodecs, limit)
  const { acquireTimeoutMs } = settings
  return Pool._of<M>({
    target: pool,
    defaults,
    hooks,
    acquireTimeoutMs,
    isAcquireTimeoutGiven,
    leakDetectionMs,
    isAmbient,
    listener: new PoolListener({
      open: (end) => openSession(plan, [], end),
      defaults,
      probeIntervalMs: listenProbeIntervalMs,
    }),
  })
}

function reasonOf(error: unknown, credentials: CredentialFunctions): string {
  const said = thrownReason('it', error)
  const names = Object.keys(credentials).map((name) => `'${name}'`)
  return error instanceof TimeoutError ? said : `the function of option ${names.join(' or ')} failed: ${said}`
}
