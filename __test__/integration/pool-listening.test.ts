// listen() of a pool: one connection for all channels, which is found again when it is lost.
import { AsyncLocalStorage } from 'node:async_hooks'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test from 'ava'
import {
  createPool,
  InterfaceError,
  type Notification,
  type NotificationGap,
  type Pool,
  TimeoutError,
} from 'oxpg'
import { connection, pool, uniqueName, until, url } from '../support/server.js'
import { FaultProxy, Pooler } from '../support/testkit.js'

type Item = Notification | NotificationGap

/** The pids of sessions with this application_name that listen or have listened last. */
const listeners = async (p: Pool, name: string): Promise<number[]> => {
  const rows = await p.fetch<{ pid: number }>(
    "select pid from pg_stat_activity where application_name = $1 and query ~* '^((un)?listen|select pg_catalog.pg_listening)'",
    [name],
  )
  return rows.map(({ pid }) => pid)
}

const named = (name: string) => ({ serverSettings: { application_name: name } })

test('all channels share one connection beside the others, from the first subscription to the last', async (t) => {
  const name = uniqueName('listener')
  const p = await pool(t, { maxSize: 1, ...named(name) })
  const heard: string[] = []
  const [a, b, c] = await Promise.all([
    p.listen('a', (payload, { channel }) => heard.push(`${channel} ${payload}`)),
    p.listen('a', (payload) => heard.push(`again ${payload}`)),
    p.listen('B', (payload, { channel }) => heard.push(`${channel} ${payload}`)),
  ])
  t.is((await listeners(p, name)).length, 1)
  t.is(p.stats.size, 1)
  await p.use(async (only) => {
    await only.notify('a', '1')
    await only.notify('B', '2')
  })
  await until(async () => heard.length === 3, 'three messages')
  t.deepEqual(heard, ['a 1', 'again 1', 'B 2'])
  await a!.unlisten()
  await c!.unlisten()
  await p.notify('B', 'nobody')
  await p.notify('a', '3')
  await until(async () => heard.length === 4, 'the message')
  t.is(heard[3], 'again 3')
  await b!.unlisten()
  await until(async () => (await listeners(p, name)).length === 0, 'the end of the connection')
  const later = await p.listen('a', (payload) => heard.push(`later ${payload}`))
  await p.notify('a', '4')
  await until(async () => heard.length === 5, 'the message')
  t.is(heard[4], 'later 4')
  await later.unlisten()
})

test('a terminated backend is replaced, all channels are listened to again, and the gap is told', async (t) => {
  const name = uniqueName('listener')
  const p = await pool(t, named(name))
  const storage = new AsyncLocalStorage<string>()
  const [one, two] = [uniqueName('one'), uniqueName('two')]
  const heard: string[] = []
  const gaps: { gap: NotificationGap; context: string | undefined }[] = []
  const onGap = (gap: NotificationGap) => gaps.push({ gap, context: storage.getStore() })
  await storage.run('mine', () => p.listen(one, (payload) => heard.push(payload), { onGap }))
  const iterated = await p.listen(two)
  for (let round = 1; round <= 3; round++) {
    await p.notify(two, `before ${round}`)
    const [pid] = await listeners(p, name)
    await p.execute('select pg_terminate_backend($1)', [pid])
    await until(async () => gaps.length === round, 'the gap')
    await p.notify(one, `after ${round}`)
    await p.notify(two, `after ${round}`)
  }
  const { gap, context } = gaps[0]!
  t.like(gap, { isGap: true, channel: one, payload: undefined })
  t.is((gap.error.cause as { code?: string }).code, '57P01')
  t.is(context, 'mine')
  const got: (string | undefined)[] = []
  for await (const item of iterated) {
    got.push(item.payload)
    if (item.payload === 'after 3') break
  }
  const round = (n: number) => [`before ${n}`, undefined, `after ${n}`]
  t.deepEqual(got, [...round(1), ...round(2), ...round(3)])
  await until(async () => heard.length === 3, 'the messages')
  t.deepEqual(heard, ['after 1', 'after 2', 'after 3'])
})

test('while no server can be had it is tried again and again; whoever calls listen then is told why', async (t) => {
  const proxy = await FaultProxy.for(t)
  const p = await createPool(proxy.url, { minSize: 0 })
  t.teardown(async () => p.terminate())
  const sender = await connection(t)
  const channel = uniqueName('outage')
  const items: Item[] = []
  const subscription = await p.listen(channel)
  const reading = (async () => {
    for await (const item of subscription) items.push(item)
  })()
  await sender.notify(channel, 'before')
  await until(async () => items.length === 1, 'the first message')
  await proxy.refuse()
  await proxy.change('rst')
  await t.throwsAsync(
    (async () => {
      // The loss may not have been heard of yet.
      for (;;) {
        await (await p.listen(channel)).unlisten()
        await new Promise((resolve) => setImmediate(resolve))
      }
    })(),
    { code: '08006' },
  )
  await sender.notify(channel, 'lost')
  await proxy.listen()
  await until(async () => items.length === 2, 'the gap')
  t.true(items[1]!.isGap)
  await sender.notify(channel, 'after')
  await until(async () => items.length === 3, 'the message')
  t.is(items[2]!.payload, 'after')
  await p.close()
  await reading
})

test('a link that is cut off without a word is found out and replaced', async (t) => {
  const proxy = await FaultProxy.for(t)
  const p = await createPool(proxy.url, { minSize: 0, listenProbeIntervalMs: 100 })
  t.teardown(async () => p.terminate())
  const sender = await connection(t)
  const channel = uniqueName('frozen')
  const items: Item[] = []
  await p.listen(channel, (_payload, item) => items.push(item), { onGap: (gap) => items.push(gap) })
  await proxy.change('blackHole')
  await until(async () => items.length === 1, 'the gap')
  const [gap] = items
  t.true(gap!.isGap)
  t.true((gap as NotificationGap).error.cause instanceof TimeoutError)
  await sender.notify(channel, 'after')
  await until(async () => items.length === 2, 'the message')
})

test('a connection that listens to many channels passes the probe', async (t) => {
  const name = uniqueName('probed')
  const p = await pool(t, { ...named(name), listenProbeIntervalMs: 2_000 })
  const channels = ['a', 'b', 'C d'].map(uniqueName)
  const heard: Item[] = []
  for (const channel of channels) {
    await p.listen(channel, (_payload, item) => heard.push(item), { onGap: (gap) => heard.push(gap) })
  }
  const admin = await connection(t)
  const probed = (): Promise<{ pid: number; at: string } | null> =>
    admin.fetchRow(
      "select pid, query_start::text as at from pg_stat_activity where application_name = $1 and query like 'select pg_catalog.pg_listening%'",
      [name],
    )
  const seen = new Map<string, number>()
  await until(async () => {
    const probe = await probed()
    if (probe !== null) seen.set(probe.at, probe.pid)
    return seen.size === 2
  }, 'two probes')
  t.is(new Set(seen.values()).size, 1, 'they are of one session')
  for (const channel of channels) await p.notify(channel, 'heard')
  await until(async () => heard.length >= 3, 'the messages')
  t.deepEqual(
    heard.map(({ payload }) => payload),
    ['heard', 'heard', 'heard'],
  )
})

test.serial('without onGap a warning tells of a gap', async (t) => {
  const name = uniqueName('listener')
  const p = await pool(t, named(name))
  await p.listen('unheard', () => {})
  const warned = once(process, 'warning')
  const [pid] = await listeners(p, name)
  await p.execute('select pg_terminate_backend($1)', [pid])
  const [warning] = await warned
  t.is(warning.code, 'OXPG_LISTEN_GAP')
})

test('close and terminate end subscriptions, those that are being made as well', async (t) => {
  const [one, two] = [uniqueName('one'), uniqueName('two')]
  for (const end of ['close', 'terminate'] as const) {
    const name = uniqueName('listener')
    const p = await createPool(url, named(name))
    const subscription = await p.listen(one)
    const waiting = subscription[Symbol.asyncIterator]().next()
    const being = p.listen(two)
    await p[end]()
    t.deepEqual(await waiting, { done: true, value: undefined })
    await t.throwsAsync(being)
    t.true(subscription.isClosed)
    await subscription.unlisten()
    await t.throwsAsync(p.listen(one), { instanceOf: InterfaceError, message: 'the pool is closed' })
    const other = await connection(t)
    const open = 'select count(*)::int from pg_stat_activity where application_name = $1'
    await until(async () => (await other.fetchVal(open, [name])) === 0, 'the end of all sessions')
  }
  const early = await createPool(url)
  const being = early.listen(one)
  early.terminate()
  await t.throwsAsync(being, { instanceOf: InterfaceError, message: 'the pool is closed' })
})

test('close and unlisten while the connection is looked for', async (t) => {
  const proxy = await FaultProxy.for(t)
  const channel = uniqueName('quiet')
  for (const how of ['close', 'unlisten'] as const) {
    const p = await createPool(proxy.url, { minSize: 0 })
    t.teardown(async () => p.terminate())
    const subscription = await p.listen(channel)
    await proxy.refuse()
    await proxy.change('rst')
    const next = subscription[Symbol.asyncIterator]().next()
    if (how === 'close') await p.close()
    else await subscription.unlisten()
    t.deepEqual(await next, { done: true, value: undefined })
    await proxy.listen()
  }
})

test.serial('behind a pooler in transaction mode it is found out that nothing is heard', async (t) => {
  const between = await Pooler.for(t, 3)
  const p = await createPool(between.url, { minSize: 0, listenProbeIntervalMs: 50 })
  t.teardown(async () => p.terminate())
  const warned = once(process, 'warning')
  const gaps: NotificationGap[] = []
  await p.listen('pooled', () => {}, { onGap: (gap) => gaps.push(gap) })
  const [warning] = await warned
  t.is(warning.code, 'OXPG_NOT_LISTENING')
  t.regex(warning.message, /'pooled'.*pooler/)
  await until(async () => gaps.length > 0, 'the gap')
  t.true(gaps[0]!.error.cause instanceof InterfaceError)
})

test('credentials are asked for anew for each connection', async (t) => {
  const name = uniqueName('listener')
  const password = new URL(url).password
  let asked = 0
  const p = await createPool(url, {
    minSize: 1,
    maxSize: 1,
    password: async () => {
      asked += 1
      return password
    },
    ...named(name),
  })
  t.teardown(async () => p.terminate())
  t.is(asked, 1)
  const gaps: NotificationGap[] = []
  await p.listen('a', () => {}, { onGap: (gap) => gaps.push(gap) })
  t.is(asked, 2)
  const [pid] = await listeners(p, name)
  await p.execute('select pg_terminate_backend($1)', [pid])
  await until(async () => gaps.length === 1, 'the gap')
  t.is(asked, 3)
})

test('a limit and a signal hold over the opening too', async (t) => {
  const proxy = await FaultProxy.for(t)
  const p = await createPool(proxy.url, { minSize: 0 })
  t.teardown(async () => p.terminate())
  await proxy.plan({ isBlackHole: true })
  await t.throwsAsync(
    p.listen('a', () => {}, { timeoutMs: 50 }),
    { instanceOf: TimeoutError },
  )
  const end = new AbortController()
  const aborted = p.listen('a', { signal: end.signal })
  end.abort(new Error('enough'))
  await t.throwsAsync(aborted, { message: 'enough' })
})

test('a subscription keeps the process alive until it ends or is unref()ed', async (t) => {
  const run = async (code: string): Promise<unknown[]> => {
    const program = `
      const { connect, createPool } = require('oxpg')
      const main = async () => { ${code} }
      main()`
    const child = spawn(process.execPath, ['-e', program], {
      env: { ...process.env, OXPG_TEST_URL: url },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      out += text
      if (out.includes('listening')) {
        out = ''
        void sender.notify('alive', 'end')
      }
    })
    const [status] = await once(child, 'close')
    return [status, out.trim()]
  }
  const sender = await connection(t)
  for (const open of ['connect', 'createPool']) {
    const start = `const c = await ${open}(process.env.OXPG_TEST_URL);`
    const listen = `const s = await c.listen('alive', async (text) => { console.log(text); await s.unlisten() }); console.log('listening')`
    t.deepEqual(await run(`${start} ${listen}`), [0, 'end'])
    const loop = `const s = await c.listen('alive'); console.log('listening'); for await (const { payload } of s) { console.log(payload); break }`
    t.deepEqual(await run(`${start} ${loop}`), [0, 'end'])
    t.deepEqual(await run(`${start} (await c.listen('alive', () => {})).unref()`), [0, ''])
  }
})
