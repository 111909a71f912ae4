import test from 'ava'
import { connection, pool, uniqueName } from '../support/server.js'

/** What a session must not keep, by what asks for it and what a fresh one answers. */
const TRACES = {
  "select current_setting('application_name')": '',
  'select session_user = current_user': true,
  'select count(*)::int from pg_listening_channels()': 0,
  'select count(*)::int from pg_cursors where is_holdable': 0,
  "select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()": 0,
  "select to_regclass('pg_temp.left_behind') is null": true,
}

async function leaveTraces(
  c: { execute(text: string): Promise<unknown> },
  role: string,
  sequence: string,
): Promise<void> {
  await c.execute("set application_name to 'dirty'")
  await c.execute('listen somebody')
  await c.execute('select pg_advisory_lock(43)')
  await c.execute('create temp table left_behind (n int)')
  await c.execute(`select nextval('${sequence}')`)
  await c.execute('declare left_open cursor with hold for select 1')
  await c.execute(`set session authorization ${role}`)
}

test('reset of a connection and release to a pool undo the same', async (t) => {
  const admin = await connection(t)
  const [role, sequence] = [uniqueName('reset_role'), uniqueName('reset_sequence')]
  await admin.execute(`create role ${role}; create sequence ${sequence}`)
  t.teardown(() => admin.execute(`drop sequence ${sequence}; drop role ${role}`).then(() => {}))
  const c = await connection(t, { applicationName: '' })
  await leaveTraces(c, role, sequence)
  await c.reset()
  const p = await pool(t, { minSize: 1, maxSize: 1, applicationName: '' })
  await p.use((lease) => leaveTraces(lease, role, sequence))
  const lease = await p.acquire()
  for (const session of [c, lease]) {
    for (const [query, fresh] of Object.entries(TRACES)) t.is(await session.fetchVal(query), fresh, query)
    // The session has drawn nothing from the sequence.
    await t.throwsAsync(session.fetch('select lastval()'), { code: '55000' })
  }
  await lease.release()
})

test('reset keeps prepared statements', async (t) => {
  const c = await connection(t)
  const statement = await c.prepare('select $1::int + 1')
  await c.reset()
  t.is(await statement.fetchVal([1]), 2)
})

test('reset keeps the listeners of notices and of the end', async (t) => {
  const c = await connection(t)
  const heard: string[] = []
  c.onNotice((message) => heard.push(message.message))
  const ended = new Promise<void>((resolve) => c.onTermination(() => resolve()))
  await c.reset()
  await c.execute("do $$ begin raise warning 'still here'; end $$")
  t.deepEqual(heard, ['still here'])
  await c.close()
  await t.notThrowsAsync(ended)
})

test('reset ends a transaction, also one that is being begun', async (t) => {
  const c = await connection(t)
  await c.execute('begin')
  await c.reset()
  t.false(c.isInTransaction)
  const calls = [c.execute('begin'), c.execute("set local application_name to 'inside'"), c.reset()]
  await Promise.all(calls)
  t.false(c.isInTransaction)
  t.not(await c.fetchVal('show application_name'), 'inside')
})
