// Transactions that are prepared on one connection and ended on another.
import test from 'ava'
import {
  connect,
  DivisionByZeroError,
  InFailedSQLTransactionError,
  InterfaceError,
  type Transaction,
  TransactionResolutionUnknownError,
  UndefinedObjectError,
} from 'oxpg'
import { connection, pool, uniqueName } from '../support/server.js'
import { FaultProxy } from '../support/testkit.js'

const PREPARED = 'select count(*)::int from pg_prepared_xacts where gid = $1'

test('what a callback has prepared is committed on another connection', async (t) => {
  const p = await pool(t)
  const c = await connection(t)
  const [table, gid] = [uniqueName('prepared'), `it's "${uniqueName('gid')}" \\ ü`]
  await c.execute(`create table ${table} (id int)`)
  const result = await p.transaction(async (tx) => {
    await tx.execute(`insert into ${table} values (1)`)
    await tx.prepareTransaction(gid)
    await t.throwsAsync(tx.execute(`insert into ${table} values (2)`), { message: /already prepared/ })
    await t.throwsAsync(tx.prepareTransaction(gid), { message: /already prepared/ })
    return 'done'
  })
  t.is(result, 'done')
  t.is(await c.fetchVal(PREPARED, [gid]), 1)
  t.is(await c.fetchVal(`select count(*)::int from ${table}`), 0)
  await c.commitPrepared(gid)
  t.is(await c.fetchVal(PREPARED, [gid]), 0)
  t.is(await c.fetchVal(`select count(*)::int from ${table}`), 1)
  await t.throwsAsync(c.commitPrepared(gid), { instanceOf: UndefinedObjectError })
})

test('one that was begun by hand goes back to its pool, and is rolled back by the pool', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const [table, gid] = [uniqueName('prepared'), uniqueName('gid')]
  await p.execute(`create table ${table} (id int)`)
  const tx = await p.begin()
  await tx.execute(`insert into ${table} values (1)`)
  await tx.prepareTransaction(gid)
  t.is(await p.fetchVal(PREPARED, [gid]), 1)
  await t.throwsAsync(tx.commit(), { instanceOf: InterfaceError })
  await p.rollbackPrepared(gid)
  t.is(await p.fetchVal(`select count(*)::int from ${table}`), 0)
  await t.throwsAsync(p.rollbackPrepared(gid), { instanceOf: UndefinedObjectError })
})

test('identifiers that are none are refused, and the transaction goes on', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const bad = async (gid: unknown, message: RegExp) => {
      const calls = [
        () => tx.prepareTransaction(gid as string),
        () => c.commitPrepared(gid as string),
        () => c.rollbackPrepared(gid as string),
      ]
      for (const call of calls) await t.throwsAsync(call, { instanceOf: InterfaceError, message })
    }
    await bad(undefined, /expected the transaction's identifier, a string/)
    await bad('', /must not be empty/)
    await bad('a\0', /must not contain NUL/)
    await bad('\udc00', /half of a surrogate pair/)
    await bad('x'.repeat(200), /longer than 199 bytes, and this one has 200/)
    await tx.transaction(async (inner) => {
      const message = /only the outermost/
      await t.throwsAsync(inner.prepareTransaction('x'), { instanceOf: InterfaceError, message })
      await t.throwsAsync(tx.prepareTransaction('x'), {
        instanceOf: InterfaceError,
        message: /nested in it is open/,
      })
    })
    t.is(await tx.fetchVal('select 1'), 1)
  })
  await c.transaction(async (tx) => tx.prepareTransaction('x'.repeat(199)))
  await c.rollbackPrepared('x'.repeat(199))
})

test('a transaction in which nothing was done can be prepared', async (t) => {
  const c = await connection(t)
  const gid = uniqueName('empty')
  const transaction = await c.begin()
  await transaction.prepareTransaction(gid)
  t.is(await c.fetchVal('select count(*)::int from pg_prepared_xacts where gid = $1', [gid]), 1)
  await c.commitPrepared(gid)
  t.is(await c.fetchVal('select count(*)::int from pg_prepared_xacts where gid = $1', [gid]), 0)
})

test('a transaction that has failed is rolled back instead, and so is one that cannot be prepared', async (t) => {
  const c = await connection(t)
  const gid = uniqueName('gid')
  await t.throwsAsync(
    c.transaction(async (tx) => {
      await tx.execute('select 1/0').catch(() => {})
      await tx.prepareTransaction(gid)
    }),
    { instanceOf: InFailedSQLTransactionError, message: /instead of prepared/ },
  )
  t.false(c.isInTransaction)
  // Whoever swallows the error is told at the end.
  const left = uniqueName('gid')
  await c.transaction(async (tx) => tx.prepareTransaction(left))
  await t.throwsAsync(
    c.transaction(async (tx) => void (await tx.prepareTransaction(left).catch(() => {}))),
    { code: '42710' },
  )
  t.false(c.isInTransaction)
  await c.rollbackPrepared(left)
  await c.execute('create temp table mine (id int)')
  await t.throwsAsync(
    c.transaction(async (tx) => {
      await tx.execute('insert into mine values (1)')
      await tx.prepareTransaction(gid)
    }),
    { code: '0A000' },
  )
  t.is(await c.fetchVal('select count(*)::int from mine'), 0)
})

test('what a callback does not await, or throws afterwards', async (t) => {
  const c = await connection(t)
  const [first, second] = [uniqueName('gid'), uniqueName('gid')]
  await c.transaction((tx) => void tx.prepareTransaction(first))
  t.is(await c.fetchVal(PREPARED, [first]), 1)
  const reason = new Error('too late')
  await t.throwsAsync(
    c.transaction(async (tx) => {
      void tx.prepareTransaction(second)
      throw reason
    }),
    { is: reason },
  )
  t.is(await c.fetchVal(PREPARED, [second]), 1)
  await Promise.all([c.rollbackPrepared(first), c.rollbackPrepared(second)])
})

test('PREPARE TRANSACTION by hand is noticed as COMMIT is', async (t) => {
  const c = await connection(t)
  const gid = uniqueName('gid')
  const message = /ended by a query \(PREPARE TRANSACTION\)/
  let again: unknown
  await t.throwsAsync(
    c.transaction(async (tx) => {
      await tx.execute(`prepare transaction '${gid}'`)
      again = await tx.execute('select 1').catch((error: unknown) => error)
    }),
    { instanceOf: InterfaceError, message },
  )
  t.true(again instanceof InterfaceError)
  await c.rollbackPrepared(gid)
})

test('where the answer is lost nobody knows', async (t) => {
  const [gid, another] = [uniqueName('gid'), uniqueName('gid')]
  const lost = async (call: (tx: Transaction) => Promise<unknown>): Promise<unknown> => {
    const marker = { text: 'PREPARE TRANSACTION' }
    const proxy = await FaultProxy.for(t, { toServer: { fault: { at: { marker }, effect: 'rst' } } })
    const c = await connect(proxy.url)
    t.teardown(async () => c.terminate())
    return c.transaction(call).catch((error: unknown) => error)
  }
  const error = await lost((tx) => tx.prepareTransaction(gid))
  t.true(error instanceof TransactionResolutionUnknownError)
  t.regex((error as Error).message, /lost while PREPARE TRANSACTION was under way/)
  t.false((error as TransactionResolutionUnknownError).safeToRetry)
  const proxy = await FaultProxy.for(t, {
    toServer: { fault: { at: { marker: { text: 'COMMIT PREPARED' } }, effect: 'rst' } },
  })
  const c = await connect(proxy.url)
  await t.throwsAsync(c.commitPrepared(gid), {
    instanceOf: TransactionResolutionUnknownError,
    message: /lost while COMMIT PREPARED was under way.*pg_prepared_xacts/,
  })
  // And when it is not answered in time.
  const silent = await FaultProxy.for(t)
  const d = await connect(silent.url)
  t.teardown(async () => d.terminate())
  await t.throwsAsync(
    d.transaction(
      async (tx) => {
        await silent.change('stall')
        await tx.prepareTransaction(another)
      },
      { timeoutMs: 200 },
    ),
    { instanceOf: TransactionResolutionUnknownError, message: /PREPARE TRANSACTION was not answered/ },
  )
  // Whether they are prepared is not known, and pg_prepared_xacts tells.
  const watcher = await connection(t)
  for (const id of [gid, another]) {
    if ((await watcher.fetchVal(PREPARED, [id])) === 1) await watcher.rollbackPrepared(id)
  }
})

test('a query that nobody awaits takes its transaction along, and is never outside of it', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const table = uniqueName('forgotten')
  await p.execute(`create table ${table} (id int)`)
  const forgotten = { instanceOf: InterfaceError, message: /returned before a call of its was answered/ }
  let late: Promise<unknown> | undefined
  await t.throwsAsync(
    p.transaction(async (tx) => {
      void tx.execute(`insert into ${table} values (1)`)
      late = new Promise((resolve) => setTimeout(resolve, 5)).then(() =>
        tx.execute(`insert into ${table} values (2)`),
      )
      late.catch(() => {})
    }),
    forgotten,
  )
  await t.throwsAsync(late!, { instanceOf: InterfaceError, message: /being ended|already rolled back/ })
  // One that fails as well.
  let failing: Promise<unknown> | undefined
  await t.throwsAsync(
    p.transaction(async (tx) => {
      failing = tx.execute('select 1/0')
      failing.catch(() => {})
      await Promise.resolve()
    }),
    forgotten,
  )
  await t.throwsAsync(failing!, { instanceOf: DivisionByZeroError })
  t.is(await p.fetchVal(`select count(*)::int from ${table}`), 0)
})
