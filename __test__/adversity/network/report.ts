// What a row of docs/reliability.md has to hold, and how its cases are counted.
import { PostgresError } from 'oxpg'
import type { ScriptedServer, ServerEvent } from '../../support/testkit.js'
import { OVER } from './where.js'

/** How long a promise may take beyond its deadline. */
export const GRACE_MS = 250
/** How late it may be on a machine that has better things to do before that is a failure. */
const BUSY_MS = 4_000
const TICK_MS = 50
/** How long the next query may take after a fault. */
const NEXT_MS = 10_000

/** A row of the table: what was run, how often, and what did not hold. */
export class Row {
  /** Is shown what promises of any row came to, see secrets.ts. */
  static look: (value: unknown, what: string) => void = () => {}

  cases = 0
  /** Whether the servers follow a script: no PostgreSQL has to do with it. */
  isScripted = false
  readonly failures: string[] = []
  /** The greatest of each figure, by its label, in which `{}` stands for it. */
  readonly measured: Record<string, number> = {}
  /** How many cases went beyond the limit of a figure on this machine, by its label. */
  readonly beyond: Record<string, number> = {}
  /** What each outcome was called, and how often it came. */
  readonly outcomes = new Map<string, number>()

  constructor(
    readonly number: string,
    readonly title: string,
    /** What was run. */
    public detail = '',
    readonly over: string = OVER,
  ) {}

  /** A figure, of which the greatest is told; `limit` is what docs/reliability.md promises. */
  measure(label: string, figure: number, limit = Number.POSITIVE_INFINITY): void {
    this.measured[label] = Math.max(this.measured[label] ?? 0, figure)
    if (figure > limit) this.beyond[label] = (this.beyond[label] ?? 0) + 1
  }

  fail(what: string): void {
    this.failures.push(`row ${this.number}: ${what}`)
  }

  check(holds: boolean, what: string): void {
    if (!holds) this.fail(what)
  }

  count(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }

  /** Waits for a promise, which must settle by its deadline. */
  async settled<T>(promise: Promise<T>, deadlineMs: number, what: string): Promise<PromiseSettledResult<T>> {
    const start = performance.now()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      // Whoever was stopped meanwhile has not been busy: what counts is how often the loop came round.
      const wait = (ticks: number): void => {
        if (ticks === 0) resolve('late')
        else timer = setTimeout(wait, TICK_MS, ticks - 1)
      }
      timer = setTimeout(wait, deadlineMs, BUSY_MS / TICK_MS)
    })
    const first = await Promise.race([Promise.allSettled([promise]), late])
    clearTimeout(timer)
    const overMs = performance.now() - start - deadlineMs
    this.measure('settled {} ms after the deadline', overMs, GRACE_MS)
    if (first === 'late') {
      this.fail(`${what}: not settled ${BUSY_MS} ms after its deadline of ${deadlineMs} ms`)
      return { status: 'rejected', reason: new Error('not settled') }
    }
    const outcome = first[0]
    if (outcome.status === 'rejected') Row.look(outcome.reason, what)
    else if (typeof (outcome.value as { terminate?: unknown } | null)?.terminate === 'function')
      Row.look(outcome.value, what)
    return outcome
  }

  /** Waits for the first query after a fault. */
  async next<T>(promise: Promise<T>, what: string): Promise<PromiseSettledResult<T>> {
    const start = performance.now()
    const result = await this.settled(promise, NEXT_MS, what)
    this.measure('next query {} ms', performance.now() - start)
    return result
  }
}

/** `57P01`, or the name of an error without an SQLSTATE. */
export function nameOf(error: unknown): string {
  if (error instanceof PostgresError && error.sqlstate !== undefined) return `${error.name} ${error.sqlstate}`
  return error instanceof Error ? error.name : String(error)
}

/** What a scripted server tells at the end of its first connection, which must come. */
export async function endOf(
  server: ScriptedServer,
  row: Row,
  what: string,
): Promise<Extract<ServerEvent, { event: 'ended' }>> {
  const limitMs = 30_000
  const end = await row.settled(
    server.event({ event: 'ended', connection: 1 }),
    limitMs,
    `${what}: the server`,
  )
  if (end.status === 'fulfilled') return end.value
  return { event: 'ended', connection: 1, error: null, said: '', wire: '', sent: 0 }
}

/** Runs `work` on each item, so many at a time. */
export async function spread<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T, lane: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const lane = async (_: unknown, index: number): Promise<void> => {
    while (next < items.length) {
      const item = items[next]!
      next += 1
      await work(item, index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane))
}

/** Every `stride`th of the numbers below `end`, from `first` on, and the end. */
export function places(end: number, stride: number, first = 0): number[] {
  const all: number[] = []
  for (let place = first; place < end; place += stride) all.push(place)
  all.push(end)
  return all
}

/** What every process that plays rows keeps an eye on. */
export function watchProcess(): string[] {
  const problems: string[] = []
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      problems.push(`${event}: ${error instanceof Error ? error.stack : error}`)
    })
  }
  return problems
}
