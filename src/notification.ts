import type { Connection } from './connection'
import type { RowMode } from './decode/mapping'
import { InterfaceError } from './errors/index'
import { describeArgument } from './types/describe-value'
import { isWellFormed } from './types/well-formed'

/** A message of NOTIFY that has arrived (manual, "NOTIFY"). */
export interface Notification {
  readonly isGap: false
  readonly channel: string
  /** Empty where NOTIFY gave none. */
  readonly payload: string
  /** The process id of the server's backend that sent it. */
  readonly pid: number
}

/**
 * A pool's listener has lost its connection and listens again on a new one: messages of the time between are lost, as
 * PostgreSQL keeps none for who is not there. What depends on them has to be looked up anew.
 */
export interface NotificationGap {
  readonly isGap: true
  readonly channel: string
  readonly payload: undefined
  /** Why the connection was lost. */
  readonly error: Error
}

/**
 * Hears of the messages of a channel, in the context of `AsyncLocalStorage` that it was given in. What it throws is an
 * uncaught exception, and keeps others from nothing; nobody waits for what it returns.
 *
 * @typeParam M The row mode of the connection.
 */
export type NotificationHandler<M extends RowMode = 'object'> = (
  payload: string,
  notification: Notification,
  connection: Connection<M>,
) => unknown

/** The same of a pool, whose listener's connection is its own. */
export type PoolNotificationHandler = (payload: string, notification: Notification) => unknown

/** The most bytes of an identifier; a longer one is cut by the server. */
const MAX_CHANNEL_BYTES = 63

/**
 * Checks the name of a channel, and quotes it as an identifier.
 *
 * @param where What was called.
 * @throws InterfaceError
 */
export function quoteChannel(where: string, channel: unknown): string {
  const name = checkChannel(where, channel)
  return `"${name.replaceAll('"', '""')}"`
}

/** @throws InterfaceError unless it can be the name of a channel. */
export function checkChannel(where: string, channel: unknown): string {
  if (typeof channel !== 'string') {
    throw new InterfaceError(
      `${where}: expected the name of a channel, a string, not ${describeArgument(channel)}`,
    )
  }
  const wrong = wrongText(channel)
  if (wrong !== undefined) throw new InterfaceError(`${where}: the name of a channel must not ${wrong}`)
  if (channel === '') throw new InterfaceError(`${where}: the name of a channel must not be empty`)
  const length = Buffer.byteLength(channel)
  if (length > MAX_CHANNEL_BYTES) {
    throw new InterfaceError(
      `${where}: the name of a channel must not be longer than ${MAX_CHANNEL_BYTES} bytes, and this one has ${length}`,
    )
  }
  return channel
}

/**
 * Checks what NOTIFY is to send; how long it may be is for the server to say.
 *
 * @throws InterfaceError
 */
export function checkPayload(payload: unknown): string {
  if (payload === undefined) return ''
  if (typeof payload !== 'string') {
    throw new InterfaceError(`notify: expected the payload to be a string, not ${describeArgument(payload)}`)
  }
  const wrong = wrongText(payload)
  if (wrong !== undefined) throw new InterfaceError(`notify: the payload must not ${wrong}`)
  return payload
}

function wrongText(text: string): string | undefined {
  if (text.includes('\0')) return 'contain NUL'
  return isWellFormed(text) ? undefined : 'contain half of a surrogate pair'
}
