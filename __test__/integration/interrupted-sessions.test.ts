// Sessions that are ended while their server is at work, or about to be: it is told to stop, and does not go on for nobody.
import { readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { type Connection, connect, createPool, type Pool, TimeoutError } from 'oxpg'
import { connection, OPENERS, uniqueName, until, url } from '../support/server.js'
import { FaultProxy, Pooler } from '../support/testkit.js'
import { startTlsServer } from '../support/tls-server.js'

/** The sessions whose last statement is `$1`. */
const SESSIONS = 'select count(*)::int from pg_stat_activity where query = $1'
/** Those of them that sleep in it. */
const ASLEEP = `${SESSIONS} and wait_event = 'PgSleep'`

/** Calls that sleep for longer than anything here waits, of which the server has begun with the first. */
class Sleep {
  /** A text that no other test has. */
  readonly text = `select pg_sleep(600) as ${uniqueName('sleep')}`
  readonly #other: Connection
  readonly #calls: Promise<unknown>[] = []

  private constructor(other: Connection) {
    this.#other = other
  }

  static async of(other: Connection, targets: readonly (Connection | Pool)[]): Promise<Sleep> {
    const sleep = new Sleep(other)
    for (const target of targets) sleep.#calls.push(target.fetchVal(sleep.text))
    // They end before anybody asks.
    for (const call of sleep.#calls) call.catch(() => {})
    const sessions = new Set(targets).size
    await until(async () => (await other.fetchVal(ASLEEP, [sleep.text])) === sessions, 'the sleep')
    return sleep
  }

  /** Its callers are told that their session has ended. */
  async rejects(t: ExecutionContext): Promise<void> {
    for (const call of this.#calls) await t.throwsAsync(call, { code: '08003' })
  }

  /** How many sessions are still there. */
  sessions(): Promise<number | null> {
    return this.#other.fetchVal<number>(SESSIONS, [this.text])
  }

  async ends(): Promise<void> {
    await until(async () => (await this.sessions()) === 0, 'the end of the sessions')
  }
}

for (const open of OPENERS) {
  test(`terminate stops what the server is at, ${open.name}`, async (t) => {
    const other = await connection(t)
    const target = await open(url)
    const sleep = await Sleep.of(other, [target])
    target.terminate()
    await sleep.rejects(t)
    await sleep.ends()
  })

  test(`close({ timeoutMs }) that runs out stops what the server is at, ${open.name}`, async (t) => {
    const other = await connection(t)
    const target = await open(url)
    const sleep = await Sleep.of(other, [target])
    await t.throwsAsync(target.close({ timeoutMs: 1 }), { instanceOf: TimeoutError })
    await sleep.rejects(t)
    await sleep.ends()
  })
}

test('what was sent behind it is stopped as well', async (t) => {
  const other = await connection(t)
  const c = await connect(url)
  const sleep = await Sleep.of(other, [c, c, c, c, c])
  c.terminate()
  await sleep.rejects(t)
  await sleep.ends()
})

test('the sessions of a pool are interrupted, those of leases as well', async (t) => {
  const other = await connection(t)
  const p = await createPool(url, { minSize: 0, maxSize: 15 })
  const leases = await Promise.all(Array.from({ length: 15 }, () => p.acquire()))
  const sleep = await Sleep.of(other, leases)
  p.terminate()
  await sleep.rejects(t)
  await sleep.ends()
})

test('a close that waits resolves when what was interrupted has ended', async (t) => {
  const other = await connection(t)
  const c = await connect(url)
  const sleep = await Sleep.of(other, [c])
  const closing = c.close()
  c.terminate()
  await closing
  t.is(await sleep.sessions(), 0)
  await sleep.rejects(t)
})

test('through a pooler the server of the session is interrupted, and nobody else', async (t) => {
  const other = await connection(t)
  const pooler = await Pooler.for(t, 2)
  const [c, neighbour] = [await connect(pooler.url), await connect(pooler.url)]
  t.teardown(async () => neighbour.terminate())
  const sleep = await Sleep.of(other, [c])
  const slow = neighbour.fetchVal('select 7 from pg_sleep(0.2)')
  c.terminate()
  await sleep.rejects(t)
  await until(async () => (await pooler.cancels()) === 1, 'the cancel')
  await until(async () => (await other.fetchVal(ASLEEP, [sleep.text])) === 0, 'the end of the sleep')
  t.is(await slow, 7)
  t.is(await neighbour.fetchVal('select 8'), 8)
})

test('over TLS the server is interrupted, and hears a goodbye', async (t) => {
  const server = await startTlsServer('server', { log_min_messages: 'debug1', log_connections: 'on' })
  t.teardown(() => server.stop())
  const { host, port, user, password } = server
  const options = { host, port, user, password, database: 'postgres', ssl: 'require' } as const
  const other = await connect(options)
  t.teardown(async () => other.terminate())
  const c = await connect(options)
  const sleep = await Sleep.of(other, [c])
  c.terminate()
  await sleep.rejects(t)
  await sleep.ends()
  t.notRegex(readFileSync(server.logFile, 'utf8'), /unexpected EOF|could not (receive|send) data/)
})

test('a session whose server has gone silent ends at once all the same', async (t) => {
  const proxy = await FaultProxy.for(t)
  const c = await connect(proxy.url)
  const p = await createPool(proxy.url, { maxSize: 1 })
  const other = await connection(t)
  const sleep = await Sleep.of(other, [c, p])
  // Nor is a cancel request answered.
  await proxy.plan({ isBlackHole: true })
  await proxy.change('blackHole')
  c.terminate()
  p.terminate()
  await sleep.rejects(t)
  t.is(p.stats.size, 0)
  await other.execute(`select pg_terminate_backend(pid) from pg_stat_activity where query = '${sleep.text}'`)
})

test('attempts at opening that a close has given up leave no broken connection in the log', async (t) => {
  const server = await startTlsServer('server', { log_min_messages: 'debug1', log_connections: 'on' })
  t.teardown(() => server.stop())
  const { host, port, password, socketDirectory } = server
  const ways = [
    { host, port, user: 'tlsuser', password, ssl: 'require' },
    { host, port, user: 'scramuser', password, ssl: 'disable' },
    { host, port, user: 'trustuser', ssl: 'disable' },
    { host: socketDirectory, port, user: 'postgres' },
  ] as const
  for (let round = 0; round < 40; round += 1) {
    for (const way of ways) {
      const p = await createPool({ ...way, database: 'postgres', minSize: 0, maxSize: 8 })
      const calls = Array.from({ length: 8 }, () => p.fetchVal('select 1').catch(() => {}))
      // They are as far as they have come by then.
      for (let turn = 0; turn < round; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      await p.close()
      await Promise.all(calls)
    }
  }
  const other = await connect({ ...ways[3], database: 'postgres' })
  const others =
    "select count(*)::int from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
  await until(async () => (await other.fetchVal(others)) === 0, 'the end of all sessions')
  await other.close()
  const cut = /unexpected EOF|could not (receive|send) data|could not accept SSL|incomplete startup packet/
  t.deepEqual(
    readFileSync(server.logFile, 'utf8')
      .split('\n')
      .filter((line) => cut.test(line)),
    [],
  )
})
