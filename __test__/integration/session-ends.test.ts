// The ends of sessions and leases: what holds when close, release and terminate have returned.
import test from 'ava'
import { connect, createPool, InterfaceError, PostgresWarning, TimeoutError } from 'oxpg'
import { connection, OPENERS, pool, RUNNING, uniqueName, until, url } from '../support/server.js'
import { FaultProxy } from '../support/testkit.js'

/** The sessions of an application. */
const SESSIONS = 'select count(*)::int from pg_stat_activity where application_name = $1'

test('close resolves when the server has ended the session', async (t) => {
  const other = await connection(t)
  for (let round = 0; round < 20; round += 1) {
    const c = await connect(url)
    await c.fetchVal('select pg_advisory_lock(4711)')
    await c.close()
    t.true(await other.fetchVal('select pg_try_advisory_lock(4711)'), `round ${round}`)
    await other.fetchVal('select pg_advisory_unlock(4711)')
  }
})

test('close of a pool resolves when the server has ended its sessions', async (t) => {
  const other = await connection(t)
  const applicationName = uniqueName('parting')
  for (let round = 0; round < 10; round += 1) {
    const p = await createPool(url, { minSize: 5, maxSize: 5, applicationName })
    const lease = await p.acquire()
    const closing = p.close()
    await lease.release()
    await closing
    t.is(await other.fetchVal(SESSIONS, [applicationName]), 0, `round ${round}`)
  }
})

test('close ends although the server does not', async (t) => {
  const proxy = await FaultProxy.for(t)
  const c = await connect(proxy.url)
  const p = await createPool(proxy.url)
  // What is said from here on reaches nobody, and nothing comes back.
  await proxy.plan({ isBlackHole: true })
  await proxy.change('blackHole')
  await Promise.all([c.close(), p.close()])
  t.true(c.isClosed)
  t.is(p.stats.size, 0)
})

test('close of a pool has calls made elsewhere whose session is lost before it was at them', async (t) => {
  for (const maxSize of [1, 3]) {
    const proxy = await FaultProxy.for(t)
    const p = await createPool(proxy.url, { minSize: maxSize, maxSize })
    // What is said from here on reaches nobody: the statements are not known, so they have not been executed.
    await proxy.change('blackHole')
    const calls = [1, 2, 3, 4].map((number) => p.fetchVal(`select ${number}`))
    // They are written.
    await new Promise((resolve) => setImmediate(resolve))
    const closing = p.close()
    const late = t.throwsAsync(p.fetchVal('select 5'), { message: 'the pool is closing' })
    await proxy.change('rst')
    t.deepEqual(await Promise.all(calls), [1, 2, 3, 4])
    await late
    await closing
    t.is(p.stats.size, 0)
  }
})

test('close({ timeoutMs }) ends what still runs, and rejects, on a connection as on a pool', async (t) => {
  for (const open of OPENERS) {
    const c = await open(url)
    // So that a pool has a connection, however long opening one takes.
    await c.fetchVal('select 1')
    const call = t.throwsAsync(c.fetchVal('select pg_sleep(60)'), { code: '08003' })
    await t.throwsAsync(c.close({ timeoutMs: 50 }), { instanceOf: TimeoutError, message: /50 ms/ })
    await call
    await t.throwsAsync(c.fetchVal('select 1'), { instanceOf: InterfaceError })
    await c.close({ timeoutMs: 50 })
  }
})

test('release resolves when the session is clean', async (t) => {
  const [other, p] = [await connection(t), await pool(t, { maxSize: 1 })]
  const isFree = 'select pg_try_advisory_lock(4712) and pg_advisory_unlock(4712)'
  for (let round = 0; round < 20; round += 1) {
    const c = await p.acquire()
    await c.fetchVal('select pg_advisory_lock(4712)')
    await c.release()
    t.true(await other.fetchVal(isFree), `release, round ${round}`)
    await p.use((lease) => lease.fetchVal('select pg_advisory_lock(4712)'))
    t.true(await other.fetchVal(isFree), `use, round ${round}`)
  }
})

test('release resolves when the session is clean, also of codecs', async (t) => {
  const [other, p] = [await connection(t), await pool(t, { maxSize: 1 })]
  const c = await p.acquire()
  await c.setTypeCodec('money', { schema: 'pg_catalog', encode: String, decode: String })
  await c.fetchVal('select pg_advisory_lock(4713)')
  await c.release()
  t.true(await other.fetchVal('select pg_try_advisory_lock(4713)'))
})

test('release resolves when the session is gone', async (t) => {
  const p = await pool(t, { maxSize: 1, maxQueries: 1 })
  const worn = await p.acquire()
  await worn.release()
  const terminated = await p.acquire()
  t.not(terminated.serverPid, worn.serverPid)
  terminated.terminate()
  await terminated.release()
  const last = await p.acquire()
  const closing = p.close()
  await last.release()
  await closing
})

test('isClosed is true after terminate', async (t) => {
  const c = await connect(url)
  let told = 0
  c.onTermination(() => {
    told += 1
  })
  const call = t.throwsAsync(c.fetchVal('select pg_sleep(60)'), { code: '08003' })
  c.terminate()
  t.true(c.isClosed)
  await t.throwsAsync(c.fetchVal('select 1'), { instanceOf: InterfaceError, message: /closed/ })
  await call
  await until(async () => told === 1, 'the termination')
  const p = await pool(t, { maxSize: 2 })
  const [first, second] = [await p.acquire(), await p.acquire()]
  first.terminate()
  t.true(first.isClosed)
  t.false(second.isClosed)
  p.terminate()
  t.true(second.isClosed)
  await second.release()
})

test('stats of a pool survive its end', async (t) => {
  for (const end of ['close', 'terminate'] as const) {
    const p = await createPool(url, { minSize: 2, maxSize: 3 })
    await p.use((c) => c.fetchVal('select 1'))
    await p.fetchVal('select 1')
    await p[end]()
    await until(async () => p.stats.size === 0, 'the end')
    t.like(p.stats, {
      size: 0,
      idle: 0,
      inUse: 0,
      waiting: 0,
      opening: 0,
      opened: 2,
      closed: 2,
      granted: 2,
      timedOut: 0,
      minSize: 2,
      maxSize: 3,
    })
  }
})

test('maxQueries counts the queries of leases', async (t) => {
  const p = await pool(t, { maxSize: 1, maxQueries: 10 })
  const pids = new Set<number>()
  for (let lease = 0; lease < 5; lease += 1) {
    await p.use(async (c) => {
      for (let query = 0; query < 10; query += 1) await c.fetchVal('select 1')
      pids.add(c.serverPid)
    })
  }
  t.is(pids.size, 5)
})

test('acquire gives nobody a connection that a hook has closed or released', async (t) => {
  for (const hook of ['init', 'setup'] as const) {
    for (const way of ['close', 'release'] as const) {
      let ends = true
      const p = await pool(t, {
        maxSize: 1,
        [hook]: (c: { close(): Promise<void>; release(): Promise<void> }) => (ends ? c[way]() : undefined),
      })
      const refusal = {
        instanceOf: InterfaceError,
        message: `the connection was ${way}d while the pool's hook ${hook} ran`,
      }
      await t.throwsAsync(p.acquire(), refusal)
      await t.throwsAsync(p.fetchVal('select 1'), refusal)
      ends = false
      t.is(await p.fetchVal('select 1'), 1)
    }
  }
})

test('the status message of an execution that was cut short is empty', async (t) => {
  const c = await connection(t)
  const statement = await c.prepare('select generate_series(5, 10)')
  for (const call of [() => statement.fetchVal(), () => statement.fetchRow()]) {
    await call()
    t.is(statement.statusMessage, '')
    await statement.fetch()
    t.is(statement.statusMessage, 'SELECT 6')
  }
})

test('a warning is a PostgresWarning whatever its SQLSTATE', async (t) => {
  const c = await connection(t)
  const heard: [string | undefined, string, boolean][] = []
  c.onNotice((message) => {
    heard.push([message.severity, message.sqlstate, message instanceof PostgresWarning])
  })
  await c.execute('rollback')
  await c.execute("do $$ begin raise warning 'x' using errcode = '99999'; end $$")
  await c.execute("do $$ begin raise notice 'x' using errcode = '01000'; end $$")
  t.deepEqual(heard, [
    ['WARNING', '25P01', true],
    ['WARNING', '99999', true],
    ['NOTICE', '01000', false],
  ])
})

test('a call that is in flight at release ends first', async (t) => {
  const [other, p] = [await connection(t), await pool(t, { maxSize: 1 })]
  const c = await p.acquire()
  const call = c.fetchVal("select 'done' from pg_sleep(0.05)")
  await c.release()
  t.is(await other.fetchVal(RUNNING, [c.serverPid]), 0)
  t.is(await call, 'done')
})
