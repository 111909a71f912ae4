import { TimeoutError } from './errors/index'
import type { Limit } from './limit'

/** Who waits for a scope until the transaction in it has ended, in the order in which they came. */
export class ScopeTurns {
  /** The scope is free, but belongs to one that has waited and is about to wake up. */
  isReserved = false
  /** Made for the first: most scopes have none. */
  #waiting: Set<(isReserved: boolean) => void> | undefined

  /**
   * Gives whether the scope is reserved for whoever waited.
   *
   * @param pass Called when a turn has come for one that waits no longer.
   * @throws TimeoutError when its turn has not come in time.
   */
  async wait(limit: Limit, pass: () => void): Promise<boolean> {
    let hasTurn = false
    let wake: ((isReserved: boolean) => void) | undefined
    const turn = new Promise<boolean>((resolve) => {
      wake = (isReserved) => {
        hasTurn = isReserved
        resolve(isReserved)
      }
    })
    // Where the stack ends there is none, and the turn rejects.
    this.#waiting ??= new Set()
    if (wake !== undefined) this.#waiting.add(wake)
    try {
      return await limit.hold(turn, lateTurn)
    } catch (error) {
      if (wake !== undefined) this.#waiting.delete(wake)
      // Its turn may have come at that very moment: it is the next one's then.
      if (hasTurn) pass()
      throw error
    }
  }

  /** It is the turn of who has waited longest. False when nobody waits. */
  wakeNext(): boolean {
    const wake = this.#waiting?.values().next().value
    this.isReserved = wake !== undefined
    if (wake === undefined) return false
    this.#waiting?.delete(wake)
    wake(true)
    return true
  }

  /** All of them look again. */
  wakeAll(): void {
    if (this.#waiting === undefined) return
    for (const wake of this.#waiting) wake(false)
    this.#waiting.clear()
  }
}

function lateTurn(timeoutMs: number): Error {
  return new TimeoutError(
    `the transaction did not start within ${timeoutMs} ms: another one is being run on the connection, whose callback ` +
      'has not ended; what is to be part of it is started inside its callback',
    { safeToRetry: true },
  )
}
