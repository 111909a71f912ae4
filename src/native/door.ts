import { theEnvironment } from './environment'
import { openConnectionIn, openPoolIn } from './openings'
import type { Request } from './request'
import type { PoolTarget } from './targets'

export { BatchRequest } from './batch-request'
export type { PoolStats } from './load'
export { Occupancy, type Occupant } from './occupancy'
export type { Description } from './queries'
export { Request } from './request'
export type { RequestOptions, ResultForm, ScriptOptions, StatementOptions } from './request-options'
export { ConnectionTarget, type Notification, PoolTarget, Target, type TransactionStatus } from './targets'

/**
 * Opens a session.
 *
 * @param configJson `{ dsn, options, environment }`, see `crates/client/src/open`.
 * @returns A request whose `connection` is there when it has settled well.
 * @throws Error when the addon cannot be loaded.
 */
export function openConnection(configJson: string, signal?: AbortSignal): Request {
  return openConnectionIn(theEnvironment(), configJson, signal)
}

/**
 * Opens a pool.
 *
 * @param optionsJson `{ minSize, maxSize, maxQueries, maxInactiveConnectionLifetimeMs, maxLifetimeMs,
 * acquireTimeoutMs, shareConnections }`; 0 means no limit.
 * @returns The pool, which takes requests at once, and a request that settles when `minSize` sessions are open.
 * @throws Error when the addon cannot be loaded.
 */
export function openPool(
  configJson: string,
  optionsJson: string,
  signal?: AbortSignal,
): { pool: PoolTarget; ready: Request } {
  return openPoolIn(theEnvironment(), configJson, optionsJson, signal)
}
