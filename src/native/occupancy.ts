import { InterfaceError } from '../errors/index'

/** What has a session for itself for longer than one request takes, because the application has a part in it. */
export interface Occupant {
  /** What it is and when it ends, for the error of calls that are refused meanwhile. */
  readonly description: string
  /** Takes it back, so that it ends soon however slow the application is. What it did has no effect then. */
  abort(): void
  /** Whether it is at its end, though that has not come round to everybody. */
  isOver?(): boolean
}

/**
 * The one exclusive use of a session. Other calls are refused while it lasts: one that the application makes before it
 * goes on would wait for the use, and the use for the application.
 */
export class Occupancy {
  private occupant: Occupant | undefined = undefined
  /** Called when the use is over. */
  private vacated: (() => void)[] = []

  /** Whether something has the session for itself. */
  get isTaken(): boolean {
    return this.occupant !== undefined && this.occupant.isOver?.() !== true
  }

  /** @throws InterfaceError while something has the session for itself. */
  refuse(): void {
    if (this.occupant !== undefined && this.isTaken) {
      throw new InterfaceError(`the connection is busy with ${this.occupant.description}`)
    }
  }

  /**
   * Runs `use`, until whose end the session belongs to `occupant`.
   *
   * @throws InterfaceError when it belongs to another one.
   */
  async occupy<R>(occupant: Occupant, use: () => Promise<R>): Promise<R> {
    this.refuse()
    this.occupant = occupant
    try {
      return await use()
    } finally {
      // Where it was over before, another one may have come.
      if (this.occupant === occupant) {
        this.occupant = undefined
        for (const goOn of this.vacated.splice(0)) goOn()
      }
    }
  }

  /**
   * Takes the exclusive use back, if there is one: it may never end by itself.
   *
   * @returns Fulfilled when it is no longer in the way of other calls.
   */
  async vacate(): Promise<void> {
    if (this.occupant === undefined) return
    const isOver = new Promise<void>((resolve) => {
      this.vacated.push(resolve)
    })
    this.occupant.abort()
    await isOver
  }
}
