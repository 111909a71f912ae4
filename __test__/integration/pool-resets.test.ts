// After which leases a pool resets a session, and after which there is nothing to reset.
import test from 'ava'
import { pool, uniqueName } from '../support/server.js'

test('a transaction in which nothing can be left is followed by no reset, and any other one is', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const name = uniqueName('traces')
  await p.execute(`create table ${name} (id int, body text);
    create function ${name}_leaves() returns int language sql as $$select set_config('app.own', 'left', false); select 1$$`)
  const pid = (await p.fetchVal<number>('select pg_backend_pid()'))!
  // Calls that share connections are reset by nobody: what one of them leaves shows whether anybody else has done so.
  const mark = () => p.fetchVal("select set_config('app.left', $1, false)", [`${pid}`])
  const marked = () => p.fetchVal("select current_setting('app.left', true)")
  const clean: [string, () => Promise<unknown>][] = [
    ['a query', () => p.transaction((tx) => tx.fetch(`select * from ${name} where id = any($1)`, [[1]]))],
    ['an insert', () => p.transaction((tx) => tx.execute(`insert into ${name} (id) values ($1)`, [1]))],
    ['savepoints', () => p.transaction((tx) => tx.transaction((inner) => inner.fetch('select 1')))],
    ['a batch', () => p.transaction((tx) => tx.batch(['select 1', `update ${name} set id = 2`]))],
    ['many', () => p.transaction((tx) => tx.executeMany(`insert into ${name} values ($1)`, [[1], [2]]))],
    ['an error', () => p.transaction((tx) => tx.fetch('select 1 / 0')).catch(() => {})],
    ['a cursor', () => p.transaction((tx) => tx.cursor('select 1').open())],
    ['nothing', () => p.transaction(async () => {})],
    ['by hand', async () => (await p.begin()).rollback()],
    ['executeMany', () => p.executeMany(`insert into ${name} values ($1)`, [[1], [2]])],
    [
      'a context',
      () => p.withContext({ settings: { 'app.own': 'x' } }).transaction((tx) => tx.fetch('select 1')),
    ],
    [
      'a stream',
      async () => {
        for await (const _ of p.stream(`select * from ${name}`));
      },
    ],
  ]
  for (const [what, leave] of clean) {
    await mark()
    await leave()
    t.is(await marked(), `${pid}`, what)
  }
  const other: [string, () => Promise<unknown>][] = [
    ['a setting', () => p.transaction((tx) => tx.fetch("select set_config('app.own', 'left', false)"))],
    ['SET', () => p.transaction((tx) => tx.execute("set app.own = 'left'"))],
    ['a function', () => p.transaction((tx) => tx.fetch(`select ${name}_leaves()`))],
    ['a lock', () => p.transaction((tx) => tx.fetch('select pg_advisory_lock(4711)'))],
    ['a script', () => p.transaction((tx) => tx.execute('select 1; select 2'))],
    ['a temporary table', () => p.transaction((tx) => tx.execute('create temp table own (id int)'))],
    ['many', () => p.executeMany(`select ${name}_leaves(), $1::int`, [[1]])],
    ['use', () => p.use((c) => c.fetch('select 1'))],
    ['acquire', async () => (await p.acquire()).release()],
  ]
  for (const [what, leave] of other) {
    await mark()
    await leave()
    t.not(await marked(), `${pid}`, what)
    t.true([null, ''].includes(await p.fetchVal("select current_setting('app.own', true)")), what)
  }
  t.is(
    await p.fetchVal("select count(*)::int from pg_locks where locktype = 'advisory' and pid = $1", [pid]),
    0,
  )
  t.is(await p.fetchVal('select pg_backend_pid()'), pid)
})

test('what a trigger leaves is reset by pools with hooks, and by those that share no connections', async (t) => {
  const owner = await pool(t)
  const name = uniqueName('traces')
  await owner.execute(`create table ${name} (id int);
    create function ${name}_leaves() returns trigger language plpgsql as
      $$begin perform set_config('app.own', 'left', false); return new; end$$;
    create trigger leaves before insert on ${name} for each row execute function ${name}_leaves()`)
  for (const [options, left] of [
    [{}, 'left'],
    [{ shareConnections: false }, ''],
    [{ setup: () => {} }, ''],
  ] as const) {
    const p = await pool(t, { maxSize: 1, ...options })
    await p.transaction((tx) => tx.execute(`insert into ${name} values (1)`, []))
    t.is(await p.fetchVal("select current_setting('app.own', true)"), left)
  }
})
