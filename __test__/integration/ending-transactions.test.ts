import test from 'ava'
import {
  type Connection,
  InterfaceError,
  TimeoutError,
  type Transaction,
  TransactionResolutionUnknownError,
} from 'oxpg'
import { connection, pool, uniqueName, until } from '../support/server.js'

/** Long enough for all that is answered at once. */
const LIMITED = { commandTimeoutMs: 3_000 }

/** Keeps the session busy, longer than its time limit, until the returned function is called. */
async function blocker(t: Parameters<typeof connection>[0], name: string): Promise<() => Promise<void>> {
  const other = await connection(t)
  await other.execute(`select pg_advisory_lock(hashtext('${name}'))`)
  return async () => {
    await other.execute(`select pg_advisory_unlock(hashtext('${name}'))`)
  }
}

function wait(tx: Transaction, name: string): Promise<string> {
  return tx.execute(`select pg_advisory_xact_lock(hashtext('${name}'))`, undefined, { timeoutMs: 0 })
}

/** A table whose rows make their COMMIT wait for the blocker. */
async function tableThatWaits(c: Pick<Connection, 'execute'>, table: string, name: string): Promise<void> {
  await c.execute(`create table ${table} (n int);
    create function ${table}_waits() returns trigger language plpgsql as
      $$begin perform pg_advisory_xact_lock(hashtext('${name}')); return null; end$$;
    create constraint trigger waits after insert on ${table} deferrable initially deferred
      for each row execute function ${table}_waits()`)
}

test('a COMMIT that waits longer than commandTimeoutMs is sent all the same', async (t) => {
  const name = uniqueName('commit')
  const unblock = await blocker(t, name)
  const c = await connection(t, LIMITED)
  await tableThatWaits(c, name, name)
  const error = await t.throwsAsync(
    c.transaction((tx) => tx.execute(`insert into ${name} values (1)`)),
    { instanceOf: TransactionResolutionUnknownError, message: /COMMIT/ },
  )
  t.like(error, { code: '08007', safeToRetry: false })
  t.true(error!.cause instanceof TimeoutError)
  await unblock()
  await c.execute(`insert into ${name} values (2)`)
  t.false(c.isInTransaction)
  t.is(await c.fetchVal(`select sum(n)::int from ${name}`), 3)
})

test('a ROLLBACK and a ROLLBACK TO SAVEPOINT that wait that long are sent as well', async (t) => {
  const name = uniqueName('rollback')
  const unblock = await blocker(t, name)
  const c = await connection(t, LIMITED)
  await c.execute('create temp table things (n int)')
  const calls: Promise<unknown>[] = []
  await c.transaction(async (tx) => {
    await tx.execute('insert into things values (1)')
    const reason = new Error('on purpose')
    const nested = tx.transaction(async (inner) => {
      await inner.execute('insert into things values (10)')
      calls.push(wait(inner, name))
      throw reason
    })
    await t.throwsAsync(nested, { is: reason })
    t.false('cause' in reason)
    await unblock()
  })
  await Promise.all(calls)
  t.is(await c.fetchVal('select sum(n)::int from things'), 1)

  const again = await blocker(t, name)
  const tx = await c.begin()
  await tx.execute('insert into things values (100)')
  const slow = wait(tx, name)
  await t.throwsAsync(tx.rollback(), { instanceOf: TimeoutError, message: /ROLLBACK/ })
  await again()
  await slow
  t.is(await c.fetchVal('select sum(n)::int from things'), 1)
})

test("a pool's connection comes back once its COMMIT has been answered, also when the caller gave up", async (t) => {
  const name = uniqueName('pool_commit')
  const unblock = await blocker(t, name)
  const p = await pool(t, { ...LIMITED, minSize: 1, maxSize: 1 })
  const table = uniqueName('things')
  const observer = await connection(t)
  await tableThatWaits(observer, table, name)
  try {
    const managed = p.transaction((tx) => tx.execute(`insert into ${table} values (1)`))
    await t.throwsAsync(managed, { instanceOf: TransactionResolutionUnknownError })
    await unblock()
    await until(async () => p.stats.inUse === 0, 'the return of the connection')
    t.is(await observer.fetchVal(`select sum(n)::int from ${table}`), 1)

    const again = await blocker(t, name)
    const tx = await p.begin()
    await tx.execute(`insert into ${table} values (2)`)
    await t.throwsAsync(tx.commit(), { instanceOf: TransactionResolutionUnknownError })
    t.is(p.stats.inUse, 1)
    await again()
    await until(async () => p.stats.inUse === 0, 'the return of the connection')
    t.is(await observer.fetchVal(`select sum(n)::int from ${table}`), 3)
  } finally {
    await observer.execute(`drop table ${table}`)
  }
})

test("a pool's begin() gives the connection back when the COMMIT is refused", async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const tx = await p.begin()
  await t.throwsAsync(tx.execute('nonsense'))
  await t.throwsAsync(tx.commit(), { code: '25P02' })
  t.is(await p.fetchVal('select 1'), 1)
})

/** Gives three rows, and then nothing and no end. */
function stuck(): { rows: AsyncIterable<[number]>; isStuck: Promise<void> } {
  let report!: () => void
  const isStuck = new Promise<void>((resolve) => {
    report = resolve
  })
  let made = 0
  const next = (): Promise<IteratorResult<[number]>> => {
    if (made < 3) return Promise.resolve({ value: [++made], done: false })
    report()
    return new Promise(() => {})
  }
  return { rows: { [Symbol.asyncIterator]: () => ({ next }) }, isStuck }
}

test('releasing a connection takes back a batch whose source is stuck', async (t) => {
  for (const hooks of [
    {},
    { reset: async (c: { execute(text: string): Promise<unknown> }) => c.execute('select 1') },
  ]) {
    const p = await pool(t, { minSize: 1, maxSize: 1, ...hooks } as never)
    const c = await p.acquire()
    const { rows, isStuck } = stuck()
    const call = t.throwsAsync(c.executeMany('select $1::int', rows), { code: '57014' })
    await isStuck
    await c.release()
    await call
    t.is(await p.fetchVal('select 1'), 1)
  }
})

test('a callback that throws rolls back although the source of a batch is stuck', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int)')
  const { rows, isStuck } = stuck()
  let batch: Promise<unknown> | undefined
  await t.throwsAsync(
    c.transaction(async (tx) => {
      batch = t.throwsAsync(tx.executeMany('insert into things values ($1)', rows))
      await isStuck
      throw new Error('on purpose')
    }),
    { message: 'on purpose' },
  )
  await batch
  t.is(await c.fetchVal('select count(*)::int from things'), 0)
  t.false(c.isInTransaction)
})

test("a call on a full pool inside its own transaction names that transaction's connection", async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  await p.transaction(async (tx) => {
    const pid = await tx.fetchVal<number>('select pg_backend_pid()')
    const error = await t.throwsAsync(p.fetchVal('select 1'), { instanceOf: InterfaceError })
    t.regex(error.message, new RegExp(`server pid ${pid}\\b`))
  })
})
