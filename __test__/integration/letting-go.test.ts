import test, { type ExecutionContext } from 'ava'
import { connect, createPool, InterfaceError } from 'oxpg'
import { connection, threadNames, uniqueName, until, url } from '../support/server.js'

// When all has been closed for a moment, the driver frees what it holds, and its thread ends; nothing of it may be missed
// afterwards. One test at a time, so that nothing else is open.

/** Waits until the driver has let go of everything, which shows in the threads of the process where those can be read. */
async function lettingGo(): Promise<void> {
  if (process.platform !== 'linux') return
  await until(async () => !(await threadNames()).includes('oxpg'), 'the end of the thread')
}

/** So many turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const refused = async (t: ExecutionContext, call: Promise<unknown>, message: string) =>
  t.is((await t.throwsAsync(call, { instanceOf: InterfaceError })).message, message)

test.serial('what is closed says so after all has been let go', async (t) => {
  const c = await connect(url)
  const pool = await createPool(url, { minSize: 2 })
  const lease = await pool.acquire()
  const statement = await c.prepare('select $1::int')
  t.is(pool.stats.size, 2)
  await lease.release()
  await Promise.all([c.close(), pool.close()])
  await lettingGo()
  await refused(t, c.fetch('select 1'), 'the connection is closed')
  await refused(t, statement.fetch([1]), 'the connection is closed')
  await refused(t, pool.fetch('select $1::int', [1]), 'the pool is closed')
  await refused(t, pool.acquire(), 'the pool is closed')
  await t.notThrowsAsync(Promise.all([c.close(), pool.close(), lease.release()]))
  pool.terminate()
  c.terminate()
  pool.expireConnections()
  c.ref().unref()
  t.like(pool.stats, { size: 0, idle: 0, waiting: 0, maxSize: 10 })
  t.true(c.isClosed)
})

test.serial('an old pool does not meet the connections of a new one', async (t) => {
  const old = await createPool(url)
  await old.close()
  await lettingGo()
  const next = await createPool(url, { maxSize: 1 })
  t.teardown(() => next.close())
  await refused(t, old.fetchVal('select 1'), 'the pool is closed')
  old.terminate()
  await old.close()
  t.is(await next.fetchVal('select 1'), 1)
  t.is(next.stats.size, 1)
})

test.serial('connections one after the other, with and without a pause', async (t) => {
  for (let round = 0; round < 20; round++) {
    const c = await connect(url)
    t.is(await c.fetchVal('select $1::int', [round]), round)
    await c.close()
    await turns(round % 3)
  }
})

test.serial('openings that are given up while they are on their way leave no session', async (t) => {
  const name = uniqueName('given_up')
  for (let round = 0; round < 20; round++) {
    const controller = new AbortController()
    const opening = connect(url, { signal: controller.signal, serverSettings: { application_name: name } })
    await turns(round % 4)
    controller.abort(new Error('changed my mind'))
    await opening.then(
      (c) => c.close(),
      (error: Error) => t.is(error.message, 'changed my mind'),
    )
  }
  const c = await connection(t)
  const sessions = () =>
    c.fetchVal('select count(*)::int from pg_stat_activity where application_name = $1', [name])
  await until(async () => (await sessions()) === 0, 'the end of the sessions')
  t.pass()
})
