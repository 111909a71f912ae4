import { getEventListeners } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { connect, createPool, PostgresError, TimeoutError } from 'oxpg'
import { connection, pool, RUNNING, SLEEPING, uniqueName, until, url } from '../support/server.js'
import { FaultProxy } from '../support/testkit.js'

test('timeoutMs rejects, the server stops, the connection is usable', async (t) => {
  const [c, other] = [await connection(t), await connection(t)]
  await t.throwsAsync(c.fetch('select pg_sleep(60)', [], { timeoutMs: 30 }), {
    instanceOf: TimeoutError,
    message: /30 ms/,
  })
  t.is(await c.fetchVal('select 1'), 1)
  await until(async () => (await other.fetchVal(RUNNING, [c.serverPid])) === 0, 'the end of the query')
})

test('commandTimeoutMs is the default of every call', async (t) => {
  const c = await connection(t, { commandTimeoutMs: 100 })
  await t.throwsAsync(c.fetch('select pg_sleep(60)'), { instanceOf: TimeoutError, message: /100 ms/ })
  t.is(await c.fetchVal('select 1', [], { timeoutMs: 0 }), 1)
  t.is(await c.fetchVal("select 'slow' from pg_sleep(0.2)", [], { timeoutMs: 0 }), 'slow')
})

test('a signal rejects with its reason and stops the server', async (t) => {
  const c = await connection(t)
  const other = await connection(t)
  const controller = new AbortController()
  const reason = new Error('the user went away')
  const call = t.throwsAsync(c.fetch('select pg_sleep(60)', [], { signal: controller.signal }))
  await until(async () => (await other.fetchVal(SLEEPING, [c.serverPid])) === 1, 'the start of the query')
  controller.abort(reason)
  t.is(await call, reason)
  t.is(await c.fetchVal('select 1'), 1)
})

test('a signal that is aborted already sends nothing', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table untouched (id int)')
  const signal = AbortSignal.abort(new Error('too late'))
  await t.throwsAsync(c.execute('insert into untouched values ($1)', [1], { signal }), {
    message: 'too late',
  })
  t.is(await c.fetchVal('select count(*) from untouched'), 0)
})

test('an abandoned call behind others does not stop them', async (t) => {
  const c = await connection(t)
  const controller = new AbortController()
  const first = c.fetchVal("select 'first' from pg_sleep(0.2)")
  const second = t.throwsAsync(c.fetchVal('select pg_sleep(60)', [], { signal: controller.signal }))
  const third = c.fetchVal("select 'third'")
  controller.abort(new Error('never mind'))
  await second
  t.is(await first, 'first')
  t.is(await third, 'third')
})

test('a late cancel never hits the next query', async (t) => {
  const c = await connection(t)
  for (let round = 0; round < 150; round += 1) {
    const controller = new AbortController()
    const call = c.fetchVal('select pg_sleep($1::float8)', [(round % 10) / 2000], {
      signal: controller.signal,
    })
    const outcome = call.then(
      () => 'finished',
      (error) => error.name,
    )
    const next = c.fetchVal("select 'next' from pg_sleep(0.001)")
    setImmediate(() => controller.abort())
    t.true(['finished', 'AbortError'].includes(await outcome))
    t.is(await next, 'next')
  }
})

test("a server's own statement_timeout is a QueryCanceledError", async (t) => {
  const c = await connection(t)
  await c.execute('begin')
  // It ends with the failed statement: what comes after it may take its time.
  await c.execute("set local statement_timeout to '20ms'")
  await t.throwsAsync(c.fetch('select pg_sleep(60)'), { instanceOf: PostgresError, code: '57014' })
  await c.execute('rollback')
  t.is(await c.fetchVal('select 1'), 1)
})

test('a timeout is one budget for the wait, preparing, the look-up of types and the statement', async (t) => {
  const owner = await connection(t)
  const name = uniqueName('budget')
  await owner.execute(`create type ${name} as (a int)`)
  t.teardown(async () => {
    const last = await connect(url)
    await last.execute(`drop type ${name}`)
    await last.close()
  })
  // Nothing goes to the server behind the preparation, or behind the look-up.
  for (const text of [name, 'pg_type']) {
    const fault = { at: { marker: { text } }, effect: 'mute' } as const
    const proxy = await FaultProxy.for(t, { toServer: { fault } })
    const p = await createPool(proxy.url, { minSize: 1, maxSize: 1 })
    t.teardown(async () => p.terminate())
    const busy = p.execute('select pg_sleep(0.2); select 1')
    await t.throwsAsync(p.fetchVal(`select row(1)::${name}`, [], { timeoutMs: 1_000 }), {
      instanceOf: TimeoutError,
      message: /1000 ms/,
    })
    await busy
  }
})

test('a call on the pool is cancelled like one on a connection', async (t) => {
  const p = await pool(t, { maxSize: 2 })
  await t.throwsAsync(p.fetch('select pg_sleep(60)', [], { timeoutMs: 30 }), { instanceOf: TimeoutError })
  const values = await Promise.all(Array.from({ length: 20 }, (_, n) => p.fetchVal('select $1::int', [n])))
  t.deepEqual(values, [...values.keys()])
})

/** A table with one row, and what locks it until the function that this gives is called. */
async function lockableTable(
  t: ExecutionContext,
): Promise<{ table: string; lock(): Promise<() => Promise<void>> }> {
  const [table, owner] = [uniqueName('lockable'), await connection(t)]
  await owner.execute(`create table ${table} as select 0 as id, '' as text`)
  t.teardown(async () => {
    owner.terminate()
    const c = await connect(url)
    await c.execute(`drop table if exists ${table}`)
    await c.close()
  })
  const lock = async () => {
    const transaction = await owner.begin()
    await transaction.execute(`lock table ${table}`)
    return () => transaction.commit()
  }
  return { table, lock }
}

test('however many calls time out together, the session and the calls behind them go on', async (t) => {
  const { table, lock } = await lockableTable(t)
  const [c, other] = [await connection(t), await connection(t)]
  await c.execute('create temp table of_the_session (id int)')
  const query = `select count(*) from ${table} where id = $1`
  const patientQuery = `${query} /* patient */`
  t.deepEqual([await c.fetchVal(query, [0]), await c.fetchVal(patientQuery, [0])], [1, 1])
  const unlock = await lock()
  const late = Array.from({ length: 20 }, (_, n) => c.fetchVal(query, [n], { timeoutMs: 50 }))
  const patient = c.fetchVal(patientQuery, [1])
  for (const outcome of await Promise.allSettled(late)) {
    t.true((outcome as PromiseRejectedResult).reason instanceof TimeoutError)
  }
  const isPatientsTurn = `select count(*)::int from pg_stat_activity where pid = $1 and query = $2`
  const hasCome = async () => (await other.fetchVal(isPatientsTurn, [c.serverPid, patientQuery])) === 1
  await until(async () => c.isClosed || (await hasCome()), 'the turn of the one that waits')
  await unlock()
  t.is(await patient, 0)
  t.is(await c.fetchVal('select count(*) from of_the_session'), 0)
})

test('calls that one caller gives up on a pool cost the other callers nothing', async (t) => {
  const p = await pool(t, { minSize: 2, maxSize: 2 })
  const query = 'select $1::int from pg_sleep($2)'
  await Promise.all([1, 2, 3, 4].map((n) => p.fetchVal(query, [n, 0.01])))
  const pids = new Set(await Promise.all([1, 2].map(() => p.fetchVal('select pg_backend_pid()'))))
  for (let round = 0; round < 5; round += 1) {
    const page = new AbortController()
    const slow = Array.from({ length: 12 }, () => p.fetchVal(query, [1, 60], { signal: page.signal }))
    const quick = Array.from({ length: 20 }, (_, n) => p.fetchVal(query, [n, 0.001]))
    setTimeout(() => page.abort(), 20)
    for (const outcome of await Promise.allSettled(slow)) {
      t.is((outcome as PromiseRejectedResult).reason.name, 'AbortError')
    }
    t.deepEqual(await Promise.all(quick), [...quick.keys()])
  }
  t.is(p.stats.closed, 0, `connections were closed: ${[...pids]}`)
})

test('a signal has one listener, however many calls are given it', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error): void => void warnings.push(warning)
  process.on('warning', note)
  t.teardown(() => void process.off('warning', note))
  const [c, p] = [await connection(t), await pool(t, { maxSize: 2 })]
  const { signal } = new AbortController()
  const calls = Array.from({ length: 10_000 }, (_, n) =>
    (n % 2 === 0 ? c : p).fetchVal('select $1::int', [n], { signal }),
  )
  await Promise.resolve()
  t.is(getEventListeners(signal, 'abort').length, 1)
  t.deepEqual(await Promise.all(calls), [...calls.keys()])
  t.is(getEventListeners(signal, 'abort').length, 0)
  t.deepEqual(warnings, [])
})

test('calls by the ten thousand that are given up together leave a connection and a pool usable', async (t) => {
  const [c, p] = [await connection(t), await pool(t, { maxSize: 2 })]
  for (const host of [c, p]) {
    const controller = new AbortController()
    const { signal } = controller
    const reason = new Error('enough')
    const calls = Array.from({ length: 10_000 }, (_, n) => host.fetchVal('select $1::int', [n], { signal }))
    const ends = Promise.allSettled(calls)
    await Promise.resolve()
    controller.abort(reason)
    for (const [n, end] of (await ends).entries()) {
      if (end.status === 'fulfilled') t.is(end.value, n)
      else t.is(end.reason, reason)
    }
    t.is(await host.fetchVal('select 42'), 42)
  }
  t.is(p.stats.closed, 0)
})

test('all calls of a signal end with it, those that are made while it fires too', async (t) => {
  const c = await connection(t)
  const controller = new AbortController()
  const { signal } = controller
  const calls = Array.from({ length: 30 }, () => c.fetch('select pg_sleep(60)', [], { signal }))
  let inside: Promise<unknown> | undefined
  signal.addEventListener('abort', () => {
    inside = c.fetch('select 1', [], { signal })
  })
  controller.abort(new Error('enough'))
  for (const call of [...calls, inside!]) await t.throwsAsync(call, { message: 'enough' })
  t.is(await c.fetchVal('select 1'), 1)
})

test('an executeMany of which the server takes no more is cancelled when it is given up', async (t) => {
  const { table, lock } = await lockableTable(t)
  const [c, other] = [await connection(t), await connection(t)]
  const insert = `insert into ${table} values ($1, $2)`
  await c.executeMany(insert, [[1, 'known from here on']])
  const unlock = await lock()
  let taken = 0
  function* rows() {
    // Both sockets' buffers hold less.
    for (; taken < 2_000; taken += 1) yield [taken, 'x'.repeat(32_768)]
  }
  const controller = new AbortController()
  const call = t.throwsAsync(c.executeMany(insert, rows(), { signal: controller.signal }), {
    message: 'enough',
  })
  let before = -1
  await until(async () => {
    const isWaiting = "select count(*)::int from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'"
    const isStuck = (await other.fetchVal(isWaiting, [c.serverPid])) === 1 && taken === before
    before = taken
    return isStuck
  }, 'the end of the room')
  t.true(taken < 2_000)
  controller.abort(new Error('enough'))
  await call
  await until(
    async () => (await other.fetchVal(RUNNING, [c.serverPid])) === 0,
    'the end of the statement',
    15_000,
  )
  t.is(await c.fetchVal('select 42'), 42)
  await unlock()
  t.is(await c.fetchVal(`select count(*) from ${table}`), 2)
})

test('a cancel request that never ends holds nothing up once the call was interrupted', async (t) => {
  const c = await connect((await FaultProxy.for(t, { cancels: 'keepOpen' })).url)
  t.teardown(async () => c.terminate())
  const other = await connection(t)
  for (let round = 0; round < 3; round += 1) {
    const controller = new AbortController()
    const call = t.throwsAsync(c.fetch('select pg_sleep(60)', [], { signal: controller.signal }))
    await until(async () => (await other.fetchVal(SLEEPING, [c.serverPid])) === 1, 'the start of the query')
    controller.abort(new Error('never mind'))
    await call
    // Less than a cancel request may take.
    t.is(await c.fetchVal('select 1', [], { timeoutMs: 2_500 }), 1)
  }
})

for (const how of ['have no effect', 'reach nobody'] as const) {
  test(`a connection whose cancels ${how} is closed in the end`, async (t) => {
    t.timeout(60_000)
    const proxy = await FaultProxy.for(t, how === 'reach nobody' ? {} : { cancels: 'swallow' })
    const c = await connect(proxy.url)
    t.teardown(async () => c.terminate())
    if (how === 'reach nobody') await proxy.refuse()
    const other = await connection(t)
    const controller = new AbortController()
    const call = t.throwsAsync(c.fetch('select pg_sleep(120)', [], { signal: controller.signal }))
    await until(async () => (await other.fetchVal(SLEEPING, [c.serverPid])) === 1, 'the start of the query')
    controller.abort(new Error('never mind'))
    await call
    const waiting = t.throwsAsync(c.fetch('select 1'))
    await c.close()
    t.true(c.isClosed)
    t.true(((await waiting) as PostgresError).safeToRetry, 'it was not sent')
  })
}
