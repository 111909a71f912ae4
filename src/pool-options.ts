import { CONNECT_OPTIONS, type ConnectOptions } from './connect-options'
import type { RowMode } from './decode/mapping'
import { ClientConfigurationError } from './errors/index'
import { callable, durationMs, flag, wholeNumber } from './options'
import type { PoolConnection } from './pool-connection'

/** Something the pool does with a connection; the pool waits for what it returns. */
export type PoolHook<M extends RowMode = 'object'> = (connection: PoolConnection<M>) => unknown

/**
 * How a pool keeps its connections, and how they are made.
 *
 * @typeParam M The row mode of the pool and its connections.
 */
export interface PoolOptions<M extends RowMode = 'object'> extends ConnectOptions<M> {
  /** Connections that are kept open, and opened before `createPool` resolves. Default 1. */
  minSize?: number | undefined
  /** Default 10. */
  maxSize?: number | undefined
  /** Queries after which a connection is replaced; 0 for no limit. Default 50 000. */
  maxQueries?: number | undefined
  /** Milliseconds after which an idle connection is closed; 0 for no limit. Default 300 000. */
  maxInactiveConnectionLifetimeMs?: number | undefined
  /** Milliseconds, ±2.5 %, after which a connection is replaced; 0, the default, for no limit. */
  maxLifetimeMs?: number | undefined
  /** Milliseconds that a call may wait for a connection; 0 for no limit. Default 30 000. */
  acquireTimeoutMs?: number | undefined
  /**
   * Milliseconds after which a warning of the process (`OXPG_LEASE_HELD`) tells of a lease that was not released, with the
   * stack of the call that it came from. 0, the default, for never; it costs a stack for each lease.
   */
  leakDetectionMs?: number | undefined
  /**
   * Milliseconds between two questions to the connection of `listen` whether it is still there and listens; 0 for none. It has
   * to answer within the same time, and within 10 000, or it is replaced: a link that is cut off without a word is found out
   * within 40 seconds. Default 30 000.
   */
  listenProbeIntervalMs?: number | undefined
  /**
   * Whether calls on the pool itself may share a connection, if each is a single statement such as SELECT or INSERT.
   * Default true. With false each has one for itself, which is reset afterwards.
   */
  shareConnections?: boolean | undefined
  /**
   * Whether calls on the pool that are made inside a transaction callback of one of its connections (of `transaction` of the
   * pool, or of a connection that it has lent) join that transaction, found by AsyncLocalStorage: queries run in it, and
   * `transaction` and `begin` are savepoints. A call in what such a callback has set going, after the transaction's end, is an
   * InterfaceError. `acquire` and `use` give a connection outside of it, and `listen` has its own. Default false.
   */
  ambientTransactions?: boolean | undefined
  /**
   * Called once with each connection, before its first use. With any of the three hooks each call on the pool itself
   * leases a connection.
   */
  init?: PoolHook<M> | undefined
  /** Called with a connection each time it is acquired. */
  setup?: PoolHook<M> | undefined
  /**
   * Called before a connection goes back; then the pool resets the session. It has the session under an object of its
   * own, since what was leased is released by then; releasing that one does nothing.
   */
  reset?: PoolHook<M> | undefined
}

/** The hooks of a pool. */
export interface PoolHooks<M extends RowMode = 'object'> {
  readonly init: PoolHook<M> | undefined
  readonly setup: PoolHook<M> | undefined
  readonly reset: PoolHook<M> | undefined
}

/** What a hook is called. */
export type HookName = keyof PoolHooks

/** Names of the options of `createPool`. */
export const POOL_OPTIONS: ReadonlySet<string> = new Set([
  ...CONNECT_OPTIONS,
  'minSize',
  'maxSize',
  'maxQueries',
  'maxInactiveConnectionLifetimeMs',
  'maxLifetimeMs',
  'acquireTimeoutMs',
  'leakDetectionMs',
  'shareConnections',
  'listenProbeIntervalMs',
  'ambientTransactions',
  'init',
  'setup',
  'reset',
])

/** More than any server takes. */
const MAX_SIZE = 65_535

/** Options of the pool, checked and complete. */
export interface PoolPlan<M extends RowMode> {
  /** For Rust. */
  readonly settings: {
    readonly minSize: number
    readonly maxSize: number
    readonly maxQueries: number
    readonly maxInactiveConnectionLifetimeMs: number
    readonly maxLifetimeMs: number
    readonly acquireTimeoutMs: number
    readonly shareConnections: boolean
  }
  readonly hooks: PoolHooks<M>
  /** Whether `acquireTimeoutMs` was asked for. */
  readonly isAcquireTimeoutGiven: boolean
  readonly leakDetectionMs: number
  readonly listenProbeIntervalMs: number
  readonly isAmbient: boolean
}

/** @throws ClientConfigurationError */
export function poolPlan<M extends RowMode>(options: PoolOptions<M>): PoolPlan<M> {
  const maxSize = wholeNumber('maxSize', orDefault(options.maxSize, 10), 1, MAX_SIZE)
  const minSize = wholeNumber('minSize', orDefault(options.minSize, Math.min(1, maxSize)), 0, MAX_SIZE)
  if (minSize > maxSize) {
    throw new ClientConfigurationError(
      `option 'minSize' must not be more than 'maxSize': ${minSize} > ${maxSize}`,
    )
  }
  const acquireTimeoutMs = durationMs('acquireTimeoutMs', orDefault(options.acquireTimeoutMs, 30_000))
  const inactiveMs = orDefault(options.maxInactiveConnectionLifetimeMs, 300_000)
  for (const name of ['init', 'setup', 'reset'] as const) {
    if (options[name] !== undefined) callable(name, options[name])
  }
  return {
    settings: {
      minSize,
      maxSize,
      maxQueries: wholeNumber(
        'maxQueries',
        orDefault(options.maxQueries, 50_000),
        0,
        Number.MAX_SAFE_INTEGER,
      ),
      maxInactiveConnectionLifetimeMs: durationMs('maxInactiveConnectionLifetimeMs', inactiveMs),
      maxLifetimeMs: durationMs('maxLifetimeMs', orDefault(options.maxLifetimeMs, 0)),
      acquireTimeoutMs,
      shareConnections: flag('shareConnections', orDefault(options.shareConnections, true)),
    },
    hooks: { init: options.init, setup: options.setup, reset: options.reset },
    isAcquireTimeoutGiven: options.acquireTimeoutMs !== undefined,
    isAmbient: flag('ambientTransactions', orDefault(options.ambientTransactions, false)),
    leakDetectionMs: durationMs('leakDetectionMs', orDefault(options.leakDetectionMs, 0)),
    listenProbeIntervalMs: durationMs(
      'listenProbeIntervalMs',
      orDefault(options.listenProbeIntervalMs, 30_000),
    ),
  }
}

/** What is null was meant to be something. */
function orDefault<T>(given: T | undefined, otherwise: T): T {
  return given === undefined ? otherwise : given
}
