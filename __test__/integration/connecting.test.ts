import { execFile } from 'node:child_process'
import { createServer, type Socket } from 'node:net'
import test from 'ava'
import {
  ClientConfigurationError,
  ConnectionFailureError,
  connect,
  createPool,
  InterfaceError,
  InvalidCatalogNameError,
  InvalidPasswordError,
  TimeoutError,
} from 'oxpg'
import { connection, url, urlWith } from '../support/server.js'

const parts = new URL(url)

test('a URL is enough', async (t) => {
  const c = await connect(url)
  t.is(await c.fetchVal('select 1'), 1)
  await c.close()
  t.true(c.isClosed)
})

test('options are enough', async (t) => {
  const c = await connect({
    host: parts.hostname,
    port: Number(parts.port),
    user: decodeURIComponent(parts.username),
    password: decodeURIComponent(parts.password),
    database: parts.pathname.slice(1),
  })
  t.is(await c.fetchVal('select current_user::text'), parts.username)
  await c.close()
})

test('options win over the URL', async (t) => {
  const c = await connect(url, {
    serverSettings: { application_name: 'from options', search_path: 'pg_catalog' },
  })
  t.teardown(async () => c.terminate())
  t.is(await c.fetchVal('show application_name'), 'from options')
  t.is(await c.fetchVal('show search_path'), 'pg_catalog')
})

test('a password may come from a function', async (t) => {
  const c = await connect(urlWith({ password: '' }), { password: async () => parts.password })
  t.is(await c.fetchVal('select 1'), 1)
  await c.close()
})

for (const user of ['trustuser', 'plainuser', 'md5user']) {
  test(`authentication of ${user}`, async (t) => {
    const c = await connect(urlWith({ username: user, password: 'secret' }))
    t.is(await c.fetchVal('select current_user::text'), user)
    await c.close()
  })
}

for (const user of [parts.username, 'plainuser', 'md5user']) {
  test(`a wrong password of ${user} is an InvalidPasswordError`, async (t) => {
    const error = await t.throwsAsync(connect(urlWith({ username: user, password: 'wrong-marker' })), {
      instanceOf: InvalidPasswordError,
      code: '28P01',
    })
    t.notRegex(String(error?.stack) + JSON.stringify(error), /wrong-marker/)
  })
}

test('a database that does not exist is an InvalidCatalogNameError', async (t) => {
  await t.throwsAsync(connect(urlWith({ pathname: '/no_such_database' })), {
    instanceOf: InvalidCatalogNameError,
  })
})

test('a refused connection is a ConnectionFailureError with the system error as its cause', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  const error = await t.throwsAsync<ConnectionFailureError>(connect(`postgres://u:p@127.0.0.1:${port}/d`), {
    instanceOf: ConnectionFailureError,
  })
  const { code } = error.cause as NodeJS.ErrnoException
  t.is(code, 'ECONNREFUSED')
  t.true(error.isTransient)
  t.true(error.safeToRetry)
})

test('a server that stays silent is a TimeoutError after connectTimeoutMs, and its socket is closed', async (t) => {
  const sockets: Promise<unknown>[] = []
  const server = createServer((socket: Socket) => {
    sockets.push(new Promise((resolve) => socket.once('close', resolve)))
    socket.on('error', () => {})
    socket.resume()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  // A busy machine may need longer to be connected at all.
  for (let connectTimeoutMs = 100; sockets.length === 0; connectTimeoutMs *= 2) {
    await t.throwsAsync(connect(`postgres://u:p@127.0.0.1:${port}/d`, { connectTimeoutMs }), {
      instanceOf: TimeoutError,
    })
  }
  await Promise.all(sockets)
  server.close()
})

test('an aborted signal ends connecting with its reason', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.resume()
    controller.abort(new Error('enough'))
  }).listen(0, '127.0.0.1')
  const controller = new AbortController()
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await t.throwsAsync(connect(`postgres://u:p@127.0.0.1:${port}/d`, { signal: controller.signal }), {
    message: 'enough',
  })
  server.close()
})

test('bad configuration names the option', async (t) => {
  await t.throwsAsync(connect('http://example.org/'), { instanceOf: ClientConfigurationError })
  await t.throwsAsync(connect(url, { port: 70_000 } as never), { message: /port/ })
  await t.throwsAsync(connect(url, { statementCacheSize: -1 }), { message: /statementCacheSize/ })
  await t.throwsAsync(connect(url, { pasword: 'x' } as never), { message: /pasword/ })
})

test('what the server said at the start is there', async (t) => {
  const c = await connection(t)
  t.regex(String(c.serverVersion.major), /^\d+$/)
  t.is(await c.fetchVal('select pg_backend_pid()'), c.serverPid)
  t.is(c.settings.server_encoding, 'UTF8')
  await c.execute("set application_name to 'renamed'")
  t.is(c.settings.application_name, 'renamed')
})

test('a closed connection says so', async (t) => {
  const c = await connect(url)
  await c.close()
  await c.close()
  await t.throwsAsync(c.fetch('select 1'), { instanceOf: InterfaceError, message: /closed/ })
})

test('close waits for what is in flight', async (t) => {
  const c = await connect(url)
  const query = c.fetchVal("select 'done' from pg_sleep(0.05)")
  await c.close()
  t.is(await query, 'done')
})

test('terminate ends what is in flight', async (t) => {
  const c = await connect(url)
  const query = t.throwsAsync(c.fetchVal('select pg_sleep(10)'))
  c.terminate()
  await query
  t.true(c.isClosed)
})

test('a URL object says where to connect', async (t) => {
  const c = await connect(new URL(url), { applicationName: 'by URL' })
  t.is(await c.fetchVal("select current_setting('application_name')"), 'by URL')
  await c.close()
  const p = await createPool(new URL(url))
  t.is(await p.fetchVal('select 1'), 1)
  await p.close()
})

/** Connects when so many file descriptors are left as there are attempts, from none; prints what each error says. */
const WITHOUT_DESCRIPTORS = `
  const { connect } = require('oxpg')
  const { closeSync, openSync } = require('node:fs')
  const taken = []
  const take = () => {
    try { for (;;) taken.push(openSync('/dev/null', 'r')) } catch {}
  }
  const outcomes = []
  const main = async () => {
    take()
    for (let left = 0; left < 12; left++) {
      for (let k = 0; k < left; k++) closeSync(taken.pop())
      const outcome = await connect(process.env.OXPG_TEST_URL).then(
        (connection) => { connection.terminate(); return 'connected' },
        (error) => ({ name: error.constructor.name, isTransient: error.isTransient, safeToRetry: error.safeToRetry, cause: error.cause?.code }),
      )
      outcomes.push(outcome)
      take()
    }
    for (const descriptor of taken) closeSync(descriptor)
    const connection = await connect(process.env.OXPG_TEST_URL)
    outcomes.push(await connection.fetchVal('select 1'))
    await connection.close()
    process.stdout.write(JSON.stringify(outcomes))
  }
  main()`

test('connecting without file descriptors is transient, from the first attempt of the process on', async (t) => {
  const stdout = await new Promise<string>((resolve, reject) => {
    const flags = ['-c', 'ulimit -n 64; exec "$0" -e "$1"', process.execPath, WITHOUT_DESCRIPTORS]
    execFile('bash', flags, { env: { ...process.env, OXPG_TEST_URL: url } }, (error, out, errors) =>
      error === null ? resolve(out) : reject(new Error(errors, { cause: error })),
    )
  })
  const outcomes = JSON.parse(stdout) as unknown[]
  t.is(outcomes.pop(), 1)
  const failures = outcomes.filter((outcome) => outcome !== 'connected') as {
    isTransient: boolean
    safeToRetry: boolean
    cause: string
  }[]
  t.true(failures.length > 0)
  for (const failure of failures)
    t.like(failure, { isTransient: true, safeToRetry: true }, JSON.stringify(failure))
  t.is(failures[0]!.cause, 'EMFILE')
})

/** What `jest --detectOpenHandles` counts: asynchronous resources that are not destroyed and do not say `hasRef`. */
const OPEN_HANDLES = `
  const open = new Map()
  require('node:async_hooks').createHook({
    init: (id, type, _, resource) => { if (type !== 'PROMISE' && !('hasRef' in resource)) open.set(id, type) },
    destroy: (id) => { open.delete(id) },
  }).enable()
  const { connect } = require('oxpg')
  const main = async () => {
    const connection = await connect(process.env.OXPG_TEST_URL)
    await connection.fetchVal('select 1')
    await connection.close()
    for (const end = Date.now() + 20_000; open.size > 0 && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 5))
    process.stdout.write(JSON.stringify([...open.values()]))
  }
  main()`

test('no handle is left open when the last connection is closed', async (t) => {
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      ['-e', OPEN_HANDLES],
      { env: { ...process.env, OXPG_TEST_URL: url } },
      (error, out) => (error === null ? resolve(out) : reject(error)),
    )
  })
  t.deepEqual(JSON.parse(stdout), [])
})
