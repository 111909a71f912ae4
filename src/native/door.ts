import type { Failure } from '../errors/index'
import { poolsOfThread, theEnvironment } from './environment'
import { openConnectionIn, openPoolIn } from './openings'
import type { PoolTarget } from './pool-target'
import type { Request } from './request'

export { BatchRequest } from './batch-request'
export { CallGroup, type GroupMember } from './call-group'
export { ConnectionTarget, type NotificationMessage, type TransactionStatus } from './connection-target'
export { type ContextStatement, ContextTarget } from './context-target'
export { ControlRequest } from './control-request'
export type { Context, GroupRequest, GroupStatement } from './group-request'
export type { HeldQuery } from './held-query'
export type { PoolStats } from './load'
export { LoggedQuery, type LoggedQueryKind, NOWHERE, operationOf, type ServerPlace } from './logged-query'
export { ObservedQuery } from './observed-query'
export { Occupancy, type Occupant } from './occupancy'
export { onPoolEnd, PoolTarget } from './pool-target'
export type { Portal } from './portal'
export type { Description } from './queries'
export { type QueryLogger, QueryLoggers } from './query-loggers'
export { QueryTags, type QueryTagValues } from './query-tags'
export { Request, thrown } from './request'
export type { RequestOptions, ResultForm, ScriptOptions, StatementOptions } from './request-options'
export {
  type AcquireTrace,
  acquireChannel,
  type ConnectTrace,
  connectChannel,
  type ReleaseMessage,
  releaseChannel,
  sessionTrace,
  traced,
} from './session-traces'
export { type Sharing, sharingOf } from './sharing'
export { forgetSignal, isTimeOver, watchSignal } from './signals'
export { callRefused, literal, type StatementMode } from './statement-mode'
export { StreamRequest } from './stream-request'
export { takenNow } from './taken-parameters'
export { Target } from './target'

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

/** `connectTimeoutMs` as options, DSN and environment have it, 0 for no limit; also 0 when the configuration is wrong. */
export function connectTimeoutOf(configJson: string): number {
  return theEnvironment().native.connectTimeoutOf(configJson) ?? 0
}

/** What a configuration comes to, as JSON of `ParsedDsn`; a failure when it is wrong. */
export function explainConfig(configJson: string): string | Failure {
  const explained = theEnvironment().native.explainConfig(configJson)
  if (explained === undefined) throw new Error('the native environment is gone')
  return explained
}

/** The pools that are open in this thread. */
export function openPools(): PoolTarget[] {
  return poolsOfThread()
}

/**
 * Opens a pool.
 *
 * @param optionsJson `{ minSize, maxSize, maxQueries, maxInactiveConnectionLifetimeMs, maxLifetimeMs,
 * acquireTimeoutMs, shareConnections, asksCredentials }`; 0 means no limit. With `asksCredentials` the pool's `onCredentials` is
 * called for each new session.
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
