// Several servers, and what is asked of them: order, targetSessionAttrs, addresses, versions of the protocol.
import { createServer } from 'node:net'
import test from 'ava'
import {
  ConnectionFailureError,
  connect,
  createPool,
  PostgresError,
  QueryCanceledError,
  ReadOnlySQLTransactionError,
  TargetServerAttributeNotMatched,
} from 'oxpg'
import { connection, pool, uniqueName, url } from '../support/server.js'

const { hostname, port, username, password, pathname } = new URL(url)

/** A port where nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('the next host is tried when one is not there', async (t) => {
  const free = await freePort()
  const c = await connect(
    `postgres://${username}:${password}@127.0.0.1:${free},${hostname}:${port}${pathname}`,
  )
  t.is(await c.fetchVal('select 1'), 1)
  await c.close()
})

test('an error tells what each host said, and has an error for each', async (t) => {
  const free = await freePort()
  const error = await t.throwsAsync<PostgresError>(
    connect(url, { host: ['127.0.0.1', hostname], port: [free, Number(port)], password: 'wrong-marker' }),
    { instanceOf: PostgresError, code: '28P01' },
  )
  const [refused, wrong] = error.errors as [ConnectionFailureError, PostgresError]
  t.is(error.errors!.length, 2)
  t.true(refused instanceof ConnectionFailureError)
  t.is((refused.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED')
  t.is(wrong.constructor, error.constructor)
  t.true(wrong.message.startsWith(`could not open a session at ${hostname}:${port}: `), wrong.message)
  t.true(error.message.includes(refused.message), error.message)
  t.false(Object.keys(error).includes('errors'), 'as of an AggregateError')
})

test('a server that is not what targetSessionAttrs asks for is a TargetServerAttributeNotMatched', async (t) => {
  for (const targetSessionAttrs of ['standby', 'read-only'] as const) {
    const error = await t.throwsAsync<TargetServerAttributeNotMatched>(connect(url, { targetSessionAttrs }), {
      instanceOf: TargetServerAttributeNotMatched,
      message: new RegExp(`targetSessionAttrs is ${targetSessionAttrs}$`),
    })
    t.true(error.isTransient)
    t.true(error.safeToRetry)
    t.is(error.errors, undefined)
  }
  for (const targetSessionAttrs of ['any', 'read-write', 'primary', 'prefer-standby'] as const) {
    const c = await connect(url, { targetSessionAttrs })
    t.is(await c.fetchVal('select 1'), 1)
    await c.close()
  }
})

test('a user may only read', async (t) => {
  const admin = await connection(t)
  const role = uniqueName('reader')
  await admin.execute(`create role ${role} login password 'secret'`)
  await admin.execute(`alter role ${role} set default_transaction_read_only to on`)
  t.teardown(async () => {
    const c = await connect(url)
    await c.execute(`drop role ${role}`)
    await c.close()
  })
  const options = { user: role, password: 'secret' }
  const c = await connect(url, { ...options, targetSessionAttrs: 'read-only' })
  await c.close()
  await t.throwsAsync(connect(url, { ...options, targetSessionAttrs: 'read-write' }), {
    instanceOf: TargetServerAttributeNotMatched,
  })
})

test('hostaddr is where a name is', async (t) => {
  const c = await connect(url, { host: 'db.invalid', hostaddr: hostname })
  t.is(await c.fetchVal('select 1'), 1)
  await c.close()
  await t.throwsAsync(connect(url, { hostaddr: 'localhost' }), { message: /hostaddr: expected IP addresses/ })
})

test('version 3.2 of the protocol cancels with its longer keys', async (t) => {
  const c = await connect(url, { maxProtocolVersion: 'latest' })
  t.teardown(async () => c.terminate())
  const slow = c.fetchVal('select pg_sleep(60)', [], { timeoutMs: 50 })
  await t.throwsAsync(slow)
  t.is(await c.fetchVal('select 1'), 1, 'the server has been told, and stopped')
  const controller = new AbortController()
  const aborted = c.fetchVal('select pg_sleep(60)', [], { signal: controller.signal })
  controller.abort(new QueryCanceledError('enough'))
  await t.throwsAsync(aborted, { message: 'enough' })
  t.is(await c.fetchVal('select 1'), 1)

  const only = connect(url, { minProtocolVersion: '3.2', maxProtocolVersion: '3.2' })
  if (c.serverVersion.major >= 18) await (await only).close()
  else await t.throwsAsync(only, { message: /speaks version 3\.0/ })
})

/** Makes the session of a pool's only connection read-only, as a failover or a full disk may; gives its pid. */
const MAKE_READ_ONLY =
  "select pg_backend_pid() as pid, set_config('default_transaction_read_only', 'on', false) as setting"

test('a pool that wants to write replaces a session that only reads', async (t) => {
  const writing = await pool(t, { maxSize: 1, targetSessionAttrs: 'read-write' })
  const { pid } = (await writing.fetchRow<{ pid: number }>(MAKE_READ_ONLY))!
  const write = (): Promise<unknown> => writing.execute('create temporary table written ()')
  await t.throwsAsync(write(), { instanceOf: ReadOnlySQLTransactionError })
  await write()
  t.not(await writing.fetchVal('select pg_backend_pid()'), pid)

  const any = await pool(t, { maxSize: 1 })
  const before = (await any.fetchRow<{ pid: number }>(MAKE_READ_ONLY))!.pid
  const fails = any.execute('create temporary table written ()')
  await t.throwsAsync(fails, { instanceOf: ReadOnlySQLTransactionError })
  t.is(await any.fetchVal('select pg_backend_pid()'), before)
})

test('several hosts in a pool', async (t) => {
  const free = await freePort()
  const p = await createPool(url, {
    host: ['127.0.0.1', hostname],
    port: [free, Number(port)],
    loadBalanceHosts: 'random',
  })
  t.is(await p.fetchVal('select 1'), 1)
  await p.close()
})
