// Rows 10 and 11: pg_terminate_backend of sessions that are idle, and of one that runs something.
import { execFileSync } from 'node:child_process'
import { type Connection, connect, type Pool, type PoolConnection, type PostgresError } from 'oxpg'
import { SLEEPING, uniqueName, until, url } from '../../support/server.js'
import { nameOf, Row, spread } from '../network/report.js'
import {
  ALL_THE_TIME_MS,
  type NamedPool,
  named,
  openPool,
  pidsOf,
  said,
  terminate,
  wellAfterwards,
} from './sessions.js'

const LANES = 4

/** What is asked of a pool whose sessions have all ended, and what comes of it. */
const CALLS: Record<string, (pool: Pool, id: number) => Promise<unknown>> = {
  fetchVal: (pool, id) => pool.fetchVal('select $1::int', [id]),
  'without parameters': (pool, id) => pool.fetchVal(`select ${id}`),
  script: async (pool, id) => {
    await pool.execute('select 1; select 2')
    return id
  },
  // It cannot be repeated once it was sent.
  block: async (pool, id) => ((await pool.execute('do $$ begin perform 1; end $$')) === 'DO' ? id : 'no DO'),
  executeMany: async (pool, id) =>
    (await pool.executeMany('select $1::int', [[1], [2], [3]])) === 3 ? id : 'not three',
  transaction: (pool, id) => pool.transaction((tx) => tx.fetchVal('select $1::int', [id])),
  begin: async (pool, id) => {
    const tx = await pool.begin()
    const value = await tx.fetchVal('select $1::int', [id])
    await tx.commit()
    return value
  },
  lease: (pool, id) => pool.use((lease) => lease.fetchVal('select $1::int', [id])),
  'several at once': async (pool, id) => {
    const values = await Promise.all([0, 1, 2, 3].map((n) => pool.fetchVal('select $1::int', [id + n])))
    return values.every((value, n) => value === id + n) ? id : values
  },
}

interface Idle {
  id: number
  call: string
  size: number
  /** Whether this process's loop stands still meanwhile, so that it has not heard of it. */
  isUnseen: boolean
}

/** What runs when it is hit. */
const RUNNING: Record<string, (target: Connection | Pool, table: string, id: number) => Promise<unknown>> = {
  fetchVal: (target, _, id) => target.fetchVal('select $1::int from pg_sleep(60)', [id]),
  insert: (target, table, id) =>
    target.execute(`insert into ${table} select $1::int from pg_sleep(60)`, [id]),
  script: (target, table, id) => target.execute(`select pg_sleep(60); insert into ${table} values (${id})`),
  executeMany: (target, table, id) =>
    target.executeMany(`insert into ${table} select $1::int from pg_sleep(60)`, [[id], [id]]),
  transaction: (target, table, id) =>
    target.transaction(async (tx) => {
      await tx.execute(`insert into ${table} values ($1)`, [id])
      await tx.fetchVal('select pg_sleep(60)')
    }),
}

/** What is asked behind it; each stores its number once. */
const BEHIND: ((target: Connection | Pool, table: string, id: number) => Promise<unknown>)[] = [
  (target, table, id) => target.fetchVal(`insert into ${table} values ($1) returning id`, [id]),
  (target, table, id) => target.fetchVal(`insert into ${table} values (${id}) returning id`),
  async (target, table, id) =>
    (await target.executeMany(`insert into ${table} values ($1)`, [[id]])) === 1 ? id : 'not one',
  async (target, table, id) =>
    (await target.execute(`select 1; insert into ${table} values (${id})`)) === 'INSERT 0 1' ? id : 'no tag',
  (target, table, id) => target.fetchVal(`insert into ${table} values ($1) returning id`, [id]),
]

interface Busy {
  id: number
  running: string
  target: 'connection' | 'pool' | 'lease'
}

export async function terminated(rounds: number): Promise<Row[]> {
  const rows = {
    idle: new Row('10', 'pg_terminate_backend of idle sessions'),
    busy: new Row('11', 'pg_terminate_backend of a session that runs something'),
  }
  const idle: Idle[] = []
  const busy: Busy[] = []
  for (let round = 0; round < rounds; round += 1) {
    for (const call of Object.keys(CALLS)) {
      for (const size of [1, 3]) {
        // Another process takes its time.
        const isUnseen = size === 1 && round % 5 === 0
        idle.push({ id: idle.length, call, size, isUnseen })
      }
    }
    for (const running of Object.keys(RUNNING)) {
      for (const target of ['connection', 'pool', 'lease'] as const)
        busy.push({ id: 100 * busy.length, running, target })
    }
  }
  const admin = await connect(url)
  await spread(idle, 1, (item) => playIdle(item, admin, rows.idle))
  const table = uniqueName('terminated')
  await admin.execute(`create table ${table} (id int not null)`)
  await spread(busy, LANES, (item) => playBusy(item, table, admin, rows.busy))
  await admin.execute(`drop table ${table}`)
  await admin.close()
  rows.idle.detail = `all 1 or 3 sessions of a pool, and then ${Object.keys(CALLS).join(', ')}: nothing of it shows, also when the loop stood still meanwhile (another process did it)`
  rows.busy.detail = `${Object.keys(RUNNING).join(', ')} on a connection, through a pool and on a connection of a pool, and five that store something behind it: what runs has 57P01, the others are done, elsewhere, or say safeToRetry and are not`
  return Object.values(rows)
}

async function playIdle({ id, call, size, isUnseen }: Idle, admin: Connection, row: Row): Promise<void> {
  const what = `case ${id} (${call}, ${size} ended${isUnseen ? ', unseen' : ''})`
  row.cases += 1
  const named = await openPool({ minSize: size, maxSize: size })
  const { pool, name } = named
  const pids = await pidsOf(admin, name)
  row.check(pids.length === size, `${what}: ${pids.length} sessions`)
  if (isUnseen) terminateUnseen(pids)
  else await terminate(admin, pids)
  const outcome = await row.settled(CALLS[call]!(pool, id), ALL_THE_TIME_MS, what)
  row.check(outcome.status === 'fulfilled' && outcome.value === id, `${what}: ${said(outcome)}`)
  await wellAfterwards(named, admin, row, what)
  pool.terminate()
}

/** Ends backends from another process while this thread's loop stands still, so that it cannot be told of it. */
function terminateUnseen(pids: readonly number[]): void {
  const program = `
    import { connect } from 'oxpg'
    const c = await connect(process.env.OXPG_TEST_URL)
    await c.fetch('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [[${pids}]])
    while (await c.fetchVal('select count(*) from pg_stat_activity where pid = any($1)', [[${pids}]]) > 0);
    await c.close()`
  const env = { ...process.env, OXPG_TEST_URL: url }
  execFileSync(process.execPath, ['--input-type=module', '-e', program], { env })
}

async function playBusy(
  { id, running, target }: Busy,
  table: string,
  admin: Connection,
  row: Row,
): Promise<void> {
  const what = `case ${id} (${running} on a ${target})`
  row.cases += 1
  const isPool = target !== 'connection'
  const own = named()
  const open: NamedPool | undefined = isPool ? await openPool({ minSize: 1, maxSize: 1 }) : undefined
  const lease: PoolConnection | undefined = target === 'lease' ? await open!.pool.acquire() : undefined
  const asked = lease ?? open?.pool ?? (await connect(url, own))
  const [pid] = await pidsOf(admin, open?.name ?? own.applicationName)
  const head = row.settled(RUNNING[running]!(asked, table, id), ALL_THE_TIME_MS, what)
  // What a connection is asked while it has a transaction is a part of that transaction.
  const isShared = target === 'pool' || running !== 'transaction'
  const asking = (isShared ? BEHIND : []).map((ask, index) =>
    row.settled(ask(asked, table, id + 1 + index), ALL_THE_TIME_MS, `${what}, ${index + 1} behind it`),
  )
  await until(async () => (await admin.fetchVal(SLEEPING, [pid])) === 1, `${what}: the start`)
  await admin.fetch('select pg_terminate_backend($1)', [pid])
  const first = await head
  const isTold = first.status === 'rejected' && (first.reason as PostgresError).sqlstate === '57P01'
  row.check(isTold, `${what}: ${said(first)}`)
  const behind = await Promise.all(asking)
  const stored = await admin.fetch<{ id: number; n: number }>(
    `select id, count(*)::int as n from ${table} where id between $1 and $1 + 99 group by id`,
    [id],
  )
  const count = new Map(stored.map((one) => [one.id, one.n]))
  row.check(!count.has(id), `${what}: what was ended is stored`)
  for (const [index, outcome] of behind.entries()) {
    const number = id + 1 + index
    const isDone = outcome.status === 'fulfilled' && outcome.value === number
    const isSafe = outcome.status === 'rejected' && (outcome.reason as PostgresError).safeToRetry === true
    const times = count.get(number) ?? 0
    row.count(isDone ? 'done elsewhere' : outcome.status === 'rejected' ? nameOf(outcome.reason) : 'another')
    row.check(
      (isDone && times === 1) || (isSafe && times === 0),
      `${what}, ${index + 1} behind it: ${said(outcome)}, stored ${times} times`,
    )
  }
  if (lease !== undefined) {
    const released = await row.settled(lease.release(), ALL_THE_TIME_MS, `${what}: release`)
    row.check(released.status === 'fulfilled', `${what}: release: ${said(released)}`)
  }
  if (open === undefined) {
    row.check((asked as Connection).isClosed, `${what}: the connection says that it is open`)
  } else {
    await wellAfterwards(open, admin, row, what)
    open.pool.terminate()
  }
}
