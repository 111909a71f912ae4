// What is limited by time or a signal is so as a whole: hooks, password functions, look-ups and turns too.
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import {
  connect,
  createPool,
  DivisionByZeroError,
  InterfaceError,
  type PoolOptions,
  TimeoutError,
} from 'oxpg'
import { connection, OPENERS, pool, uniqueName, until, url } from '../support/server.js'
import { FaultProxy } from '../support/testkit.js'

const never = (): Promise<never> => new Promise(() => {})

/** A signal, and what it will be aborted with. */
function signalWith(message: string): { signal: AbortSignal; abort: () => void; reason: Error } {
  const controller = new AbortController()
  const reason = new Error(message)
  return { signal: controller.signal, abort: () => controller.abort(reason), reason }
}

test('an aborted connect closes its socket at once', async (t) => {
  // While nothing else is open, the driver forgets everything at once.
  await connection(t)
  const silent = await FaultProxy.for(t, { isBlackHole: true })
  const { signal, abort, reason } = signalWith('enough')
  const connecting = t.throwsAsync(connect(silent.url, { signal, connectTimeoutMs: 0 }), { is: reason })
  await silent.event({ event: 'connected' })
  abort()
  await connecting
  await silent.event({ event: 'closed' })
})

test('an aborted createPool closes its sockets at once', async (t) => {
  // While nothing else is open, the driver forgets everything at once.
  await connection(t)
  const silent = await FaultProxy.for(t, { isBlackHole: true })
  const { signal, abort, reason } = signalWith('enough')
  const opening = t.throwsAsync(createPool(silent.url, { signal, connectTimeoutMs: 0 }), { is: reason })
  await silent.event({ event: 'connected' })
  abort()
  await opening
  await silent.event({ event: 'closed' })
})

for (const end of ['close', 'terminate'] as const) {
  test(`${end} of a pool stops its attempts at connecting`, async (t) => {
    const proxy = await FaultProxy.for(t)
    const p = await createPool(proxy.url, { minSize: 1, connectTimeoutMs: 0 })
    t.teardown(async () => p.terminate())
    await proxy.plan({ isBlackHole: true })
    await proxy.change('fin')
    await proxy.event({ event: 'connected', connection: 2 })
    await p[end]()
    await proxy.event({ event: 'closed', connection: 2 })
    t.is(p.stats.opening, 0)
  })
}

test('connectTimeoutMs and signal hold over the password function', async (t) => {
  const password = never
  const late = { instanceOf: TimeoutError, message: /password.* 30 ms of connectTimeoutMs/ }
  await t.throwsAsync(connect(url, { password, connectTimeoutMs: 30 }), late)
  await t.throwsAsync(createPool(url, { password, connectTimeoutMs: 30 }), late)
  for (const open of OPENERS) {
    const { signal, abort, reason } = signalWith('enough')
    const opening = t.throwsAsync(open(url, { password, connectTimeoutMs: 0, signal }), { is: reason })
    setImmediate(abort)
    await opening
  }
})

test('connectTimeoutMs and signal hold over the look-up of typeCodecs', async (t) => {
  // ReadyForQuery, outside a transaction: the startup goes through, and nothing behind it.
  const at = { marker: { text: 'Z\0\0\0\x05I' } }
  const proxy = await FaultProxy.for(t, { toClient: { fault: { at, effect: 'mute' } } })
  const typeCodecs = [{ typeName: 'money', schema: 'pg_catalog', encode: String, decode: String }]
  for (const open of OPENERS) {
    // A busy machine may need longer for the startup; then that was too late, and not the look-up.
    let message = 'to start'
    for (let connectTimeoutMs = 500; /to (start|connect|look)/.test(message); connectTimeoutMs *= 2) {
      const error = await t.throwsAsync(open(proxy.url, { typeCodecs, connectTimeoutMs }), {
        instanceOf: TimeoutError,
      })
      message = error.message
    }
    t.regex(message, /'typeCodecs' were not looked up within/)
    const signal = AbortSignal.timeout(500)
    const reason = await t.throwsAsync(open(proxy.url, { typeCodecs, connectTimeoutMs: 0, signal }), {
      any: true,
    })
    t.is(reason, signal.reason)
  }
})

/** The session that a hook was too slow for is gone, and another one is there in its place. */
async function isReplaced(t: ExecutionContext, p: Awaited<ReturnType<typeof createPool>>): Promise<void> {
  await until(async () => p.stats.idle === 1, 'the next session')
  t.is(p.stats.waiting, 0)
}

for (const hook of ['init', 'setup'] as const) {
  test(`timeoutMs and signal of a call hold over the ${hook} hook`, async (t) => {
    let isSlow = true
    const options: PoolOptions = { minSize: 1, maxSize: 1, [hook]: () => (isSlow ? never() : undefined) }
    const p = await pool(t, options)
    const late = { instanceOf: TimeoutError, message: /hooks init and setup did not end within 300 ms/ }
    await t.throwsAsync(p.acquire({ timeoutMs: 300 }), late)
    await isReplaced(t, p)
    await t.throwsAsync(p.fetch('select 1', [], { timeoutMs: 300 }), late)
    await isReplaced(t, p)
    for (const call of ['acquire', 'fetch', 'transaction'] as const) {
      const { signal, abort, reason } = signalWith('enough')
      const calling =
        call === 'acquire'
          ? p.acquire({ signal })
          : call === 'fetch'
            ? p.fetch('select 1', [], { signal })
            : p.transaction(async () => {}, { signal })
      const rejected = t.throwsAsync(calling, { is: reason })
      abort()
      await rejected
      await isReplaced(t, p)
    }
    isSlow = false
    t.is(await p.fetchVal('select 1'), 1)
  })
}

test('acquireTimeoutMs holds over hooks', async (t) => {
  const p = await pool(t, { maxSize: 1, acquireTimeoutMs: 300, setup: never })
  const late = { instanceOf: TimeoutError, message: /hooks init and setup did not end within 300 ms/ }
  await t.throwsAsync(p.acquire(), late)
  await isReplaced(t, p)
  await t.throwsAsync(p.fetchVal('select 1'), late)
})

test('with hooks, timeoutMs and signal hold while a call waits for a connection', async (t) => {
  const p = await pool(t, { maxSize: 1, setup: () => {} })
  const held = await p.acquire()
  const error = await t.throwsAsync(p.fetch('select 1', [], { timeoutMs: 30 }), { instanceOf: TimeoutError })
  t.true((error as TimeoutError).safeToRetry)
  const { signal, abort, reason } = signalWith('enough')
  const waiting = t.throwsAsync(p.execute('select 1', [], { signal }), { is: reason })
  abort()
  await waiting
  await held.release()
  t.is(await p.fetchVal('select 1', [], { timeoutMs: 60_000 }), 1)
})

test('a reset hook that hangs loses its session, and the release says so', async (t) => {
  let isSlow = true
  const p = await pool(t, { maxSize: 1, reset: () => (isSlow ? never() : undefined) })
  const c = await p.acquire({ timeoutMs: 1_000 })
  const error = await t.throwsAsync(c.release(), {
    instanceOf: TimeoutError,
    message: /reset hook did not end within 1000 ms/,
  })
  t.false((error as TimeoutError).safeToRetry)
  t.true(c.isClosed)
  isSlow = false
  t.is(await p.fetchVal('select 1'), 1)
})

test.serial('timeoutMs and signal of a call hold over the reset hook', async (t) => {
  let entered!: () => void
  let leave!: () => void
  let isSlow = true
  const p = await pool(t, {
    maxSize: 1,
    reset: () => {
      entered()
      return isSlow ? new Promise<void>((resolve) => (leave = resolve)) : undefined
    },
  })
  for (const isFailing of [false, true]) {
    const inHook = new Promise<void>((resolve) => (entered = resolve))
    const { signal, abort } = signalWith('enough')
    const calling = p.fetchVal(isFailing ? 'select 1 / 0' : 'select 1', [], { signal })
    const told = isFailing
      ? t.throwsAsync(calling, { instanceOf: DivisionByZeroError })
      : calling.then((value) => t.is(value, 1, 'what came of it stands'))
    await inHook
    abort()
    await told
    const pid = p.fetchVal('select pg_backend_pid()', [], { timeoutMs: 60_000 })
    isSlow = false
    leave()
    t.is(typeof (await pid), 'number')
    isSlow = true
  }
  const warned = once(process, 'warning')
  t.is(await p.fetchVal('select 1', [], { timeoutMs: 300 }), 1)
  const [warning] = (await warned) as [NodeJS.ErrnoException & { detail?: string }]
  t.is(warning.code, 'OXPG_RESET_HOOK')
  t.regex(warning.detail ?? '', /reset hook did not end within 300 ms/)
})

test.serial('what a call of the pool has done stands, whatever the reset hook does', async (t) => {
  const c = await connection(t)
  const table = uniqueName('stands')
  await c.execute(`create table ${table} (id int)`)
  t.teardown(async () => {
    const last = await connect(url)
    await last.execute(`drop table ${table}`)
    await last.close()
  })
  const warnings: string[] = []
  const note = (warning: Error & { code?: string; detail?: string }): void => {
    if (warning.code === 'OXPG_RESET_HOOK') warnings.push(warning.detail ?? '')
  }
  process.on('warning', note)
  t.teardown(() => void process.off('warning', note))
  const p = await pool(t, {
    maxSize: 1,
    reset: () => {
      throw new Error('broken hook')
    },
  })
  const insert = `insert into ${table} values ($1) returning id`
  t.is(await p.fetchVal(insert, [1]), 1)
  t.is(await p.executeMany(insert, [[2], [3]]), 2)
  t.is(await p.transaction((tx) => tx.fetchVal(insert, [4])), 4)
  const manual = await p.begin()
  await manual.execute(insert, [5])
  await manual.commit()
  t.is(await p.use((lease) => lease.execute(insert, [6])), 'INSERT 0 1')
  const failing = await t.throwsAsync(p.fetchVal('select 1 / 0'), { instanceOf: DivisionByZeroError })
  t.is((failing.cause as Error).message, 'broken hook')
  t.is(await c.fetchVal(`select count(*) from ${table}`), 6)
  await until(async () => warnings.length === 5, 'the warnings')
  t.true(warnings.every((warning) => warning.includes('broken hook')))
})

test('the wait for the turn of a transaction has a limit, and whoever comes behind goes on', async (t) => {
  const c = await connection(t, { commandTimeoutMs: 5_000 })
  let release!: () => void
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let enter!: () => void
  const entered = new Promise<void>((resolve) => {
    enter = resolve
  })
  const holder = entered.then(async () => {
    const late = { instanceOf: TimeoutError, message: /did not start within 30 ms: another one is being run/ }
    const options = { timeoutMs: 30 }
    const error = await t.throwsAsync(
      c.transaction(async () => {}, options),
      late,
    )
    t.true((error as TimeoutError).safeToRetry)
    await t.throwsAsync(c.begin(options), late)
    await t.throwsAsync(c.transaction(options).start(), late)
    const { signal, abort, reason } = signalWith('enough')
    const waiting = [c.transaction(async () => {}, { signal }), c.begin({ signal })].map((call) =>
      t.throwsAsync(call, { is: reason }),
    )
    const next = c.transaction(async (tx) => tx.fetchVal('select 2'))
    abort()
    await Promise.all(waiting)
    release()
    return next
  })
  await c.transaction(async (tx) => {
    enter()
    await released
    t.is(await tx.fetchVal('select 1'), 1)
  })
  t.is(await holder, 2)
  t.false(c.isInTransaction)
})

test('commandTimeoutMs holds over the turn of a transaction that waits for itself', async (t) => {
  const c = await connection(t, { commandTimeoutMs: 1_000 })
  // The application's own queue, whose context is nobody's.
  let job: (() => void) | undefined
  const { promise: asked, resolve: ask } = withResolver()
  const worker = asked.then(() => job?.())
  await t.throwsAsync(
    c.transaction(
      () =>
        new Promise((resolve, reject) => {
          job = () => c.transaction(async (tx) => tx.fetchVal('select 1')).then(resolve, reject)
          ask()
        }),
    ),
    { instanceOf: TimeoutError, message: /another one is being run/ },
  )
  await worker
  t.is(await c.transaction(async (tx) => tx.fetchVal('select 1')), 1)
})

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

test('timeoutMs and signal of a transaction hold while it waits for a connection of the pool', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const held = await p.acquire()
  const late = { instanceOf: TimeoutError }
  await t.throwsAsync(
    p.transaction(async () => {}, { timeoutMs: 30 }),
    late,
  )
  await t.throwsAsync(p.begin({ timeoutMs: 30 }), late)
  const { signal, abort, reason } = signalWith('enough')
  const calls = [p.transaction(async () => {}, { signal }), p.begin({ signal })]
  const rejected = calls.map((call) => t.throwsAsync(call, { is: reason }))
  abort()
  await Promise.all(rejected)
  await held.release()
  const tx = await p.begin({ timeoutMs: 60_000, signal: new AbortController().signal })
  t.is(await tx.fetchVal('select 1'), 1)
  await tx.rollback()
})

test('a limit that was asked for holds inside a transaction of the pool, and its error is the diagnosis', async (t) => {
  const p = await pool(t, { maxSize: 1, acquireTimeoutMs: 100 })
  await p.transaction(async () => {
    const error = await t.throwsAsync(p.fetchVal('select 1'), {
      instanceOf: TimeoutError,
      message: /within \d+ ms.*inside one of the pool's own transactions/,
    })
    t.true(error.cause instanceof InterfaceError)
    await t.throwsAsync(p.acquire({ timeoutMs: 50 }), {
      instanceOf: TimeoutError,
      message: /own transactions/,
    })
  })
})

test('acquire without a limit waits', async (t) => {
  const p = await pool(t, { maxSize: 1, acquireTimeoutMs: 20 })
  const held = await p.acquire({ timeoutMs: 0 })
  const waiting = p.acquire({ timeoutMs: 0 })
  await t.throwsAsync(p.acquire(), { instanceOf: TimeoutError })
  t.is(p.stats.waiting, 1)
  await held.release()
  await (await waiting).release()
})
