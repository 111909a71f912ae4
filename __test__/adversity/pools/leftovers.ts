// Row 18: connections that are given back with something left on them.
import { connect, type Pool, type PoolConnection } from 'oxpg'
import { uniqueName, url } from '../../support/server.js'
import { nameOf, Row } from '../network/report.js'
import { isClean, stateOf } from './cleanliness.js'
import { ALL_THE_TIME_MS, openPool, said, wellAfterwards } from './sessions.js'

/** What is left on a session. */
const LEFT: Record<string, (lease: PoolConnection) => Promise<unknown>> = {
  'an open transaction': (lease) => lease.execute('begin'),
  'a failed transaction': async (lease) => {
    await lease.execute('begin')
    await lease.fetchVal('select 1 / 0').catch(() => {})
  },
  'a transaction of begin()': (lease) => lease.begin({ isolation: 'serializable', readOnly: true }),
  'a savepoint': (lease) => lease.execute('begin; savepoint s'),
  SET: (lease) => lease.execute("set statement_timeout to '1h'; set search_path to nowhere"),
  'SET of the name': (lease) => lease.execute("set application_name to 'dirty'"),
  'SET CHARACTERISTICS': (lease) =>
    lease.execute('set session characteristics as transaction isolation level serializable, read only'),
  set_config: (lease) => lease.fetchVal("select set_config('adversity.mark', 'left', false)"),
  'SET ROLE': (lease) => lease.execute('set role pg_monitor'),
  'SET SESSION AUTHORIZATION': (lease) => lease.execute('set session authorization pg_monitor'),
  LISTEN: (lease) => lease.execute('listen somebody'),
  'advisory locks': (lease) =>
    lease.fetch('select pg_advisory_lock(n), pg_advisory_lock_shared(-n) from generate_series(1, 3) n'),
  'a temporary table': (lease) => lease.execute('create temp table pg_left (id int)'),
  'a temporary table in a transaction': (lease) =>
    lease.execute('begin; create temp table left_behind (id int) on commit drop'),
  'a cursor': (lease) =>
    lease.execute('declare left_open cursor with hold for select * from generate_series(1, 1000)'),
  'a cursor in a transaction': (lease) => lease.execute('begin; declare left_open cursor for select 1'),
  'all together': (lease) =>
    lease.execute(`
      set role pg_monitor; reset role; set search_path to nowhere; listen somebody;
      select pg_advisory_lock(7); create temp table left_behind (id int);
      declare left_open cursor with hold for select 1;
      begin; set local work_mem to '1MB'; select 1`),
}

/** How it is given back. */
const WAYS: Record<
  string,
  (pool: Pool, leave: (lease: PoolConnection) => Promise<unknown>) => Promise<unknown>
> = {
  release: async (pool, leave) => {
    const lease = await pool.acquire()
    await leave(lease)
    await lease.release()
  },
  'pool.release': async (pool, leave) => {
    const lease = await pool.acquire()
    await leave(lease)
    await pool.release(lease)
  },
  use: (pool, leave) => pool.use(leave),
  'a throw in use': (pool, leave) =>
    pool
      .use(async (lease) => {
        await leave(lease)
        throw new Error('on purpose')
      })
      .catch((error: Error) => {
        if (error.message !== 'on purpose') throw error
      }),
  'await using': async (pool, leave) => {
    await using lease = await pool.acquire()
    await leave(lease)
  },
  'a release that nobody awaits': async (pool, leave) => {
    const lease = await pool.acquire()
    await leave(lease)
    void lease.release()
  },
  'a release with calls in flight': async (pool, leave) => {
    const lease = await pool.acquire()
    const left = leave(lease)
    const behind = [lease.fetchVal('select 1'), lease.execute('select pg_sleep(0.01)')]
    await Promise.all([lease.release(), left.catch(() => {}), ...behind.map((call) => call.catch(() => {}))])
  },
}

/** The same through the pool itself, which is nobody's session. */
const THROUGH_THE_POOL: Record<string, string> = {
  'BEGIN in a script': 'begin; select 1',
  'a failed transaction in a script': 'begin; select 1 / 0',
  SET: "set statement_timeout to '1h'",
  'SET ROLE': 'set role pg_monitor',
  LISTEN: 'listen somebody; select 1',
  'a temporary table': 'create temp table left_behind (id int)',
  'a cursor': 'declare left_open cursor with hold for select 1',
  'an advisory lock in a script': 'select pg_advisory_lock(7); select 1',
  'set_config in a script': "select set_config('adversity.mark', 'left', false); select 1",
}

export async function leftovers(rounds: number): Promise<Row[]> {
  const row = new Row('18', 'what is left on a session when it is given back')
  const admin = await connect(url)
  const table = uniqueName('leftovers')
  await admin.execute(`create table ${table} (id int)`)
  const open = await openPool({ minSize: 1, maxSize: 1 })
  const { pool } = open
  const fresh = await pool.use(stateOf)
  for (let round = 0; round < rounds; round += 1) {
    for (const [left, leave] of Object.entries(LEFT)) {
      for (const [way, giveBack] of Object.entries(WAYS)) {
        const what = `${left}, by ${way}`
        row.cases += 1
        // What is stored in a transaction that is left open is not stored.
        const leaveAll = async (lease: PoolConnection): Promise<void> => {
          await leave(lease)
          if (lease.isInTransaction)
            await lease.execute(`insert into public.${table} values (1)`).catch(() => {})
        }
        const outcome = await row.settled(giveBack(pool, leaveAll), ALL_THE_TIME_MS, what)
        row.check(outcome.status === 'fulfilled', `${what}: ${said(outcome)}`)
        await row.settled(isClean(pool, fresh, row, what), ALL_THE_TIME_MS, `${what}: the next user`)
      }
    }
    for (const [left, script] of Object.entries(THROUGH_THE_POOL)) {
      const what = `${left}, through the pool`
      row.cases += 1
      const outcome = await row.settled(pool.execute(script), ALL_THE_TIME_MS, what)
      row.count(outcome.status === 'fulfilled' ? 'done' : nameOf(outcome.reason))
      await row.settled(isClean(pool, fresh, row, what), ALL_THE_TIME_MS, `${what}: the next user`)
    }
  }
  const stored = await admin.fetchVal<number>(`select count(*)::int from ${table}`)
  row.check(stored === 0, `${stored} rows of transactions that nobody committed are stored`)
  await wellAfterwards(open, admin, row, 'afterwards')
  pool.terminate()
  await admin.execute(`drop table ${table}`)
  await admin.close()
  row.detail = `${Object.keys(LEFT).join(', ')}; given back by ${Object.keys(WAYS).join(', ')}; and ${Object.keys(THROUGH_THE_POOL).length} scripts through the pool itself: the next user of the same connection finds settings, users, channels, locks, cursors, temporary tables and transaction as the first one did`
  return [row]
}
