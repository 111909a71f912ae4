import { forgetSignal, isTimeOver, watchSignal } from './native/door'

/** What ends a limit before the work: its time, or its signal. */
const LATE = Symbol('late')
const ABORTED = Symbol('aborted')

let performance: typeof globalThis.performance | undefined

/**
 * Milliseconds of a clock that nobody sets. `node:perf_hooks` takes 0.7 MiB, and is loaded for the first limit. A context
 * of node:vm, in which test runners load modules, may lack the global.
 */
export function now(): number {
  if (performance === undefined) {
    const hooks: typeof import('node:perf_hooks') = require('node:perf_hooks')
    performance = hooks.performance
  }
  return performance.now()
}

/** A time limit and a signal that hold over several steps together, such as waiting, hooks and requests. */
export class Limit {
  /** As it was given, in milliseconds; 0 for none. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly #end: number

  constructor(timeoutMs: number, signal?: AbortSignal) {
    this.timeoutMs = timeoutMs
    this.signal = signal
    this.#end = timeoutMs === 0 ? 0 : now() + timeoutMs
  }

  /** Milliseconds that are left, at least 1; 0 when there is no limit. */
  get remainingMs(): number {
    return this.timeoutMs === 0 ? 0 : Math.max(1, Math.ceil(this.#end - now()))
  }

  /** Whether its time is over, or its signal has fired. */
  get isOver(): boolean {
    return (this.timeoutMs !== 0 && now() >= this.#end) || this.signal?.aborted === true
  }

  /**
   * Calls back, once, when the time is over or the signal has fired.
   *
   * A loop that was held up runs timers before it hears of servers: then they are heard first, so that what came in time is
   * in time.
   *
   * @param isReferenced Whether it keeps the process alive.
   * @returns A function that ends it.
   */
  onEnd(end: (isAborted: boolean) => void, isReferenced = true): () => void {
    const { signal, timeoutMs } = this
    let isEnded = false
    const first = (isAborted: boolean): void => {
      if (isEnded) return
      stop()
      end(isAborted)
    }
    // What servers have said is delivered between the two.
    const afterTurn = (isAborted: boolean): void => {
      setImmediate(() => setImmediate(first, isAborted))
    }
    const abortable = {
      abortedBySignal: (fired: AbortSignal) => (isTimeOver(fired) ? afterTurn(true) : first(true)),
    }
    const timer = timeoutMs === 0 ? undefined : setTimeout(afterTurn, this.remainingMs, false)
    if (!isReferenced) timer?.unref()
    const stop = (): void => {
      isEnded = true
      clearTimeout(timer)
      if (signal !== undefined) forgetSignal(signal, abortable)
    }
    if (signal?.aborted) first(true)
    else if (signal !== undefined) watchSignal(signal, abortable)
    return stop
  }

  /**
   * Waits for `work`, but no longer than the limit; what it comes to after that is nobody's any more.
   *
   * @param late Makes the error for when the time is over.
   * @throws the reason of the signal when that fires before.
   */
  async hold<T>(work: PromiseLike<T>, late: (timeoutMs: number) => Error): Promise<T> {
    const { signal, timeoutMs } = this
    if (timeoutMs === 0 && signal === undefined) return await work
    let stop: (() => void) | undefined
    const end = new Promise<typeof LATE | typeof ABORTED>((resolve) => {
      stop = this.onEnd((isAborted) => resolve(isAborted ? ABORTED : LATE))
    })
    try {
      const first = await Promise.race([end, work])
      if (first === LATE) throw late(timeoutMs)
      if (first === ABORTED) throw signal?.reason
      return first as T
    } finally {
      stop?.()
    }
  }
}
