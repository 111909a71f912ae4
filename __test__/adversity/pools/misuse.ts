// Row 25: connections that are released twice, and used after their release.
import { connect, InterfaceError, type Pool, type PoolConnection } from 'oxpg'
import { url } from '../../support/server.js'
import { Row } from '../network/report.js'
import { ALL_THE_TIME_MS, hasAll, openPool, said, wellAfterwards } from './sessions.js'

/** Ways of giving back what was given back: none does anything. */
const AGAIN: Record<string, (lease: PoolConnection, pool: Pool) => unknown> = {
  release: (lease) => lease.release(),
  'pool.release': (lease, pool) => pool.release(lease),
  dispose: (lease) => lease[Symbol.asyncDispose](),
  'release, three at once': (lease) => Promise.all([lease.release(), lease.release(), lease.release()]),
}

/** What a released connection can be asked for: it says what it is, and whoever has the session now does not notice. */
const USES: Record<string, (lease: PoolConnection) => Promise<unknown>> = {
  fetchVal: (lease) => lease.fetchVal('select $1::int', [1]),
  fetch: (lease) => lease.fetch('select 1'),
  execute: (lease) => lease.execute("set application_name to 'stolen'"),
  executeMany: (lease) => lease.executeMany('select $1::int', [[1]]),
  fetchMany: (lease) => lease.fetchMany('select $1::int', [[1]]),
  prepare: (lease) => lease.prepare('select 1'),
  run: (lease) => lease.run('select 1'),
  transaction: (lease) => lease.transaction(async () => {}),
  begin: (lease) => lease.begin(),
  reset: (lease) => lease.reset(),
}

export async function misuse(rounds: number): Promise<Row[]> {
  const row = new Row('25', 'connections that are released twice, or used after their release')
  const admin = await connect(url)
  for (let round = 0; round < rounds; round += 1) {
    for (const [again, giveBack] of Object.entries(AGAIN)) await playAgain(again, giveBack, admin, row)
    for (const [use, call] of Object.entries(USES)) await playUse(use, call, admin, row)
    await playStale(admin, row)
  }
  await admin.close()
  row.detail = `${Object.keys(AGAIN).join(', ')} of a lease whose session another user has by now: nothing comes of it; ${Object.keys(USES).join(', ')} on it, and its statements, transactions, close and terminate: an InterfaceError, or nothing, and never the other user's session`
  return [row]
}

/** A lease that was released, and the next one, on the same session. */
async function pair(): Promise<{
  open: Awaited<ReturnType<typeof openPool>>
  old: PoolConnection
  current: PoolConnection
}> {
  const open = await openPool({ minSize: 1, maxSize: 1 })
  const old = await open.pool.acquire()
  await old.release()
  const current = await open.pool.acquire()
  return { open, old, current }
}

/** The user who has the session now still has it, alone. */
async function isUndisturbed(current: PoolConnection, pool: Pool, row: Row, what: string): Promise<void> {
  const { inUse, idle } = pool.stats
  row.check(inUse === 1 && idle === 0, `${what}: ${inUse} in use, ${idle} idle`)
  const value = await row.settled(
    current.fetchVal("select current_setting('application_name')"),
    ALL_THE_TIME_MS,
    what,
  )
  const isOwn = value.status === 'fulfilled' && value.value !== 'stolen'
  row.check(isOwn && !current.isClosed, `${what}: its next user: ${said(value)}`)
  row.check(current.isInTransaction, `${what}: its next user is outside its transaction`)
}

async function playAgain(
  again: string,
  giveBack: (lease: PoolConnection, pool: Pool) => unknown,
  admin: Awaited<ReturnType<typeof connect>>,
  row: Row,
): Promise<void> {
  const what = `${again} of what was released`
  row.cases += 1
  const { open, old, current } = await pair()
  row.check(old.serverPid === current.serverPid, `${what}: another session`)
  await current.execute('begin')
  const outcome = await row.settled(Promise.resolve(giveBack(old, open.pool)), ALL_THE_TIME_MS, what)
  row.check(outcome.status === 'fulfilled', `${what}: ${said(outcome)}`)
  await isUndisturbed(current, open.pool, row, what)
  await current.release()
  await wellAfterwards(open, admin, row, what)
  await hasAll(open.pool, row, what)
  open.pool.terminate()
}

async function playUse(
  use: string,
  call: (lease: PoolConnection) => Promise<unknown>,
  admin: Awaited<ReturnType<typeof connect>>,
  row: Row,
): Promise<void> {
  const what = `${use} after release`
  row.cases += 1
  const { open, old, current } = await pair()
  await current.execute('begin')
  const outcome = await row.settled(call(old), ALL_THE_TIME_MS, what)
  const error = outcome.status === 'rejected' ? outcome.reason : undefined
  const isTold = error instanceof InterfaceError && /released/.test(error.message)
  row.check(isTold, `${what}: ${said(outcome)}`)
  await isUndisturbed(current, open.pool, row, what)
  await current.release()
  await wellAfterwards(open, admin, row, what)
  open.pool.terminate()
}

/** What came from a lease: its statements and transactions; and ends of it. */
async function playStale(admin: Awaited<ReturnType<typeof connect>>, row: Row): Promise<void> {
  row.cases += 1
  const what = 'what came from a released lease'
  const open = await openPool({ minSize: 1, maxSize: 1 })
  const old = await open.pool.acquire()
  const statement = await old.prepare('select $1::int')
  const tx = await old.begin()
  await old.release()
  const current = await open.pool.acquire()
  await current.execute('begin')
  const stale: [string, () => Promise<unknown>][] = [
    ['a statement', () => statement.fetchVal([1])],
    ['a query of a transaction', () => tx.fetchVal('select 1')],
    ['COMMIT of a transaction', () => tx.commit()],
  ]
  for (const [name, call] of stale) {
    const outcome = await row.settled(call(), ALL_THE_TIME_MS, name)
    const error = outcome.status === 'rejected' ? outcome.reason : undefined
    row.check(error instanceof InterfaceError, `${what}: ${name}: ${said(outcome)}`)
    await isUndisturbed(current, open.pool, row, `${what}: ${name}`)
  }
  const ends: [string, () => unknown][] = [
    ['rollback', () => tx.rollback().catch(() => {})],
    ['close', () => old.close().catch(() => {})],
    ['terminate', () => ignoring(() => old.terminate())],
    ['unref', () => ignoring(() => old.unref())],
  ]
  for (const [name, end] of ends) {
    await row.settled(Promise.resolve(end()), ALL_THE_TIME_MS, `${what}: ${name}`)
    await isUndisturbed(current, open.pool, row, `${what}: ${name}`)
  }
  await current.release()
  await wellAfterwards(open, admin, row, what)
  open.pool.terminate()
}

/** Whether it throws is its own affair; that it does no harm is ours. */
function ignoring(call: () => unknown): void {
  try {
    call()
  } catch {
    // It has said what it is.
  }
}
