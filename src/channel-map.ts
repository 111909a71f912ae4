import type { Subscription } from './subscription'

/** The subscriptions of a connection or a pool, by their channels. */
export class ChannelMap<T> {
  readonly #channels = new Map<string, Set<Subscription<T>>>()

  get isEmpty(): boolean {
    return this.#channels.size === 0
  }

  /** Whether one of them keeps the process alive. */
  get isReferenced(): boolean {
    for (const subscription of this.all()) if (subscription._isReferenced) return true
    return false
  }

  channels(): string[] {
    return [...this.#channels.keys()]
  }

  has(channel: string): boolean {
    return this.#channels.has(channel)
  }

  /** Those of a channel, as they are now: who is added or removed meanwhile is not in the way. */
  of(channel: string): Subscription<T>[] {
    return [...(this.#channels.get(channel) ?? [])]
  }

  /** All of them, as they are now. */
  all(): Subscription<T>[] {
    return [...this.#channels.values()].flatMap((subscriptions) => [...subscriptions])
  }

  add(subscription: Subscription<T>): void {
    const subscriptions = this.#channels.get(subscription.channel)
    if (subscriptions === undefined) this.#channels.set(subscription.channel, new Set([subscription]))
    else subscriptions.add(subscription)
  }

  /** Gives whether it was the last one of its channel. */
  delete(subscription: Subscription<T>): boolean {
    const subscriptions = this.#channels.get(subscription.channel)
    if (subscriptions === undefined || !subscriptions.delete(subscription)) return false
    if (subscriptions.size > 0) return false
    this.#channels.delete(subscription.channel)
    return true
  }

  /** Ends all of them, and has none any more. */
  end(error?: { readonly value: unknown }): void {
    const ended = this.all()
    this.#channels.clear()
    for (const subscription of ended) subscription._end(error)
  }
}
