import { execFileSync } from 'node:child_process'
import { type AddressInfo, createServer, connect as netConnect, type Socket } from 'node:net'
import test from 'ava'
import {
  ConnectionDoesNotExistError,
  ConnectionFailureError,
  connect,
  createPool,
  PostgresError,
  TimeoutError,
  TransactionResolutionUnknownError,
} from 'oxpg'
import { connection, RUNNING, uniqueName, until, url } from '../support/server.js'
import { FaultProxy, Signal } from '../support/testkit.js'

/** The client's connection, once one of its messages with this text has gone on. */
const cutAt = (text: string) =>
  ({ toServer: { fault: { at: { marker: { text } }, effect: 'fin' } } }) as const

/** Once a message with this text comes, nothing goes on any more. */
const vanishAt = (text: string) =>
  ({ toServer: { fault: { at: { marker: { text, passed: 0 } }, effect: 'blackHole' } } }) as const

test('pg_terminate_backend fails the running query with 57P01, and those behind it are safe to retry', async (t) => {
  const [victim, killer] = [await connection(t), await connection(t)]
  const running = victim.fetch('select pg_sleep(60)')
  const behind = victim.fetch('select 1')
  const outcome = Promise.allSettled([running, behind])
  await until(
    async () => (await killer.fetchVal(RUNNING, [victim.serverPid])) === 1,
    'the start of the query',
  )
  await killer.fetch('select pg_terminate_backend($1)', [victim.serverPid])
  const [first, second] = (await outcome) as PromiseRejectedResult[]
  t.is((first as PromiseRejectedResult).reason.code, '57P01')
  t.true((second as PromiseRejectedResult).reason.safeToRetry)
  t.true(victim.isClosed)
  await t.throwsAsync(victim.fetch('select 1'), { instanceOf: ConnectionDoesNotExistError })
})

test('a cut connection rejects everything in flight, uncertain whether it ran', async (t) => {
  const c = await connect((await FaultProxy.for(t, cutAt('cut here'))).url)
  const outcomes = await Promise.allSettled([c.fetch("select 'cut here', pg_sleep(5)"), c.fetch('select 2')])
  for (const outcome of outcomes as PromiseRejectedResult[]) {
    t.true(outcome.reason instanceof PostgresError)
    t.true(outcome.reason.isTransient)
  }
  t.true(c.isClosed)
})

test('a COMMIT whose answer was lost is a TransactionResolutionUnknownError', async (t) => {
  const c = await connect((await FaultProxy.for(t, cutAt('COMMIT'))).url)
  const error = await t.throwsAsync<TransactionResolutionUnknownError>(
    c.transaction(async (tx) => {
      await tx.fetch('select 1')
    }),
    { instanceOf: TransactionResolutionUnknownError },
  )
  t.is(error?.code, '08007')
  t.false(error?.safeToRetry)
})

test('onTermination is told once', async (t) => {
  const [victim, killer] = [await connection(t), await connection(t)]
  const told = new Promise((resolve) => victim.onTermination(resolve))
  await killer.fetch('select pg_terminate_backend($1)', [victim.serverPid])
  await told
  t.true(victim.isClosed)
})

test.serial('a reset that arrives together with bytes while the loop is busy is noticed', async (t) => {
  const sent = new Signal(t)
  const at = { marker: { text: 'cut short', passed: 7 } }
  const fault = { at, effect: 'rst', touch: sent.path } as const
  const proxy = await FaultProxy.for(t, { toClient: { fault } })
  const c = await connect(proxy.url)
  await c.fetchVal('select $1::text', ['something else'])
  const call = t.throwsAsync(c.fetchVal('select $1::text', ['cut short']), {
    instanceOf: ConnectionFailureError,
  })
  await new Promise((resolve) => setImmediate(resolve))
  sent.standStillUntil()
  await call
  t.true(c.isClosed)
})

// By itself, as the next: a schema change on another connection would have its statement parsed anew, and that takes a turn
// of the loop.
test.serial(
  'an answer that came whole before the reset is an answer, even if writing fails first',
  async (t) => {
    const sent = new Signal(t)
    const at = { marker: { text: 'came whole', passed: 100_000 } }
    const fault = { at, effect: 'rst', touch: sent.path } as const
    const proxy = await FaultProxy.for(t, { toClient: { fault } })
    const c = await connect(proxy.url)
    await c.fetchVal('select $1::text', ['something else'])
    const call = c.fetchVal('select $1::text', ['came whole'])
    await Promise.resolve()
    await Promise.resolve()
    sent.standStillUntil()
    const late = t.throwsAsync(c.fetchVal('select $1::text', ['late']))
    t.is(await call, 'came whole')
    await late
  },
)

test('a pool replaces a connection behind which the server has vanished', async (t) => {
  const p = await createPool((await FaultProxy.for(t, vanishAt('vanish'))).url, { minSize: 1, maxSize: 1 })
  t.teardown(async () => p.terminate())
  await t.throwsAsync(p.fetch("select 'vanish'", [], { timeoutMs: 50 }), { instanceOf: TimeoutError })
  t.is(await p.fetchVal('select 1', [], { timeoutMs: 20_000 }), 1)
})

test('a pool replaces a connection on which the server has vanished before COMMIT', async (t) => {
  const options = { minSize: 1, maxSize: 1, commandTimeoutMs: 3_000 }
  const p = await createPool((await FaultProxy.for(t, vanishAt('COMMIT'))).url, options)
  t.teardown(async () => p.terminate())
  for (let round = 0; round < 2; round += 1) {
    const error = await t.throwsAsync(
      p.transaction((tx) => tx.fetch('select 1')),
      { instanceOf: TransactionResolutionUnknownError, message: /outcome not known/ },
    )
    t.true(error?.cause instanceof TimeoutError)
    t.false((error as TransactionResolutionUnknownError).safeToRetry)
    t.is(await p.fetchVal('select 1', [], { timeoutMs: 20_000 }), 1)
  }
})

test('a pool replaces a connection that does not answer its reset', async (t) => {
  const p = await createPool((await FaultProxy.for(t, vanishAt('vanish'))).url, { minSize: 1, maxSize: 1 })
  t.teardown(async () => p.terminate())
  const c = await p.acquire()
  await t.throwsAsync(c.fetch("select 'vanish'", [], { timeoutMs: 50 }), { instanceOf: TimeoutError })
  await c.release()
  t.is(await p.fetchVal('select 1', [], { timeoutMs: 20_000 }), 1)
})

test('a pool replaces a connection that vanishes while it waits for the end of another call', async (t) => {
  const p = await createPool((await FaultProxy.for(t, vanishAt('vanish'))).url, { minSize: 1, maxSize: 1 })
  t.teardown(async () => p.terminate())
  // The first is answered after its cancel; nothing ever answers the second.
  await t.throwsAsync(p.fetch('select pg_sleep(60)', [], { timeoutMs: 50 }), { instanceOf: TimeoutError })
  t.is(await p.fetchVal('select 1'), 1)
  await t.throwsAsync(p.fetch("select 'vanish'", [], { timeoutMs: 50 }), { instanceOf: TimeoutError })
  t.is(await p.fetchVal('select 1', [], { timeoutMs: 20_000 }), 1)
})

test('a call that is given up behind a long one does not end the long one', async (t) => {
  const p = await createPool(url, { minSize: 1, maxSize: 1 })
  t.teardown(async () => p.terminate())
  const pid = await p.fetchVal('select pg_backend_pid()')
  // Longer than a pool waits for a server that owes nobody an answer.
  const long = p.fetchVal('select pg_backend_pid() from pg_sleep(3)')
  await t.throwsAsync(p.fetch('select 1', [], { timeoutMs: 50 }), { instanceOf: TimeoutError })
  t.is(await long, pid)
})

test('a text without parameters that the lost connection had not sent is executed elsewhere, or rejects', async (t) => {
  const watcher = await connection(t)
  const table = uniqueName('unsent')
  await watcher.execute(`create table ${table} (id int)`)
  t.teardown(async () => {
    const last = await connect(url)
    await last.execute(`drop table ${table}`)
    await last.close()
  })
  const sockets = new Set<Socket>()
  const { hostname, port } = new URL(url)
  const proxy = createServer((front) => {
    const back = netConnect(Number(port), hostname)
    for (const socket of [front, back]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    front.pipe(back).pipe(front)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  const link = Object.assign(new URL(url), {
    hostname: '127.0.0.1',
    port: `${(proxy.address() as AddressInfo).port}`,
  })
  let resolved = 0
  for (let id = 0; id < 24; id++) {
    const p = await createPool(link.href, { minSize: 1, maxSize: 1 })
    await p.fetchVal('select 1')
    const neighbour = p.fetchVal('select pg_sleep(0.05)', []).catch(() => {})
    for (const socket of sockets) socket.resetAndDestroy()
    sockets.clear()
    if (id % 2 === 1) await new Promise(setImmediate)
    const tag = await p.execute(`insert into ${table} values (${id})`).catch((error: unknown) => error)
    await neighbour
    const stored = await watcher.fetchVal(`select count(*)::int from ${table} where id = $1`, [id])
    if (tag instanceof Error) {
      if ((tag as PostgresError).safeToRetry) t.is(stored, 0)
    } else {
      resolved += 1
      t.is(tag, 'INSERT 0 1')
      t.is(stored, 1)
    }
    p.terminate()
  }
  t.true(resolved > 0)
})

test('killing idle connections of a pool is invisible', async (t) => {
  const p = await createPool(url, { minSize: 3, maxSize: 3 })
  t.teardown(async () => p.terminate())
  const held = await Promise.all([p.acquire(), p.acquire(), p.acquire()])
  const pids = held.map((c) => c.serverPid)
  await Promise.all(held.map((c) => c.release()))
  const killer = await connection(t)
  await killer.fetch('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids])
  const left = 'select count(*)::int from pg_stat_activity where pid = any($1)'
  await until(async () => (await killer.fetchVal(left, [pids])) === 0, 'the end of the backends')
  t.deepEqual(await Promise.all([1, 2, 3, 4].map((n) => p.fetchVal('select $1::int', [n]))), [1, 2, 3, 4])
})

/** Ends a backend from another process while this thread's loop stands still, so that it cannot be told of it. */
function terminateUnseen(pid: number): void {
  const program = `
    import { connect } from 'oxpg'
    const c = await connect(${JSON.stringify(url)})
    await c.fetch('select pg_terminate_backend($1)', [${pid}])
    while (await c.fetchVal('select count(*) from pg_stat_activity where pid = $1', [${pid}]) > 0);
    await c.close()`
  execFileSync(process.execPath, ['--input-type=module', '-e', program])
}

test('a session that ended while it was idle and nobody looked is noticed before it is used', async (t) => {
  const p = await createPool(url, { minSize: 1, maxSize: 1 })
  t.teardown(async () => p.terminate())
  const pid = await p.fetchVal<number>('select pg_backend_pid()')
  // Neither may be repeated after it was sent.
  for (const call of ['do $$ begin perform 1; end $$', 'select 1; select 2']) {
    terminateUnseen((await p.fetchVal<number>('select pg_backend_pid()'))!)
    await p.execute(call)
  }
  terminateUnseen((await p.fetchVal<number>('select pg_backend_pid()'))!)
  const lease = await p.acquire()
  t.not(await lease.fetchVal('select pg_backend_pid()'), pid)
  terminateUnseen(lease.serverPid)
  const error = await t.throwsAsync<PostgresError>(lease.execute('do $$ begin perform 1; end $$'))
  t.true(error?.safeToRetry)
  const c = await connection(t)
  terminateUnseen(c.serverPid)
  t.true((await t.throwsAsync<PostgresError>(c.execute('select 1; select 2')))?.safeToRetry)
})

// Alone: while another test changes a schema, a call takes two round trips.
test.serial(
  'an answer that came while the loop stood still is read before a deadline is judged',
  async (t) => {
    const came = new Signal(t)
    const fault = { at: { marker: { text: 'came in time' } }, effect: 'tell', touch: came.path } as const
    const proxy = await FaultProxy.for(t, { toClient: { fault } })
    const p = await createPool(proxy.url, { minSize: 1, maxSize: 1 })
    t.teardown(async () => p.terminate())
    const lease = await p.acquire()
    const pid = lease.serverPid
    await lease.fetchVal('select $1::text', ['something else'])
    // Timers run right behind what setImmediate runs, before sockets are looked at.
    await new Promise((resolve) => setImmediate(resolve))
    const call = lease.fetchVal('select $1::text', ['came in time'], { timeoutMs: 500 })
    const released = lease.release()
    await Promise.resolve()
    await Promise.resolve()
    came.standStillUntil()
    // Longer than the call's limit, and than the pool waits for the reset.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500)
    t.is(await call, 'came in time')
    await released
    t.is(await p.fetchVal('select pg_backend_pid()'), pid)
  },
)

test('a server that has stopped reading hears of the end of a session that its pool gives up', async (t) => {
  const admin = await connection(t)
  for (const bytes of [256 * 1024, 16 * 1024 * 1024]) {
    const proxy = await FaultProxy.for(t)
    await proxy.plan({ toServer: { fault: { at: { after: 16 * 1024 }, effect: 'stall' } } }, 1)
    const applicationName = uniqueName('unread')
    const p = await createPool(proxy.url, { applicationName, minSize: 1, maxSize: 1 })
    t.teardown(async () => p.terminate())
    const stuck = p.fetchVal('select octet_length($1::bytea)', [Buffer.alloc(bytes)], { timeoutMs: 300 })
    await t.throwsAsync(stuck, { instanceOf: TimeoutError })
    t.is(await p.fetchVal('select 1'), 1)
    // What it has not read stands in front of the end of the stream.
    const sessions = 'select count(*)::int from pg_stat_activity where application_name = $1'
    await until(
      async () => (await admin.fetchVal(sessions, [applicationName])) === 1,
      `${bytes} bytes`,
      10_000,
    )
  }
})
