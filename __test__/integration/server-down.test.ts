// A server that is not there: pools say so at once, and find it when it is back.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { ConnectionFailureError, createPool, InvalidPasswordError, TimeoutError } from 'oxpg'
import { until, urlWith } from '../support/server.js'
import { FaultProxy } from '../support/testkit.js'

const refused = { instanceOf: ConnectionFailureError, message: /could not connect/ }

function codeOf(error: { cause?: unknown }): unknown {
  return (error.cause as NodeJS.ErrnoException).code
}

test('with the server down every call on the pool says why at once, and works when it is back', async (t) => {
  const link = await FaultProxy.for(t)
  const p = await createPool(link.url, { minSize: 1, maxSize: 4, acquireTimeoutMs: 0 })
  t.teardown(async () => p.terminate())
  t.is(await p.fetchVal('select 1'), 1)
  await link.refuse()
  await link.change('fin')
  await until(async () => p.stats.size === 0, 'the loss')
  // Without a limit: they would wait for ever.
  const calls = [
    () => p.fetchVal('select 1'),
    () => p.execute('select 1; select 2'),
    () => p.acquire(),
    () => p.begin(),
    () => p.transaction(async () => {}),
    () => p.executeMany('select $1::int', [[1]]),
  ]
  for (const call of calls) {
    const error = await t.throwsAsync<ConnectionFailureError>(call(), refused)
    t.is(codeOf(error), 'ECONNREFUSED')
    t.true(error.safeToRetry)
    t.true(error.isTransient)
  }
  await Promise.all(Array.from({ length: 50 }, () => t.throwsAsync(p.fetchVal('select 1'), refused)))
  t.is(p.stats.waiting, 0)
  await link.listen()
  await until(async () => (await p.fetchVal('select 1').catch(() => 0)) === 1, 'the recovery')
})

test('a server that refuses for good says so to every call at once, while nothing is open', async (t) => {
  const refusedForGood = { instanceOf: InvalidPasswordError }
  const p = await createPool(urlWith({ password: 'wrong' }), { minSize: 0, maxSize: 4, acquireTimeoutMs: 0 })
  t.teardown(async () => p.terminate())
  for (const call of [() => p.fetchVal('select 1'), () => p.acquire(), () => p.transaction(async () => {})]) {
    await t.throwsAsync(call(), refusedForGood)
  }
  await Promise.all(Array.from({ length: 50 }, () => t.throwsAsync(p.fetchVal('select 1'), refusedForGood)))
  t.is(p.stats.waiting, 0)
})

test('minSize is kept while nobody asks for anything, also through an outage', async (t) => {
  const link = await FaultProxy.for(t)
  const p = await createPool(link.url, { minSize: 3, maxSize: 5 })
  t.teardown(async () => p.terminate())
  await link.change('fin')
  await until(async () => p.stats.opened === 6 && p.stats.idle === 3, 'the floor')
  await link.refuse()
  await link.change('rst')
  await until(async () => p.stats.size === 0, 'the loss')
  await link.listen()
  await until(async () => p.stats.idle === 3, 'the floor')
  t.is(p.stats.opened, 9)
  t.is(await p.fetchVal('select 1'), 1)
})

test('a call that has to wait for a connection in use is not refused, and its TimeoutError says why none was opened', async (t) => {
  const link = await FaultProxy.for(t)
  const p = await createPool(link.url, { minSize: 1, maxSize: 2 })
  t.teardown(async () => p.terminate())
  const held = await p.acquire()
  await link.refuse()
  for (const call of [
    () => p.fetchVal('select 1', [], { timeoutMs: 100 }),
    () => p.acquire({ timeoutMs: 100 }),
  ]) {
    // Its own attempt has failed when its time is over, if the machine is not too busy.
    let error: TimeoutError
    do {
      error = (await t.throwsAsync(call(), { instanceOf: TimeoutError })) as TimeoutError
      await sleep(0)
    } while (error.cause === undefined)
    t.true(error.safeToRetry)
    t.true(error.cause instanceof ConnectionFailureError)
    t.is(codeOf(error.cause as Error), 'ECONNREFUSED')
    t.regex(error.message, /ms.*the last attempt to open one failed: could not connect/)
  }
  const waiting = p.fetchVal('select 1')
  await held.release()
  t.is(await waiting, 1)
})

test('a call that timed out while it was queued was not sent', async (t) => {
  const link = await FaultProxy.for(t)
  const p = await createPool(link.url, { maxSize: 1 })
  t.teardown(async () => p.terminate())
  const held = await p.acquire()
  const error = await t.throwsAsync(p.execute('create table never_made ()', [], { timeoutMs: 20 }), {
    instanceOf: TimeoutError,
    message: /no connection of the pool was free within 20 ms/,
  })
  t.true((error as TimeoutError).safeToRetry)
  t.is(error.cause, undefined)
  const sent = await t.throwsAsync(held.fetchVal('select pg_sleep(60)', [], { timeoutMs: 20 }), {
    instanceOf: TimeoutError,
  })
  t.false((sent as TimeoutError).safeToRetry)
  await held.release()
})
