// What a process takes of memory, and its loop of time, while something goes on.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const MIB = 2 ** 20

/** Looks at the process's memory whenever it is told to, and by itself. */
export class Memory {
  readonly #idle: number
  #peak: number
  readonly #timer: NodeJS.Timeout

  constructor() {
    collectGarbage()
    this.#idle = process.memoryUsage.rss()
    this.#peak = this.#idle
    this.#timer = setInterval(() => this.look(), 50)
  }

  look(): void {
    this.#peak = Math.max(this.#peak, process.memoryUsage.rss())
  }

  /** How many MiB it was above the beginning at most. */
  end(): number {
    clearInterval(this.#timer)
    this.look()
    return (this.#peak - this.#idle) / MIB
  }
}

/** Milliseconds by which the loop was late, in 99 of 100 cases no more, while `work` went on. */
export async function loopDelayWhile(work: () => Promise<void>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await work()
  delay.disable()
  return delay.percentile(99) / 1e6
}
