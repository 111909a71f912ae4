import test from 'ava'
import {
  type BatchStatement,
  connect,
  createPool,
  DataError,
  type DivisionByZeroError,
  InFailedSQLTransactionError,
  InterfaceError,
  type PostgresError,
  Row,
  sql,
  TimeoutError,
  UndefinedTableError,
  UniqueViolationError,
  UnsupportedClientFeatureError,
} from 'oxpg'
import { roundTrips } from '../support/round-trips.js'
import { connection, pool, uniqueName, url } from '../support/server.js'

test('the rows of each statement are in its place', async (t) => {
  const c = await connection(t)
  const p = await pool(t)
  for (const host of [c, p]) {
    for (let round = 0; round < 2; round++) {
      const id = 7
      t.deepEqual(
        await host.batch([
          sql`select ${id}::int as id`,
          ['select n from generate_series(1, $1::int) n', [2]],
          "select 'a' as name, null as nothing where false",
          ['values ($1::int8, $2::text)', [2n ** 60n, 'ü']],
        ]),
        [[{ id: 7 }], [{ n: 1 }, { n: 2 }], [], [{ column1: 2n ** 60n, column2: 'ü' }]],
      )
    }
    t.deepEqual(await host.batch([]), [])
    t.deepEqual(await host.batch(['select 1 as one']), [[{ one: 1 }]])
  }
})

test('row modes and mappings are those of other calls', async (t) => {
  const c = await connection(t)
  const statements = ['select 1 as a, 2::int8 as b', ['select $1::int8 as c', [3]]] as const
  t.deepEqual(await c.batch(statements, { rowMode: 'array', int8: 'string' }), [[[1, '2']], [['3']]])
  const [[first]] = await c.batch(statements, { rowMode: 'record' })
  t.true(first instanceof Row)
})

test.serial('a batch of ten takes one round trip, on a pool as well', async (t) => {
  const counter = await roundTrips(t)
  const c = await connect(counter.url)
  const p = await createPool(counter.url, { minSize: 1, maxSize: 1 })
  t.teardown(async () => {
    c.terminate()
    p.terminate()
  })
  const statements = Array.from({ length: 10 }, (_, n) => [`select $1::int + ${n}`, [n]] as const)
  for (const host of [c, p]) {
    await host.batch(statements)
    const trips: number[] = []
    // A write may arrive in two pieces; serial, since while a schema is being changed nothing is known of statements.
    for (let round = 0; round < 3; round++) trips.push(await counter.of(() => host.batch(statements)))
    t.is(Math.min(...trips), 1)
  }
})

test('a statement that fails takes all of them along, and is named', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int primary key)')
  const insert = 'insert into things values ($1)'
  for (let round = 0; round < 2; round++) {
    const error = await t.throwsAsync(c.batch([[insert, [1]], 'select 1', [insert, [1]], [insert, [2]]]), {
      instanceOf: UniqueViolationError,
    })
    t.is(error?.statement, 2)
    t.is(error?.query, insert)
  }
  t.is(await c.fetchVal('select count(*) from things'), 0)
})

test('the only statement of a batch is named as one of several is', async (t) => {
  const [c, p] = [await connection(t), await pool(t)]
  const context = p.withContext({ settings: { 'app.tenant': 'a' } })
  const named = async (batch: (statements: BatchStatement[]) => Promise<unknown>) => {
    const refused = [
      ['select $1::int', ['no number']],
      ['select $1::int', []],
    ] as const
    for (const statement of refused) {
      t.is((await t.throwsAsync<PostgresError>(batch([statement]))).statement, 0, String(statement))
      t.is((await t.throwsAsync<PostgresError>(batch(['select 1', statement]))).statement, 1)
    }
    const error = await t.throwsAsync<DivisionByZeroError>(batch(['select 1 / 0']))
    t.like(error, { statement: 0, query: 'select 1 / 0', message: 'division by zero' })
  }
  for (const host of [c, p]) await named((statements) => host.batch(statements))
  await named((statements) => c.transaction((tx) => tx.batch(statements)))
  await named((statements) =>
    c.transaction(async (tx) => {
      await tx.fetch('select 1')
      await tx.batch(statements)
    }),
  )
  await named((statements) => context.batch(statements))
  const alone = await t.throwsAsync<DivisionByZeroError>(context.fetch('select 1 / 0'))
  t.is(alone.statement, undefined)
  t.false('row' in alone && alone.row !== undefined)
  const first = await t.throwsAsync<DivisionByZeroError>(c.transaction((tx) => tx.fetch('select 1 / 0')))
  t.is(first.row, undefined)
  // What makes the settings is none of its statements.
  const wrong = p.withContext({ settings: { no_such_setting: 1 } })
  for (const call of [wrong.batch(['select 1']), wrong.transaction((tx) => tx.batch(['select 1']))]) {
    const error = await t.throwsAsync<PostgresError>(call, { message: /no_such_setting/ })
    t.is(error.statement, undefined)
  }
})

test('rows that are more than the caller wants are named, and were made', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int)')
  const long = "select repeat('x', 1000) from generate_series(1, 1000)"
  for (let round = 0; round < 2; round++) {
    const error = await t.throwsAsync(
      c.batch(['insert into things values (1)', long], { maxResultBytes: 10_000 }),
      {
        instanceOf: InterfaceError,
        message: /^statement 1 of the batch: the rows of the result have more than 10000 bytes/,
      },
    )
    t.like(error, { statement: 1, safeToRetry: false })
  }
  t.is(await c.fetchVal('select count(*)::int from things'), 2)
})

test('what is only found at the end takes all of them along', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int primary key deferrable initially deferred)')
  const insert = 'insert into things values ($1) returning n'
  await t.throwsAsync(
    c.batch([
      [insert, [1]],
      [insert, [1]],
    ]),
    { instanceOf: UniqueViolationError },
  )
  t.is(await c.fetchVal('select count(*) from things'), 0)
})

test('a value that does not fit executes nothing', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int)')
  const insert = 'insert into things values ($1)'
  for (let round = 0; round < 2; round++) {
    const error = await t.throwsAsync(
      c.batch([
        [insert, [1]],
        [insert, ['no number']],
      ]),
      { instanceOf: DataError },
    )
    t.is(error?.statement, 1)
    t.regex(error?.message ?? '', /statement 1/)
  }
  t.is(await c.fetchVal('select count(*) from things'), 0)
})

test('what controls transactions is refused by name before anything is sent', async (t) => {
  const p = await pool(t)
  for (const text of [
    'begin',
    'COMMIT',
    '/* a */ rollback',
    'savepoint a',
    'start transaction',
    'prepare transaction $$a$$',
  ]) {
    const error = await t.throwsAsync(p.batch(['select 1', text]), { instanceOf: InterfaceError })
    t.regex(
      error?.message ?? '',
      /^statement 1 of the batch: (BEGIN|COMMIT|ROLLBACK|SAVEPOINT|START|PREPARE) cannot be/,
    )
  }
  await t.throwsAsync(p.batch(['copy a from stdin']), { instanceOf: InterfaceError, message: /COPY/ })
  await t.throwsAsync(p.batch([['select 1', 1 as never]]), {
    instanceOf: InterfaceError,
    message: /statement 0/,
  })
  await t.throwsAsync(p.batch('select 1' as never), { instanceOf: InterfaceError })
  await t.throwsAsync(p.batch([['select 1', [], {}] as never]), { instanceOf: InterfaceError })
})

test('other statements, and those that need what is made before them, are executed in a transaction', async (t) => {
  const c = await connection(t)
  const p = await pool(t)
  for (const host of [c, p]) {
    const name = uniqueName('things')
    const made = await host.batch([
      `create table ${name} (n int)`,
      [`insert into ${name} values ($1) returning n`, [5]],
    ])
    t.deepEqual(made, [[], [{ n: 5 }]])
    const error = await t.throwsAsync(
      host.batch([`drop table ${name}`, 'select 1', `select * from ${name}`]),
      { instanceOf: UndefinedTableError },
    )
    t.is(error?.statement, 2)
    t.is(await host.fetchVal(`select count(*) from ${name}`), 1)
    await host.execute(`drop table ${name}`)
  }
  const table = uniqueName('made')
  await c.execute(`create function pg_temp.make() returns int language plpgsql as
    $$ begin create temp table ${table} (n int); return 1; end $$`)
  t.deepEqual(
    await c.batch(['select pg_temp.make() as made', `insert into ${table} values (3) returning n`]),
    [[{ made: 1 }], [{ n: 3 }]],
  )
})

test('inside a transaction a batch is a part of it', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int)')
  const insert = 'insert into things values ($1) returning n'
  await c.transaction(async (tx) => {
    t.deepEqual(
      await tx.batch([
        [insert, [1]],
        [insert, [2]],
      ]),
      [[{ n: 1 }], [{ n: 2 }]],
    )
    await t.throwsAsync(tx.transaction((inner) => inner.batch([[insert, [3]], 'select 1 / 0'])))
    t.is(await tx.fetchVal('select count(*) from things'), 2)
  })
  await t.throwsAsync(
    c.transaction(async (tx) => {
      await t.throwsAsync(tx.batch([[insert, [4]], 'select 1 / 0']))
      await tx.execute('select 1')
    }),
    { instanceOf: InFailedSQLTransactionError },
  )
  t.is(await c.fetchVal('select count(*) from things'), 2)
})

test('a batch ends as a whole at its limit and by its signal', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int)')
  const statements = [
    ['insert into things values ($1)', [1]],
    ['select pg_sleep($1)', [60]],
  ] as const
  await t.throwsAsync(c.batch(statements, { timeoutMs: 50 }), { instanceOf: TimeoutError })
  const reason = new Error('enough')
  await t.throwsAsync(c.batch(statements, { signal: AbortSignal.abort(reason) }), { is: reason })
  const abort = new AbortController()
  const call = c.batch(statements, { signal: abort.signal })
  setImmediate(() => abort.abort(reason))
  await t.throwsAsync(call, { is: reason })
  t.is(await c.fetchVal('select count(*) from things'), 0)
})

test('types that are not built in are looked up first', async (t) => {
  const c = await connection(t)
  const name = uniqueName('mood')
  await c.execute(`create type ${name} as enum ('sad', 'happy')`)
  try {
    const other = await connection(t)
    t.deepEqual(
      await other.batch([
        [`select $1::${name} as mood`, ['happy']],
        [`select array[$1::${name}] as moods`, ['sad']],
      ]),
      [[{ mood: 'happy' }], [{ moods: ['sad'] }]],
    )
  } finally {
    await c.execute(`drop type ${name}`)
  }
})

test('without named statements, and on the simple protocol, a batch is atomic as well', async (t) => {
  for (const statementMode of ['unnamed', 'simple'] as const) {
    const c = await connect(url, { statementMode })
    t.teardown(async () => c.terminate())
    await c.execute('create temp table things (n int primary key)')
    t.deepEqual(await c.batch(['insert into things values (1) returning n', 'select 2::int as n']), [
      [{ n: 1 }],
      [{ n: 2 }],
    ])
    const error = await t.throwsAsync(
      c.batch(['insert into things values (2)', 'insert into things values (1)', 'select 1']),
      { instanceOf: UniqueViolationError },
    )
    t.is(error?.statement, 1)
    t.is(await c.fetchVal('select count(*) from things'), 1)
  }
  const simple = await connect(url, { statementMode: 'simple' })
  t.teardown(async () => simple.terminate())
  await t.throwsAsync(simple.batch([['select $1::int', [1]]]), { instanceOf: UnsupportedClientFeatureError })
})

test('a lost statement is healed', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n int)')
  const statements = [
    ['insert into things values ($1)', [1]],
    ['select count(*) from things', []],
  ] as const
  await c.batch(statements)
  await c.execute('deallocate all')
  t.deepEqual((await c.batch(statements))[1], [{ count: 2 }])
  await c.execute('alter table things add column m int')
  await c.batch(['select * from things', 'select * from things'])
  await c.execute('alter table things add column o int')
  const [rows] = await c.batch(['select * from things limit 1', 'select 1'])
  t.deepEqual(rows, [{ n: 1, m: null, o: null }])
})

test('what does nothing through a pool is refused in a batch as well', async (t) => {
  const p = await pool(t)
  const context = p.withContext({ settings: { 'app.tenant': 'a' } })
  for (const host of [p, context]) {
    const error = await t.throwsAsync<InterfaceError>(host.batch(['select 1', 'listen a']), {
      instanceOf: InterfaceError,
      message: /listen/i,
    })
    t.like(error, { statement: 1 })
  }
  const c = await connection(t)
  await c.batch(['listen a', 'select 1'])
  t.is(await c.fetchVal('select count(*)::int from pg_listening_channels()'), 1)
})
