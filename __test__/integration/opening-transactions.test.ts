import test from 'ava'
import {
  connect,
  createPool,
  DataError,
  InFailedSQLTransactionError,
  InterfaceError,
  ReadOnlySQLTransactionError,
  type Transaction,
  UndefinedTableError,
} from 'oxpg'
import { roundTrips } from '../support/round-trips.js'
import { connection, pool, SLEEPING, uniqueName, until } from '../support/server.js'

test.serial('BEGIN goes out with the first statement', async (t) => {
  const counter = await roundTrips(t)
  const c = await connect(counter.url)
  t.teardown(async () => c.terminate())
  await c.fetchVal('select $1::int', [1])
  const run = () => c.transaction((tx) => tx.fetchVal('select $1::int', [2]))
  t.is(await run(), 2)
  t.is(await counter.of(run), 2)
  t.is(await counter.of(() => c.transaction(async () => {})), 0)
  t.is(
    await counter.of(() =>
      c.transaction((tx) => tx.transaction((inner) => inner.fetchVal('select $1::int', [3]))),
    ),
    3,
  )
  t.is(c.isInTransaction, false)
})

test.serial('BEGIN goes out with a cursor or a stream as well', async (t) => {
  const counter = await roundTrips(t)
  const c = await connect(counter.url)
  t.teardown(async () => c.terminate())
  const query = 'select n from generate_series(1, $1::int) n'
  const read = async (rows: AsyncIterable<{ n: number }>) => {
    let sum = 0
    for await (const { n } of rows) sum += n
    return sum
  }
  await c.fetch(query, [1])
  const open = async (tx: Transaction) => {
    const cursor = await tx.cursor<{ n: number }>(query, [10]).open()
    return (await cursor.fetch(10)).reduce((sum, { n }) => sum + n, 0)
  }
  for (const [trips, work] of [
    [2, () => c.transaction((tx) => read(tx.cursor<{ n: number }>(query, [10])))],
    [2, () => c.transaction((tx) => read(tx.stream<{ n: number }>(query, [10])))],
    // It is fetched from in another one.
    [3, () => c.transaction(open)],
  ] as const) {
    t.is(await work(), 55)
    t.is(await counter.of(work), trips)
    t.is(c.isInTransaction, false)
  }
})

test.serial('a one-query transaction of a pool takes two round trips', async (t) => {
  const counter = await roundTrips(t)
  const p = await createPool(counter.url, { minSize: 1, maxSize: 1 })
  t.teardown(async () => p.terminate())
  const run = () => p.transaction((tx) => tx.fetchVal('select $1::int', [2]))
  await run()
  await p.fetch('select 1')
  const trips = await counter.of(run)
  // The reset of the session goes out behind it, and nobody waits for it.
  t.true(trips === 2 || trips === 3, `${trips}`)
})

test('calls that are made at once in a transaction are executed in order, inside it', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id serial, n int)')
  for (const first of ['insert into things (n) values ($1)', 'insert into things (n) select $1::int']) {
    await c.transaction(async (tx) => {
      await Promise.all([
        tx.execute(first, [1]),
        tx.execute('insert into things (n) values (2)'),
        c.execute(first, [3]),
      ])
      t.is(await tx.fetchVal('select txid_current_if_assigned() is not null'), true)
    })
  }
  t.deepEqual(await c.fetch('select n from things order by id', [], { rowMode: 'array' }), [
    [1],
    [2],
    [3],
    [1],
    [2],
    [3],
  ])
})

test('scripts, batches of rows and prepared statements may be the first', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int)')
  const undo = new Error('undo')
  for (const work of [
    (tx: Awaited<ReturnType<typeof c.begin>>) =>
      tx.execute('insert into things values (1); insert into things values (2)'),
    (tx: Awaited<ReturnType<typeof c.begin>>) => tx.executeMany('insert into things values ($1)', [[1], [2]]),
    async (tx: Awaited<ReturnType<typeof c.begin>>) =>
      (await tx.prepare('insert into things values (1)')).execute(),
    (tx: Awaited<ReturnType<typeof c.begin>>) => tx.execute('create temp table others ()'),
  ]) {
    t.is(
      await t.throwsAsync(
        c.transaction(async (tx) => {
          await work(tx)
          throw undo
        }),
      ),
      undo,
    )
    t.is(await c.fetchVal('select count(*) from things'), 0)
  }
})

test('what opens a transaction fails the statement behind it, which does not run outside', async (t) => {
  const c = await connection(t)
  const name = uniqueName('things')
  await c.execute(`create table ${name} (n int)`)
  t.teardown(async () => {})
  try {
    const insert = `insert into ${name} values ($1)`
    await c.execute(insert, [0])
    // Of a BEGIN that fails: a prepared transaction's name would do as well.
    await c.execute("set default_transaction_isolation = 'serializable'")
    const tx = await c.begin({ readOnly: true })
    await t.throwsAsync(tx.execute(insert, [1]), { instanceOf: ReadOnlySQLTransactionError })
    await t.throwsAsync(tx.execute(insert, [2]), { instanceOf: InFailedSQLTransactionError })
    await tx.rollback()
    t.is(await c.fetchVal(`select count(*) from ${name}`), 1)
  } finally {
    await c.execute(`drop table ${name}`)
  }
})

test('a statement that fails first leaves a transaction that can be rolled back', async (t) => {
  const c = await connection(t)
  for (const [query, params, error] of [
    ['select * from no_such_table', [], UndefinedTableError],
    ['select $1::int / 0', [1], undefined],
    ['select 1; select * from no_such_table', undefined, UndefinedTableError],
  ] as const) {
    const tx = await c.begin()
    await t.throwsAsync(tx.execute(query, params), error === undefined ? undefined : { instanceOf: error })
    await t.throwsAsync(tx.execute('select 1'), { instanceOf: InFailedSQLTransactionError })
    await tx.rollback()
    t.false(c.isInTransaction)
    t.is(await c.fetchVal('select 1'), 1)
  }
})

test('a value that does not fit leaves the transaction open', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int)')
  for (let round = 0; round < 2; round++) {
    await c.transaction(async (tx) => {
      await t.throwsAsync(tx.execute('insert into things values ($1)', ['no number']), {
        instanceOf: DataError,
      })
      await tx.execute('insert into things values ($1)', [round])
    })
  }
  t.is(await c.fetchVal('select count(*) from things'), 2)
})

test('a savepoint whose first statement fails is rolled back, and the transaction goes on', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int primary key)')
  await c.transaction(async (tx) => {
    for (const query of [
      'insert into things values (1), (1)',
      'select no_such_column',
      'insert into no_such_table values (1)',
    ]) {
      await t.throwsAsync(tx.transaction((inner) => inner.execute(query)))
      await t.throwsAsync(tx.transaction((inner) => inner.fetch(query)))
    }
    await tx.transaction(async () => {})
    await tx.execute('insert into things values (1)')
  })
  t.is(await c.fetchVal('select count(*) from things'), 1)
})

test('a first statement that is cancelled takes its transaction along', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int)')
  const watcher = await connection(t)
  const abort = new AbortController()
  const reason = new Error('enough')
  const error = await t.throwsAsync(
    c.transaction(async (tx) => {
      const sleep = tx.fetch('select pg_sleep(60)', [], { signal: abort.signal })
      const isAsleep = async () => (await watcher.fetchVal(SLEEPING, [c.serverPid])) === 1
      const aborted = until(isAsleep, 'the sleep').then(() => abort.abort(reason))
      await t.throwsAsync(sleep, { is: reason })
      await aborted
      await tx.execute('insert into things values (1)')
    }),
  )
  t.true(error instanceof InFailedSQLTransactionError)
  t.is(await c.fetchVal('select count(*) from things'), 0)
  t.false(c.isInTransaction)
})

test('isInTransaction says so from the start on', async (t) => {
  const c = await connection(t)
  const tx = await c.begin()
  t.true(c.isInTransaction)
  await c.fetch('select 1')
  t.true(c.isInTransaction)
  await tx.rollback()
  t.false(c.isInTransaction)
  const unused = await c.begin()
  await unused.rollback()
  t.false(c.isInTransaction)
  await t.throwsAsync(unused.execute('select 1'), { instanceOf: InterfaceError })
})

test('a transaction in which nothing was done leaves the pool alone', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const tx = await p.begin()
  await tx.rollback()
  t.is(await p.fetchVal('select 1'), 1)
  await p.transaction(async () => {})
  t.is(await p.fetchVal('select 1'), 1)
})

test('a query that ends the transaction is noticed when it is the first', async (t) => {
  const c = await connection(t)
  for (const query of ['commit', 'rollback; begin', 'commit and chain']) {
    await t.throwsAsync(
      c.transaction(async (tx) => {
        await tx.execute(query)
        await tx.execute('select 1')
      }),
      { instanceOf: InterfaceError, message: /ended by a query/ },
    )
    await c.execute('rollback')
    t.is(await c.fetchVal('select 1'), 1)
  }
})
