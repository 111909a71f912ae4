import { inspect } from 'node:util'
import { ChannelMap } from './channel-map'
import type { Connection } from './connection'
import type { RowMode } from './decode/mapping'
import { ConnectionDoesNotExistError, errorFromFailure, TimeoutError } from './errors/index'
import type { Limit } from './limit'
import type { ConnectionTarget, NotificationMessage } from './native/door'
import type { Notification } from './notification'
import type { CallDefaults } from './send'
import { SessionChannels } from './session-channels'
import { Subscription, type SubscriptionOwner } from './subscription'

/** The subscriptions of one connection. It must not know a leased object: that would never be forgotten. */
export class ConnectionListener<M extends RowMode> implements SubscriptionOwner<Notification> {
  readonly #target: ConnectionTarget
  readonly #reference: { deref(): Connection<M> | undefined }
  readonly #subscriptions = new ChannelMap<Notification>()
  readonly #defaults: CallDefaults
  #channels: SessionChannels

  constructor(
    target: ConnectionTarget,
    reference: { deref(): Connection<M> | undefined },
    defaults: CallDefaults,
  ) {
    this.#target = target
    this.#reference = reference
    this.#defaults = defaults
    this.#channels = new SessionChannels(target, defaults)
    target.onNotification = (message) => this.#take(message)
    target.onUnlistened = () => void this.#endMissing()
    const forgetEnd = target.onceOver(() => this.#lost())
    target.onDetached = (isReset) => {
      if (!isReset) forgetEnd()
      this.#detach(isReset)
    }
  }

  /** Adds one, which has to be the first of its channel or find the others listening. */
  async listen(
    channel: string,
    handler: ((...values: never[]) => unknown) | undefined,
    maxQueued: number,
    limit: Limit,
  ): Promise<Subscription> {
    const subscription = new Subscription<Notification>({ owner: this, channel, handler, maxQueued })
    this.#subscriptions.add(subscription)
    this.refer()
    try {
      await limit.hold(this.#channels.listen(channel), late)
    } catch (error) {
      await this.#forget(subscription)
      throw error
    }
    subscription._isEstablished = true
    return subscription
  }

  async leave(subscription: Subscription): Promise<void> {
    if (this.#subscriptions.delete(subscription)) {
      this.refer()
      await this.#channels.unlisten(subscription.channel)
    } else this.refer()
  }

  refer(): void {
    if (this.#target.isClosed) return
    if (this.#subscriptions.isReferenced) this.#target.reference(this)
    else this.#target.unreference(this)
  }

  /** Its `listen` has failed. The server's answer is not waited for. */
  async #forget(subscription: Subscription): Promise<void> {
    subscription._end()
    void this.leave(subscription)
  }

  #take({ channel, payload, pid }: NotificationMessage): void {
    const subscriptions = this.#subscriptions.of(channel)
    if (subscriptions.length === 0) return
    const connection = this.#reference.deref()
    const notification: Notification = Object.freeze({ isGap: false, channel, payload, pid })
    for (const subscription of subscriptions) {
      subscription._deliver(notification, payload, notification, connection)
    }
  }

  /** Somebody has ended LISTEN behind its back, as UNLISTEN and DISCARD ALL do. */
  async #endMissing(): Promise<void> {
    if (this.#subscriptions.isEmpty || this.#target.isClosed) return
    let missing: string[]
    try {
      missing = await this.#channels.missing(0)
    } catch {
      // It has ended, or the next UNLISTEN asks again.
      return
    }
    for (const channel of missing) {
      for (const subscription of this.#subscriptions.of(channel)) {
        this.#subscriptions.delete(subscription)
        subscription._end()
      }
    }
    this.refer()
  }

  #lost(): void {
    const { closeFailure } = this.#target
    if (closeFailure === undefined) this.#subscriptions.end()
    else {
      const cause = errorFromFailure(closeFailure)
      const error = new ConnectionDoesNotExistError('the connection was lost, and with it the subscription', {
        safeToRetry: true,
        cause,
      })
      this.#subscriptions.end({ value: error })
    }
  }

  /** The session is reset, or goes on in its pool, and listens to nothing. */
  #detach(isReset: boolean): void {
    if (!isReset && !this.#subscriptions.isEmpty && !this.#target.isClosed) this.#warn()
    this.#subscriptions.end()
    this.#target.onIdle = undefined
    this.#channels = new SessionChannels(this.#target, this.#defaults)
    this.refer()
  }

  /** As asyncpg does. */
  #warn(): void {
    const channels = this.#subscriptions.channels().map((channel) => inspect(channel))
    process.emitWarning(
      `a connection of the pool (server pid ${this.#target.backendPid}) was released with subscriptions that had not ended, ` +
        `to ${channels.join(', ')}: they have ended with it; pool.listen() has a connection of its own`,
      { type: 'OxpgWarning', code: 'OXPG_LISTENING_RELEASED' },
    )
  }
}

function late(timeoutMs: number): Error {
  return new TimeoutError(`listen: the server did not answer LISTEN within ${timeoutMs} ms`, {
    safeToRetry: true,
  })
}
