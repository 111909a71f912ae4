import test from 'ava'
import { PostgresError, TimeoutError } from 'oxpg'
import { connection, pool, RUNNING, until } from '../support/server.js'

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
  await until(async () => (await other.fetchVal(RUNNING, [c.serverPid])) === 1, 'the start of the query')
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

test('a call on the pool is cancelled like one on a connection', async (t) => {
  const p = await pool(t, { maxSize: 2 })
  await t.throwsAsync(p.fetch('select pg_sleep(60)', [], { timeoutMs: 30 }), { instanceOf: TimeoutError })
  const values = await Promise.all(Array.from({ length: 20 }, (_, n) => p.fetchVal('select $1::int', [n])))
  t.deepEqual(values, [...values.keys()])
})
