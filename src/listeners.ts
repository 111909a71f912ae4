import { AsyncResource } from 'node:async_hooks'

/** Functions of the application that want to hear of something. */
export class Listeners<A extends unknown[]> {
  readonly #listeners = new Set<{ readonly call: (...values: A) => void }>()

  get size(): number {
    return this.#listeners.size
  }

  /**
   * Adds one, even if it is there already, and gives the function that removes it again. It is called in the context of
   * `AsyncLocalStorage` that it is added in, not in that of whoever the news came with.
   */
  add(listener: (...values: A) => void): () => void {
    const entry = { call: AsyncResource.bind((...values: A) => listener(...values)) }
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  clear(): void {
    this.#listeners.clear()
  }

  /** Calls all. What one throws is an uncaught exception, and keeps the others from nothing. */
  call(...values: A): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener.call(...values)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
