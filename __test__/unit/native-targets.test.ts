import test from 'ava'
import { Environment } from '../../src/native/environment'
import { openConnectionIn, openPoolIn } from '../../src/native/openings'
import { Opcode } from '../../src/native/outbox'
import type { Target } from '../../src/native/target'
import { connected, FakeAddon, statement, tickEnd } from './native-fake-addon'

const DONE = 3
const FAILED = 4
const OPENED = 5
const GRANTED = 6
const CLOSED = 8
const NOTICE = 9
const NOTIFICATION = 10
const PARAMETER = 11
const POOLED = 13
const POOL = 0x8010_0000
const FACTS = {
  backendPid: 12,
  parameters: [['server_version', '18.0']],
  transactionStatus: 'I',
  notices: [],
}

async function pooled() {
  const addon = new FakeAddon()
  const environment = new Environment(addon)
  const { pool, ready } = openPoolIn(environment, '{}', '{"maxSize":3}', undefined)
  addon.play([[GRANTED, ready.slot, POOL | 0, -1]])
  await ready.settled
  return { addon, environment, pool, ready }
}

test('opening a connection', async (t) => {
  const addon = new FakeAddon()
  const environment = new Environment(addon)
  const request = openConnectionIn(environment, '{"dsn":null}', undefined)
  t.deepEqual(addon.opened, [[request.slot, '{"dsn":null}']])
  addon.play([[OPENED, request.slot, 7, 0]], [FACTS])
  await request.settled
  t.like(request.connection, { id: 7, backendPid: 12, transactionStatus: 'I', isClosed: false })
  t.is(request.connection?.parameters.get('server_version'), '18.0')
})

test('a connection that nobody waits for any more is terminated', async (t) => {
  const addon = new FakeAddon()
  const environment = new Environment(addon)
  const controller = new AbortController()
  const request = openConnectionIn(environment, '{}', controller.signal)
  const { slot } = request
  controller.abort()
  await request.settled
  addon.play([[OPENED, slot, 7, 0]], [FACTS])
  await tickEnd()
  t.deepEqual(
    addon.sent.map(({ opcode, slot, target }) => [opcode, slot, target]),
    [
      [Opcode.ABANDON, slot, 0],
      [Opcode.TERMINATE, 0, 7],
    ],
  )
  t.is(request.connection, undefined)
})

test('messages of the server reach their callbacks', async (t) => {
  const { addon, connection } = await connected()
  const heard: unknown[] = []
  connection.onNotice = (fields) => heard.push(fields)
  connection.onNotification = (notification) => heard.push(notification)
  connection.onParameter = (name, value) => heard.push([name, value, connection.parameters.get(name)])
  connection.onClosed = (failure) => heard.push(failure)
  const notice = { severity: 'NOTICE', message: 'hello' }
  const notification = { pid: 3, channel: 'c', payload: 'p' }
  const failure = { kind: 'connection', message: 'gone', safeToRetry: false }
  addon.play(
    [
      [NOTICE, 7, 0],
      [NOTIFICATION, 7, 1],
      [PARAMETER, 7, 2],
      [CLOSED, 7, 3],
      [NOTICE, 7, 0],
    ],
    [notice, notification, ['TimeZone', 'Asia/Tokyo'], failure],
  )
  t.deepEqual(heard, [notice, notification, ['TimeZone', 'Asia/Tokyo', 'Asia/Tokyo'], failure])
  t.true(connection.isClosed)
  t.is(connection.closeFailure, failure as never)
})

test.serial('what callbacks throw becomes an uncaught exception each, and stops nothing', async (t) => {
  const { addon, connection } = await connected()
  const request = connection.query('select 1', undefined, statement())
  const errors = [new Error('one'), new Error('two')]
  connection.onNotice = () => {
    throw errors[0]
  }
  connection.onClosed = () => {
    throw errors[1]
  }
  const uncaught: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => uncaught.push(error))
  t.notThrows(() =>
    addon.play(
      [
        [NOTICE, 7, 0],
        [CLOSED, 7, -1],
        [DONE, request.slot, 1, 0, 0, -1, 0x49],
      ],
      [{}],
    ),
  )
  await request.settled
  await tickEnd()
  process.removeAllListeners('uncaughtException')
  for (const listener of listeners) process.on('uncaughtException', listener)
  t.deepEqual(uncaught, errors)
  t.is(request.failure, undefined)
})

test('closing, terminating, and keeping the process alive', async (t) => {
  const { addon, connection } = await connected()
  const request = connection.close(1000)
  connection.terminate()
  connection.reference()
  connection.unreference()
  await tickEnd()
  t.like(addon.sent[0]!, { opcode: Opcode.CLOSE, slot: request.slot, target: 7, words: [0, 1000, 0, 0] })
  t.like(addon.sent[1]!, { opcode: Opcode.TERMINATE, target: 7 })
  t.deepEqual(addon.calls, ['reference 7', 'unreference 7'])
  addon.play(
    [
      [DONE, request.slot, 0, -1, -1, 0, 0, 0],
      [CLOSED, 7],
    ],
    ['CLOSE'],
  )
  await request.settled
  t.is(request.failure, undefined)
  t.is(connection.closeFailure, undefined)
})

test('a pool leases the same object for the same connection, until it is closed', async (t) => {
  const { addon, environment, pool, ready } = await pooled()
  t.deepEqual(addon.opened[0]?.slice(1), ['{}', '{"maxSize":3}'])
  t.is(ready.failure, undefined)
  t.is(pool.id, POOL)

  const first = pool.acquire({ timeoutMs: 750, signal: undefined })
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.ACQUIRE, slot: first.slot, target: POOL, words: [0, 750, 0, 0] })
  addon.play([[POOLED, 7, 0, POOL | 0]], [FACTS])
  t.deepEqual(pool.connections(), [...environment.connections.values()])
  addon.play([[GRANTED, first.slot, 7, -1]])
  await first.settled
  const connection = first.connection!
  connection.noteTransactionStatus(0x54, first)
  connection.release(true)
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.RELEASE, target: 7, query: 1 })

  const second = pool.acquire({ timeoutMs: 0, signal: undefined })
  addon.play([[GRANTED, second.slot, 7, -1]])
  await second.settled
  t.is(second.connection, connection)
  t.is(connection.transactionStatus, 'I')

  addon.play([[CLOSED, 7, -1]])
  t.is(environment.connections.size, 0)
})

test('a lease that nobody waits for any more goes back', async (t) => {
  const { addon, pool } = await pooled()
  const controller = new AbortController()
  const request = pool.acquire({ timeoutMs: 0, signal: controller.signal })
  const { slot } = request
  await tickEnd()
  controller.abort()
  addon.play(
    [
      [POOLED, 7, 0, POOL | 0],
      [GRANTED, slot, 7, -1],
    ],
    [FACTS],
  )
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.RELEASE, target: 7 })
  const next = pool.acquire({ timeoutMs: 0, signal: undefined })
  addon.play([[GRANTED, next.slot, 7, -1]])
  await next.settled
  t.is(next.connection?.backendPid, 12)
})

test('queries of a pool', async (t) => {
  const { addon, pool } = await pooled()
  const request = pool.query('select 1', undefined, statement())
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.QUERY, target: POOL })
  addon.play(
    [[FAILED, request.slot, 0]],
    [{ kind: 'interface', message: 'the pool is closed', safeToRetry: true }],
  )
  await request.settled
  t.is(request.failure?.message, 'the pool is closed')
})

/** Sends a query and ends it; gives the query's id. */
async function run(addon: FakeAddon, target: Target, text = 'select 1'): Promise<number> {
  const request = target.query(text, undefined, statement())
  addon.play([[DONE, request.slot, 1, 0, 0, -1, 0x49]])
  await request.settled
  return request.query!.id
}

test('a text is known to one connection, or to one pool with its connections', async (t) => {
  const { addon, environment, pool } = await pooled()
  const lease = pool.acquire({ timeoutMs: 0, signal: undefined })
  addon.play(
    [
      [POOLED, 7, 0, POOL | 0],
      [GRANTED, lease.slot, 7, -1],
    ],
    [FACTS],
  )
  await lease.settled
  const { pool: otherPool } = openPoolIn(environment, '{}', '{}', undefined)
  const opened = [8, 9].map((id) => {
    const request = openConnectionIn(environment, '{}', undefined)
    addon.play([[OPENED, request.slot, id, 0]], [FACTS])
    return request.connection!
  })
  const ids: number[] = []
  for (const target of [pool, lease.connection!, otherPool, ...opened, pool, ...opened]) {
    ids.push(await run(addon, target))
  }
  t.deepEqual(ids, [1, 1, 2, 3, 4, 1, 3, 4])

  addon.play([[CLOSED, 7, -1]])
  t.deepEqual(addon.forgotten, [], 'the pool goes on')
  addon.play([[CLOSED, 8, -1]])
  t.deepEqual(addon.forgotten, [3])
  const request = opened[1]!.query('select 1', undefined, statement())
  addon.play([[CLOSED, 9, -1]])
  t.deepEqual(addon.forgotten, [3])
  addon.play([[FAILED, request.slot, 0]], [{ kind: 'connection', message: 'gone', safeToRetry: false }])
  t.deepEqual(addon.forgotten, [3, 4])
})

test('a pool that is closed, terminated or expired forgets what it knew', async (t) => {
  const closing = await pooled()
  await run(closing.addon, closing.pool)
  const request = closing.pool.close(0)
  t.deepEqual(closing.addon.forgotten, [])
  closing.addon.play([[DONE, request.slot, 0, 0, 0, -1, 0]])
  await request.settled
  await tickEnd()
  t.deepEqual(closing.addon.forgotten, [1])

  const terminated = await pooled()
  await run(terminated.addon, terminated.pool)
  terminated.pool.terminate()
  t.deepEqual(terminated.addon.forgotten, [1])

  const expired = await pooled()
  await run(expired.addon, expired.pool)
  expired.pool.expire()
  t.deepEqual(expired.addon.forgotten, [1])
  t.is(await run(expired.addon, expired.pool), 2)
  t.is(await run(expired.addon, expired.pool), 2)
})

test('a connection remembers 1000 texts, a pool 5000', async (t) => {
  for (const [target, addon, bound] of [
    await connected().then(({ connection, addon }) => [connection, addon, 1_000] as const),
    await pooled().then(({ pool, addon }) => [pool, addon, 5_000] as const),
  ]) {
    for (let index = 0; index <= bound; index++) {
      const request = target.query(`select ${index}`, undefined, statement())
      addon.play([[DONE, request.slot, 1, 0, 0, -1, 0x49]])
    }
    t.deepEqual(addon.forgotten, [1])
  }
})

test('counters of a pool that is gone are the last ones, with everything closed', async (t) => {
  const { addon, pool } = await pooled()
  addon.stats = { size: 2, idle: 2, inUse: 0, waiting: 1, opening: 0, opened: 5, closed: 3, maxSize: 3 }
  t.like(pool.stats(), { size: 2, opened: 5 })
  addon.stats = undefined
  t.like(pool.stats(), { size: 0, idle: 0, waiting: 0, opened: 5, closed: 5, maxSize: 3, granted: 0 })
  pool.expire()
  t.deepEqual(addon.calls, [`expirePool ${POOL}`, `reloadTypes ${POOL}`])
})

test('a pool whose opening is aborted is abandoned', async (t) => {
  const addon = new FakeAddon()
  const environment = new Environment(addon)
  const controller = new AbortController()
  const { ready } = openPoolIn(environment, '{}', '{}', controller.signal)
  const { slot } = ready
  controller.abort(new Error('enough'))
  await ready.settled
  t.is((ready.failure!.error as Error).message, 'enough')
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.ABANDON, slot })
  addon.play([[FAILED, slot, 0]], [{ kind: 'canceled', message: '', safeToRetry: false }])
  t.is(environment.slots.get(slot), undefined)
})

test('a pool whose signal has fired is never opened', async (t) => {
  const addon = new FakeAddon()
  const environment = new Environment(addon)
  const { pool, ready } = openPoolIn(environment, '{}', '{}', AbortSignal.abort(new Error('enough')))
  await ready.settled
  t.is((ready.failure!.error as Error).message, 'enough')
  t.deepEqual(addon.opened, [])
  t.is(pool.stats().size, 0)
})
