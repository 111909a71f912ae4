// Passwords change while an application runs: each new session is opened with the one of its time.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type ConnectionFailureError, connect, createPool, InvalidPasswordError } from 'oxpg'
import { connection, uniqueName, until, url, urlWith } from '../support/server.js'

const { hostname, port } = new URL(url)

/** A role whose password can be changed. */
async function rotating(
  t: ExecutionContext,
): Promise<{ role: string; rotate: (password: string) => Promise<void> }> {
  const admin = await connection(t)
  const role = uniqueName('rotating')
  await admin.execute(`create role ${role} login`)
  t.teardown(async () => {
    const c = await connect(url)
    await c.execute(`drop role ${role}`)
    await c.close()
  })
  return {
    role,
    rotate: async (password) => void (await admin.execute(`alter role ${role} password '${password}'`)),
  }
}

test('a pool asks its function for the password of each new session', async (t) => {
  const { role, rotate } = await rotating(t)
  let password = 'first'
  let asked = 0
  await rotate(password)
  const p = await createPool(urlWith({ username: role, password: '' }), {
    minSize: 1,
    maxSize: 3,
    password: async () => {
      asked += 1
      return password
    },
  })
  t.teardown(async () => p.terminate())
  t.is(asked, 1)
  password = 'second'
  await rotate(password)
  const leases = await Promise.all([p.acquire(), p.acquire(), p.acquire()])
  t.is(asked, 3)
  t.is(await leases[2]!.fetchVal('select current_user::text'), role)
  await Promise.all(leases.map((c) => c.release()))
  p.expireConnections()
  t.is(await p.fetchVal('select 1'), 1)
  await p.close()
})

test('a pool whose function gives a wrong password goes on when it gives the right one', async (t) => {
  const { role, rotate } = await rotating(t)
  let password = 'first'
  await rotate(password)
  const p = await createPool(urlWith({ username: role, password: '' }), {
    minSize: 0,
    password: () => password,
  })
  t.teardown(async () => p.terminate())
  password = 'wrong'
  await t.throwsAsync(p.fetchVal('select 1'), { instanceOf: InvalidPasswordError })
  password = 'first'
  await until(async () => (await p.fetchVal('select 1').catch(() => 0)) === 1, 'the next attempt')
})

test('what the password function throws is what createPool rejects with, and the reason of calls later', async (t) => {
  const { role, rotate } = await rotating(t)
  await rotate('first')
  const reason = new Error('the vault is closed')
  let isClosed = true
  const password = (): string => {
    if (isClosed) throw reason
    return 'first'
  }
  const where = urlWith({ username: role, password: '' })
  await t.throwsAsync(createPool(where, { password }), { is: reason })
  await t.throwsAsync(connect(where, { password }), { is: reason })
  const p = await createPool(where, { minSize: 0, password })
  t.teardown(async () => p.terminate())
  const error = await t.throwsAsync(p.fetchVal('select 1'), { message: /password.*the vault is closed/ })
  t.true((error as ConnectionFailureError).safeToRetry)
  isClosed = false
  await until(async () => (await p.fetchVal('select 1').catch(() => 0)) === 1, 'the next attempt')
})

test('a pool reads the password file anew for each session', async (t) => {
  const { role, rotate } = await rotating(t)
  const folder = await mkdtemp(join(tmpdir(), 'oxpg-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const passfile = join(folder, 'pgpass')
  const set = async (password: string): Promise<void> => {
    await rotate(password)
    await writeFile(passfile, `${hostname}:${port}:*:${role}:${password}\n`)
    await chmod(passfile, 0o600)
  }
  await set('first')
  const p = await createPool({
    host: hostname,
    port: Number(port),
    user: role,
    database: 'postgres',
    passfile,
    maxSize: 2,
  })
  t.teardown(async () => p.terminate())
  await set('second')
  const leases = await Promise.all([p.acquire(), p.acquire()])
  t.is(await leases[1]!.fetchVal('select current_user::text'), role)
  await Promise.all(leases.map((c) => c.release()))
})
