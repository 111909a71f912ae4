import { isThrown } from '../errors/thrown-reason'

/** What ends when its signal fires. */
export interface Abortable {
  /** The signal has fired. It never throws. */
  abortedBySignal(signal: AbortSignal): void
}

/** All that waits for one signal: it has one listener, however many calls are given it. */
class Watch {
  private readonly signal: AbortSignal
  private readonly waiting = new Set<Abortable>()

  constructor(signal: AbortSignal) {
    this.signal = signal
  }

  add(abortable: Abortable): void {
    if (this.waiting.size === 0) this.signal.addEventListener('abort', this)
    this.waiting.add(abortable)
  }

  delete(abortable: Abortable): void {
    if (this.waiting.delete(abortable) && this.waiting.size === 0) {
      this.signal.removeEventListener('abort', this)
    }
  }

  handleEvent(): void {
    for (const abortable of this.waiting) abortable.abortedBySignal(this.signal)
  }
}

const watches = new WeakMap<AbortSignal, Watch>()

/** Tells `abortable` when the signal fires, until it is forgotten. The signal must not have fired. */
export function watchSignal(signal: AbortSignal, abortable: Abortable): void {
  let watch = watches.get(signal)
  if (watch === undefined) {
    watch = new Watch(signal)
    watches.set(signal, watch)
  }
  watch.add(abortable)
}

/** The signal does not concern `abortable` any more. */
export function forgetSignal(signal: AbortSignal, abortable: Abortable): void {
  watches.get(signal)?.delete(abortable)
}

/**
 * Whether a signal has fired because a time was over, as those of `AbortSignal.timeout` do. Its timer goes before what has
 * come from servers, so that after a loop which was held up it may fire though the answer is there.
 */
export function isTimeOver({ reason }: AbortSignal): boolean {
  if (typeof DOMException === 'undefined' || !isThrown(reason, DOMException)) return false
  try {
    return reason.name === 'TimeoutError'
  } catch {
    // An accessor of the application's, in place of the name.
    return false
  }
}
