// What a server says while a session is opened is heard once somebody listens.
import { createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type ConnectOptions, connect, createPool, type PostgresLogMessage, PostgresWarning } from 'oxpg'

function message(tag: string, ...parts: (string | number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as string)))
  const head = Buffer.alloc(5, tag)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const WARNING = 'received a password of MD5'
const MD5_REQUEST = message('R', [0, 0, 0, 5, 1, 2, 3, 4])
const WELCOME = Buffer.concat([
  message('R', [0, 0, 0, 0]),
  message('N', `SWARNING\0VWARNING\0C01000\0M${WARNING}\0DIt is PostgreSQL 19's.\0\0`),
  message('K', [0, 0, 0, 9, 1, 2, 3, 4]),
  message('Z', 'I'),
])

/** A server that asks for the password by MD5, and warns of it, as PostgreSQL 19 does. */
async function warning(t: ExecutionContext): Promise<ConnectOptions> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(MD5_REQUEST)
      socket.once('data', () => socket.write(WELCOME))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as { port: number }
  return { host: '127.0.0.1', port, user: 'ann', password: 'secret', ssl: 'disable' }
}

test('a warning after the password reaches the first listeners', async (t) => {
  const c = await connect(await warning(t))
  t.teardown(() => c.terminate())
  const heard: PostgresLogMessage[] = []
  const also: string[] = []
  c.onNotice((notice, connection) => {
    t.is(connection, c)
    heard.push(notice)
  })
  c.onNotice((notice) => also.push(notice.message))
  t.is(heard.length, 0, 'not within the call')
  await Promise.resolve()
  t.deepEqual(
    heard.map(({ message, detail }) => [message, detail]),
    [[WARNING, "It is PostgreSQL 19's."]],
  )
  t.true(heard[0] instanceof PostgresWarning)
  t.deepEqual(also, [WARNING])
  c.onNotice((notice) => also.push(notice.message))
  await Promise.resolve()
  t.deepEqual(also, [WARNING], 'once')
})

test('so it does on a pool, from its sessions that are open and from new ones', async (t) => {
  const p = await createPool({ ...(await warning(t)), minSize: 1, maxSize: 2 })
  t.teardown(async () => p.terminate())
  const heard: string[] = []
  p.onNotice((notice, { serverPid }) => heard.push(`${serverPid}: ${notice.message}`))
  t.is(heard.length, 0, 'not within the call')
  await Promise.resolve()
  t.deepEqual(heard, [`9: ${WARNING}`])
  const leases = await Promise.all([p.acquire(), p.acquire()])
  t.deepEqual(heard, [`9: ${WARNING}`, `9: ${WARNING}`])
  leases[0]!.onNotice((notice) => heard.push(notice.message))
  await Promise.resolve()
  t.is(heard.length, 2, 'once')
})

test('so it does on a connection of a pool', async (t) => {
  const heard: string[] = []
  const p = await createPool({ ...(await warning(t)), minSize: 1, maxSize: 1 })
  t.teardown(async () => p.terminate())
  const c = await p.acquire()
  c.onNotice((notice) => heard.push(notice.message))
  await Promise.resolve()
  t.deepEqual(heard, [WARNING])
})
