import { inspect } from 'node:util'
import test from 'ava'
import {
  ClientConfigurationError,
  connect,
  createPool,
  DataError,
  InterfaceError,
  InvalidPasswordError,
  type Pool,
  type PoolConnection,
  TimeoutError,
} from 'oxpg'
import { pool, uniqueName, until, url, urlWith } from '../support/server.js'
import { FaultProxy } from '../support/testkit.js'

test('minSize connections are open when the pool is', async (t) => {
  const p = await pool(t, { minSize: 3, maxSize: 5 })
  t.is(p.stats.size, 3)
  t.is(p.stats.idle, 3)
})

test('a pool that cannot connect rejects with the reason', async (t) => {
  await t.throwsAsync(createPool(urlWith({ password: 'wrong' })), { instanceOf: InvalidPasswordError })
})

test('calls on the pool itself share its connections', async (t) => {
  const p = await pool(t, { minSize: 4, maxSize: 4 })
  const values = await Promise.all(Array.from({ length: 1000 }, (_, n) => p.fetchVal('select $1::int', [n])))
  t.deepEqual(values, [...values.keys()])
  t.is(p.stats.size, 4)
})

test('a pool grows to maxSize under load, and not beyond', async (t) => {
  const p = await pool(t, { minSize: 0, maxSize: 3 })
  let isGrown = false
  const callers = Array.from({ length: 12 }, async () => {
    while (!isGrown) await p.fetchVal('select pg_sleep(0.01)')
  })
  await until(async () => p.stats.size === 3, 'the growth')
  isGrown = true
  await Promise.all(callers)
  t.is(p.stats.opened, 3)
  const leases = await Promise.all([p.acquire(), p.acquire(), p.acquire()])
  t.is(new Set(leases.map((c) => c.serverPid)).size, 3)
  const fourth = p.acquire()
  t.like(p.stats, { size: 3, opening: 0, waiting: 1 })
  for (const c of [...leases, await leases[0]!.release().then(() => fourth)]) await c.release()
})

test('acquire and release', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const c = await p.acquire()
  const pid = c.serverPid
  t.is(p.stats.inUse, 1)
  await c.release()
  await c.release()
  await until(async () => p.stats.idle === 1, 'the reset')
  const again = await p.acquire()
  t.is(again.serverPid, pid)
  await p.release(again)
})

test('after release everything of that checkout is dead and says so', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const c = await p.acquire()
  const statement = await c.prepare('select 1')
  const tx = c.transaction()
  await tx.start()
  await c.release()
  for (const call of [
    () => c.fetch('select 1'),
    () => statement.fetch(),
    () => tx.fetch('select 1'),
    () => tx.commit(),
  ]) {
    await t.throwsAsync(call, { instanceOf: InterfaceError, message: /released|over/ })
  }
  t.is(await p.fetchVal('select 1'), 1)
})

test('waiters are served in the order in which they came', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const first = await p.acquire()
  const order: number[] = []
  const waiters = [1, 2, 3].map(async (n) => {
    const c = await p.acquire()
    order.push(n)
    await c.release()
  })
  t.is(p.stats.waiting, 3)
  await first.release()
  await Promise.all(waiters)
  t.deepEqual(order, [1, 2, 3])
})

test('acquire gives up after its time, and says what held the pool', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const held = await p.acquire()
  await t.throwsAsync(p.acquire({ timeoutMs: 30 }), { instanceOf: TimeoutError, message: /1 in use/ })
  const controller = new AbortController()
  const waiting = t.throwsAsync(p.acquire({ signal: controller.signal }), { message: 'no longer' })
  controller.abort(new Error('no longer'))
  await waiting
  t.is(p.stats.waiting, 0)
  await held.release()
  t.is(await p.fetchVal('select 1'), 1)
})

test('use releases, whatever happens', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  t.is(await p.use((c) => c.fetchVal('select 1')), 1)
  await t.throwsAsync(
    p.use(async () => {
      throw new Error('inside')
    }),
    { message: 'inside' },
  )
  await until(async () => p.stats.inUse === 0, 'the reset')
  t.is(p.stats.idle, 1)
})

test('release resets the session', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  await p.use(async (c) => {
    await c.execute("set application_name to 'dirty'")
    await c.execute('listen somebody')
    await c.fetch('select pg_advisory_lock(42)')
    await c.execute('begin')
  })
  await p.use(async (c) => {
    t.not(await c.fetchVal('show application_name'), 'dirty')
    t.is(await c.fetchVal('select count(*)::int from pg_listening_channels()'), 0)
    t.is(
      await c.fetchVal(
        "select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
      ),
      0,
    )
    t.false(c.isInTransaction)
  })
})

test('a connection that the server ends is replaced', async (t) => {
  const p = await pool(t, { minSize: 2, maxSize: 2 })
  const killer = await connect(url)
  t.teardown(async () => killer.terminate())
  const pids = await p.use(async (c) => [c.serverPid])
  await killer.fetch('select pg_terminate_backend($1)', [pids[0]])
  await until(
    async () =>
      (await killer.fetchVal('select count(*)::int from pg_stat_activity where pid = $1', pids)) === 0,
    'the end',
  )
  for (let round = 0; round < 20; round += 1) t.is(await p.fetchVal('select $1::int', [round]), round)
  t.is(p.stats.size <= 2, true)
})

test('calls behind one whose backend is terminated go to another connection', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const killer = await connect(url)
  t.teardown(async () => killer.terminate())
  const pid = await p.fetchVal('select pg_backend_pid()')
  const head = t.throwsAsync(p.fetch('select pg_sleep(60)'), { code: '57P01' })
  const behind = Array.from({ length: 10 }, (_, n) => p.fetchVal('select $1::int', [n]))
  await until(
    async () =>
      (await killer.fetchVal("select count(*) from pg_stat_activity where pid = $1 and state = 'active'", [
        pid,
      ])) === 1,
    'the start of the query',
  )
  await killer.fetch('select pg_terminate_backend($1)', [pid])
  await head
  t.deepEqual(await Promise.all(behind), [...Array(10).keys()])
})

test('maxQueries and expireConnections replace connections', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1, maxQueries: 3 })
  const pids = new Set<unknown>()
  for (let n = 0; n < 9; n += 1) pids.add(await p.fetchVal('select pg_backend_pid()'))
  t.true(pids.size >= 2)
  const before = await p.fetchVal('select pg_backend_pid()')
  p.expireConnections()
  t.not(await p.fetchVal('select pg_backend_pid()'), before)
})

test('idle connections beyond minSize are closed', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 4, maxInactiveConnectionLifetimeMs: 50 })
  const held = await Promise.all([p.acquire(), p.acquire(), p.acquire()])
  await Promise.all(held.map((c) => c.release()))
  const killer = await connect(url)
  t.teardown(async () => killer.terminate())
  await until(async () => {
    await killer.fetch('select 1')
    return p.stats.size === 1
  }, 'reaping')
  t.is(await p.fetchVal('select 1'), 1)
})

test('close waits for what is in use, then refuses', async (t) => {
  const p = await createPool(url, { minSize: 1, maxSize: 2 })
  const c = await p.acquire()
  const closing = p.close()
  t.is(await c.fetchVal('select 1'), 1)
  await t.throwsAsync(p.acquire(), { instanceOf: InterfaceError })
  await c.release()
  await closing
  await t.throwsAsync(p.fetch('select 1'), { instanceOf: InterfaceError, message: /clos/ })
})

test('terminate ends everything at once', async (t) => {
  const p = await createPool(url, { minSize: 1, maxSize: 2 })
  const call = t.throwsAsync(p.fetch('select pg_sleep(60)'))
  p.terminate()
  await call
})

test('the pool can be a resource', async (t) => {
  const p = await createPool(url)
  await p[Symbol.asyncDispose]()
  await t.throwsAsync(p.fetch('select 1'), { instanceOf: InterfaceError })
})

for (const hook of ['init', 'setup'] as const) {
  test(`${hook} that releases its connection and fails afterwards harms nobody who has the session by then`, async (t) => {
    let isOurs = true
    let goOn = () => {}
    const lentAgain = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const p = await pool(t, {
      maxSize: 1,
      [hook]: async (c: PoolConnection) => {
        if (!isOurs) return
        isOurs = false
        await c.release()
        await lentAgain
        throw new Error('on purpose')
      },
    })
    const first = p.acquire()
    first.catch(() => {})
    await using second = await p.acquire()
    const running = second.fetchVal('select 1 from pg_sleep(0.1)')
    goOn()
    await t.throwsAsync(first, { message: 'on purpose' })
    t.is(await running, 1)
    t.is(await second.fetchVal('select 2'), 2)
  })
}

for (const hook of ['init', 'setup'] as const) {
  for (const [way, begin] of [
    ['a transaction by hand', (c: PoolConnection) => c.begin()],
    ['a query', (c: PoolConnection) => c.execute('begin')],
  ] as const) {
    test(`${hook} that leaves ${way} open is told of, and nothing is done within it`, async (t) => {
      const p = await pool(t, { maxSize: 1, [hook]: begin })
      const table = uniqueName('left_open')
      const other = await pool(t)
      await other.execute(`create table ${table} (id int)`)
      const insert = `insert into ${table} values (1)`
      const told = {
        instanceOf: InterfaceError,
        message: `the pool's hook ${hook} left a transaction open; the session was closed`,
      }
      await t.throwsAsync(
        p.transaction((tx) => tx.execute(insert)),
        told,
      )
      await t.throwsAsync(p.execute(insert, []), told)
      const error = await t.throwsAsync(
        p.use((c) => c.execute(insert)),
        told,
      )
      t.true((error as InterfaceError).safeToRetry)
      t.is(await other.fetchVal(`select count(*)::int from ${table}`), 0)
      await other.execute(`drop table ${table}`)
    })
  }
}

test('what came of use stands, although the reset hook fails with a call that was never sent', async (t) => {
  const p = await pool(t, {
    maxSize: 1,
    reset: async (c) => {
      await c.fetchVal('select $1::int', ['no number'])
    },
  })
  const warned = new Promise<Error & { code?: string }>((resolve) => process.once('warning', resolve))
  t.is(await p.use((c) => c.fetchVal('select 1')), 1)
  t.is((await warned).code, 'OXPG_RESET_HOOK')
  const lease = await p.acquire()
  await t.throwsAsync(lease.release(), { instanceOf: DataError })
})

test('options that are null, or hooks that are no functions, are refused', async (t) => {
  for (const name of [
    'maxSize',
    'minSize',
    'maxQueries',
    'maxLifetimeMs',
    'acquireTimeoutMs',
    'leakDetectionMs',
  ]) {
    const options = { [name]: null } as object
    await t.throwsAsync(createPool(url, options), {
      instanceOf: ClientConfigurationError,
      message: new RegExp(`option '${name}' must be .*, not null`),
    })
  }
  await t.throwsAsync(createPool(url, { setup: 1 } as object), {
    instanceOf: ClientConfigurationError,
    message: "option 'setup' must be a function, not 1",
  })
})

test('init runs once for each connection, setup at each acquire, reset at each release', async (t) => {
  const calls: string[] = []
  const p = await pool(t, {
    minSize: 1,
    maxSize: 1,
    init: async () => void calls.push('init'),
    setup: async () => void calls.push('setup'),
    reset: async () => void calls.push('reset'),
  })
  for (let round = 0; round < 2; round += 1) await p.use((c) => c.fetchVal('select 1'))
  t.deepEqual(calls, ['init', 'setup', 'reset', 'setup', 'reset'])
})

test('what was leased is dead from the call of release on, and a reset hook has the session for itself', async (t) => {
  const seen: unknown[] = []
  const p = await pool(t, {
    maxSize: 1,
    reset: async (c) => {
      seen.push(c.isReleased, c.isClosed, await c.fetchVal('select pg_backend_pid()'))
      // It is on its way back already.
      await c.release()
    },
  })
  for (let round = 0; round < 3; round += 1) {
    const c = await p.acquire()
    const released = c.release()
    t.true(c.isReleased)
    await t.throwsAsync(c.fetchVal('select 1'), { instanceOf: InterfaceError, message: /released/ })
    t.is(c.release(), released, 'releasing again is the same release')
    await released
    t.deepEqual(seen.splice(0), [false, false, c.serverPid])
  }
  t.is(p.stats.opened, 1)
})

for (const [name, call] of [
  ['a query that could share', (p) => p.fetchVal('select 1')],
  ['a query that needs a connection alone', (p) => p.execute('set work_mem to default')],
  ['executeMany', (p) => p.executeMany('select $1::int', [[1]])],
  ['acquire', (p) => p.acquire()],
  ['transaction', (p) => p.transaction(async () => {})],
] as [string, (p: Pool) => Promise<unknown>][]) {
  test(`${name} on the pool inside the pool's own transaction does not deadlock`, async (t) => {
    const p = await pool(t, { minSize: 1, maxSize: 1 })
    const nested = {
      instanceOf: InterfaceError,
      message: /inside one of the pool's own transactions.*server pid/,
    }
    await p.transaction(() => t.throwsAsync(call(p), nested))
    t.is(p.stats.waiting, 0)
    t.is(await p.fetchVal('select 1'), 1)
  })
}

test("connections that are being opened for others do not keep a call inside the pool's own transaction waiting", async (t) => {
  const link = await FaultProxy.for(t)
  const p = await createPool(link.url, { minSize: 1, maxSize: 3 })
  t.teardown(async () => p.terminate())
  const leases = await p.transaction(async () => {
    await link.refuse()
    const waiting = [1, 2].map(() => p.acquire({ timeoutMs: 0 }))
    // After a failure one is opened at a time.
    await until(async () => p.stats.opening < 2, 'the failure')
    await t.throwsAsync(p.fetchVal('select 1'), {
      instanceOf: InterfaceError,
      message: /inside one of the pool's own transactions/,
    })
    await link.listen()
    return waiting
  })
  for (const lease of await Promise.all(leases)) await lease.release()
})

test('many transactions and queries at once keep to themselves', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 5 })
  const table = uniqueName('ledger')
  await p.execute(`create table ${table} (id int primary key)`)
  t.teardown(async () => {
    const c = await connect(url)
    await c.execute(`drop table if exists ${table}`)
    await c.close()
  })
  await Promise.all(
    Array.from({ length: 200 }, async (_, id) => {
      if (id % 2 === 0) {
        await p.execute(`insert into ${table} values ($1)`, [id])
      } else {
        await p
          .transaction(async (tx) => {
            await tx.execute(`insert into ${table} values ($1)`, [id])
            throw new Error('no')
          })
          .catch(() => {})
      }
    }),
  )
  t.is(await p.fetchVal(`select count(*)::int from ${table}`), 100)
  t.is(await p.fetchVal(`select bool_and(id % 2 = 0) from ${table}`), true)
})

test('a released lease prints as what it is', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const lease = await p.acquire()
  t.regex(inspect(lease), /^PoolConnection \{ serverPid: \d+, idle \}$/)
  await lease.release()
  t.regex(inspect(lease), /^PoolConnection \{ serverPid: \d+, released \}$/)
  const other = await p.acquire()
  other.terminate()
  await until(async () => other.isClosed, 'the end of the session')
  t.regex(inspect(other), /closed/)
})
