// What a row of docs/reliability.md has to hold, and how its cases are counted.
import { PostgresError } from 'oxpg'

/** How long a promise may take beyond its deadline. */
export const GRACE_MS = 250
/** How late it may be on a machine that has better things to do before that is a failure. */
const BUSY_MS = 4_000
/** How long the next query may take after a fault. */
const NEXT_MS = 10_000

/** A row of the table: what was run, how often, and what did not hold. */
export class Row {
  cases = 0
  readonly failures: string[] = []
  /** The latest that a promise settled after its deadline, in milliseconds. */
  latestMs = 0
  /** How many settled later than the promise has it, on this machine. */
  late = 0
  /** The longest that a query took which came after a fault, in milliseconds. */
  nextMs = 0
  /** What each outcome was called, and how often it came. */
  readonly outcomes = new Map<string, number>()

  constructor(
    readonly number: string,
    readonly title: string,
    /** What was run. */
    public detail = '',
  ) {}

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
      timer = setTimeout(resolve, deadlineMs + BUSY_MS, 'late')
    })
    const outcome = Promise.allSettled([promise])
    const first = await Promise.race([outcome, late])
    clearTimeout(timer)
    const overMs = performance.now() - start - deadlineMs
    if (overMs > this.latestMs) this.latestMs = overMs
    if (overMs > GRACE_MS) this.late += 1
    if (first === 'late') {
      this.fail(`${what}: not settled ${BUSY_MS} ms after its deadline of ${deadlineMs} ms`)
      return { status: 'rejected', reason: new Error('not settled') }
    }
    return first[0]
  }

  /** Waits for the first query after a fault. */
  async next<T>(promise: Promise<T>, what: string): Promise<PromiseSettledResult<T>> {
    const start = performance.now()
    const result = await this.settled(promise, NEXT_MS, what)
    this.nextMs = Math.max(this.nextMs, performance.now() - start)
    return result
  }
}

/** `57P01`, or the name of an error without an SQLSTATE. */
export function nameOf(error: unknown): string {
  if (error instanceof PostgresError && error.sqlstate !== undefined) return `${error.name} ${error.sqlstate}`
  return error instanceof Error ? error.name : String(error)
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

/** Every `stride`th of the numbers below `end`, and both ends. */
export function places(end: number, stride: number): number[] {
  const all: number[] = []
  for (let place = 0; place < end; place += stride) all.push(place)
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
