import { inspect } from 'node:util'
import test from 'ava'
import {
  ActiveSQLTransactionError,
  ClientConfigurationError,
  connect,
  createPool,
  InterfaceError,
  InvalidParameterValueError,
  type Pool,
  PoolContext,
  TimeoutError,
  UndefinedTableError,
} from 'oxpg'
import { roundTrips } from '../support/round-trips.js'
import { pool, uniqueName, until, url } from '../support/server.js'

const TENANT = "select current_setting('app.tenant', true)"

/** A table that shows each tenant its own rows, and a role that is held to it. */
async function tenants(t: { teardown(close: () => Promise<void>): void }, p: Pool) {
  const [table, role] = [uniqueName('documents'), uniqueName('role')]
  await p.execute(`create table ${table} (tenant text, body text);
    alter table ${table} enable row level security;
    create policy own on ${table} using (tenant = current_setting('app.tenant', true));
    create role ${role}; grant ${role} to current_user; grant select, insert on ${table} to ${role}`)
  t.teardown(async () => {
    const c = await connect(url)
    await c.execute(`drop table ${table}; drop role ${role}`)
    await c.close()
  })
  return { table, role }
}

test.serial('each call has its context, in one round trip, and leaves nothing behind', async (t) => {
  const counter = await roundTrips(t)
  const p = await createPool(counter.url, { minSize: 1, maxSize: 1 })
  t.teardown(async () => p.terminate())
  const context = p.withContext({ settings: { 'app.tenant': 'a' } })
  t.is(await counter.of(() => context.fetchVal(TENANT)), 2)
  t.is(
    await counter.of(async () => {
      t.is(await context.fetchVal(TENANT), 'a')
    }),
    1,
  )
  t.true([null, ''].includes(await p.fetchVal(TENANT)))
  await t.throwsAsync(context.fetchVal('select 1 / 0'))
  t.true([null, ''].includes(await p.fetchVal(TENANT)))
  t.true(context instanceof PoolContext)
})

test.serial('row-level security holds for every kind of call', async (t) => {
  const p = await pool(t, { maxSize: 3 })
  const { table, role } = await tenants(t, p)
  const [a, b] = ['a', 'b'].map((tenant) => p.withContext({ settings: { 'app.tenant': tenant }, role }))
  t.is(await a!.execute(`insert into ${table} values ($1, $2)`, ['a', '1']), 'INSERT 0 1')
  t.is(await a!.execute(`insert into ${table} values ('a', '2')`), 'INSERT 0 1')
  t.is(
    await a!.executeMany(`insert into ${table} values ($1, $2)`, [
      ['a', '3'],
      ['a', '4'],
    ]),
    2,
  )
  await t.throwsAsync(b!.execute(`insert into ${table} values ('a', 'x')`), { message: /row-level security/ })
  await t.throwsAsync(b!.executeMany(`insert into ${table} values ($1, $2)`, [['a', 'x']]), {
    message: /row-level security/,
  })
  const bodies = `select body from ${table} order by body`
  const four = ['1', '2', '3', '4'].map((body) => ({ body }))
  t.deepEqual(await a!.fetch(bodies), four)
  t.deepEqual(await b!.fetch(bodies), [])
  t.deepEqual(await a!.fetchRow(bodies), four[0])
  t.is((await a!.run(bodies)).rowCount, 4)
  t.deepEqual(
    await a!.fetchMany(`select body from ${table} where body = $1`, [['1'], ['2']]),
    four.slice(0, 2),
  )
  t.deepEqual(await b!.fetchMany(`select body from ${table} where body = $1`, [['1']]), [])
  t.deepEqual(await a!.batch([bodies, 'select current_user as who']), [four, [{ who: role }]])
  t.deepEqual(await b!.batch([bodies, `create temp table t as ${bodies}`, 'select * from t']), [[], [], []])
  const [ofA, ofB] = await Promise.all([a!.prepare(bodies), b!.prepare(bodies)])
  t.deepEqual(await ofA!.fetch(), four)
  t.deepEqual(await ofB!.fetch(), [])
  t.true(Array.isArray(await ofA!.explain()))
  t.deepEqual(await a!.transaction((tx) => tx.fetch(bodies)), four)
  t.deepEqual(await b!.transaction(async (tx) => tx.transaction((inner) => inner.fetch(bodies))), [])
  const tx = await b!.begin()
  t.deepEqual(await tx.fetch(bodies), [])
  await tx.rollback()
  await a!
    .execute(`create temp table c as select 1; delete from ${table} where false`)
    .catch((error: unknown) => {
      t.regex(String(error), /permission denied/)
    })
  // The owner sees all, and the pool's own calls have no context.
  t.is(await p.fetchVal(`select count(*) from ${table}`), 4)
})

test.serial('many interleaved calls of many tenants see their own context', async (t) => {
  const p = await pool(t, { maxSize: 4 })
  const { table, role } = await tenants(t, p)
  await p.execute(`insert into ${table} select 't' || n, 'of ' || n from generate_series(0, 99) n`)
  const calls = Array.from({ length: 2_000 }, async (_, n) => {
    const tenant = `t${n % 100}`
    const context = p.withContext({ settings: { 'app.tenant': tenant }, role })
    if (n % 7 === 0) await t.throwsAsync(context.fetch('select 1 / 0'))
    const seen =
      n % 50 === 3
        ? await context.transaction((tx) => tx.fetch<{ tenant: string }>(`select tenant from ${table}`))
        : await context.fetch<{ tenant: string }>(`select tenant from ${table}`)
    const without = n % 20 === 0 ? await p.fetchVal(TENANT) : null
    return seen.length === 1 && seen[0]?.tenant === tenant && (without === null || without === '')
  })
  t.true((await Promise.all(calls)).every(Boolean))
})

test('contexts merge', async (t) => {
  const p = await pool(t)
  const outer = p.withContext({ settings: { 'app.a': 1, 'APP.B': true } })
  const inner = outer.withContext({ settings: { 'app.a': 'x', 'app.c': 1.5 } })
  const read = (name: string) => `select current_setting('${name}', true)`
  t.deepEqual(await inner.batch([read('app.a'), read('app.b'), read('app.c')], { rowMode: 'array' }), [
    [['x']],
    [['on']],
    [['1.5']],
  ])
  t.is(await outer.fetchVal(read('app.a')), '1')
  t.is(await p.withContext({}).fetchVal('select 1'), 1)
})

test('names in any order and any number, more than are remembered, have their own values', async (t) => {
  const p = await pool(t)
  const read =
    "select current_setting('app.z', true), current_setting('app.y', true), current_setting('app.n' || $1, true)"
  const base = p.withContext({ settings: { 'app.z': 'z', 'app.y': 'y' } })
  for (let n = 0; n < 2_200; n++) {
    const context = base.withContext({ settings: { [`App.N${n}`]: n, 'APP.Y': `y${n}` } })
    if (n % 100 !== 0) continue
    t.deepEqual(await context.fetchRow(read, [`${n}`], { rowMode: 'array' }), ['z', `y${n}`, `${n}`])
    t.is(inspect(context), `PoolContext { app.z, app.y, app.n${n} }`)
  }
  t.deepEqual(await base.fetchRow(read, ['1'], { rowMode: 'array' }), ['z', 'y', null])
})

test('what a search path means holds for its own context', async (t) => {
  const p = await pool(t, { maxSize: 2 })
  const schemas = [uniqueName('one'), uniqueName('two')]
  for (const [index, schema] of schemas.entries()) {
    const type = ['int', 'text'][index]
    await p.execute(`create schema ${schema}; create table ${schema}.own (v ${type});
      insert into ${schema}.own values ('${index}')`)
  }
  try {
    for (let round = 0; round < 6; round++) {
      const context = p.withContext({ settings: { search_path: schemas[round % 2]! } })
      const expected = [0, '1'][round % 2]
      t.is(await context.fetchVal('select v from own'), expected)
      t.is(await context.fetchVal('select v from own where v = $1', [expected]), expected)
      t.is(
        await context.transaction((tx) => tx.fetchVal('select v from own where v = $1', [expected])),
        expected,
      )
    }
    await t.throwsAsync(p.fetch('select v from own'), { instanceOf: UndefinedTableError })
  } finally {
    for (const schema of schemas) await p.execute(`drop schema ${schema} cascade`)
  }
})

test('settings and values are checked', async (t) => {
  const p = await pool(t)
  for (const [options, message] of [
    [{ settings: { "a'b": 1 } }, /no name of a setting/],
    [{ settings: { role: 'a' } }, /option 'role'/],
    [{ settings: { client_encoding: 'LATIN1' } }, /UTF8/],
    [{ settings: { 'a.b': null } }, /a\.b must be a string/],
    [{ settings: { 'a.b': Number.NaN } }, /finite/],
    [{ settings: { 'a.b': 'a\0' } }, /NUL/],
    [{ settings: [] }, /plain object of settings by name, not an array/],
    [
      { settings: new Map([['app.tenant', 'a']]) },
      /plain object of settings by name, not an object of class Map/,
    ],
    [
      { settings: new (class Settings {})() },
      /plain object of settings by name, not an object of class Settings/,
    ],
    [{ settings: 'app.tenant' }, /plain object of settings/],
    [{ settings: { 'a.b': 'a\uD83D' } }, /a\.b must be a string without .* surrogate pairs/],
    [{ role: '' }, /name of a role/],
    [{ role: 'a\uD83D' }, /name of a role/],
    [{ roles: 'a' }, /roles/],
  ] as const) {
    t.throws(() => p.withContext(options as never), { instanceOf: ClientConfigurationError, message })
  }
  await t.throwsAsync(p.withContext({ role: uniqueName('nobody') }).fetch('select 1'), {
    instanceOf: InvalidParameterValueError,
  })
  t.is(
    await p
      .withContext({ settings: { 'app.text': "'; drop table x; --" } })
      .fetchVal("select current_setting('app.text')"),
    "'; drop table x; --",
  )
})

test('what would run without the context is refused', async (t) => {
  const p = await pool(t)
  const context = p.withContext({ settings: { 'app.tenant': 'a' } })
  for (const query of ['begin', 'commit', 'select 1; commit; select 2']) {
    await t.throwsAsync(context.execute(query), { instanceOf: InterfaceError })
  }
  await t.throwsAsync(context.execute('vacuum'), { instanceOf: ActiveSQLTransactionError })
  await t.throwsAsync(context.execute('do $$ begin commit; end $$'), {
    message: /invalid transaction termination/,
  })
  await t.throwsAsync(context.fetch('listen a'))
  t.is(await context.fetchVal(TENANT), 'a')
})

test('what ends a transaction of a context is refused before it is sent', async (t) => {
  const p = await pool(t)
  const { table, role } = await tenants(t, p)
  const context = p.withContext({ settings: { 'app.tenant': 'a' }, role })
  const refused = {
    instanceOf: InterfaceError,
    message: /a query in a context cannot begin or end a transaction/,
  }
  const insert = `insert into ${table} values ('b', 'x')`
  const byHand = await context.begin()
  for (const end of ['rollback', 'commit', 'commit and chain', 'end', 'abort', "prepare transaction 'g'"]) {
    const script = `${end}; ${insert}`
    await t.throwsAsync(byHand.execute(script), refused)
    await context.transaction(async (tx) => {
      await t.throwsAsync(tx.execute(script), refused)
      await t.throwsAsync(tx.fetch(end), refused)
      await t.throwsAsync(tx.run(end, []), refused)
      await t.throwsAsync(tx.prepare(end), refused)
      t.throws(() => tx.stream(end), refused)
      t.throws(() => tx.cursor(end), refused)
      await tx.transaction(async (inner) => {
        await t.throwsAsync(inner.execute(script), refused)
        t.is(await inner.fetchVal(TENANT), 'a')
      })
      t.is(await tx.fetchVal('select current_user'), role)
    })
  }
  await t.throwsAsync(byHand.execute('savepoint s'), refused)
  await byHand.commit()
  t.is(await p.fetchVal(`select count(*)::int from ${table}`), 0)
})

test('hooks of the pool run as ever', async (t) => {
  let setups = 0
  const p = await pool(t, {
    setup: () => {
      setups++
    },
  })
  t.is(await p.withContext({ settings: { 'app.tenant': 'a' } }).fetchVal(TENANT), 'a')
  t.is(setups, 1)
})

test('a stream in a context has its settings to the end, and leaves nothing behind', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const table = uniqueName('streamed')
  await p.execute(`create table ${table} (n int, tenant text)`)
  t.teardown(async () => {
    const c = await connect(url)
    await c.execute(`drop table ${table}`)
    await c.close()
  })
  const context = p.withContext({ settings: { 'app.tenant': 'a' } })
  const seen = new Set<unknown>()
  let count = 0
  const rows = `select n, current_setting('app.tenant', true) as tenant from generate_series(1, 20000) n`
  for await (const row of context.stream<{ n: number; tenant: string }>(rows)) {
    count += 1
    seen.add(row.tenant)
  }
  t.deepEqual([count, [...seen]], [20_000, ['a']])
  await until(async () => p.stats.inUse === 0, 'the end of the lease')
  t.is((await p.fetchVal<string>(TENANT)) ?? '', '')
  // What it does is done at its end, and not where it is left.
  const insert = `insert into ${table} select n, current_setting('app.tenant', true) from generate_series(1, 3) n returning n`
  for await (const _ of context.stream(insert));
  t.is(await p.fetchVal(`select count(*)::int from ${table} where tenant = 'a'`), 3)
  for await (const _ of context.stream(rows)) break
  await t.throwsAsync(async () => {
    for await (const _ of context.stream('select 1 / (3 - n) from generate_series(1, 5) n'));
  })
  t.is((await p.fetchVal<string>(TENANT)) ?? '', '')
  await until(async () => p.stats.inUse === 0, 'the end of the lease')
})

test('a context does not join a transaction, whose settings it would change', async (t) => {
  const p = await pool(t, { maxSize: 2, ambientTransactions: true })
  const context = p.withContext({ settings: { 'app.tenant': 'a' } })
  const told = { instanceOf: InterfaceError, message: /a call in a context cannot join the transaction/ }
  await p.transaction(async () => {
    await t.throwsAsync(context.fetch('select 1'), told)
    await t.throwsAsync(context.batch(['select 1']), told)
    await t.throwsAsync(context.executeMany('select $1::int', [[1]]), told)
    await t.throwsAsync(
      context.transaction(() => {}),
      told,
    )
    await t.throwsAsync(context.stream('select 1')[Symbol.asyncIterator]().next(), told)
    t.is((await p.fetchVal<string>(TENANT)) ?? '', '')
  })
  t.is(await context.fetchVal(TENANT), 'a')
})

test('the time of a call is also for the wait for a connection', async (t) => {
  const p = await pool(t, { maxSize: 1, acquireTimeoutMs: 60_000 })
  const limited = await pool(t, { maxSize: 1, acquireTimeoutMs: 60_000, commandTimeoutMs: 50 })
  const settings = { settings: { 'app.tenant': 'a' } }
  for (const [host, options] of [
    [p, { timeoutMs: 50 }],
    [limited, {}],
  ] as const) {
    const context = host.withContext(settings)
    const lease = await host.acquire()
    const calls = {
      fetch: () => context.fetch(TENANT, [], options),
      executeMany: () => context.executeMany('select $1::int', [[1]], options),
      fetchMany: () => context.fetchMany('select $1::int', [[1]], options),
      script: () => context.execute('select 1; select 2', undefined, options),
      batch: () => context.batch([TENANT], options),
      prepare: () => context.prepare(TENANT, options),
      stream: () => context.stream(TENANT, [], options)[Symbol.asyncIterator]().next(),
    }
    for (const [what, call] of Object.entries(calls)) {
      const error = await t.throwsAsync<TimeoutError>(call(), { instanceOf: TimeoutError }, what)
      t.true(error.safeToRetry, what)
    }
    await lease.release()
    t.is(await context.fetchVal(TENANT), 'a')
  }
})
