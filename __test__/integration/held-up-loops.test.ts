// JavaScript keeps the loop for longer than a call may take, while its answer comes. What has come in time is delivered:
// timers go before sockets, and would say the opposite.
import test, { type ExecutionContext } from 'ava'
import { connect, createPool, type Pool, TimeoutError, TransactionResolutionUnknownError } from 'oxpg'
import { uniqueName } from '../support/server.js'
import { FaultProxy, Signal } from '../support/testkit.js'

/** How long the calls of these tests may take. */
const LIMIT_MS = 300

/** A server whose answer with `text` is told of. */
async function telling(t: ExecutionContext, text: string): Promise<{ came: Signal; url: string }> {
  const came = new Signal(t)
  const fault = { at: { marker: { text } }, effect: 'tell', touch: came.path } as const
  const { url } = await FaultProxy.for(t, { toClient: { fault } })
  return { came, url }
}

/**
 * Keeps the loop, from a moment at which it has written everything, until the answer has come and the time of what was
 * called before is over, but only just.
 */
async function keepLoop(came: Signal, limitMs = LIMIT_MS): Promise<void> {
  const end = performance.now() + limitMs + 5
  // What was called is written with the microtasks.
  await Promise.resolve()
  await Promise.resolve()
  came.standStillUntil()
  const rest = end - performance.now()
  if (rest > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, rest)
}

/** Timers run right behind what setImmediate runs, before sockets are looked at. */
const beforeTimers = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const TEXT = 'came in time'
const ECHO = 'select $1::text'

async function onePool(t: ExecutionContext, url: string): Promise<Pool> {
  const p = await createPool(url, { minSize: 1, maxSize: 1 })
  t.teardown(async () => p.terminate())
  await p.fetchVal(ECHO, ['known from here on'])
  return p
}

/** What a call may be limited by. */
const LIMITS: Record<string, () => { timeoutMs: number } | { signal: AbortSignal }> = {
  timeoutMs: () => ({ timeoutMs: LIMIT_MS }),
  'AbortSignal.timeout': () => ({ signal: AbortSignal.timeout(LIMIT_MS) }),
  'a signal that is made of it': () => ({
    signal: AbortSignal.any([new AbortController().signal, AbortSignal.timeout(LIMIT_MS)]),
  }),
}

for (const [limit, options] of Object.entries(LIMITS)) {
  test.serial(`${limit}: a call on a connection has its answer`, async (t) => {
    const { came, url } = await telling(t, TEXT)
    const c = await connect(url)
    t.teardown(async () => c.terminate())
    await c.fetchVal(ECHO, ['known from here on'])
    await beforeTimers()
    const call = c.fetchVal(ECHO, [TEXT], options())
    await keepLoop(came)
    t.is(await call, TEXT)
    t.is(await c.fetchVal(ECHO, ['on']), 'on')
  })

  test.serial(`${limit}: a call on a pool has its answer`, async (t) => {
    const { came, url } = await telling(t, TEXT)
    const p = await onePool(t, url)
    await beforeTimers()
    const call = p.fetchVal(ECHO, [TEXT], options())
    await keepLoop(came)
    t.is(await call, TEXT)
  })

  test.serial(`${limit}: so have those of leases, transactions and prepared statements`, async (t) => {
    for (const how of ['lease', 'transaction', 'statement'] as const) {
      const { came, url } = await telling(t, TEXT)
      const p = await onePool(t, url)
      const lease = await p.acquire()
      const tx = how === 'transaction' ? await lease.begin() : undefined
      const host = tx ?? lease
      const statement = await host.prepare(ECHO)
      await statement.fetchVal(['once'])
      await beforeTimers()
      const call =
        how === 'statement' ? statement.fetchVal([TEXT], options()) : host.fetchVal(ECHO, [TEXT], options())
      await keepLoop(came)
      t.is(await call, TEXT, how)
      await tx?.rollback()
      await lease.release()
    }
  })

  test.serial(`${limit}: a connection that has become free is lent to who waits for it`, async (t) => {
    const { came, url } = await telling(t, TEXT)
    const p = await onePool(t, url)
    await beforeTimers()
    const holder = p.fetchVal(ECHO, [TEXT])
    const waiting = p.acquire(options())
    await keepLoop(came)
    const lease = await waiting
    t.is(await holder, TEXT)
    t.is(await lease.fetchVal(ECHO, ['mine']), 'mine')
    await lease.release()
    t.is(p.stats.timedOut, 0)
  })

  test.serial(`${limit}: so it is when another call is what finds the time over`, async (t) => {
    const { came, url } = await telling(t, TEXT)
    const p = await onePool(t, url)
    await beforeTimers()
    const holder = p.fetchVal(ECHO, [TEXT])
    const waiting = p.acquire(options())
    await keepLoop(came)
    // It is written before the loop comes round.
    const another = p.acquire()
    const lease = await waiting
    t.is(await holder, TEXT)
    await lease.release()
    await (await another).release()
  })
}

test.serial('what has not come is given up', async (t) => {
  const { came, url } = await telling(t, TEXT)
  const p = await onePool(t, url)
  const lease = await p.acquire()
  await beforeTimers()
  const first = lease.fetchVal(ECHO, [TEXT], { timeoutMs: LIMIT_MS })
  const second = lease.fetchVal('select pg_sleep(60)', [], { timeoutMs: LIMIT_MS })
  const signal = AbortSignal.timeout(LIMIT_MS)
  const third = lease.fetchVal('select pg_sleep(60)', [], { signal })
  const ends = Promise.allSettled([first, second, third])
  await keepLoop(came)
  const [one, two, three] = await ends
  t.deepEqual(one, { status: 'fulfilled', value: TEXT })
  t.true((two as PromiseRejectedResult).reason instanceof TimeoutError)
  t.is((three as PromiseRejectedResult).reason, signal.reason)
  t.is(await lease.fetchVal(ECHO, ['on']), 'on')
  await lease.release()
})

test.serial('hooks that have their answers are not too late', async (t) => {
  const { came, url } = await telling(t, TEXT)
  let isKept = false
  const p = await createPool(url, {
    maxSize: 1,
    setup: async (connection) => {
      const call = connection.fetchVal(ECHO, [isKept ? TEXT : 'known from here on'])
      if (isKept) await keepLoop(came)
      await call
    },
  })
  t.teardown(async () => p.terminate())
  await (await p.acquire()).release()
  isKept = true
  const lease = await p.acquire({ timeoutMs: LIMIT_MS })
  t.is(await lease.fetchVal(ECHO, ['on']), 'on')
  isKept = false
  await lease.release()
})

test.serial('a COMMIT that was answered in the time of its transaction is known', async (t) => {
  const { came, url } = await telling(t, 'COMMIT')
  const c = await connect(url)
  t.teardown(async () => c.terminate())
  const done = c.transaction(
    async (tx) => {
      await tx.fetchVal(ECHO, ['in it'])
      await beforeTimers()
      // COMMIT is written as soon as this returns.
      setImmediate(() => void keepLoop(came))
      return 'done'
    },
    { timeoutMs: LIMIT_MS },
  )
  t.is(await done, 'done')
})

test.serial('a transaction whose time is over is not committed, whatever its statements gave', async (t) => {
  const { came, url } = await telling(t, TEXT)
  const c = await connect(url)
  t.teardown(async () => c.terminate())
  const table = uniqueName('too_late')
  await c.execute(`create temp table ${table} (value text)`)
  const insert = `insert into ${table} values ($1) returning value`
  await c.fetchVal(insert, ['before'])
  let given: unknown
  const done = c.transaction(
    async (tx) => {
      const call = tx.fetchVal(insert, [TEXT])
      await keepLoop(came)
      given = await call
    },
    { timeoutMs: LIMIT_MS },
  )
  const error = await t.throwsAsync<TimeoutError>(done, {
    instanceOf: TimeoutError,
    message: /did not end within/,
  })
  t.false(error instanceof TransactionResolutionUnknownError)
  t.true(error!.safeToRetry)
  t.is(given, TEXT)
  t.deepEqual(await c.fetch(`select value from ${table}`), [{ value: 'before' }])
})
