import { AsyncResource } from 'node:async_hooks'
import { inspect } from 'node:util'
import { InterfaceError } from './errors/index'
import type { Notification } from './notification'
import { notByNew } from './other-drivers'

/** Where subscriptions are: a connection, or a pool's listener. */
export interface SubscriptionOwner<T> {
  /** @internal It has ended; fulfilled when the server knows, where it has to. */
  leave(subscription: Subscription<T>): Promise<void>
  /** @internal Whether it keeps the process alive has changed. */
  refer(): void
}

/** What a subscription is made of. */
export interface SubscriptionParts<T> {
  /** @internal */
  readonly owner: SubscriptionOwner<T>
  /** @internal */
  readonly channel: string
  /** @internal */
  readonly handler: ((...values: never[]) => unknown) | undefined
  /** @internal Of a pool, with a handler: hears of gaps. */
  readonly onGap?: ((gap: never) => unknown) | undefined
  /** @internal */
  readonly maxQueued: number
}

/** Somebody who waits for the next item. */
interface Waiting<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void
  readonly reject: (error: unknown) => void
}

/**
 * What `listen` gives: one handler of a channel or, without a handler, the channel's messages to be iterated over. Until it
 * ends it keeps the process alive.
 *
 * An iteration ends when the application ends the subscription (by `unlisten`, by leaving the loop, or with the connection or
 * pool), and throws what has ended it otherwise. Iterations of one subscription share its messages: each gets a message that no
 * other gets.
 *
 * @typeParam T What an iteration gives.
 */
export class Subscription<T = Notification> implements AsyncIterable<T> {
  readonly channel: string
  readonly #owner: SubscriptionOwner<T>
  readonly #handler: ((...values: unknown[]) => unknown) | undefined
  readonly #onGap: ((gap: unknown) => unknown) | undefined
  readonly #maxQueued: number
  #queue: T[] = []
  #waiting: Waiting<T>[] = []
  #isOver = false
  /** What an iteration has to throw, once. */
  #error: { readonly value: unknown } | undefined
  #leaving: Promise<void> | undefined
  #isReferenced = true
  /** @internal Its `listen` has succeeded. */
  _isEstablished = false

  /** @internal */
  constructor(parts: SubscriptionParts<T>) {
    if (parts?.owner === undefined) throw notByNew(new.target)
    const { owner, channel, handler, onGap, maxQueued } = parts
    this.#owner = owner
    this.channel = channel
    this.#handler = handler === undefined ? undefined : AsyncResource.bind(handler as () => unknown)
    this.#onGap = onGap === undefined ? undefined : AsyncResource.bind(onGap as () => unknown)
    this.#maxQueued = maxQueued
  }

  /** Whether it has ended, however that was. */
  get isClosed(): boolean {
    return this.#isOver
  }

  /** @internal */
  get _isReferenced(): boolean {
    return this.#isReferenced && !this.#isOver
  }

  /** @internal Whether it is told of gaps. */
  get _hearsOfGaps(): boolean {
    return this.#handler === undefined || this.#onGap !== undefined
  }

  /**
   * Ends it: from here on its handler is not called, and iterations are at their end. Resolves when the server has been told,
   * if it was the last one of its channel. Ending it again does nothing.
   */
  unlisten(): Promise<void> {
    this.#leaving ??= this.#unlisten()
    return this.#leaving
  }

  /** Keeps the process alive until it ends, as is the default. */
  ref(): this {
    return this.#refer(true)
  }

  /** Does not keep the process alive. */
  unref(): this {
    return this.#refer(false)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unlisten()
  }

  /**
   * The messages from the moment of `listen` on. What is not taken is kept, up to `maxQueued` of them; then the subscription
   * ends, and the iteration throws an InterfaceError after those that were kept. Leaving the loop ends the subscription.
   *
   * @throws InterfaceError when the subscription has a handler.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    if (this.#handler !== undefined) {
      throw new InterfaceError(
        'the subscription has a handler, which gets its messages: call listen without one',
      )
    }
    const iterator: AsyncIterableIterator<T, undefined> = {
      next: () => this.#next(),
      return: async () => {
        await this.unlisten()
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  [inspect.custom](): string {
    const queued = this.#queue.length === 0 ? '' : `, ${this.#queue.length} queued`
    return `Subscription { channel: ${inspect(this.channel)}, ${this.#isOver ? 'closed' : 'listening'}${queued} }`
  }

  /** @internal A message has come. A handler gets `values`, an iteration the item. */
  _deliver(item: T, ...values: unknown[]): void {
    if (this.#isOver) return
    if (this.#handler === undefined) this.#give(item)
    else callLoudly(this.#handler, values)
  }

  /** @internal Messages may have been missed. */
  _tellGap(gap: T): void {
    if (this.#isOver) return
    if (this.#handler === undefined) this.#give(gap)
    else if (this.#onGap !== undefined) callLoudly(this.#onGap, [gap])
  }

  /** @internal It is over without its own doing; iterations throw the error if there is one. */
  _end(error?: { readonly value: unknown }): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#error = error
    for (const { resolve, reject } of this.#waiting.splice(0)) this.#next().then(resolve, reject)
  }

  async #unlisten(): Promise<void> {
    this.#queue = []
    this.#error = undefined
    if (this.#isOver) return
    this._end()
    await this.#owner.leave(this)
  }

  #refer(isReferenced: boolean): this {
    this.#isReferenced = isReferenced
    this.#owner.refer()
    return this
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    if (this.#queue.length > 0) return { done: false, value: this.#queue.shift()! }
    if (!this.#isOver) {
      return new Promise((resolve, reject) => {
        this.#waiting.push({ resolve, reject })
      })
    }
    const error = this.#error
    this.#error = undefined
    if (error !== undefined) throw error.value
    return { done: true, value: undefined }
  }

  #give(item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) waiting.resolve({ done: false, value: item })
    else if (this.#queue.length < this.#maxQueued) this.#queue.push(item)
    else this.#overflow()
  }

  /** Nobody takes them. What comes from here on is lost, and that is said. */
  #overflow(): void {
    const error = new InterfaceError(
      `the subscription to channel ${inspect(this.channel)} was ended: ${this.#maxQueued} messages were waiting to be taken ` +
        "(option 'maxQueued'), and those that came after them are lost",
    )
    process.emitWarning(error.message, { type: 'OxpgWarning', code: 'OXPG_LISTEN_OVERFLOW' })
    this._end({ value: error })
    this.#owner.leave(this).catch(() => {
      // It ends with the session then.
    })
  }
}

/** What it throws is an uncaught exception. */
function callLoudly(call: (...values: unknown[]) => unknown, values: unknown[]): void {
  try {
    call(...values)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
