// What a pool tells of its sessions: onConnect, onClose, onNotice.
import test from 'ava'
import {
  AdminShutdownError,
  ConnectionFailureError,
  createPool,
  InterfaceError,
  type Pool,
  type PoolSession,
  type PoolSessionEnd,
  TimeoutError,
} from 'oxpg'
import { connection, pool, until, url } from '../support/server.js'
import { FaultProxy } from '../support/testkit.js'

/** What becomes of a pool's sessions. */
function endsOf(p: Pool): { session: PoolSession; end: PoolSessionEnd }[] {
  const ends: { session: PoolSession; end: PoolSessionEnd }[] = []
  p.onClose((session, end) => void ends.push({ session, end }))
  return ends
}

test('onConnect tells of the sessions that are open, and of each new one', async (t) => {
  const p = await pool(t, { minSize: 2, maxSize: 3 })
  const sessions: PoolSession[] = []
  const stop = p.onConnect((session) => void sessions.push(session))
  t.is(sessions.length, 0, 'not before the caller has what it gives')
  await Promise.resolve()
  t.is(sessions.length, 2)
  const leases = await Promise.all([p.acquire(), p.acquire(), p.acquire()])
  const pids = (all: readonly { serverPid: number }[]) => all.map(({ serverPid }) => serverPid).sort()
  t.deepEqual(pids(sessions), pids(leases))
  t.is(sessions.length, 3)
  t.deepEqual(sessions[0]!.serverVersion, leases[0]!.serverVersion)
  stop()
  leases[0]!.terminate()
  await until(async () => p.stats.size === 2, 'the end of the session')
  await (await p.acquire()).release()
  t.is(sessions.length, 3)
})

test('onClose tells why a session has ended, of the very session that onConnect told of', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1, maxQueries: 2 })
  const sessions: PoolSession[] = []
  p.onConnect((session) => void sessions.push(session))
  const ends = endsOf(p)
  const next = async (): Promise<(typeof ends)[0]> => {
    const { length } = ends
    await until(async () => ends.length > length, 'the end of a session')
    return ends.at(-1)!
  }
  await p.fetchVal('select 1')
  let ended = next()
  await p.fetchVal('select 1')
  t.is((await ended).end.reason, 'maxQueries')
  t.is((await ended).session, sessions[0]!)
  await until(async () => p.stats.idle === 1, 'the next session')
  ended = next()
  p.expireConnections()
  t.deepEqual((await ended).end, { reason: 'expired', error: undefined })
  ended = next()
  await p.use((c) => c.terminate())
  t.deepEqual((await ended).end, { reason: 'terminated', error: undefined })
  const killer = await connection(t)
  const pid = await p.use((c) => c.serverPid)
  ended = next()
  await killer.fetch('select pg_terminate_backend($1)', [pid])
  const { session, end } = await ended
  t.is(session.serverPid, pid)
  t.is(end.reason, 'lost')
  t.true(end.error instanceof AdminShutdownError)
  await until(async () => p.stats.idle === 1, 'the next session')
  ended = next()
  await p.close()
  t.deepEqual((await ended).end, { reason: 'poolClosed', error: undefined })
})

test('onClose tells of lifetimes, of losses on the way and of terminate', async (t) => {
  const old = await pool(t, { minSize: 1, maxSize: 1, maxLifetimeMs: 50 })
  const oldEnds = endsOf(old)
  await until(async () => oldEnds.length > 1, 'the lifetime')
  t.true(oldEnds.every(({ end }) => end.reason === 'maxLifetime'))
  const idle = await pool(t, { minSize: 0, maxSize: 1, maxInactiveConnectionLifetimeMs: 20 })
  const idleEnds = endsOf(idle)
  await idle.fetchVal('select 1')
  await until(async () => idleEnds.length > 0, 'the reaping')
  t.is(idleEnds[0]!.end.reason, 'inactive')
  const link = await FaultProxy.for(t)
  const cut = await createPool(link.url, { minSize: 1, maxSize: 1 })
  const cutEnds = endsOf(cut)
  await link.change('rst')
  await until(async () => cutEnds.length > 0, 'the loss')
  t.is(cutEnds[0]!.end.reason, 'lost')
  t.true(cutEnds[0]!.end.error instanceof ConnectionFailureError)
  await until(async () => cut.stats.idle === 1, 'the next session')
  cut.terminate()
  await until(async () => cutEnds.length > 1, 'the end')
  t.is(cutEnds[1]!.end.reason, 'poolTerminated')
})

test('onClose tells what a close within a time has ended by itself, and what it has cut off', async (t) => {
  const p = await createPool(url, { minSize: 2, maxSize: 2 })
  const ends = endsOf(p)
  const lease = await p.acquire()
  await t.throwsAsync(p.close({ timeoutMs: 1 }), { instanceOf: TimeoutError })
  await until(async () => ends.length === 2, 'the ends of both')
  t.deepEqual(
    ends.map(({ session, end }) => [session.serverPid === lease.serverPid, end.reason, end.error]),
    [
      [false, 'poolClosed', undefined],
      [true, 'poolTerminated', undefined],
    ],
  )
})

test('onNotice hears what the server says to whoever uses the pool, and nothing of resets', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const heard: [string, number][] = []
  const stop = p.onNotice(({ message }, { serverPid }) => void heard.push([message, serverPid]))
  const say = (text: string) => `do $$ begin raise notice '${text}'; end $$`
  await p.execute(say('a script'))
  // It shares the connection.
  t.false(await p.fetchVal<boolean>('select pg_cancel_backend(0)'))
  const own: string[] = []
  const pid = await p.use(async (c) => {
    c.onNotice(({ message }) => void own.push(message))
    await c.execute(say('a lease'))
    return c.serverPid
  })
  // The reset of this one rolls back what may be open.
  const lease = await p.acquire()
  const last = lease.execute(say('in flight at the release'))
  await lease.release()
  await last
  await p.fetchVal('select 1')
  t.regex(heard.splice(1, 1)[0]![0], /^PID 0 is not a PostgreSQL/)
  t.deepEqual(heard, [
    ['a script', pid],
    ['a lease', pid],
    ['in flight at the release', pid],
  ])
  t.deepEqual(own, ['a lease'])
  stop()
  await p.execute(say('nobody hears'))
  t.is(heard.length, 3)
})

test('what listeners throw is an uncaught exception of their own, and what is no function is refused', async (t) => {
  const p = await pool(t)
  for (const method of ['onConnect', 'onClose', 'onNotice'] as const) {
    t.throws(() => p[method]('listener' as never), {
      instanceOf: InterfaceError,
      message: new RegExp(method),
    })
  }
  t.is(await p.fetchVal('select 1'), 1)
})
