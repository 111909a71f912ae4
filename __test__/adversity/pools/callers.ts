// Callers of a pool who store numbers, one after the other, whatever becomes of the server meanwhile; and what must be
// stored when they have ended.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, Pool, PostgresError } from 'oxpg'
import { until } from '../../support/server.js'
import { nameOf, type Row } from '../network/report.js'
import { ALL_THE_TIME_MS, said } from './sessions.js'

const CALLERS = 12
/** What a caller waits until he tries again. */
const AGAIN_MS = 10

/** What they store in. */
export const WRITTEN = 'drop table if exists written; create table written (id int not null)'
const INSERT = 'insert into written values ($1) returning id'

/** What is called; each stores its number once. */
const CALLS: ((pool: Pool, id: number) => Promise<unknown>)[] = [
  (pool, id) => pool.fetchVal(INSERT, [id]),
  (pool, id) => pool.transaction((tx) => tx.fetchVal(INSERT, [id])),
  async (pool, id) =>
    (await pool.executeMany('insert into written values ($1)', [[id]])) === 1 ? id : 'not one',
  (pool, id) => pool.use((lease) => lease.fetchVal(INSERT, [id])),
  async (pool, id) =>
    (await pool.execute(`select 1; insert into written values (${id})`)) === 'INSERT 0 1' ? id : 'no tag',
  (pool, id) => pool.transaction((tx) => tx.fetchVal(INSERT, [id]), { retry: 3 }),
]

/** So many of them call one pool until they are told to stop. */
export class Callers {
  static readonly count = CALLERS
  readonly #pool: Pool
  readonly #row: Row
  readonly #what: string
  readonly #isMapped: (error: unknown) => boolean
  readonly #calls: Promise<void>[]
  readonly #done: number[] = []
  /** Those that failed and were not said to be safe to repeat. */
  readonly #unknown = new Set<number>()
  #isOver = false
  #next = 0

  /** @param isMapped whether an error says what has become of the server */
  constructor(pool: Pool, row: Row, what: string, isMapped: (error: unknown) => boolean) {
    this.#pool = pool
    this.#row = row
    this.#what = what
    this.#isMapped = isMapped
    this.#calls = Array.from({ length: CALLERS }, () => this.#call())
  }

  /** How many calls are done. */
  get done(): number {
    return this.#done.length
  }

  /** Waits until so many more calls are done. */
  async enough(count: number, which: string): Promise<void> {
    const before = this.done
    await until(async () => this.done >= before + count, `${this.#what}: ${which}`)
  }

  /** They call no more. */
  stop(): void {
    this.#isOver = true
  }

  async end(): Promise<void> {
    this.stop()
    await this.#row.settled(Promise.all(this.#calls), ALL_THE_TIME_MS, `${this.#what}: the callers`)
  }

  /** What is done is stored, once; what is safe to repeat is not; nothing is stored twice. */
  async judge(admin: Connection): Promise<void> {
    const rows = await admin.fetch<{ id: number; n: number }>(
      'select id, count(*)::int as n from written group by id',
    )
    const stored = new Map(rows.map(({ id, n }) => [id, n]))
    const done = new Set(this.#done)
    for (let id = 0; id < this.#next; id += 1) {
      const times = stored.get(id) ?? 0
      const holds = done.has(id) ? times === 1 : times === 0 || (times === 1 && this.#unknown.has(id))
      this.#row.check(
        holds,
        `${this.#what}, ${id}: ${done.has(id) ? 'done' : 'not done'}, stored ${times} times`,
      )
    }
  }

  async #call(): Promise<void> {
    while (!this.#isOver) {
      const id = this.#next
      this.#next += 1
      const what = `${this.#what}, ${id}`
      const outcome = await this.#row.settled(
        CALLS[id % CALLS.length]!(this.#pool, id),
        ALL_THE_TIME_MS,
        what,
      )
      if (outcome.status === 'fulfilled') {
        this.#row.check(outcome.value === id, `${what}: another's answer: ${said(outcome)}`)
        this.#done.push(id)
        continue
      }
      const error = outcome.reason as PostgresError
      if (!error.safeToRetry) this.#unknown.add(id)
      this.#row.count(nameOf(error))
      this.#row.check(this.#isMapped(error), `${what}: ${said(outcome)}`)
      await sleep(AGAIN_MS)
    }
  }
}
