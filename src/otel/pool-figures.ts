import { Pool } from '../index'
import { poolNameOf } from './attributes'

export type Figures = Record<'idle' | 'inUse' | 'maxSize' | 'minSize' | 'waiting' | 'timedOut', number>

type ObservedPool = ReturnType<typeof Pool._open>[number]

const none = (timedOut: number): Figures => ({
  idle: 0,
  inUse: 0,
  maxSize: 0,
  minSize: 0,
  waiting: 0,
  timedOut,
})

/** What pools of one name have together. */
export class PoolFigures {
  /** Timeouts by the name: a counter, which pools that have ended leave as it is. */
  readonly #timedOut = new Map<string, number>()
  /** How many of each pool are counted. */
  readonly #counted = new WeakMap<object, number>()
  /** Names of which pools were open, since the last look as well. */
  #last = new Set<string>()
  #forget: (() => void) | undefined

  start(): void {
    this.#forget ??= Pool._onEnd((pool) => void this.#last.add(this.#count(pool)))
  }

  stop(): void {
    this.#forget?.()
    this.#forget = undefined
  }

  /** By the name. One that has no pool any more is there once again, with nothing open. */
  now(): Map<string, Figures> {
    const byName = new Map<string, Figures>()
    for (const pool of Pool._open()) {
      const name = this.#count(pool)
      const sum = byName.get(name) ?? none(0)
      for (const figure of Object.keys(sum) as (keyof Figures)[]) sum[figure] += pool.stats[figure]
      byName.set(name, sum)
    }
    const open = new Set(byName.keys())
    for (const name of this.#last) if (!open.has(name)) byName.set(name, none(0))
    for (const [name, figures] of byName) figures.timedOut = this.#timedOut.get(name) ?? 0
    this.#last = open
    return byName
  }

  /** Gives its name. */
  #count({ identity, place, stats: { timedOut } }: ObservedPool): string {
    const name = poolNameOf(place)
    const since = timedOut - (this.#counted.get(identity) ?? 0)
    this.#counted.set(identity, timedOut)
    this.#timedOut.set(name, (this.#timedOut.get(name) ?? 0) + since)
    return name
  }
}
