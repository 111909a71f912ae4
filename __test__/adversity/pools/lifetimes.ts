// Row 26: connections that have lived for long enough, and those that nobody uses.
import { connect } from 'oxpg'
import { until, url } from '../../support/server.js'
import { FaultProxy } from '../../support/testkit.js'
import { Row } from '../network/report.js'
import { ALL_THE_TIME_MS, openPool, pidsOf, said, wellAfterwards } from './sessions.js'

const SIZE = 20
/** The part of `maxLifetimeMs` by which two connections may differ. */
const SPREAD = 0.05

interface Plan {
  lifetimeMs: number
  /** So many connections are replaced before it is enough. */
  replaced: number
  isSpreadJudged: boolean
}

export async function lifetimes(plan: Plan): Promise<Row[]> {
  const row = new Row('26', 'the end of lifetimes, and of what is idle')
  const admin = await connect(url)
  await busy(plan, row)
  await idle(plan, row)
  await reaped(plan, row)
  await admin.close()
  row.detail = `${SIZE} connections of ${plan.lifetimeMs} ms under queries, transactions and leases of up to twice that until ${plan.replaced} were replaced, and idle; and connections beyond minSize that are idle for ${plan.lifetimeMs / 4} ms, beside queries of twice that: no call notices, and they are not replaced all at once`
  return [row]
}

/** Calls that take longer than a connection may live, beside many that do not: none is cut short. */
async function busy({ lifetimeMs, replaced }: Plan, row: Row): Promise<void> {
  const admin = await connect(url)
  const open = await openPool({ minSize: SIZE, maxSize: SIZE, maxLifetimeMs: lifetimeMs })
  const { pool } = open
  let isOver = false
  let number = 0
  const caller = async (index: number): Promise<void> => {
    while (!isOver) {
      number += 1
      const id = number
      const seconds = index < 5 ? (lifetimeMs / 1000) * 2 : 0.002
      row.cases += 1
      const query = 'select $1::int from pg_sleep($2)'
      const call =
        id % 3 === 0
          ? pool.transaction(async (tx) => {
              await tx.fetchVal(query, [id, seconds / 2])
              return tx.fetchVal(query, [id, seconds / 2])
            })
          : id % 3 === 1
            ? pool.fetchVal(query, [id, seconds])
            : pool.use((lease) => lease.fetchVal(query, [id, seconds]))
      const outcome = await row.settled(call, ALL_THE_TIME_MS, `call ${id}`)
      row.check(outcome.status === 'fulfilled' && outcome.value === id, `call ${id}: ${said(outcome)}`)
    }
  }
  const callers = Array.from({ length: SIZE + 5 }, (_, index) => caller(index))
  await until(
    async () => pool.stats.closed >= replaced,
    'connections that are replaced',
    10 * ALL_THE_TIME_MS,
  )
  isOver = true
  await Promise.all(callers)
  await wellAfterwards(open, admin, row, 'a busy pool')
  pool.terminate()
  await admin.close()
}

/** Nobody asks for anything: they are replaced all the same, and not in one moment. */
async function idle({ lifetimeMs, isSpreadJudged }: Plan, row: Row): Promise<void> {
  row.cases += 1
  const admin = await connect(url)
  const proxy = await FaultProxy.open()
  const open = await openPool({ minSize: SIZE, maxSize: SIZE, maxLifetimeMs: lifetimeMs }, proxy.url)
  const first = await pidsOf(admin, open.name)
  await until(async () => {
    const now = await pidsOf(admin, open.name)
    return now.length === SIZE && !now.some((pid) => first.includes(pid))
  }, 'the end of all lifetimes')
  const times = proxy.arrivals.slice(SIZE, 2 * SIZE)
  const spreadMs = times.at(-1)! - times[0]!
  // By chance alone less than a fifth of it is not to be expected of twenty.
  if (isSpreadJudged) {
    const leastMs = (SPREAD * lifetimeMs) / 5
    row.check(spreadMs > leastMs, `${SIZE} connections were replaced within ${Math.round(spreadMs)} ms`)
  }
  const within = times.map((time) => times.filter((other) => other >= time && other < time + 10).length)
  row.measure(`{} of ${SIZE} idle connections replaced within 10 ms`, Math.max(...within))
  await wellAfterwards(open, admin, row, 'an idle pool')
  open.pool.terminate()
  await proxy.close()
  await admin.close()
}

/** What is idle for too long goes, down to minSize; what is busy for longer does not. */
async function reaped({ lifetimeMs }: Plan, row: Row): Promise<void> {
  row.cases += 1
  const admin = await connect(url)
  const idleMs = lifetimeMs / 4
  const minSize = 3
  const open = await openPool({ minSize, maxSize: SIZE, maxInactiveConnectionLifetimeMs: idleMs })
  const { pool } = open
  for (let round = 0; round < 3; round += 1) {
    const leases = await Promise.all(Array.from({ length: SIZE }, () => pool.acquire()))
    const query = 'select $1::int from pg_sleep($2)'
    const calls = leases.slice(0, 5).map(async (lease, id) => {
      const outcome = await row.settled(
        lease.fetchVal(query, [id, (2 * idleMs) / 1000]),
        ALL_THE_TIME_MS,
        `lease ${id}`,
      )
      row.check(outcome.status === 'fulfilled' && outcome.value === id, `lease ${id}: ${said(outcome)}`)
      await lease.release()
    })
    await Promise.all(leases.slice(5).map((lease) => lease.release()))
    await Promise.all(calls)
    await until(async () => pool.stats.size === minSize, 'the end of what is idle')
    await wellAfterwards(open, admin, row, 'a pool that was reaped')
  }
  pool.terminate()
  await admin.close()
}
