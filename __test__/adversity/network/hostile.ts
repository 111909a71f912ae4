// Row 29: lengths and counts that cannot be. Whoever is told one gets an error at once, and nothing is allocated for it.
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type Connection, connect, createPool, PostgresError, ProtocolError } from 'oxpg'
import { ScriptedServer, type Step } from '../../support/testkit.js'
import { LIES, type Lie, PHASES, type Phase, scriptOf } from './lies.js'
import { nameOf, Row } from './report.js'
import { dsnOf, HELLO } from './where.js'

/** More than anything takes: what gets so far waits for bytes that were only said. */
const TIMEOUT_MS = 30_000
/** By so much the process may grow over all cases: a part of what a single lie says. */
const GROWTH_BYTES = 64 << 20

const HONEST: Step[] = [
  ...HELLO,
  { send: ['welcome'] },
  { answer: { columns: [{ name: 'v', oid: 25 }], rows: [['honest']] } },
]

interface Case {
  lie: Lie
  phase: Phase
  isPool: boolean
}

/** Rows before these have made the process large: from here on its peak is another, on Linux. */
function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // The peak is that of the process then.
  }
}

/** Watches how much a process grows at most, and how long its loop is busy at a time. */
export class Vitals {
  readonly #delay = monitorEventLoopDelay({ resolution: 1 })
  readonly #peak: number

  constructor() {
    forgetPeak()
    this.#peak = process.resourceUsage().maxRSS
    this.#delay.enable()
  }

  /** Bytes at the most so far, over those at the beginning. */
  get grownBytes(): number {
    return (process.resourceUsage().maxRSS - this.#peak) * 1024
  }

  /** Tells the row, and forgets. */
  end(row: Row): void {
    this.#delay.disable()
    row.measure('peak RSS + {} MiB over all cases', this.grownBytes / (1 << 20))
    row.measure('loop delay {} ms', this.#delay.max / 1e6)
    row.measure('loop delay p99 {} ms', this.#delay.percentile(99) / 1e6, 20)
  }
}

export async function hostile(stride: number): Promise<Row[]> {
  const row = new Row('29', 'lengths and counts of messages that cannot be')
  row.isScripted = true
  const cases = LIES.flatMap((lie) =>
    (lie.phase === undefined ? PHASES : [lie.phase]).map((phase) => ({ lie, phase })),
  )
    .filter((_, index) => index % stride === 0)
    .flatMap((one): Case[] => [
      { ...one, isPool: false },
      { ...one, isPool: true },
    ])
  // What is loaded and compiled on the way is no growth.
  for (const item of cases.slice(0, 20)) await play(item, new Row('29', ''))
  const vitals = new Vitals()
  // One after the other: how long each takes is told.
  for (const item of cases) await play(item, row)
  row.check(vitals.grownBytes < GROWTH_BYTES, `the process grew by ${vitals.grownBytes} bytes`)
  vitals.end(row)
  const lies = LIES.length - LIES.filter(({ phase }) => phase !== undefined).length
  row.detail = `${stride === 1 ? 'all' : `every ${stride}th`} of ${lies} lengths (−2³¹, −1, 0, 3, 2³¹−1 of each message) in each phase of a session, and ${LIES.length - lies} counts and values that say to be more than their bytes; on a connection and through a pool`
  return [row]
}

async function play({ lie, phase, isPool }: Case, row: Row): Promise<void> {
  const what = `${lie.name}, ${phase}${isPool ? ', pool' : ''}`
  row.cases += 1
  const script = [...HELLO, ...scriptOf(lie, phase)]
  // A call that was not executed is asked of a second session, which hears the same; the third is honest.
  const isIdle = phase === 'idle'
  const server = await ScriptedServer.open(script, ...(isIdle ? [] : [script]), HONEST)
  const dsn = dsnOf(server)
  const options = { connectTimeoutMs: TIMEOUT_MS, commandTimeoutMs: TIMEOUT_MS }
  const started = performance.now()
  let tookMs: number
  if (isPool) {
    const pool = await createPool(dsn, { ...options, minSize: isIdle ? 1 : 0, maxSize: 1 })
    if (isIdle) await server.goOn()
    const asked = await row.settled(ask(pool, phase), TIMEOUT_MS, what)
    tookMs = performance.now() - started
    if (asked.status === 'rejected') judge(asked.reason, what, row)
    for (let round = 0; ; round += 1) {
      const next = await row.next(pool.fetchVal('select v'), `${what}: the next query`)
      if (next.status === 'fulfilled' && next.value === 'honest') break
      if (next.status === 'rejected') judge(next.reason, what, row)
      if (round === 3) {
        row.fail(`${what}: the pool's next queries do not work`)
        break
      }
    }
    pool.terminate()
  } else {
    const opened = await row.settled(connect(dsn, options), TIMEOUT_MS, what)
    if (opened.status === 'rejected') {
      tookMs = performance.now() - started
      row.check(
        ['startup', 'authenticated'].includes(phase),
        `${what}: ${nameOf(opened.reason)} in the startup`,
      )
      judge(opened.reason, what, row)
    } else {
      const c = opened.value
      const asked = performance.now()
      if (isIdle) {
        const ended = new Promise<void>((resolve) => void c.onTermination(() => resolve()))
        await server.goOn()
        await row.settled(ended, TIMEOUT_MS, `${what}: the end`)
      }
      const result = await row.settled(ask(c, phase), TIMEOUT_MS, what)
      tookMs = performance.now() - asked
      row.check(result.status === 'rejected', `${what}: ${JSON.stringify(result)}`)
      if (result.status === 'rejected') judge(result.reason, what, row)
      row.check(c.isClosed || phase === 'values', `${what}: the session goes on`)
      c.terminate()
    }
  }
  row.measure('refused within {} ms', tookMs, 100)
  await server.close()
}

function ask(target: Pick<Connection, 'fetchVal' | 'execute'>, phase: Phase): Promise<unknown> {
  return phase === 'rows' ? target.execute('select v; select v') : target.fetchVal('select v')
}

/** An error of the protocol, or of what the value says; never one of the driver's own, or of time. */
function judge(error: unknown, what: string, row: Row): void {
  row.count(nameOf(error))
  const isTold =
    error instanceof ProtocolError || (error instanceof PostgresError && error.sqlstate !== 'XX000')
  row.check(isTold, `${what}: ${nameOf(error)}: ${(error as Error).message}`)
}
