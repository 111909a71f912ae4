// What a driver takes of the thread that the application runs on.
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * CPU of this thread since it began, without those that the driver or Node run beside it; undefined where neither Node
 * (before 23.9) nor the system tells.
 */
export function mainThreadMicroseconds() {
  if (process.threadCpuUsage !== undefined) {
    const { user, system } = process.threadCpuUsage()
    return user + system
  }
  try {
    // Nanoseconds on a processor come first (Linux, Documentation/scheduler/sched-stats.rst).
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1000
  } catch {
    return undefined
  }
}

/**
 * Watches how late the loop is. A delay is the time between two turns of a timer of 1 ms, so that a loop with nothing to
 * do has one of a little over 1 ms.
 */
export function watchLoop() {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  return {
    async stop() {
      // What held up the loop last is noted when the timer has its next turn.
      await sleep(2)
      histogram.disable()
      const ms = (percentile) => histogram.percentile(percentile) / 1e6
      return { p50: ms(50), p99: ms(99), max: histogram.max / 1e6 }
    },
  }
}
