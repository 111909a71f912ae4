// Who holds the connections of a pool: what is said to those who wait in vain, and what becomes of leases that nobody
// gives back.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test, { type ExecutionContext } from 'ava'
import { createPool, type Pool, type PoolConnection, TimeoutError } from 'oxpg'
import { pool, RUNNING, until, url } from '../support/server.js'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

type Warning = Error & { code?: string; detail?: string }

/** The warnings of the process with this code, from now on. */
function warningsOf(t: ExecutionContext, code: string): Warning[] {
  const found: Warning[] = []
  const listen = (warning: Warning) => {
    if (warning.code === code) found.push(warning)
  }
  process.on('warning', listen)
  t.teardown(() => void process.off('warning', listen))
  return found
}

test('who waits in vain is told who has what', async (t) => {
  const p = await pool(t, { minSize: 0, maxSize: 4 })
  const acquired = await p.acquire()
  const begun = await p.begin()
  let goOn = (): void => {}
  const goingOn = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const used = p.use(() => goingOn)
  await until(async () => p.stats.inUse === 3, 'the lease')
  const alone = t.throwsAsync(p.execute('select pg_sleep(60); select 1'))
  await until(async () => p.stats.inUse === 4, 'the call that has a connection alone')
  for (const call of [
    () => p.acquire({ timeoutMs: 30 }),
    () => p.transaction(async () => {}, { timeoutMs: 30 }),
    () => p.execute('select 1; select 2', undefined, { timeoutMs: 30 }),
    () => p.fetch('select 1', [], { timeoutMs: 30 }),
  ]) {
    const error = (await t.throwsAsync(call(), { instanceOf: TimeoutError })) as TimeoutError
    t.regex(error.message, /4 open, 4 in use \(3 leased, 1 by a call alone\), \d waiting/)
    const leases =
      /not released: server pid \d+ for \d+ ms since acquire\(\), server pid \d+ for \d+ ms since begin\(\), server pid/
    t.regex(error.message, leases)
    t.deepEqual(
      error.holders?.map(({ call, stack }) => ({ call, stack })),
      ['acquire', 'begin', 'use'].map((call) => ({ call, stack: undefined })),
    )
    t.is(error.holders?.[0]?.serverPid, acquired.serverPid)
    t.true(error.safeToRetry)
    t.is(error.cause, undefined)
  }
  goOn()
  await Promise.all([used, begun.rollback(), acquired.release()])
  const left = (await t.throwsAsync(acquireAll(p, 4), { instanceOf: TimeoutError })) as TimeoutError
  t.notRegex(left.message, new RegExp(`pid ${acquired.serverPid} for \\d+ ms since begin`))
  p.terminate()
  await alone
})

async function acquireAll(p: Pool, count: number): Promise<PoolConnection[]> {
  return Promise.all(Array.from({ length: count }, () => p.acquire({ timeoutMs: 200 })))
}

test('who waits behind shared queries is told how many those are', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const shared = [1, 2].map(() => t.throwsAsync(p.fetch('select pg_sleep(60)')))
  const error = await t.throwsAsync(p.acquire({ timeoutMs: 30 }), { instanceOf: TimeoutError })
  t.regex(error.message, /1 in use \(1 shared by \d calls?\)/)
  t.deepEqual((error as TimeoutError).holders, [])
  p.terminate()
  await Promise.all(shared)
})

test('leakDetectionMs tells once of a lease that is held for long, and where it was taken', async (t) => {
  const warnings = warningsOf(t, 'OXPG_LEASE_HELD')
  const p = await pool(t, { maxSize: 3, leakDetectionMs: 20 })
  const takeAndForgetToRelease = () => p.acquire()
  const lease = await takeAndForgetToRelease()
  await until(async () => warnings.length > 0, 'the warning')
  t.regex(
    warnings[0]!.message,
    new RegExp(`server pid ${lease.serverPid}\\) has been held for \\d+ ms since acquire\\(\\)`),
  )
  t.is(warnings[0]!.name, 'OxpgWarning')
  t.regex(warnings[0]!.detail!, /^ {4}at .*takeAndForgetToRelease/)
  const begun = await p.begin()
  await until(async () => warnings.length > 1, 'the next warning')
  t.regex(warnings[1]!.message, /since begin\(\)/)
  const holdsLong = () =>
    p.transaction(async () => {
      await until(async () => warnings.length > 2, 'the warning of the transaction')
    })
  await holdsLong()
  t.regex(warnings[2]!.message, /since transaction\(\)/)
  t.regex(warnings[2]!.detail!, /holdsLong/)
  const error = (await t.throwsAsync(acquireAll(p, 3), { instanceOf: TimeoutError })) as TimeoutError
  t.regex(error.message, /since acquire\(\) at .*takeAndForgetToRelease/)
  t.regex(error.holders![0]!.stack!, /takeAndForgetToRelease/)
  await begun.rollback()
  await lease.release()
  // It is not told of again.
  t.is(warnings.filter(({ message }) => message.includes(`pid ${lease.serverPid})`)).length, 1)
})

test('leakDetectionMs does not tell of what was released, lost or terminated in time', async (t) => {
  const warnings = warningsOf(t, 'OXPG_LEASE_HELD')
  const p = await pool(t, { maxSize: 3, leakDetectionMs: 300 })
  const [released, lost, kept] = await Promise.all([p.acquire(), p.acquire(), p.acquire()])
  const known = [released, lost].map((lease) => `pid ${lease.serverPid})`)
  await released.release()
  lost.terminate()
  await until(
    async () => warnings.some(({ message }) => message.includes(`pid ${kept.serverPid})`)),
    'the warning',
  )
  t.false(warnings.some(({ message }) => known.some((pid) => message.includes(pid))))
  await kept.release()
})

for (const [name, leave] of [
  [
    'in a transaction',
    async (c: PoolConnection) => void (await c.execute('begin; set application_name to leaked')),
  ],
  ['with a listener', async (c: PoolConnection) => void c.onNotice(() => c.serverPid)],
  ['with a listener of its end', async (c: PoolConnection) => void c.onTermination(() => c.serverPid)],
  ['with a transaction object', async (c: PoolConnection) => void (await c.begin())],
  ['with a prepared statement', async (c: PoolConnection) => void (await c.prepare('select 1'))],
] as const) {
  test.serial(`a lease that is forgotten ${name} is told of, and taken back`, async (t) => {
    const warnings = warningsOf(t, 'OXPG_LEASE_FORGOTTEN')
    const resets: number[] = []
    const p = await pool(t, { minSize: 1, maxSize: 1, reset: (c) => void resets.push(c.serverPid) })
    const forget = async () => {
      const c = await p.acquire()
      await leave(c)
      return c.serverPid
    }
    const pid = await forget()
    const next = p.acquire({ timeoutMs: 60_000 })
    await until(async () => {
      collectGarbage()
      return warnings.length > 0
    }, 'the warning')
    const c = await next
    t.is(c.serverPid, pid)
    t.deepEqual(resets, [pid])
    t.regex(
      warnings[0]!.message,
      new RegExp(`server pid ${pid}\\).*acquire\\(\\).*leakDetectionMs tells where`),
    )
    t.not(await c.fetchVal('show application_name'), 'leaked')
    t.false(c.isInTransaction)
    await c.release()
    t.is(warnings.length, 1)
    t.is(p.stats.opened, 1)
  })
}

test.serial(
  'what is still in use is not taken back, and what was released or lost is not told of',
  async (t) => {
    const warnings = warningsOf(t, 'OXPG_LEASE_FORGOTTEN')
    const p = await pool(t, { maxSize: 4, leakDetectionMs: 600_000 })
    const release = async () => (await p.acquire()).release()
    const lose = async () => (await p.acquire()).terminate()
    const forget = async () => (await p.acquire()).serverPid
    await release()
    await lose()
    await until(async () => p.stats.inUse === 0, 'the end of the session')
    // Nobody but the call itself knows this lease.
    const call = (await p.acquire()).fetchVal('select pg_sleep(0.2)::text')
    const statement = await (await p.acquire()).prepare('select 1')
    const pid = await forget()
    await until(async () => {
      collectGarbage()
      return warnings.length > 0
    }, 'the warning')
    t.true(warnings.every(({ message, detail }) => /acquire\(\)/.test(message) && detail !== undefined))
    t.true(warnings.some(({ message }) => message.includes(`pid ${pid})`)))
    t.is(await call, '')
    t.is(await statement.fetchVal(), 1)
  },
)

test('close with a limit says who has not released what', async (t) => {
  const p = await createPool(url, { maxSize: 2, leakDetectionMs: 600_000 })
  const holdForEver = () => p.acquire()
  const lease = await holdForEver()
  const error = (await t.throwsAsync(p.close({ timeoutMs: 30 }), {
    instanceOf: TimeoutError,
  })) as TimeoutError
  t.regex(
    error.message,
    new RegExp(
      `^the pool did not close within 30 ms, .*; not released: server pid ${lease.serverPid} for \\d+ ms since acquire\\(\\) at .*holdForEver`,
    ),
  )
  t.is(error.holders?.length, 1)
  t.true(lease.isClosed)
  await lease.release()
})

test('close lets what is in flight end, and nothing else begin', async (t) => {
  const p = await createPool(url, { maxSize: 2 })
  const pid = await p.fetchVal('select pg_backend_pid()')
  const running = p.fetchVal("select 'done' from pg_sleep(0.2)")
  const watcher = await pool(t)
  await until(async () => (await watcher.fetchVal(RUNNING, [pid])) === 1, 'the query')
  const closing = p.close({ timeoutMs: 60_000 })
  await t.throwsAsync(p.fetchVal('select 1'), { message: /clos/ })
  t.is(await running, 'done')
  await closing
})

test('close serves whoever waited before it', async (t) => {
  const p = await createPool(url, { minSize: 1, maxSize: 2 })
  const lease = await p.acquire()
  const numbers = Array.from({ length: 300 }, (_, n) => n)
  const quick = numbers.map((n) => p.fetchVal<number>('select $1::int4', [n]))
  const alone = p.transaction((tx) => tx.fetchVal<number>('select 1'))
  const leased = p.acquire().then(async (late) => {
    await late.release()
    return 'released'
  })
  t.true(p.stats.waiting > 100)
  const closing = p.close({ timeoutMs: 60_000 })
  await t.throwsAsync(p.acquire(), { message: /clos/ })
  await lease.release()
  t.deepEqual(await Promise.all(quick), numbers)
  t.deepEqual([await alone, await leased], [1, 'released'])
  await closing
  const { size, waiting, granted, opened, closed } = p.stats
  t.deepEqual(
    { size, waiting, granted, left: opened - closed },
    { size: 0, waiting: 0, granted: 303, left: 0 },
  )
})

test('whoever gets no connection in time is counted, by whichever limit', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1, acquireTimeoutMs: 20 })
  const lease = await p.acquire()
  const inVain = {
    instanceOf: TimeoutError,
    message: /^no connection of the pool was free within \d+ ms: 1 open/,
  }
  for (const [index, call] of [
    () => p.acquire(),
    () => p.acquire({ timeoutMs: 10 }),
    () => p.fetchVal('select 1'),
    () => p.fetchVal('select 1', [], { timeoutMs: 10 }),
    () => p.execute('select 1; select 2', undefined, { timeoutMs: 10 }),
    () => p.transaction(() => {}, { timeoutMs: 10 }),
  ].entries()) {
    await t.throwsAsync<Error>(call(), inVain, `${index}`)
    t.is(p.stats.timedOut, index + 1)
  }
  // What has a connection, and one who leaves by himself, are none of them.
  await t.throwsAsync(p.acquire({ signal: AbortSignal.abort() }), { any: true })
  const controller = new AbortController()
  const left = p.fetchVal('select 1', [], { signal: controller.signal, timeoutMs: 60_000 })
  controller.abort()
  await t.throwsAsync(left, { any: true, name: 'AbortError' })
  await t.throwsAsync(lease.fetchVal('select pg_sleep(60)', [], { timeoutMs: 10 }), {
    instanceOf: TimeoutError,
  })
  t.is(p.stats.timedOut, 6)
  await lease.release()
})

test('counters survive the end of a pool', async (t) => {
  for (const end of ['close', 'terminate'] as const) {
    const p = await createPool(url, { minSize: 2, maxSize: 2 })
    const leases = await Promise.all([p.acquire(), p.acquire()])
    await t.throwsAsync(p.acquire({ timeoutMs: 10 }), { instanceOf: TimeoutError })
    await Promise.all(leases.map((lease) => lease.release()))
    await p.fetchVal('select 1')
    await p[end]()
    const figures = { opened: 2, closed: 2, granted: 3, timedOut: 1, minSize: 2, maxSize: 2 }
    t.deepEqual(p.stats, { ...figures, size: 0, idle: 0, inUse: 0, waiting: 0, opening: 0 })
  }
})
