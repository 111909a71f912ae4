/** Functions of the application that want to hear of something. */
export class Listeners<A extends unknown[]> {
  readonly #listeners = new Set<{ readonly call: (...values: A) => void }>()

  get size(): number {
    return this.#listeners.size
  }

  /** Adds one, even if it is there already, and gives the function that removes it again. */
  add(listener: (...values: A) => void): () => void {
    const entry = { call: listener }
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
