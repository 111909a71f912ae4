import type { PoolStats } from './load'

const NO_STATS: PoolStats = {
  size: 0,
  idle: 0,
  inUse: 0,
  waiting: 0,
  opening: 0,
  opened: 0,
  closed: 0,
  granted: 0,
  timedOut: 0,
  minSize: 0,
  maxSize: 0,
}

/** The counters of a pool that has ended, by those of the last look at it. */
export function statsOfEnded(last: PoolStats | undefined): PoolStats {
  const counters = { ...NO_STATS, ...last }
  return { ...counters, size: 0, idle: 0, inUse: 0, waiting: 0, opening: 0, closed: counters.opened }
}
