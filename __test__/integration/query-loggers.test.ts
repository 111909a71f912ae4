import { AsyncLocalStorage } from 'node:async_hooks'
import { inspect } from 'node:util'
import test from 'ava'
import { DivisionByZeroError, LoggedQuery, SyntaxOrAccessError, TimeoutError, type Transaction } from 'oxpg'
import { connection, pool, until, url } from '../support/server.js'

function collecting() {
  const records: LoggedQuery[] = []
  return { records, logger: (record: LoggedQuery) => void records.push(record) }
}

test('a logger is told of each query when it is over, and before its caller', async (t) => {
  const c = await connection(t, { commandTimeoutMs: 60_000 })
  const { records, logger } = collecting()
  c.addQueryLogger(logger)
  c.addQueryLogger(logger)
  await c.fetch('select $1::int as n', [1]).then(() => t.is(records.length, 1))
  const [record] = records
  t.true(record instanceof LoggedQuery)
  const { hostname, port, pathname, username } = new URL(url)
  t.like(record, {
    kind: 'query',
    query: 'select $1::int as n',
    params: [1],
    operation: 'SELECT',
    timeoutMs: 60_000,
    isPooled: false,
    host: hostname,
    port: Number(port),
    database: pathname.slice(1),
    user: username,
    serverPid: c.serverPid,
    tag: 'SELECT 1',
    rowCount: 1,
  })
  t.true(record!.elapsedMs! > 0)
  t.false('error' in record!)
  c.removeQueryLogger(logger)
  await c.fetchVal('select 2')
  t.is(records.length, 1)
})

test('what fails is told with the error that the caller gets, whose stack shows him', async (t) => {
  const c = await connection(t)
  const { records, logger } = collecting()
  c.addQueryLogger(logger)
  async function theCaller() {
    await c.fetch('selec 1', [])
  }
  const error = await t.throwsAsync(theCaller(), { instanceOf: SyntaxOrAccessError })
  t.is(records[0]!.error, error)
  t.is((error as SyntaxOrAccessError).query, 'selec 1')
  t.regex(error!.stack!, /theCaller/)
  const late = await t.throwsAsync(c.fetch('select pg_sleep(30)', [], { timeoutMs: 10 }), {
    instanceOf: TimeoutError,
  })
  t.is(records[1]!.error, late)
  t.is(records[1]!.timeoutMs, 10)
  // It is refused before it is sent.
  const refused = await t.throwsAsync(c.fetch('select \ud800', [1]))
  t.is(records[2]!.error, refused)
  const reason = new Error('gone')
  await t.throwsAsync(c.fetch('select 1', [], { signal: AbortSignal.abort(reason) }), { is: reason })
  t.is(records[3]!.error, reason)
})

test('every kind of query is told, and what a transaction sends', async (t) => {
  const c = await connection(t)
  await c.execute('create temporary table logged (n int)')
  const { records, logger } = collecting()
  c.addQueryLogger(logger)
  await c.execute('select 1; select 2')
  await c.executeMany('insert into logged values ($1)', [[1], [2]])
  const statement = await c.prepare('select n from logged where n = $1')
  await statement.fetch([1])
  await c.transaction(async (transaction) => {
    await transaction.run('update logged set n = n + $1', [1])
    await transaction.transaction((nested) => nested.fetch('select 1'))
  })
  const told = records.map(({ kind, operation, tag, params }) => [kind, operation, tag, params])
  t.deepEqual(
    told.filter(([kind]) => kind !== 'transaction'),
    [
      ['script', 'SELECT', 'SELECT 1', undefined],
      ['batch', 'INSERT', 'INSERT 0 2', undefined],
      ['prepare', 'SELECT', 'PREPARE', undefined],
      ['query', 'SELECT', 'SELECT 1', [1]],
      ['query', 'UPDATE', 'UPDATE 2', [1]],
      ['query', 'SELECT', 'SELECT 1', undefined],
    ],
  )
  const commands = records
    .filter(({ kind }) => kind === 'transaction')
    .map(({ query, tag, rowCount }) => [query.split(' ')[0], tag, rowCount])
  t.deepEqual(commands, [
    ['BEGIN', 'BEGIN', 0],
    ['SAVEPOINT', 'SAVEPOINT', 0],
    ['RELEASE', 'RELEASE', 0],
    ['COMMIT', 'COMMIT', 0],
  ])
})

test('what opens a transaction in a context has the tag of its own', async (t) => {
  const p = await pool(t)
  const { records, logger } = collecting()
  p.addQueryLogger(logger)
  await p
    .withContext({ settings: { 'app.tenant': 'a' } })
    .transaction((transaction) => transaction.fetch('select 1'))
  t.deepEqual(
    records.map(({ tag, rowCount }) => [tag, rowCount]),
    [
      ['BEGIN', 0],
      ['SELECT 1', 1],
      ['COMMIT', 0],
    ],
  )
})

test('batches, cursors, streams and calls in a context are told as well', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const { records, logger } = collecting()
  p.addQueryLogger(logger)
  await p.batch(['select 1', ['select $1::int', [2]]])
  await p.withContext({ settings: { 'app.tenant': 'a' } }).fetch('select 3')
  for await (const _ of p.stream('select 4'));
  await p.transaction(async (transaction) => {
    for await (const _ of transaction.cursor('select 5'));
  })
  t.deepEqual(
    records.map(({ kind, query, isPooled }) => [kind, query, isPooled]),
    [
      ['group', 'select 1;\nselect $1::int', true],
      ['query', 'select 3', true],
      ['query', 'select 4', false],
      ['transaction', 'BEGIN', false],
      ['query', 'select 5', false],
      ['transaction', 'COMMIT', false],
    ],
  )
  t.true(records.every(({ serverPid }) => serverPid === records[0]!.serverPid))
})

test('a stream that is left early has not failed, and has the rows that it gave', async (t) => {
  const p = await pool(t)
  const { records, logger } = collecting()
  p.addQueryLogger(logger)
  let given = 0
  for await (const part of p.stream('select generate_series(1, 1000000)').batches()) {
    given += part.length
    if (given > 1_000) break
  }
  await until(async () => records.length > 0, 'the end of the stream')
  t.like(records[0], { query: 'select generate_series(1, 1000000)', rowCount: given, tag: '' })
  t.false('error' in records[0]!)
  // What its reader gets is told.
  const c = await connection(t)
  c.addQueryLogger(logger)
  const late = c.stream('select pg_sleep(30)', [], { timeoutMs: 10 })
  const error = await t.throwsAsync(late.batches().next(), { instanceOf: TimeoutError })
  await until(async () => records.length > 1, 'the end of the other')
  t.is(records[1]!.error, error)
})

const PARTS: Record<string, (on: Transaction, query: string) => AsyncIterable<unknown>> = {
  'a cursor that is iterated over': (on, query) => on.cursor(query, [], { prefetch: 10 }),
  'a stream in a transaction': (on, query) => on.stream(query),
}

for (const [what, read] of Object.entries(PARTS)) {
  test(`${what} is one query, of all its rows`, async (t) => {
    const c = await connection(t)
    const { records, logger } = collecting()
    c.addQueryLogger(logger)
    const queries = () => records.splice(0).filter(({ kind }) => kind !== 'transaction')
    await c.transaction(async (tx) => {
      let given = 0
      for await (const _ of read(tx, 'select i from generate_series(1, 5000) i')) {
        if (++given === 4_000) await tx.fetchVal("select 'between'")
      }
      t.is(given, 5_000)
      const [between, all, ...rest] = queries()
      t.like(between, { query: "select 'between'" })
      t.like(all, { operation: 'SELECT', tag: 'SELECT 5000', rowCount: 5_000, serverPid: c.serverPid })
      t.false('error' in all!)
      t.deepEqual(rest, [])
      // Its time is that of all parts.
      for await (const _ of read(
        tx,
        'select pg_sleep(case when i > 950 then 0.01 else 0 end) from generate_series(1, 960) i',
      ));
      const [slow] = queries()
      t.true(slow!.elapsedMs! >= 90, `${slow!.elapsedMs}`)
      for await (const _ of read(tx, 'select 1 where false'));
      t.like(queries()[0], { tag: 'SELECT 0', rowCount: 0 })
    })
    records.length = 0
    const error = await t.throwsAsync(
      c.transaction(async (tx) => {
        for await (const _ of read(tx, 'select 1 / (4000 - i) from generate_series(1, 5000) i'));
      }),
      { instanceOf: DivisionByZeroError },
    )
    const [failed, ...others] = queries()
    t.is(failed!.error, error)
    t.deepEqual(others, [])
  })

  test(`${what} that is not read to its end has the rows that it gave, and no error`, async (t) => {
    const c = await connection(t)
    const { records, logger } = collecting()
    const ended = (where: string) => {
      const found = records.filter(({ kind }) => kind === 'query')
      t.is(found.length, 1, where)
      t.like(found[0], { tag: '' }, where)
      t.false('error' in found[0]!, where)
      t.true(found[0]!.rowCount! >= 1 && found[0]!.rowCount! < 100_000, where)
      records.length = 0
    }
    const query = 'select generate_series(1, 100000)'
    c.addQueryLogger(logger)
    await c.transaction(async (tx) => {
      for await (const _ of read(tx, query)) break
      ended('left')
    })
    const kept: unknown[] = []
    const start = async (tx: Transaction) => {
      const iterator = read(tx, query)[Symbol.asyncIterator]()
      kept.push(iterator)
      await iterator.next()
      return iterator
    }
    records.length = 0
    await c.transaction(start)
    ended('committed')
    await t.throwsAsync(
      c.transaction(async (tx) => {
        await start(tx)
        throw new Error('no')
      }),
      { message: 'no' },
    )
    ended('rolled back')
    const p = await pool(t, { maxSize: 1 })
    p.addQueryLogger(logger)
    const tx = await p.begin()
    await start(tx)
    await tx.rollback()
    ended('rolled back by hand')
    await p.use(async (lease) => void (await start(await lease.begin())))
    ended('released')
    const last = await c.begin()
    await start(last)
    c.terminate()
    await until(async () => records.some(({ kind }) => kind === 'query'), 'the end with the session')
    ended('terminated')
    t.is(kept.length, 5)
  })
}

test('each step of a cursor that was opened is a query of its own', async (t) => {
  const c = await connection(t)
  const { records, logger } = collecting()
  const text = 'select 1 / (25 - i) as n from generate_series(1, 100) i where i > $1'
  await c
    .transaction(async (tx) => {
      await tx.fetch('select 1')
      c.addQueryLogger(logger)
      const cursor = await tx.cursor(text, [0]).open()
      await cursor.fetch(10)
      await cursor.forward(7)
      await cursor.fetchRow()
      const error = await t.throwsAsync(cursor.fetch(10), { instanceOf: DivisionByZeroError })
      t.deepEqual(
        records.map(({ kind, query, params, rowCount }) => [kind, query, params, rowCount]),
        [0, 10, 7, 1, undefined].map((rowCount) => ['query', text, [0], rowCount]),
      )
      t.is(records[4]!.error, error)
      // What is refused at the call is no query.
      await t.throwsAsync(cursor.fetch(1))
      t.is(records.length, 5)
      throw error
    })
    .catch((error: unknown) => t.true(error instanceof DivisionByZeroError))
})

test('parameters are shown to nobody who does not ask for them', async (t) => {
  const c = await connection(t)
  const { records, logger } = collecting()
  c.addQueryLogger(logger)
  await c.fetchVal('select $1::text', ['a secret'])
  t.deepEqual(records[0]!.params, ['a secret'])
  for (const shown of [
    inspect(records[0], { showHidden: true, depth: 9 }),
    JSON.stringify(records[0]),
    inspect(c, { showHidden: true, depth: 9 }),
  ])
    t.notRegex(shown, /a secret/)
})

test('a logger of a pool hears of its own calls and of its connections, each with the connection that it ran on', async (t) => {
  const p = await pool(t, { maxSize: 2 })
  const { records, logger } = collecting()
  {
    using _scope = p.queryLogger(logger)
    const pids = await Promise.all(
      Array.from({ length: 4 }, () => p.fetchVal<number>('select pg_backend_pid() from pg_sleep(0.01)')),
    )
    t.deepEqual(records.map(({ serverPid }) => serverPid).sort(), pids.toSorted())
    t.true(records.every(({ isPooled, host }) => isPooled && host === new URL(url).hostname))
    await p.execute('select 1; select 2')
    await p.transaction((transaction) => transaction.fetchVal('select 3'))
    t.deepEqual(
      records.slice(4).map(({ query, isPooled }) => [query, isPooled]),
      [
        ['select 1; select 2', true],
        ['BEGIN', false],
        ['select 3', false],
        ['COMMIT', false],
      ],
    )
  }
  records.length = 0
  await p.fetchVal('select 4')
  t.deepEqual(records, [])
})

test('a call that waits for a connection is told of with the whole time, and one that gets none with its error', async (t) => {
  const p = await pool(t, { maxSize: 1, acquireTimeoutMs: 50 })
  const { records, logger } = collecting()
  p.addQueryLogger(logger)
  await using _held = await p.acquire()
  const error = await t.throwsAsync(p.fetch('select 1'), { instanceOf: TimeoutError })
  t.is(records[0]!.error, error)
  t.is(records[0]!.serverPid, undefined)
  t.true(records[0]!.elapsedMs! >= 50)
})

test("loggers of a pool's connection end with its lease", async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const { records, logger } = collecting()
  const c = await p.acquire()
  c.addQueryLogger(logger)
  await c.fetchVal('select 1')
  await c.release()
  await p.use((next) => next.fetchVal('select 2'))
  t.deepEqual(
    records.map(({ query }) => query),
    ['select 1'],
  )
  t.throws(() => c.addQueryLogger(logger), { message: /released/ })
})

test('a logger is told of what fails with a lost connection', async (t) => {
  const c = await connection(t)
  const { records, logger } = collecting()
  c.addQueryLogger(logger)
  const other = await connection(t)
  const running = c.fetch('select pg_sleep(30)')
  await other.fetchVal('select pg_terminate_backend($1)', [c.serverPid])
  const error = await t.throwsAsync(running)
  t.is(records[0]!.error, error)
})

test('a logger runs in the context of the call', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const c = await storage.run('opening', () => connection(t))
  const p = await storage.run('opening', () => pool(t))
  const seen: (string | undefined)[] = []
  const logger = () => void seen.push(storage.getStore())
  for (const queryable of [c, p]) {
    storage.run('adding', () => queryable.addQueryLogger(logger))
    await Promise.all(['one', 'two'].map((name) => storage.run(name, () => queryable.fetch('select 1'))))
    await storage.run('three', () => queryable.transaction((transaction) => transaction.fetch('select 1')))
    t.deepEqual(seen.splice(0), ['one', 'two', 'three', 'three', 'three'])
  }
})

test('a logger must be a function', async (t) => {
  const c = await connection(t)
  t.throws(() => c.addQueryLogger('log' as never), {
    message: /addQueryLogger: expected a function, not 'log'/,
  })
})
