// LISTEN and NOTIFY on a connection: handlers, iterations, and all that ends a subscription.
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import test from 'ava'
import {
  type Connection,
  ConnectionDoesNotExistError,
  connect,
  createPool,
  InterfaceError,
  type Notification,
  TimeoutError,
} from 'oxpg'
import { connection, pool, uniqueName, until, url } from '../support/server.js'
import { FaultProxy } from '../support/testkit.js'

const channels = async (c: Connection): Promise<string[]> =>
  (await c.fetch<{ name: string }>('select pg_listening_channels() as name order by 1')).map(
    ({ name }) => name,
  )

/** Resolves when all that was sent to the connection before has been delivered: a message of its own comes last. */
async function settled(listening: Connection): Promise<void> {
  await listening.fetchVal('select 1')
}

test('a handler gets payload, notification and connection', async (t) => {
  const c = await connection(t)
  const sender = await connection(t)
  const channel = uniqueName('Jobs')
  const heard: unknown[][] = []
  const subscription = await c.listen(channel, (...values) => heard.push(values))
  t.is(subscription.channel, channel)
  t.false(subscription.isClosed)
  await sender.notify(channel, 'one')
  await sender.notify(channel)
  await c.notify(channel, "three 'quoted' \\ ü €")
  await until(async () => heard.length === 3, 'three messages')
  t.deepEqual(
    heard.map(([payload]) => payload),
    ['one', '', "three 'quoted' \\ ü €"],
  )
  t.deepEqual(heard[0]![1], { isGap: false, channel, payload: 'one', pid: sender.serverPid })
  t.is((heard[2]![1] as Notification).pid, c.serverPid)
  t.is(heard[0]![2], c)
  await subscription.unlisten()
  t.true(subscription.isClosed)
  await sender.notify(channel, 'four')
  await settled(c)
  t.is(heard.length, 3)
})

test('many handlers of a channel: LISTEN with the first, UNLISTEN with the last', async (t) => {
  const c = await connection(t)
  const channel = uniqueName('fan')
  const heard: string[] = []
  const [first, second] = await Promise.all([
    c.listen(channel, (payload) => heard.push(`first ${payload}`)),
    c.listen(channel, (payload) => heard.push(`second ${payload}`)),
  ])
  t.deepEqual(await channels(c), [channel])
  await c.notify(channel, 'a')
  t.deepEqual(heard, ['first a', 'second a'])
  await first!.unlisten()
  t.deepEqual(await channels(c), [channel])
  await c.notify(channel, 'b')
  t.deepEqual(heard.slice(2), ['second b'])
  // The last one goes and another one comes at once.
  const leaving = second!.unlisten()
  const third = await c.listen(channel, (payload) => heard.push(`third ${payload}`))
  await leaving
  t.deepEqual(await channels(c), [channel])
  await c.notify(channel, 'c')
  t.deepEqual(heard.slice(3), ['third c'])
  await third.unlisten()
  await third.unlisten()
  t.deepEqual(await channels(c), [])
})

test('names of channels are taken as they are', async (t) => {
  const c = await connection(t)
  const names = [
    'UPPER',
    'with space',
    '"',
    "'; drop table x; --",
    'ü'.repeat(31),
    'x'.repeat(63),
    '*',
    'select',
  ]
  const heard: string[] = []
  for (const name of names) {
    await using _ = await c.listen(name, (_payload, { channel }) => heard.push(channel))
    t.deepEqual(await channels(c), [name])
    await c.notify(name)
  }
  t.deepEqual(heard, names)
  t.deepEqual(await channels(c), [])
})

test('what is no channel, handler or payload is refused, and the connection works on', async (t) => {
  const c = await connection(t)
  const bad = (call: () => Promise<unknown>, message: RegExp) =>
    t.throwsAsync(call, { instanceOf: InterfaceError, message })
  const wrong = (value: unknown) => value as never
  for (const call of [(name: string) => c.listen(name, () => {}), (name: string) => c.notify(name)]) {
    await bad(() => call(wrong(5)), /expected the name of a channel, a string, not 5/)
    await bad(() => call(wrong(undefined)), /expected the name of a channel/)
    await bad(() => call(''), /must not be empty/)
    await bad(() => call('a\0b'), /must not contain NUL/)
    await bad(() => call('\ud800'), /half of a surrogate pair/)
    await bad(() => call('x'.repeat(64)), /not be longer than 63 bytes, and this one has 64/)
    await bad(() => call('ü'.repeat(32)), /has 64/)
  }
  await bad(() => c.notify('jobs', wrong({ id: 1 })), /expected the payload to be a string/)
  await bad(() => c.notify('jobs', 'a\0'), /payload must not contain NUL/)
  await t.throwsAsync(c.notify('jobs', 'x'.repeat(8000)), { code: '22023' })
  await bad(() => c.listen('jobs', wrong('handler')), /expected a function as handler, not 'handler'/)
  await bad(() => c.listen('jobs', wrong(null), {}), /expected a function as handler, not null/)
  await bad(() => c.listen('jobs', { maxQueued: 0 }), /'maxQueued' must be a whole number from 1/)
  await bad(() => c.listen('jobs', () => {}, wrong({ maxQueued: 5 })), /unknown option 'maxQueued'/)
  t.deepEqual(await channels(c), [])
})

test('notify in a transaction is sent when that commits; through a pool at once; also on the simple protocol', async (t) => {
  const c = await connection(t)
  const channel = uniqueName('tx')
  const heard: string[] = []
  await c.listen(channel, (payload) => heard.push(payload))
  const p = await pool(t)
  await p.transaction(async (tx) => {
    await tx.notify(channel, 'committed')
    await settled(c)
    t.deepEqual(heard, [])
  })
  await t.throwsAsync(
    p.transaction(async (tx) => {
      await tx.notify(channel, 'rolled back')
      throw new Error('no')
    }),
  )
  await p.notify(channel, 'pool')
  const simple = await connection(t, { statementMode: 'simple' })
  const text = `it's \\ "simple"\n`
  await simple.notify(channel, text)
  await using _ = await simple.listen(channel, (payload) => heard.push(`simple ${payload}`))
  await simple.notify(channel, 'too')
  await until(async () => heard.length === 5, 'all')
  t.deepEqual([...heard].sort(), ['committed', 'pool', text, 'simple too', 'too'].sort())
})

test('handlers run in the context of their subscription', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const c = await connection(t)
  const channel = uniqueName('context')
  const seen: unknown[] = []
  for (const name of ['one', 'two']) {
    await storage.run(name, () => c.listen(channel, () => seen.push(storage.getStore())))
  }
  await storage.run('sender', () => c.notify(channel))
  t.deepEqual(seen, ['one', 'two'])
})

test.serial('what a handler throws is uncaught, and the others hear', async (t) => {
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  t.teardown(() => {
    for (const listener of before) process.on('uncaughtException', listener)
  })
  const c = await connection(t)
  const channel = uniqueName('throwing')
  const error = new Error('of the handler')
  const heard: string[] = []
  await c.listen(channel, () => {
    throw error
  })
  await c.listen(channel, (payload) => heard.push(payload))
  const uncaught = once(process, 'uncaughtException')
  await c.notify(channel, 'x')
  t.is((await uncaught)[0], error)
  t.deepEqual(heard, ['x'])
  t.is(await c.fetchVal('select 1'), 1)
})

test('handlers that come and go while a message is delivered', async (t) => {
  const c = await connection(t)
  const channel = uniqueName('coming')
  const heard: string[] = []
  const added: Promise<unknown>[] = []
  const first = await c.listen(channel, (payload) => {
    heard.push(`first ${payload}`)
    void first.unlisten()
    void second.unlisten()
    added.push(c.listen(channel, (later) => heard.push(`third ${later}`)))
  })
  const second = await c.listen(channel, (payload) => heard.push(`second ${payload}`))
  await c.notify(channel, 'a')
  await Promise.all(added)
  await c.notify(channel, 'b')
  t.deepEqual(heard, ['first a', 'third b'])
})

test('messages are iterated over in order, and leaving the loop ends the subscription', async (t) => {
  const c = await connection(t)
  const channel = uniqueName('loop')
  const subscription = await c.listen(channel)
  await c.execute(`select pg_notify('${channel}', n::text) from generate_series(1, 100) n`)
  const got: string[] = []
  for await (const { payload } of subscription) {
    got.push(payload)
    if (got.length === 100) void c.notify(channel, 'awaited')
    if (payload === 'awaited') break
  }
  t.deepEqual(got, [...Array.from({ length: 100 }, (_, index) => `${index + 1}`), 'awaited'])
  t.true(subscription.isClosed)
  t.deepEqual(await channels(c), [])
  const again = subscription[Symbol.asyncIterator]()
  t.deepEqual(await again.next(), { done: true, value: undefined })
})

test('unlisten ends an iteration that waits; a handler leaves nothing to iterate over', async (t) => {
  const c = await connection(t)
  const subscription = await c.listen(uniqueName('waiting'))
  const next = subscription[Symbol.asyncIterator]().next()
  await subscription.unlisten()
  t.deepEqual(await next, { done: true, value: undefined })
  const handled = await c.listen(uniqueName('handled'), () => {})
  t.throws(() => handled[Symbol.asyncIterator](), { instanceOf: InterfaceError, message: /has a handler/ })
})

test.serial('what nobody takes is kept up to a limit, and what is lost is said', async (t) => {
  const c = await connection(t)
  const channel = uniqueName('full')
  const subscription = await c.listen(channel, { maxQueued: 3 })
  const warned = once(process, 'warning')
  await c.execute(`select pg_notify('${channel}', n::text) from generate_series(1, 5) n`)
  t.is((await warned)[0].code, 'OXPG_LISTEN_OVERFLOW')
  const got: string[] = []
  await t.throwsAsync(
    async () => {
      for await (const { payload } of subscription) got.push(payload)
    },
    { instanceOf: InterfaceError, message: /3 messages were waiting.*'maxQueued'.*are lost/ },
  )
  t.deepEqual(got, ['1', '2', '3'])
  t.deepEqual(await channels(c), [])
})

test('in a transaction LISTEN is refused, whoever began it', async (t) => {
  const c = await connection(t)
  const refused = { instanceOf: InterfaceError, message: /transaction is open.*rollback/ }
  await c.transaction(() =>
    t.throwsAsync(
      c.listen('x', () => {}),
      refused,
    ),
  )
  const transaction = await c.begin()
  await t.throwsAsync(
    c.listen('x', () => {}),
    refused,
  )
  await transaction.rollback()
  await c.execute('begin')
  await t.throwsAsync(
    c.listen('x', () => {}),
    refused,
  )
  await c.execute('rollback')
  // Nothing is known of it yet.
  const begin = c.execute('begin')
  await t.throwsAsync(
    c.listen('x', () => {}),
    refused,
  )
  await begin
  await c.execute('commit')
  await using _ = await c.listen('y', () => {})
  t.deepEqual(await channels(c), ['y'])
})

test('unlisten in a transaction ends the subscription, and the server is told afterwards', async (t) => {
  const c = await connection(t)
  const heard: string[] = []
  const subscription = await c.listen('a', (payload) => heard.push(payload))
  await t.throwsAsync(
    c.transaction(async (tx) => {
      await subscription.unlisten()
      await tx.notify('a', 'rolled back')
      throw new Error('no')
    }),
  )
  await c.notify('a', 'nobody')
  t.deepEqual(heard, [])
  // The end of the transaction is when it is told.
  t.deepEqual(await channels(c), [])
})

test('UNLISTEN and DISCARD ALL by hand end subscriptions', async (t) => {
  const c = await connection(t)
  const [a, b, d] = await Promise.all([c.listen('a'), c.listen('b', () => {}), c.listen('d', () => {})])
  const waiting = a![Symbol.asyncIterator]().next()
  await c.execute('unlisten a')
  t.deepEqual(await waiting, { done: true, value: undefined })
  t.true(a!.isClosed)
  // Those that are left are asked about once more before it is looked at them.
  await c.execute('unlisten a')
  await c.fetchVal('select 1')
  t.false(b!.isClosed)
  t.false(d!.isClosed)
  // In a transaction it takes effect with the commit.
  await c.transaction(async (tx) => {
    await tx.execute('unlisten *')
    await tx.fetchVal('select 1')
    t.false(b!.isClosed)
  })
  await until(async () => b!.isClosed, 'the end')
  const again = await c.listen('b', () => {})
  await c.execute('discard all')
  await until(async () => again.isClosed, 'the end')
  await using last = await c.listen('b', () => {})
  t.deepEqual(await channels(c), ['b'])
  t.false(last.isClosed)
})

test('reset and close end subscriptions', async (t) => {
  const c = await connection(t)
  const channel = uniqueName('ended')
  const first = await c.listen(channel)
  const waiting = first[Symbol.asyncIterator]().next()
  await c.reset()
  t.deepEqual(await waiting, { done: true, value: undefined })
  t.deepEqual(await channels(c), [])
  const second = await c.listen(channel)
  t.deepEqual(await channels(c), [channel])
  const rest = second[Symbol.asyncIterator]().next()
  await c.close()
  t.deepEqual(await rest, { done: true, value: undefined })
  await second.unlisten()
  await t.throwsAsync(c.listen(channel), { instanceOf: InterfaceError, message: /closed/ })
})

test('a connection that is lost ends its subscriptions, and iterations throw', async (t) => {
  const c = await connection(t)
  const other = await connection(t)
  const channel = uniqueName('lost')
  const subscription = await c.listen(channel)
  const handled = await c.listen(channel, () => {})
  await c.notify(channel, 'kept')
  await other.execute('select pg_terminate_backend($1)', [c.serverPid])
  const got: string[] = []
  const error = await t.throwsAsync(
    async () => {
      for await (const { payload } of subscription) got.push(payload)
    },
    { instanceOf: ConnectionDoesNotExistError },
  )
  t.is((error!.cause as { code?: string }).code, '57P01')
  t.deepEqual(got, ['kept'])
  t.true(handled.isClosed)
  await handled.unlisten()
  await subscription.unlisten()
})

test.serial(
  'a released connection leaves nothing behind, and a warning says whom it has ended',
  async (t) => {
    const p = await createPool(url, { maxSize: 1 })
    t.teardown(async () => p.terminate())
    const heard: string[] = []
    const warned = once(process, 'warning')
    const subscription = await p.use((c) => c.listen('left', (payload) => heard.push(payload)))
    const [warning] = await warned
    t.is(warning.code, 'OXPG_LISTENING_RELEASED')
    t.regex(warning.message, /'left'.*pool\.listen\(\)/)
    t.true(subscription.isClosed)
    await subscription.unlisten()
    await p.use(async (c) => {
      t.deepEqual(await channels(c), [])
      await c.notify('left', 'x')
      await using _ = await c.listen('left', (payload) => heard.push(`next ${payload}`))
      await c.notify('left', 'y')
    })
    t.deepEqual(heard, ['next y'])
  },
)

test('a limit holds over listen', async (t) => {
  const proxy = await FaultProxy.for(t)
  const c = await connect(proxy.url)
  await proxy.change('stall')
  await t.throwsAsync(
    c.listen('a', () => {}, { timeoutMs: 50 }),
    { instanceOf: TimeoutError },
  )
  const end = new AbortController()
  const aborted = c.listen('a', () => {}, { signal: end.signal })
  end.abort(new Error('enough'))
  await t.throwsAsync(aborted, { message: 'enough' })
  c.terminate()
})
