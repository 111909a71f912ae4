import test from 'ava'
import { Environment } from '../../src/native/environment'
import { openConnectionIn, openPoolIn } from '../../src/native/openings'
import type { PoolTarget } from '../../src/native/pool-target'
import { connected, FakeAddon, statement, tickEnd } from './native-fake-addon'

const GRANTED = 6
const CLOSED = 8
const POOL = 0x8010_0000

/** A pool of an environment that was let go after it was closed. */
async function gone(): Promise<{ addon: FakeAddon; environment: Environment; pool: PoolTarget }> {
  const addon = new FakeAddon()
  const environment = new Environment(addon)
  const { pool, ready } = openPoolIn(environment, '{}', '{}', undefined)
  addon.play([[GRANTED, ready.slot, POOL | 0, -1]])
  await ready.settled
  pool.terminate()
  await tickEnd()
  addon.letGo()
  return { addon, environment, pool }
}

test('the process has one exit listener, with the first session of any environment', (t) => {
  const before = process.listenerCount('exit')
  const addons = [new FakeAddon(), new FakeAddon(), new FakeAddon()]
  const environments = addons.map((addon) => new Environment(addon))
  openConnectionIn(environments[0]!, '{}', AbortSignal.abort())
  t.is(process.listenerCount('exit'), before)
  for (const environment of environments) {
    openConnectionIn(environment, '{}', undefined)
    openPoolIn(environment, '{}', '{}', undefined)
  }
  t.is(process.listenerCount('exit'), before + 1)
  addons[1]!.letGo()
  process.listeners('exit').at(-1)!.call(process, 0)
  t.deepEqual(
    addons.map((addon) => addon.calls),
    [['sayGoodbye'], [], ['sayGoodbye']],
  )
})

test('an environment that is let go holds no memory that Rust knew', async (t) => {
  const { addon, connection, environment } = await connected()
  connection.script('select 1', { timeoutMs: 0, signal: undefined })
  await tickEnd()
  const outbox = addon.outboxes.at(-1)!
  addon.play([[CLOSED, connection.id, -1]])
  addon.letGo()
  t.true(connection.isClosed)
  t.is(environment.mailbox.f.length + environment.mailbox.t.length + environment.mailbox.records.length, 0)
  connection.terminate()
  await tickEnd()
  t.true(addon.outboxes.at(-1)!.commands.length < outbox.commands.length)
})

test('what is asked of a closed pool fails there after the environment was let go', async (t) => {
  const { addon, environment, pool } = await gone()
  const sent = addon.sent.length
  const requests = [
    pool.query('select $1', [1], statement()),
    pool.acquire({ timeoutMs: 1_000, signal: undefined }),
    pool.script('select 1', { timeoutMs: 0, signal: undefined }),
  ]
  for (const request of requests) {
    await request.settled
    t.is(request.failure?.message, 'the pool is closed')
    t.is(request.slot, 0)
  }
  t.is(addon.sent.length, sent)
  t.is(environment.slots.get(1), undefined)
})

test('closing again succeeds, and what answers nobody is dropped', async (t) => {
  const { pool } = await gone()
  const closing = pool.close(0)
  pool.terminate()
  pool.expire()
  await closing.settled
  t.is(closing.failure, undefined)
  t.is(pool.stats().size, 0)
})

test('a call that is given up before the flush is settled once', async (t) => {
  const { environment, pool } = await gone()
  const controller = new AbortController()
  const request = pool.acquire({ timeoutMs: 0, signal: controller.signal })
  controller.abort(new Error('changed my mind'))
  await request.settled
  t.is(request.failure?.message, 'changed my mind')
  await tickEnd()
  t.is(request.slot, 0)
  t.is(environment.slots.get(1), undefined)
})
