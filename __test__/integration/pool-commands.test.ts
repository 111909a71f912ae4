// What commands come to that are made through a pool, where no session is kept.
import test from 'ava'
import { connect, InterfaceError, type PoolOptions, UnsupportedClientFeatureError } from 'oxpg'
import { pool, uniqueName, url } from '../support/server.js'

/** What a call on a pool that leaves a transaction open is told. */
const leftOpen = { instanceOf: InterfaceError, message: /left a transaction open.*begin\(\) of the pool/ }
const notBegun = {
  instanceOf: InterfaceError,
  message: /cannot be begun by a query.*transaction\(\) or begin\(\).*acquire\(\)/,
}
const noTransaction = {
  instanceOf: InterfaceError,
  message: /no transaction on a pool.*transaction\(\).*acquire\(\)/,
}
const noListening = {
  instanceOf: UnsupportedClientFeatureError,
  message: /LISTEN has no effect through a pool.*listen\(\)/,
}

const WAYS: { readonly [way: string]: PoolOptions } = { alone: {}, 'with a hook': { setup: () => {} } }

for (const [way, options] of Object.entries(WAYS)) {
  test(`a call on the pool that leaves a transaction open is told that nothing comes of it, ${way}`, async (t) => {
    const p = await pool(t, { maxSize: 1, ...options })
    await t.throwsAsync(p.execute('begin; select 1'), leftOpen)
    // A query that failed says why itself.
    await t.throwsAsync(p.execute('begin; select nonsense'), { code: '42703' })
    t.is(await p.execute('begin; select 1; commit'), 'COMMIT')
    t.is(await p.fetchVal('select 1'), 1)
  })

  test(`a lone command that needs a session is refused by a pool before it is sent, ${way}`, async (t) => {
    const p = await pool(t, { minSize: 0, maxSize: 1, ...options })
    for (const [query, expected] of [
      ['begin', notBegun],
      ['/* now */ START TRANSACTION read only;', notBegun],
      [';begin', notBegun],
      ['; -- nothing\n ;begin', notBegun],
      ['commit', noTransaction],
      ['END', noTransaction],
      ['rollback; -- all of it', noTransaction],
      ['ABORT', noTransaction],
      ['; /* all of it */ rollback', noTransaction],
      ['rollback to a', noTransaction],
      ['savepoint a', noTransaction],
      ['release savepoint a', noTransaction],
      ["prepare transaction 'a'", noTransaction],
      ['listen somebody', noListening],
      [';listen somebody', noListening],
    ] as const) {
      for (const call of [
        () => p.execute(query),
        () => p.execute(query, []),
        () => p.fetch(query),
        () => p.fetchRow(query),
        () => p.fetchVal(query),
        () => p.run(query),
        () => p.fetchMany(query, [[]]),
        () => p.executeMany(query, [[]]),
        () => p.prepare(query),
      ]) {
        const error = await t.throwsAsync<InterfaceError>(call(), expected, query)
        t.true(error?.safeToRetry)
      }
    }
    // Nothing was opened for them.
    t.is(p.stats.opened, 0)
    // What needs no session, or has all that it needs, is none of these.
    await t.throwsAsync(p.execute("commit prepared 'never prepared'"), { code: '42704' })
    t.is(await p.execute('unlisten *'), 'UNLISTEN')
    await p.use((c) => c.execute('listen somebody'))
    await p.transaction((tx) => tx.execute('savepoint a'))
    t.is(await p.fetchVal('select 1'), 1)
  })
}

test('a script through the pool that listens at its end is told that nothing comes of it', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  await t.throwsAsync(p.execute('select 1; listen somebody'), noListening)
})

test('what runs through the pool itself leaves no trace for anyone', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const role = uniqueName('pool_role')
  await p.execute(`create role ${role}`)
  t.teardown(async () => {
    const c = await connect(url)
    await c.execute(`drop role ${role}`)
    await c.close()
  })
  const state = () =>
    p.fetchRow(
      `select current_user::text as role, session_user::text as session, current_setting('work_mem') as memory,
         current_setting('search_path') as path, current_setting('default_transaction_read_only') as read_only,
         current_setting('TimeZone') as zone,
         (select count(*)::int from pg_class where relpersistence = 't' and relkind = 'r') as temporary,
         (select count(*)::int from pg_cursors) as cursors,
         (select count(*)::int from pg_listening_channels()) as channels,
         (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
         (select count(*)::int from pg_prepared_statements where from_sql) as prepared`,
    )
  const before = await state()
  for (const query of [
    `set role ${role}`,
    `set session authorization ${role}`,
    "set work_mem = '123kB'",
    "set time zone 'Asia/Tokyo'",
    'set search_path to nowhere',
    'set session characteristics as transaction read only',
    'create temp table left_behind (id int)',
    'select 1 as a into temp left_behind_too',
    'explain analyze create temp table left_behind_explained as select 1',
    'declare left_behind cursor with hold for select 1',
    'do $$ begin perform pg_advisory_lock(7); end $$',
    "do $$ begin perform set_config('work_mem', '124kB', false); end $$",
    'prepare left_behind as select 1',
    "select 1; set work_mem = '125kB'; listen left_behind; select 2",
  ]) {
    for (const call of [() => p.execute(query), () => p.fetch(query)]) {
      // A script has no rows.
      await call().catch((error: { code?: string }) => t.is(error.code, '42601', query))
      t.deepEqual(await state(), before, query)
    }
  }
  t.is(p.stats.opened, 1)
})

test('what may leave something behind runs alone, on a session that is clean afterwards', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  await p.execute("set application_name to 'left behind'")
  t.not(await p.fetchVal('show application_name'), 'left behind')
  await t.throwsAsync(p.execute('begin; select 1'), leftOpen)
  t.is(
    await p.fetchVal(
      "select count(*)::int from pg_stat_activity where pid = pg_backend_pid() and xact_start < query_start - interval '1 s'",
    ),
    0,
  )
  const table = uniqueName('shared')
  t.teardown(async () => {
    const c = await connect(url)
    await c.execute(`drop table if exists ${table}`)
    await c.close()
  })
  await Promise.all([
    t.throwsAsync(p.execute('begin; select 1'), leftOpen),
    p.execute(`create table ${table} (id int)`),
    p.fetch('select 1'),
  ])
  await p.execute(`insert into ${table} values (1)`)
  const c = await connect(url)
  t.is(await c.fetchVal(`select count(*) from ${table}`), 1)
  await c.close()
})
