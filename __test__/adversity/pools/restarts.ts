// Row 12: a server is stopped, in each of its manners, and started again, under a pool that is busy and under one that is
// idle.
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, PostgresError, TimeoutError } from 'oxpg'
import { until } from '../../support/server.js'
import { nameOf, Row } from '../network/report.js'
import { Callers, WRITTEN } from './callers.js'
import { type Ending, type Server, startServer } from './clusters.js'
import { hasNone, openPool, wellAfterwards } from './sessions.js'

/** So many calls have to be done before the server ends, and again afterwards. */
const ENOUGH = 100
const RECOVERY_MS = 2_000

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
  row.detail = `fast, immediately, and killed (SIGKILL of its first process), down for ${downMs / 1000} s, under ${Callers.count} callers (inserts, transactions, executeMany, leases, scripts) on a pool of 6 and under a pool that is idle: errors are transient and of class 08 or 57P, what was done is stored once, what is safeToRetry is not, and the pool serves again by itself`
  return [row]
}

/** Whether it says that the server is away. */
const isMapped = (error: unknown): boolean =>
  error instanceof TimeoutError ||
  (error instanceof PostgresError && error.isTransient && /^(08|57P)/.test(error.sqlstate ?? ''))

async function playBusy(server: Server, ending: Ending, downMs: number, row: Row): Promise<void> {
  const what = `a busy pool, ${ending}`
  row.cases += 1
  const setUp = await connect(server.url)
  await setUp.execute(WRITTEN)
  await setUp.close()
  const open = await openPool({ maxSize: 6 }, server.url)
  const callers = new Callers(open.pool, row, what, isMapped)
  await callers.enough(ENOUGH, 'calls that are done')
  await server.end(ending)
  await until(async () => hasNone(open.pool), `${what}: the end of the sessions`)
  await sleep(downMs)
  const before = callers.done
  await server.restart()
  const back = performance.now()
  await until(async () => callers.done > before, `${what}: the recovery`)
  row.measure('recovery {} ms', performance.now() - back, RECOVERY_MS)
  await callers.enough(ENOUGH, 'calls that are done afterwards')
  await callers.end()
  const admin = await connect(server.url)
  await callers.judge(admin)
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
  await until(async () => hasNone(open.pool), `${what}: the end of the sessions`)
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
