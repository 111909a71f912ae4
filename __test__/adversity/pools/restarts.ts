// Row 12: a server is stopped, in each of its manners, and started again, under a pool that is busy and under one that is
// idle.
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Pool, PostgresError, TimeoutError } from 'oxpg'
import { until } from '../../support/server.js'
import { nameOf, Row } from '../network/report.js'
import { type Ending, type Server, startServer } from './clusters.js'
import { ALL_THE_TIME_MS, openPool, said, wellAfterwards } from './sessions.js'

const CALLERS = 12
/** So many calls have to be done before the server ends, and again afterwards. */
const ENOUGH = 100
const RECOVERY_MS = 2_000
/** What a caller waits until he tries again. */
const AGAIN_MS = 10

/** What is called; each stores its number once. */
const CALLS: ((pool: Pool, id: number) => Promise<unknown>)[] = [
  (pool, id) => pool.fetchVal('insert into written values ($1) returning id', [id]),
  (pool, id) => pool.transaction((tx) => tx.fetchVal('insert into written values ($1) returning id', [id])),
  async (pool, id) =>
    (await pool.executeMany('insert into written values ($1)', [[id]])) === 1 ? id : 'not one',
  (pool, id) => pool.use((lease) => lease.fetchVal('insert into written values ($1) returning id', [id])),
  async (pool, id) =>
    (await pool.execute(`select 1; insert into written values (${id})`)) === 'INSERT 0 1' ? id : 'no tag',
]

interface Course {
  isOver: boolean
  next: number
  done: number[]
  /** Those that failed and were not said to be safe to repeat. */
  unknown: Set<number>
  failed: number
}

export async function restarts(rounds: number, downMs: number): Promise<Row[]> {
  const row = new Row('12', 'a server that is stopped and started again')
  const server = await startServer()
  for (let round = 0; round < rounds; round += 1) {
    for (const ending of ['fast', 'immediate', 'killed'] as const) {
      await playBusy(server, ending, downMs, row)
      await playIdle(server, ending, row)
    }
  }
  await server.stop()
  row.detail = `fast, immediately, and killed (SIGKILL of its first process), down for ${downMs / 1000} s, under ${CALLERS} callers (inserts, transactions, executeMany, leases, scripts) on a pool of 6 and under a pool that is idle: errors are transient and of class 08 or 57P, what was done is stored once, what is safeToRetry is not, and the pool serves again by itself`
  return [row]
}

/** Whether it says that the server is away. */
const isMapped = (error: unknown): boolean =>
  error instanceof TimeoutError ||
  (error instanceof PostgresError && error.isTransient && /^(08|57P)/.test(error.sqlstate ?? ''))

async function call(pool: Pool, course: Course, row: Row, what: string): Promise<void> {
  while (!course.isOver) {
    const id = course.next
    course.next += 1
    const outcome = await row.settled(CALLS[id % CALLS.length]!(pool, id), ALL_THE_TIME_MS, `${what}, ${id}`)
    if (outcome.status === 'fulfilled') {
      row.check(outcome.value === id, `${what}, ${id}: another's answer: ${said(outcome)}`)
      course.done.push(id)
      continue
    }
    const error = outcome.reason as PostgresError
    course.failed += 1
    if (!error.safeToRetry) course.unknown.add(id)
    row.count(nameOf(error))
    row.check(isMapped(error), `${what}, ${id}: ${said(outcome)}`)
    await sleep(AGAIN_MS)
  }
}

async function playBusy(server: Server, ending: Ending, downMs: number, row: Row): Promise<void> {
  const what = `a busy pool, ${ending}`
  row.cases += 1
  const setUp = await connect(server.url)
  await setUp.execute('drop table if exists written; create table written (id int not null)')
  await setUp.close()
  const open = await openPool({ maxSize: 6 }, server.url)
  const course: Course = { isOver: false, next: 0, done: [], unknown: new Set(), failed: 0 }
  const callers = Array.from({ length: CALLERS }, () => call(open.pool, course, row, what))
  await until(async () => course.done.length >= ENOUGH, `${what}: calls that are done`)
  await server.end(ending)
  await until(async () => course.failed > 0, `${what}: the end of the sessions`)
  await sleep(downMs)
  const before = course.done.length
  await server.restart()
  const back = performance.now()
  await until(async () => course.done.length > before, `${what}: the recovery`)
  row.measure('recovery {} ms', performance.now() - back, RECOVERY_MS)
  await until(async () => course.done.length >= before + ENOUGH, `${what}: calls that are done afterwards`)
  course.isOver = true
  await row.settled(Promise.all(callers), ALL_THE_TIME_MS, `${what}: the callers`)
  const admin = await connect(server.url)
  const rows = await admin.fetch<{ id: number; n: number }>(
    'select id, count(*)::int as n from written group by id',
  )
  const stored = new Map(rows.map(({ id, n }) => [id, n]))
  const done = new Set(course.done)
  for (let id = 0; id < course.next; id += 1) {
    const times = stored.get(id) ?? 0
    const holds = done.has(id) ? times === 1 : times === 0 || (times === 1 && course.unknown.has(id))
    row.check(holds, `${what}, ${id}: ${done.has(id) ? 'done' : 'not done'}, stored ${times} times`)
  }
  await wellAfterwards(open, admin, row, what)
  open.pool.terminate()
  await admin.close()
}

/** Nobody asks for anything while the server is away: nothing of it shows. */
async function playIdle(server: Server, ending: Ending, row: Row): Promise<void> {
  const what = `an idle pool, ${ending}`
  row.cases += 1
  const open = await openPool({ minSize: 3, maxSize: 3 }, server.url)
  await server.end(ending)
  await until(async () => open.pool.stats.idle === 0, `${what}: the end of the sessions`)
  await server.restart()
  const back = performance.now()
  // A pool whose last attempt has found no server says so until the next one.
  await until(
    async () =>
      (await open.pool.fetchVal('select 1').catch((error: unknown) => {
        row.check(isMapped(error), `${what}: ${nameOf(error)}`)
        return 0
      })) === 1,
    `${what}: the recovery`,
  )
  row.measure('recovery {} ms', performance.now() - back, RECOVERY_MS)
  const admin = await connect(server.url)
  await wellAfterwards(open, admin, row, what)
  open.pool.terminate()
  await admin.close()
}
