import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import {
  type AcquireTrace,
  type ConnectTrace,
  connect,
  createPool,
  type LoggedQuery,
  type ReleaseMessage,
  TimeoutError,
  type Transaction,
} from 'oxpg'
import { connection, pool, url, urlWith } from '../support/server.js'

const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const

/** What a channel tells until the test is over; of what `isWanted` says alone, for tests run at once. */
function following<C extends object>(t: ExecutionContext, name: string, isWanted: (context: C) => boolean) {
  const told: [event: string, context: C][] = []
  const channel = tracingChannel<unknown, C>(name)
  const on = (event: string) => (context: unknown) => {
    if (isWanted(context as C)) told.push([event, context as C])
  }
  const subscribers = Object.fromEntries(EVENTS.map((event) => [event, on(event)])) as never
  channel.subscribe(subscribers)
  t.teardown(() => void channel.unsubscribe(subscribers))
  return told
}

const events = (told: [string, object][]) => told.map(([event]) => event)

test('oxpg:query tells of a query from its start to its end, with one object', async (t) => {
  const c = await connection(t)
  const told = following<LoggedQuery>(t, 'oxpg:query', ({ serverPid }) => serverPid === c.serverPid)
  const running = c.fetch('select $1::int as traced', [7])
  t.deepEqual(events(told), ['start', 'end'])
  t.is(told[0]![1].tag, undefined)
  await running
  t.deepEqual(events(told), ['start', 'end', 'asyncStart', 'asyncEnd'])
  t.is(new Set(told.map(([, context]) => context)).size, 1)
  t.like(told[0]![1], {
    kind: 'query',
    query: 'select $1::int as traced',
    operation: 'SELECT',
    params: [7],
    tag: 'SELECT 1',
    rowCount: 1,
    host: new URL(url).hostname,
  })
  t.notRegex(inspect(told[0]![1]), /params/)
})

test('oxpg:query tells of errors, of those that come before anything is sent as well', async (t) => {
  const c = await connection(t)
  const told = following<LoggedQuery>(t, 'oxpg:query', ({ serverPid }) => serverPid === c.serverPid)
  const error = await t.throwsAsync(c.fetch('select 1/0'))
  t.deepEqual(events(told), ['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  t.is(told[2]![1].error, error)
  told.length = 0
  const refused = await t.throwsAsync(c.fetch('select \ud800'))
  t.deepEqual(events(told), ['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  t.is(told[2]![1].error, refused)
})

test('what is refused at the call is no query, and what cannot be sent has all events', async (t) => {
  const c = await connection(t)
  const closed = await connection(t)
  await closed.close()
  const simple = await connection(t, { statementMode: 'simple' })
  const pids = [c, closed, simple].map(({ serverPid }) => serverPid)
  const told = following<LoggedQuery>(t, 'oxpg:query', ({ serverPid }) => pids.includes(serverPid!))
  let kept: Transaction | undefined
  await c.transaction(async (tx) => {
    kept = tx
  })
  told.length = 0
  const refused = [
    () => closed.fetch('select 1'),
    () => c.fetch(5 as never),
    () => c.fetch('select 1', 5 as never),
    () => c.fetch('select 1', [], { nope: 1 } as never),
    () => c.batch(['commit']),
    () => kept!.fetch('select 1'),
  ]
  for (const call of refused) {
    await t.throwsAsync(call())
    t.deepEqual(events(told), [], String(call))
  }
  const unsent = [
    () => c.fetch('select $1::int', ['x']),
    () => c.fetch('select $1::text', ['\ud800']),
    () => c.fetch('select \0'),
    () => c.fetch('select \ud800'),
    () => c.execute('select \ud800'),
    () => c.fetch('select 1', [], { signal: AbortSignal.abort() }),
    () => simple.fetch('select $1::int', [1]),
  ]
  for (const call of unsent) {
    const error = await call().then(
      () => t.fail(String(call)),
      (reason: unknown) => reason,
    )
    t.deepEqual(events(told), ['start', 'end', 'error', 'asyncStart', 'asyncEnd'], String(call))
    t.is(told[0]![1].error, error)
    told.length = 0
  }
})

test('a call on a pool says which connection it ran on', async (t) => {
  const p = await pool(t)
  const told = following<LoggedQuery>(t, 'oxpg:query', ({ query }) => query.includes('traced in pool'))
  const pid = await p.fetchVal("select pg_backend_pid(), 'traced in pool'")
  t.deepEqual(events(told), ['start', 'end', 'asyncStart', 'asyncEnd'])
  t.like(told[0]![1], { serverPid: pid, isPooled: true })
})

test('what runs for a query runs in the stores that subscribers have bound', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const channel = tracingChannel<unknown, LoggedQuery>('oxpg:query')
  channel.start.bindStore(storage, ({ query }) => `of ${query}`)
  t.teardown(() => void channel.start.unbindStore(storage))
  const seen = new Set<string | undefined>()
  const note = (value: string) => {
    seen.add(storage.getStore())
    return value
  }
  const codec = { typeName: 'money', schema: 'pg_catalog', encode: note, decode: note }
  const c = await connection(t, { typeCodecs: [codec] })
  const p = await pool(t, { typeCodecs: [codec] })
  for (const queryable of [c, p, c, p]) {
    await queryable.fetchVal('select $1::money', ['1'])
    t.deepEqual([...seen], ['of select $1::money'])
    t.is(storage.getStore(), undefined)
    seen.clear()
    await queryable.fetch('select 1.5', [], { numeric: note })
    t.deepEqual([...seen], ['of select 1.5'])
    seen.clear()
  }
})

test('the parts of a cursor have one object, and run in the stores that it was started in', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const c = await connection(t)
  const { start } = tracingChannel<string, LoggedQuery>('oxpg:query')
  start.bindStore(storage, ({ query }) => (query.includes('parts of it') ? 'bound' : storage.getStore()!))
  t.teardown(() => void start.unbindStore(storage))
  const told = following<LoggedQuery>(t, 'oxpg:query', ({ query }) => query.includes('parts of it'))
  const seen = new Set<string | undefined>()
  const numeric = () => seen.add(storage.getStore()).size
  await c.transaction(async (tx) => {
    const rows = tx.cursor("select i::numeric, 'parts of it' from generate_series(1, 35) i", [], {
      prefetch: 10,
      numeric,
    })
    let given = 0
    for await (const _ of rows) if (++given < 31) t.deepEqual(events(told), ['start', 'end'])
  })
  t.deepEqual(events(told), ['start', 'end', 'asyncStart', 'asyncEnd'])
  t.is(new Set(told.map(([, context]) => context)).size, 1)
  t.is(told[3]![1].rowCount, 35)
  t.deepEqual([...seen], ['bound'])
})

test('whoever comes later hears of later calls', async (t) => {
  const c = await connection(t)
  await c.fetchVal('select 1')
  const told = following<LoggedQuery>(t, 'oxpg:query', ({ serverPid }) => serverPid === c.serverPid)
  await c.fetchVal('select 2')
  t.deepEqual(new Set(told.map(([, { query }]) => query)), new Set(['select 2']))
})

test('oxpg:connect tells of connections', async (t) => {
  const applicationName = 'traced connect'
  const told = following<ConnectTrace>(t, 'oxpg:connect', ({ isPooled, database, error }) => {
    return !isPooled && (error !== undefined || database === 'postgres' || database === 'nowhere_traced')
  })
  await using c = await connect(url, { applicationName })
  const own = told.find(([event, { serverPid }]) => event === 'asyncEnd' && serverPid === c.serverPid)![1]
  const mine = told.filter(([, context]) => context === own)
  t.deepEqual(events(mine), ['start', 'end', 'asyncStart', 'asyncEnd'])
  const { hostname, port, username } = new URL(url)
  t.like(own, { host: hostname, port: Number(port), user: username, database: 'postgres', isPooled: false })
  t.true(own.elapsedMs! > 0)
  t.notRegex(inspect(own), /secret/)
  const error = await t.throwsAsync(connect(urlWith({ pathname: '/nowhere_traced' })))
  const failed = told.filter((entry) => entry[1].error === error)
  t.deepEqual(events(failed), ['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  t.like(failed[0]![1], { host: hostname, port: Number(port), user: username, database: 'nowhere_traced' })
})

test('oxpg:connect tells of the sessions of pools when they are open', async (t) => {
  const told = following<ConnectTrace>(t, 'oxpg:connect', ({ isPooled }) => isPooled)
  const p = await createPool(url, { minSize: 2, maxSize: 2 })
  t.teardown(async () => p.terminate())
  const pids = new Set<number>()
  p.onConnect(({ serverPid }) => pids.add(serverPid))
  await p.fetchVal('select 1')
  t.is(pids.size, 2)
  const own = told.filter(([, { serverPid }]) => pids.has(serverPid!))
  t.is(own.length, 8)
  t.true(own.every(([, { elapsedMs }]) => typeof elapsedMs === 'number'))
})

test('oxpg:pool:acquire tells of leases, and oxpg:pool:release of their end', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const pid = await p.fetchVal<number>('select pg_backend_pid()')
  const told = following<AcquireTrace>(t, 'oxpg:pool:acquire', ({ timeoutMs }) => timeoutMs === 12_345)
  const released: ReleaseMessage[] = []
  const onRelease = (message: unknown) => {
    if ((message as ReleaseMessage).serverPid === pid) released.push(message as ReleaseMessage)
  }
  subscribe('oxpg:pool:release', onRelease)
  t.teardown(() => void unsubscribe('oxpg:pool:release', onRelease))
  const c = await p.acquire({ timeoutMs: 12_345 })
  t.deepEqual(events(told), ['start', 'end', 'asyncStart', 'asyncEnd'])
  t.like(told[0]![1], { call: 'acquire', serverPid: pid, host: new URL(url).hostname })
  t.deepEqual(released, [])
  await c.release()
  t.like(released[0], { call: 'acquire', serverPid: pid })
  t.true(released[0]!.heldMs >= 0)
  await p.transaction(async () => {}, { timeoutMs: 12_345 })
  t.is(told[4]![1].call, 'transaction')
})

test('oxpg:pool:acquire tells of those who got none', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const told = following<AcquireTrace>(t, 'oxpg:pool:acquire', ({ timeoutMs }) => timeoutMs === 23)
  await using _held = await p.acquire()
  const error = await t.throwsAsync(p.acquire({ timeoutMs: 23 }), { instanceOf: TimeoutError })
  t.deepEqual(events(told), ['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  t.is(told[2]![1].error, error)
})
