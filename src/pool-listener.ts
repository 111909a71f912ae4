import { ChannelMap } from './channel-map'
import { InterfaceError, TimeoutError } from './errors/index'
import type { CheckedListen } from './listen-options'
import { ListenerLink } from './listener-link'
import { ListenerPause } from './listener-pause'
import type { ConnectionTarget, NotificationMessage } from './native/door'
import type { Notification, NotificationGap } from './notification'
import type { CallDefaults } from './send'
import { Subscription, type SubscriptionOwner } from './subscription'

/** What a pool's subscriptions give. */
export type PoolListenItem = Notification | NotificationGap

/** What a pool's listener is made of. */
export interface PoolListenerParts {
  /** Opens a session for it. */
  readonly open: (signal: AbortSignal) => Promise<ConnectionTarget>
  readonly defaults: CallDefaults
  /** Milliseconds between two questions to a connection whether it is still there; 0 for none. */
  readonly probeIntervalMs: number
}

/**
 * All subscriptions of a pool, on one connection of their own. It is opened with the first and closed with the last; when it is
 * lost, another one is opened, again and again, which listens to all their channels.
 */
export class PoolListener implements SubscriptionOwner<PoolListenItem> {
  readonly #parts: PoolListenerParts
  readonly #subscriptions = new ChannelMap<PoolListenItem>()
  #link: ListenerLink | undefined
  /** Opens a connection and listens there. */
  #opening: { readonly end: AbortController; readonly link: Promise<ListenerLink> } | undefined
  /** The pause before the next attempt. */
  #pause: ListenerPause | undefined
  /** Why the connection was lost, until there is another one. */
  #lostBy: Error | undefined
  #isClosed = false

  constructor(parts: PoolListenerParts) {
    this.#parts = parts
  }

  /**
   * Adds one, when its channel is listened to.
   *
   * @throws what opening the connection or LISTEN comes to.
   */
  async listen(channel: string, checked: CheckedListen): Promise<Subscription<PoolListenItem>> {
    if (this.#isClosed) throw closed()
    const { handler, onGap, maxQueued, limit } = checked
    const subscription = new Subscription<PoolListenItem>({ owner: this, channel, handler, onGap, maxQueued })
    this.#subscriptions.add(subscription)
    this.refer()
    try {
      await limit.hold(this.#listenTo(channel), late)
    } catch (error) {
      subscription._end()
      void this.leave(subscription)
      throw error
    }
    if (subscription.isClosed) throw closed()
    subscription._isEstablished = true
    return subscription
  }

  async leave(subscription: Subscription<PoolListenItem>): Promise<void> {
    const isLast = this.#subscriptions.delete(subscription)
    this.refer()
    if (!isLast) return
    if (this.#subscriptions.isEmpty) await this.#rest()
    else await this.#link?.channels.unlisten(subscription.channel)
  }

  refer(): void {
    const isReferenced = this.#subscriptions.isReferenced
    this.#link?.refer(isReferenced)
    this.#pause?.refer(isReferenced)
  }

  /** The pool is closed or terminated: all end. */
  async close(timeoutMs = 0): Promise<void> {
    this.#isClosed = true
    this.#subscriptions.end()
    await this.#rest(timeoutMs)
  }

  /** The same at once. */
  terminate(): void {
    const link = this.#link
    void this.close()
    link?.terminate()
  }

  /** Nobody listens any more. */
  async #rest(timeoutMs = 0): Promise<void> {
    const link = this.#link
    this.#link = undefined
    this.#lostBy = undefined
    this.#pause?.end()
    this.#opening?.end.abort(closed())
    this.#opening = undefined
    await link?.close(timeoutMs)
  }

  async #listenTo(channel: string): Promise<void> {
    const link = this.#link ?? (await this.#open())
    await link.channels.listen(channel)
  }

  /** Opens a connection, unless that is under way already. */
  #open(): Promise<ListenerLink> {
    if (this.#opening === undefined) {
      const end = new AbortController()
      const link = this.#attempt(end.signal)
      const opening = { end, link }
      this.#opening = opening
      const over = (): void => {
        if (this.#opening === opening) this.#opening = undefined
      }
      link.then(over, over)
    }
    return this.#opening.link
  }

  async #attempt(signal: AbortSignal): Promise<ListenerLink> {
    const { open, defaults, probeIntervalMs } = this.#parts
    const target = await open(signal)
    const link = new ListenerLink(target, defaults, {
      take: (message) => this.#take(message),
      lost: (error) => this.#lost(link, error),
    })
    try {
      signal.throwIfAborted()
      const channels = this.#subscriptions.channels()
      await Promise.all(channels.map((channel) => link.channels.listen(channel)))
      signal.throwIfAborted()
      if (target.isClosed) throw link.lostBy()
      for (const channel of channels) {
        if (!this.#subscriptions.has(channel)) void link.channels.unlisten(channel)
      }
    } catch (error) {
      link.terminate()
      throw error
    }
    this.#link = link
    this.refer()
    link.startProbing(probeIntervalMs)
    this.#pause?.end()
    // What the new session has heard already belongs behind the gap.
    this.#tellGap()
    link.startDelivering()
    return link
  }

  #take({ channel, payload, pid }: NotificationMessage): void {
    const notification: Notification = Object.freeze({ isGap: false, channel, payload, pid })
    for (const subscription of this.#subscriptions.of(channel)) {
      subscription._deliver(notification, payload, notification)
    }
  }

  /** Whoever listens already may have missed something, unless the connection never listened for him. */
  #tellGap(): void {
    const error = this.#lostBy
    this.#lostBy = undefined
    if (error === undefined) return
    let isUnheard = false
    for (const subscription of this.#subscriptions.all()) {
      if (!subscription._isEstablished) continue
      const { channel } = subscription
      subscription._tellGap(Object.freeze({ isGap: true, channel, payload: undefined, error }))
      isUnheard ||= !subscription._hearsOfGaps
    }
    if (!isUnheard) return
    process.emitWarning(
      "the listener of a pool had lost its connection and listens again: messages may have been missed; option 'onGap' of " +
        'listen() is told of it',
      { type: 'OxpgWarning', code: 'OXPG_LISTEN_GAP', detail: error.message },
    )
  }

  #lost(link: ListenerLink, error: Error): void {
    if (this.#link !== link) return
    this.#link = undefined
    this.#lostBy ??= error
    void this.#restore()
  }

  /** Until there is a connection again, or nobody wants one. */
  async #restore(): Promise<void> {
    for (let attempt = 0; this.#link === undefined && !this.#subscriptions.isEmpty; attempt++) {
      const pause = new ListenerPause(attempt)
      this.#pause = pause
      this.refer()
      await pause.isOver
      this.#pause = undefined
      if (this.#link !== undefined || this.#subscriptions.isEmpty) return
      // Why it fails is told to those who call `listen` meanwhile; the others have been told of the loss, or will be.
      await this.#open().catch(() => {})
    }
  }
}

function closed(): Error {
  return new InterfaceError('the pool is closed')
}

function late(timeoutMs: number): Error {
  return new TimeoutError(`listen: no connection listened within ${timeoutMs} ms`, { safeToRetry: true })
}
