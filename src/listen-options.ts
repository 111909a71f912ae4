import { CALL_OPTIONS, checkCallOptions, signalOf, timeoutOf } from './call-arguments'
import { InterfaceError } from './errors/index'
import { Limit } from './limit'
import { checkChannel, type NotificationGap } from './notification'
import { checkFunction, wholeNumber } from './options'
import type { CallOptions } from './query-options'
import { describeArgument } from './types/describe-value'

/** Options of `listen` with a handler. */
export interface ListenCallOptions extends CallOptions {}

/** Options of `listen` without a handler. */
export interface ListenOptions extends CallOptions {
  /**
   * The most messages that wait to be taken by an iteration; with one more the subscription ends. Default 10 000.
   */
  maxQueued?: number | undefined
}

/** Options of a pool's `listen` with a handler. */
export interface PoolListenOptions extends CallOptions {
  /**
   * Called when messages may have been missed: the connection was lost, and a new one listens. Without it a warning of the
   * process says so (`OXPG_LISTEN_GAP`). What it throws is an uncaught exception.
   */
  onGap?: ((gap: NotificationGap) => unknown) | undefined
}

/** The arguments of `listen`, checked. */
export interface CheckedListen {
  readonly handler: ((...values: never[]) => unknown) | undefined
  readonly onGap: ((gap: NotificationGap) => unknown) | undefined
  readonly maxQueued: number
  readonly limit: Limit
}

const MAX_QUEUED = 10_000
const ITERATION_OPTIONS: ReadonlySet<string> = new Set([...CALL_OPTIONS, 'maxQueued'])
const POOL_HANDLER_OPTIONS: ReadonlySet<string> = new Set([...CALL_OPTIONS, 'onGap'])

/** @throws InterfaceError */
export function checkListen(
  channel: unknown,
  first: unknown,
  second: object | undefined,
  defaultTimeoutMs: number,
  handlerOptions: ReadonlySet<string> = CALL_OPTIONS,
): CheckedListen {
  checkChannel('listen', channel)
  const handler = typeof first === 'function' ? (first as () => unknown) : undefined
  const isOther = first !== undefined && (typeof first !== 'object' || first === null)
  if (handler === undefined && (isOther || second !== undefined)) {
    throw new InterfaceError(`listen: expected a function as handler, not ${describeArgument(first)}`)
  }
  const options = (handler === undefined ? first : second) as (ListenOptions & PoolListenOptions) | undefined
  checkCallOptions(options, handler === undefined ? ITERATION_OPTIONS : handlerOptions)
  if (options?.onGap !== undefined) checkFunction("option 'onGap'", options.onGap)
  return {
    handler,
    onGap: options?.onGap,
    maxQueued: wholeNumber('maxQueued', options?.maxQueued ?? MAX_QUEUED, 1, Number.MAX_SAFE_INTEGER),
    limit: new Limit(timeoutOf(options, defaultTimeoutMs), signalOf(options)),
  }
}

/** The same of a pool. */
export function checkPoolListen(
  channel: unknown,
  first: unknown,
  second: object | undefined,
  defaultTimeoutMs: number,
): CheckedListen {
  return checkListen(channel, first, second, defaultTimeoutMs, POOL_HANDLER_OPTIONS)
}
