import { createServer, connect as dial, type Socket } from 'node:net'
import test from 'ava'
import { ConnectionDoesNotExistError, connect, PostgresError, TransactionResolutionUnknownError } from 'oxpg'
import { connection, url } from '../support/server.js'

/** A proxy that cuts a connection when a frontend message contains `marker`, after it was passed on. */
async function cutter(marker: string) {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((front) => {
    const back = dial(Number(target.port), target.hostname)
    for (const socket of [front, back]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    front.on('data', (chunk) => {
      back.write(chunk)
      if (chunk.includes(marker)) front.destroy()
    })
    back.on('data', (chunk) => void front.write(chunk))
    front.on('close', () => back.destroy())
    back.on('close', () => front.destroy())
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

test('pg_terminate_backend fails the running query with 57P01, and those behind it are safe to retry', async (t) => {
  const [victim, killer] = [await connection(t), await connection(t)]
  const running = victim.fetch('select pg_sleep(60)')
  const behind = victim.fetch('select 1')
  const outcome = Promise.allSettled([running, behind])
  await killer.fetch('select pg_terminate_backend($1)', [victim.serverPid])
  const [first, second] = (await outcome) as PromiseRejectedResult[]
  t.is((first?.reason as PostgresError).code, '57P01')
  t.true((second?.reason as PostgresError).safeToRetry)
  t.true(victim.isClosed)
  await t.throwsAsync(victim.fetch('select 1'), { instanceOf: ConnectionDoesNotExistError })
})

test('a cut connection rejects everything in flight, uncertain whether it ran', async (t) => {
  const proxy = await cutter('cut here')
  t.teardown(proxy.close)
  const c = await connect(proxy.url)
  const outcomes = await Promise.allSettled([c.fetch("select 'cut here', pg_sleep(5)"), c.fetch('select 2')])
  for (const outcome of outcomes as PromiseRejectedResult[]) {
    t.true(outcome.reason instanceof PostgresError)
    t.true(outcome.reason.isTransient)
  }
  t.true(c.isClosed)
})

test('a COMMIT whose answer was lost is a TransactionResolutionUnknownError', async (t) => {
  const proxy = await cutter('COMMIT')
  t.teardown(proxy.close)
  const c = await connect(proxy.url)
  const error = await t.throwsAsync<TransactionResolutionUnknownError>(
    c.transaction(async (tx) => {
      await tx.fetch('select 1')
    }),
    { instanceOf: TransactionResolutionUnknownError },
  )
  t.is(error?.code, '08007')
  t.false(error?.safeToRetry)
})

test('onTermination is told once', async (t) => {
  const [victim, killer] = [await connection(t), await connection(t)]
  const told = new Promise((resolve) => victim.onTermination(resolve))
  await killer.fetch('select pg_terminate_backend($1)', [victim.serverPid])
  await told
  t.true(victim.isClosed)
})
