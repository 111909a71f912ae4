/** The longest first pause; it doubles with each attempt, up to the limit. */
const PAUSE_MS = 100
const MAX_PAUSE_MS = 2_000

/** The time between two attempts to connect, of which half is left to chance: many may have lost the same server. */
export class ListenerPause {
  readonly isOver: Promise<void>
  /** Ends it before its time. */
  readonly end: () => void
  readonly #timer: NodeJS.Timeout

  constructor(attempt: number) {
    const longest = Math.min(MAX_PAUSE_MS, PAUSE_MS * 2 ** attempt)
    let end: (() => void) | undefined
    this.isOver = new Promise((resolve) => {
      end = resolve
    })
    this.end = () => {
      clearTimeout(this.#timer)
      end?.()
    }
    this.#timer = setTimeout(this.end, longest * (0.5 + Math.random() / 2))
  }

  /** Whether it keeps the process alive. */
  refer(isReferenced: boolean): void {
    if (isReferenced) this.#timer.ref()
    else this.#timer.unref()
  }
}
