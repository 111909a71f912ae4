// Columns, functions and names whose types change while connections know statements about them.
import test, { type ExecutionContext } from 'ava'
import { type Connection, type ConnectOptions, connect, createPool, DataError, type Pool } from 'oxpg'
import { connection, pool, uniqueName, until, url } from '../support/server.js'
import { Pooler } from '../support/testkit.js'
import { unseen } from '../support/unseen.js'

const UUID = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
const ZONE = { serverSettings: { timezone: 'America/New_York' } }

/** A connection for changes, with a new schema's name; it goes with the test. */
async function world(t: ExecutionContext): Promise<[admin: Connection, schema: string]> {
  const admin = await connect(url)
  const schema = uniqueName('changing')
  await admin.execute(`create schema ${schema}; create type ${schema}.mood as enum ('a', 'b')`)
  t.teardown(async () => {
    await admin.execute(`set client_min_messages = error; drop schema ${schema} cascade`)
    await admin.close()
  })
  return [admin, schema]
}

/** Waits until the server carries out, or is held up in, a query that begins so. */
async function isUnderWay(admin: Connection, start: string): Promise<void> {
  const text = "select count(*) from pg_stat_activity where state = 'active' and query like $1 || '%'"
  await until(async () => (await admin.fetchVal<number>(text, [start])) === 1, start)
}

/** A moment whose wall time in New York is another than in UTC. */
const MOMENT = new Date('2024-06-01T12:34:56Z')
const stored = (admin: Connection, table: string): Promise<string | null> =>
  admin.fetchVal(`select string_agg(distinct (v at time zone 'UTC')::text, ' ') from ${table}`)

test('values that are sent while a change is under way are not cast', async (t) => {
  const [admin, schema] = await world(t)
  const table = `${schema}.t`
  const toZone = `alter table ${table} alter v type timestamptz using v at time zone 'UTC'`
  for (const way of ['waits for a lock', 'goes on after COMMIT', 'was given up']) {
    await admin.execute(`drop table if exists ${table}; create table ${table} (v timestamp, note text)`)
    const { warm, again } = await callers(t, url, ZONE, table)
    await warm(MOMENT)
    const changer = await connection(t)
    const holder = await connection(t)
    const reader = await holder.begin()
    const isHeld = way === 'waits for a lock'
    if (isHeld) await reader.fetch(`table ${table}`)
    const script = isHeld ? toZone : `begin; ${toZone}; commit; select pg_sleep(60)`
    const limit = way === 'was given up' ? { timeoutMs: 500 } : undefined
    const changing = changer.execute(script, undefined, limit).then(
      () => {},
      () => {},
    )
    if (limit !== undefined) await changing
    else await isUnderWay(admin, script.slice(0, 40))
    if (!isHeld) {
      const isThere = `select atttypid::regtype = 'timestamptz'::regtype from pg_attribute where attrelid = $1::text::regclass and attname = 'v'`
      await until(async () => (await admin.fetchVal<boolean>(isThere, [table])) === true, 'the change')
    }
    const calls = again(MOMENT)
    if (isHeld) await reader.rollback()
    await calls
    t.is(await stored(admin, table), '2024-06-01 12:34:56', way)
    changer.terminate()
    await changing
  }
})

test('a composite type whose attributes change is another one', async (t) => {
  const [admin, schema] = await world(t)
  await admin.execute(`
    create table ${schema}.w (id int, is_admin bool);
    insert into ${schema}.w values (1, false);
    create type ${schema}.p as (id int, a bool);
    create table ${schema}.stored (v ${schema}.p);
    create type ${schema}.granted as (v timestamp, acl aclitem)`)
  const shared = await pool(t, { ...ZONE, minSize: 1, maxSize: 3 })
  const whole = `select x from ${schema}.w x`
  const store = `insert into ${schema}.stored values ($1)`
  const grant = `select (($1::${schema}.granted).v at time zone 'UTC')::text`
  const granted = { v: MOMENT, acl: null }
  t.deepEqual(await shared.fetchVal(whole), { id: 1, is_admin: false })
  await shared.execute(store, [{ id: 1, a: true }])
  await shared.fetchVal(grant, [granted])
  await admin.execute(`
    alter table ${schema}.w drop column is_admin;
    alter table ${schema}.w add column is_banned bool default true;
    alter type ${schema}.p drop attribute a cascade;
    alter type ${schema}.p add attribute b bool cascade;
    alter type ${schema}.granted alter attribute v type timestamptz`)
  const leases = await Promise.all([1, 2, 3].map(() => shared.acquire()))
  for (const lease of leases) {
    t.deepEqual(await lease.fetchVal(whole), { id: 1, is_banned: true })
    await t.throwsAsync(lease.execute(store, [{ id: 2, a: true }]), { instanceOf: DataError })
    t.is(await lease.fetchVal(grant, [granted]), '2024-06-01 12:34:56')
    await lease.release()
  }
  t.is(await admin.fetchVal(`select count(*) from ${schema}.stored`), 1)
})

test('what gives a name another meaning for others is noticed', async (t) => {
  const [admin, schema] = await world(t)
  const role = uniqueName('role')
  const [first, second] = [`${schema}_first`, schema]
  t.teardown(async () => {
    await admin.execute(`drop schema if exists ${first} cascade; drop owned by ${role}; drop role ${role}`)
  })
  await admin.execute(`
    create role ${role};
    create table ${second}.t (v timestamp, note text);
    grant usage on schema ${second} to ${role};
    grant all on ${second}.t to ${role}`)
  const changes: Record<string, string[]> = {
    'create schema': [`create schema ${first} create table t (v timestamptz, note text)`],
    'create table': [
      `create schema ${first}`,
      `create table ${first}.t (v timestamptz, note text)`,
      `analyze ${second}.t`,
    ],
    grant: [
      `create schema ${first} create table t (v timestamptz, note text)`,
      `grant all on ${first}.t to ${role}`,
      `grant usage on schema ${first} to ${role}`,
    ],
  }
  for (const [name, steps] of Object.entries(changes)) {
    await admin.execute(`drop schema if exists ${first} cascade`)
    const settings: Record<string, string> = { ...ZONE.serverSettings, search_path: `${first}, ${second}` }
    if (name === 'grant') settings.role = role
    const { warm, again } = await callers(t, url, { serverSettings: settings }, 't')
    const last = steps.pop()!
    for (const step of steps) await admin.execute(step)
    await warm(MOMENT)
    await admin.execute(last)
    await again(MOMENT)
    t.is(await stored(admin, `${first}.t`), '2024-06-01 12:34:56', name)
  }
})

test('a table by SELECT INTO, and a role by set_config, give names another meaning on their session', async (t) => {
  const [admin, schema] = await world(t)
  const role = uniqueName('role')
  t.teardown(() => admin.execute(`drop owned by ${role}; drop role ${role}`))
  await admin.execute(`
    create table ${schema}.t (v timestamp);
    create role ${role};
    create schema ${role};
    create table ${role}.t (v timestamptz);
    grant all on schema ${role} to ${role};
    grant all on ${role}.t to ${role}`)
  const insert = "insert into t values ($1) returning (v at time zone 'UTC')::text"
  const settings = { ...ZONE.serverSettings, search_path: `"$user", ${schema}` }
  const c = await connection(t, { serverSettings: settings })
  await c.fetchVal('insert into t values ($1) returning v::text', [MOMENT])
  await c.fetchVal(insert, [MOMENT])
  await c.transaction(async (tx) => {
    await tx.execute("select set_config('role', $1, true)", [role])
    t.is(await tx.fetchVal(insert, [MOMENT]), '2024-06-01 12:34:56')
  })
  await c.execute('select now() as v into temp t limit 0')
  t.is(await c.fetchVal(insert, [MOMENT]), '2024-06-01 12:34:56')
  // On a pool it is gone with its call.
  const shared = await pool(t, { maxSize: 1 })
  await shared.execute('select 1 as v into temp made')
  t.is(await shared.fetchVal("select to_regclass('made')::text"), null)
})

/** Everything that takes parameters, with one value: on a connection that knows the text, a pool's, and later ones. */
interface Callers {
  readonly warm: (first: unknown) => Promise<void>
  readonly again: (value: unknown) => Promise<void>
}

async function callers(
  t: ExecutionContext,
  server: string,
  options: ConnectOptions,
  table: string,
): Promise<Callers> {
  const own = await connect(server, options)
  const shared = await createPool(server, { ...options, minSize: 1, maxSize: 3 })
  t.teardown(async () => {
    own.terminate()
    shared.terminate()
  })
  const text = (note: string) => `insert into ${table} (v, note) values ($1, '${note}')`
  const returning = `${text('fetchRow')} returning v`
  const prepared = await own.prepare(text('prepared'))
  const on = async (it: Connection | Pool, value: unknown): Promise<void> => {
    await it.execute(text('execute'), [value])
    await it.executeMany(text('executeMany'), [[value], [value]])
    await it.fetchRow(returning, [value])
    await it.fetchMany(`select v from ${table} where v = $1`, [[value]])
  }
  return {
    async warm(first) {
      await on(own, first)
      await prepared.execute([first])
      await on(shared, first)
    },
    async again(value) {
      await on(own, value)
      await prepared.execute([value])
      await prepared.executeMany([[value]])
      await on(shared, value)
      await own.transaction((tx) => tx.execute(text('transaction'), [value]))
      // On those that the pool opens now, too.
      const leases = await Promise.all([shared.acquire(), shared.acquire(), shared.acquire()])
      for (const lease of leases) await on(lease, value)
      for (const lease of leases) await lease.release()
    },
  }
}

const changes: [before: string, after: string, using: string, first: unknown, value: unknown][] = [
  ['timestamp', 'timestamptz', "using v at time zone 'UTC'", new Date(0), new Date('2024-06-01T12:00:00Z')],
  ['date', 'timestamptz', '', new Date(0), new Date('2024-06-01T12:34:56Z')],
  ['float8', 'numeric', '', 0.5, '12345678901234567.89'],
  ['real', 'float8', '', 0.5, 0.1],
  ['int8', 'float8', '', 7, 10],
  ['text', 'numeric', 'using v::numeric', '1', '10'],
  ['text', 'uuid', 'using v::uuid', UUID, UUID],
  ['text', 'int', 'using v::int', '1', '2'],
  ['text', 'jsonb', 'using v::jsonb', '{}', '{"a": 1}'],
  ['time', 'interval', '', '01:00', '30:00'],
]

async function stays(t: ExecutionContext, server: string, options: ConnectOptions): Promise<void> {
  const [admin, schema] = await world(t)
  const moods: typeof changes = [
    ['text', `${schema}.mood`, `using v::${schema}.mood`, 'a', 'b'],
    [`${schema}.mood`, 'text', 'using v::text', 'a', 'anything'],
  ]
  for (const [before, after, using, first, value] of [...changes, ...moods]) {
    const table = `${schema}.${uniqueName('t')}`
    await admin.execute(`create table ${table} (v ${before}, note text)`)
    const { warm, again } = await callers(t, server, options, table)
    await warm(first)
    await admin.execute(`truncate ${table}; alter table ${table} alter v type ${after} ${using}`)
    await again(value)
    const fresh = await connect(server, options)
    await fresh.execute(`insert into ${table} (v, note) values ($1, 'fresh')`, [value])
    await fresh.close()
    const stored = await admin.fetch<{ v: string; notes: string }>(
      `select v::text, string_agg(distinct note, ' ') as notes from ${table} group by 1`,
    )
    t.is(stored.length, 1, `${before} → ${after}: ${JSON.stringify(stored)}`)
    t.regex(stored[0]!.notes, /fresh/)
  }
}

test('a column of another type takes what it would take from a new connection', (t) => stays(t, url, ZONE))

test('so it does without named statements', (t) => stays(t, url, { ...ZONE, statementCacheSize: 0 }))

test('so it does behind a transaction pooler', async (t) => {
  const between = await Pooler.for(t, 2)
  await stays(t, between.url, {})
})

test('changes that this process does not see are found by the errors that they cause', async (t) => {
  const [admin, schema] = await world(t)
  for (const [before, after, using, first, value] of [
    ['text', 'uuid', 'using v::uuid', UUID, UUID],
    ['text', 'int', 'using v::int', '1', '2'],
    ['text', `${schema}.mood`, `using v::${schema}.mood`, 'a', 'b'],
    [`${schema}.mood`, 'text', 'using v::text', 'a', 'anything'],
    ['time', 'interval', '', '01:00', '30:00'],
  ] as const) {
    const table = `${schema}.${uniqueName('t')}`
    await admin.execute(`create table ${table} (v ${before})`)
    const c = await connection(t)
    const p = await pool(t, { minSize: 2, maxSize: 2 })
    const [insert, find] = [
      `insert into ${table} values ($1)`,
      `select count(*)::int from ${table} where v = $1`,
    ]
    const many = `insert into ${table} values ($1), ($1)`
    for (const it of [c, p]) {
      await it.execute(insert, [first])
      await it.fetchVal(find, [first])
      await it.executeMany(many, [[first]])
    }
    await unseen(`truncate ${table}; alter table ${table} alter v type ${after} ${using}`)
    for (const it of [c, p]) {
      await it.execute(insert, [value])
      await it.fetchVal(find, [value])
      // A batch's rows are gone once they are written: the first may fail, and is safe to make again.
      const batch = () => it.executeMany(many, [[value]])
      await batch().catch((error) => {
        t.true(error.safeToRetry || error.code === '22000', `${before} → ${after}: ${error}`)
        return batch()
      })
    }
    t.is(await admin.fetchVal(`select count(*)::int from ${table}`), 6, `${before} → ${after}`)
    t.is(await c.fetchVal(find, [value]), 6)
  }
})

test('a temporary table and a function that are made anew', async (t) => {
  const [admin, schema] = await world(t)
  const c = await connection(t)
  for (const [type, value] of [
    ['int', 1],
    ['text', 'x'],
    ['uuid', UUID],
    ['jsonb', { a: 1 }],
    [`${schema}.mood`, 'a'],
    ['timestamptz', new Date(0)],
  ] as const) {
    await c.execute(`drop table if exists pg_temp.s; create temp table s (v ${type})`)
    t.is(await c.execute('insert into s values ($1)', [value]), 'INSERT 0 1', type)
  }
  for (const [type, value] of [
    ['int', 1],
    ['text', 'x'],
  ] as const) {
    await c.transaction(async (tx) => {
      await tx.execute(`create temp table gone (v ${type}) on commit drop`)
      t.is(await tx.fetchVal('insert into gone values ($1) returning v', [value]), value)
    })
  }
  const f = `${schema}.f`
  await admin.execute(`create function ${f}(text) returns text language sql as 'select $1'`)
  t.is(await c.fetchVal(`select ${f}($1)`, ['x']), 'x')
  await unseen(
    `drop function ${f}(text); create function ${f}(uuid) returns text language sql as 'select $1::text'`,
  )
  t.is(await c.fetchVal(`select ${f}($1)`, [UUID]), UUID)
})

test('what one connection of a pool finds stale is asked for anew by the others, in transactions too', async (t) => {
  const [admin, schema] = await world(t)
  await admin.execute(`create table ${schema}.tab (a int, b int); insert into ${schema}.tab values (1, 2)`)
  const p = await pool(t, { minSize: 2, maxSize: 2, rowMode: 'array' })
  const [one, two] = await Promise.all([p.acquire(), p.acquire()])
  const text = `select * from ${schema}.tab`
  for (const lease of [one, two]) t.deepEqual(await lease.fetchRow(text), [1, 2])
  await unseen(`alter table ${schema}.tab alter b type text`)
  t.deepEqual(await one.fetchRow(text), [1, '2'])
  t.deepEqual(await two.transaction((tx) => tx.fetchRow(text)), [1, '2'])
})

/** Tenants with tables and types of the same names. */
async function tenants(t: ExecutionContext): Promise<[Connection, string[]]> {
  const [admin, schema] = await world(t)
  const names = [1, 2, 3].map((number) => `${schema}_${number}`)
  for (const [index, name] of names.entries()) {
    await admin.execute(`create schema ${name}; create type ${name}.status as enum ('new', 'done');
      create table ${name}.orders (id int generated always as identity, status ${name}.status not null default 'new',
        amount ${['float8', 'numeric', 'int'][index]})`)
  }
  t.teardown(() => admin.execute(`drop schema ${names.join(', ')} cascade`))
  return [admin, names]
}

const DEFAULT = "insert into orders (amount) values (('0' || $1)::int) returning id, status"
const ORDER = 'insert into orders (status, amount) values ($1, $2) returning id, status, amount::text'

for (const statementCacheSize of [100, 0]) {
  test(`sessions that differ in search_path, statementCacheSize ${statementCacheSize}`, async (t) => {
    const [admin, names] = await tenants(t)
    const p = await pool(t, { minSize: 3, maxSize: 3, statementCacheSize, rowMode: 'array' })
    const leases = await Promise.all(names.map(() => p.acquire()))
    for (const [index, lease] of leases.entries()) await lease.execute(`set search_path = ${names[index]}`)
    for (let round = 1; round <= 3; round++) {
      for (const lease of leases) {
        // A result of the tenant's own type.
        t.deepEqual(await lease.fetchRow(DEFAULT, ['3']), [2 * round - 1, 'new'])
        t.deepEqual(await lease.fetchRow(ORDER, ['done', '3']), [2 * round, 'done', '3'])
      }
    }
    for (const lease of leases) await lease.release()
    for (const name of names) t.is(await admin.fetchVal(`select count(*)::int from ${name}.orders`), 6)
  })

  test(`SET LOCAL search_path in each transaction, statementCacheSize ${statementCacheSize}`, async (t) => {
    const [admin, names] = await tenants(t)
    const p = await pool(t, { minSize: 1, maxSize: 1, statementCacheSize, rowMode: 'array' })
    for (let round = 1; round <= 3; round++) {
      for (const [index, name] of names.entries()) {
        await p.transaction(async (tx) => {
          if (index === 1) await tx.fetchVal("select set_config('search_path', $1, true)", [name])
          else await tx.execute(`set local search_path = ${name}`)
          t.deepEqual(await tx.fetchRow(ORDER, ['done', '3']), [round, 'done', '3'])
          t.is(await tx.executeMany('insert into orders (status) values ($1)', [['new']]), 1)
          await tx.execute('delete from orders where status = $1', ['new'])
          await tx.execute("select setval('orders_id_seq', $1)", [round])
        })
      }
    }
    for (const name of names) t.is(await admin.fetchVal(`select count(*)::int from ${name}.orders`), 3)
  })
}
