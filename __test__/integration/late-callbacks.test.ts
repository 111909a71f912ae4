// A transaction that its limit has ended, and a callback that goes on and calls the connection itself.
import test, { type ExecutionContext } from 'ava'
import { type Connection, TimeoutError } from 'oxpg'
import { connection, pool, uniqueName } from '../support/server.js'

/** A temporary table of the session's. */
async function table(c: Connection): Promise<string> {
  const name = uniqueName('late')
  await c.execute(`create temp table ${name} (id int)`)
  return name
}

/** What a callback may call on the connection in place of its transaction. */
const CALLS: Record<string, (c: Connection, table: string) => Promise<unknown>> = {
  execute: (c, name) => c.execute(`insert into ${name} values (2)`),
  fetchVal: (c, name) => c.fetchVal(`insert into ${name} values ($1) returning id`, [3]),
  executeMany: (c, name) => c.executeMany(`insert into ${name} values ($1)`, [[4], [5]]),
  prepare: (c, name) => c.prepare(`insert into ${name} values (6)`),
  transaction: (c, name) => c.transaction((tx) => tx.execute(`insert into ${name} values (7)`)),
  begin: (c) => c.begin(),
  reset: (c) => c.reset(),
}

/** Resolves with what it rejects with. */
const rejection = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error) => error,
  )

interface Gate<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

function gate<T>(): Gate<T> {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}

interface Late {
  /** Ends the transaction. */
  readonly controller: AbortController
  /** Lets the callback go on. */
  readonly goOn: () => void
  readonly transaction: Promise<unknown>
  /** What each of its calls came to then. */
  readonly callback: Promise<Map<string, unknown>>
}

/** A transaction whose callback waits to be told to go on. */
async function late(c: Connection, name: string): Promise<Late> {
  const controller = new AbortController()
  const [start, wait] = [gate<void>(), gate<void>()]
  const over = gate<Map<string, unknown>>()
  const transaction = c.transaction(
    async () => {
      await c.execute(`insert into ${name} values (1)`)
      start.resolve()
      await wait.promise
      const outcomes = new Map<string, unknown>()
      for (const [call, make] of Object.entries(CALLS)) outcomes.set(call, await rejection(make(c, name)))
      over.resolve(outcomes)
    },
    { signal: controller.signal },
  )
  await Promise.race([start.promise, transaction])
  return { controller, goOn: wait.resolve, transaction, callback: over.promise }
}

async function check(t: ExecutionContext, c: Connection): Promise<void> {
  const name = await table(c)
  const ids = () => c.fetchVal(`select coalesce(array_agg(id), '{}') from ${name}`)
  const { controller, goOn, transaction, callback } = await late(c, name)
  const reason = new Error('enough')
  controller.abort(reason)
  t.is(await rejection(transaction), reason)
  // Others may use the connection meanwhile.
  t.deepEqual(await ids(), [])
  t.is(await c.transaction((tx) => tx.fetchVal('select 8')), 8)
  goOn()
  for (const [call, outcome] of await callback) t.is(outcome, reason, call)
  t.deepEqual(await ids(), [])
  await c.execute(`insert into ${name} values (9)`)
  t.deepEqual(await ids(), [9])
}

test('what a callback calls on the connection after its transaction was cut off is refused', async (t) => {
  await check(t, await connection(t))
})

test('so it is on a connection of a pool', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  await p.use((c) => check(t, c))
})

test('and in the callback of a savepoint, whose transaction goes on', async (t) => {
  const c = await connection(t)
  const name = await table(c)
  const outcome = await c.transaction(async (tx) => {
    await c.execute(`insert into ${name} values (1)`)
    const wait = gate<void>()
    const over = gate<unknown>()
    const savepoint = tx.transaction(
      async () => {
        await wait.promise
        over.resolve(await rejection(c.execute(`insert into ${name} values (2)`)))
      },
      { timeoutMs: 20 },
    )
    await t.throwsAsync(savepoint, { instanceOf: TimeoutError })
    wait.resolve()
    const late = await over.promise
    await c.execute(`insert into ${name} values (3)`)
    return late
  })
  t.true(outcome instanceof TimeoutError)
  t.deepEqual(await c.fetchVal(`select array_agg(id order by id) from ${name}`), [1, 3])
})
