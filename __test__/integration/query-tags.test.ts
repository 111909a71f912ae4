import { AsyncLocalStorage } from 'node:async_hooks'
import test from 'ava'
import {
  type Connection,
  connect,
  DivisionByZeroError,
  type LoggedQuery,
  type PostgresError,
  type Queryable,
} from 'oxpg'
import { connection, pool, url } from '../support/server.js'

/** What the server knows of its own query's text. */
const OWN = 'select query from pg_stat_activity where pid = pg_backend_pid()'
/** The statements that the session has prepared by name. */
const prepared = (c: Connection) =>
  c.fetchVal<number>("select count(*)::int from pg_prepared_statements where statement like '%tagged text%'")

test('the server is shown the tags, in the format of sqlcommenter', async (t) => {
  const queryTags = { route: '/users/:id', application: "it's */ 100%", ключ: 'ü' }
  for (const open of [connection, pool]) {
    const queryable = await open(t, { queryTags })
    t.is(
      await queryable.fetchVal(OWN),
      `${OWN} /*%D0%BA%D0%BB%D1%8E%D1%87='%C3%BC',application='it%27s%20%2A%2F%20100%25',route='%2Fusers%2F%3Aid'*/`,
    )
  }
})

test('a comment at the end of the text does not swallow them', async (t) => {
  const c = await connection(t, { queryTags: { a: 'b' } })
  t.is(await c.fetchVal(`${OWN} -- mine`), `${OWN} -- mine\n/*a='b'*/`)
  t.is(await c.fetchVal(`${OWN};`), `${OWN}; /*a='b'*/`)
  t.is(await c.execute('select 1; select 2;'), 'SELECT 1')
})

test('tags that stay the same are part of what is prepared, once', async (t) => {
  const c = await connection(t, { queryTags: { application: 'shop' } })
  for (let use = 0; use < 5; use++) await c.fetch("select 'tagged text', $1::int", [use])
  t.is(await prepared(c), 2)
  await c.executeMany("select 'tagged text', $1::int", [[1], [2]])
  t.is(await prepared(c), 2)
})

test('tags that change are there each time, and no session keeps what they make', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const queryTags = { application: 'shop', route: () => storage.getStore() }
  const c = await connection(t, { queryTags })
  const p = await pool(t, { queryTags })
  for (const queryable of [c, p]) {
    const texts = await Promise.all(
      ['/a', '/b'].map((route) => storage.run(route, () => queryable.fetchVal(OWN))),
    )
    t.deepEqual(texts, [
      `${OWN} /*application='shop',route='%2Fa'*/`,
      `${OWN} /*application='shop',route='%2Fb'*/`,
    ])
    t.is(await queryable.fetchVal(OWN), `${OWN} /*application='shop'*/`)
  }
  for (let use = 0; use < 20; use++) {
    const params = [use]
    t.is(await storage.run(`/${use}`, () => c.fetchVal("select $1::int, 'tagged text'", params)), use)
    await storage.run(`/${use}`, () => c.executeMany("select $1::int, 'tagged text'", [[1], [2]]))
  }
  // Only the one that counts.
  t.is(await prepared(c), 1)
})

test('a call in a context and each statement of a batch have them as well', async (t) => {
  let call = 0
  const queryTags = { application: 'shop', call: () => (call === 0 ? undefined : `${call++}`) }
  const c = await connection(t, { queryTags })
  const p = await pool(t, { queryTags })
  const context = p.withContext({ settings: { 'app.tenant': 'a' } })
  // In one transaction pg_stat_activity stays as it is.
  const own = 'select current_query() as query'
  const batched = async (host: Queryable) => {
    const [[first], [second]] = await host.batch([own, [own, []]])
    return [first!.query, second!.query]
  }
  const text = (tag: string) => `${own} /*application='shop'${tag}*/`
  // Once with what is known of the statement, and once without.
  for (let round = 0; round < 2; round++) {
    call = 1
    t.is(await context.fetchVal(own), text(",call='1'"))
    t.deepEqual(await batched(p), [text(",call='2'"), text(",call='3'")])
    t.deepEqual(await batched(context), [text(",call='4'"), text(",call='5'")])
    t.deepEqual(await c.transaction((tx) => batched(tx)), [text(",call='6'"), text(",call='7'")])
    call = 0
    t.is(await context.fetchVal(own), text(''))
    t.deepEqual(await batched(p), [text(''), text('')])
  }
  const statements = ["select 'tagged text', $1::int", "select 'tagged text', $1::int + 1"]
  const some = (n: number) => c.batch(statements.map((query) => [query, [n]] as const))
  for (let use = 0; use < 5; use++) await some(use)
  const before = await prepared(c)
  call = 1
  for (let use = 0; use < 5; use++) await some(use)
  call = 0
  // None of them is kept, and those that are known stay.
  t.is(await prepared(c), before)
  call = 1
  const thrown = await t.throwsAsync<PostgresError>(p.batch(['select 1', 'select 1 / 0']), {
    instanceOf: DivisionByZeroError,
  })
  t.like(thrown, { query: 'select 1 / 0', statement: 1 })
})

test('what is prepared by hand keeps the tags that stay the same', async (t) => {
  let asked = 0
  const queryTags = { application: 'shop', request: () => `${++asked}` }
  const c = await connection(t, { queryTags })
  const statement = await c.prepare(OWN)
  asked = 0
  for (let use = 0; use < 3; use++) t.is(await statement.fetchVal(), `${OWN} /*application='shop'*/`)
  t.is(asked, 0)
  t.is(statement.query, OWN)
})

test('errors and loggers have the text without tags', async (t) => {
  const c = await connection(t, { queryTags: { a: 'b', c: () => 'd' } })
  const records: LoggedQuery[] = []
  c.addQueryLogger((record) => records.push(record))
  const error = await t.throwsAsync(c.fetch('select 1 / $1::int', [0]), { instanceOf: DivisionByZeroError })
  t.is((error as DivisionByZeroError).query, 'select 1 / $1::int')
  t.is(records[0]!.query, 'select 1 / $1::int')
})

test('without parameters of the protocol they are there as well', async (t) => {
  const c = await connection(t, { statementMode: 'simple', queryTags: { a: 'b', c: () => 'd' } })
  t.is(await c.fetchVal(OWN), `${OWN} /*a='b',c='d'*/`)
})

test('a function that throws, or gives no text, fails its call alone', async (t) => {
  let give: () => unknown = () => 'fine'
  const c = await connection(t, { queryTags: { tag: () => give() as string } })
  const thrown = new Error('no tag')
  give = () => {
    throw thrown
  }
  await t.throwsAsync(c.fetch('select 1'), { is: thrown })
  give = () => 7
  await t.throwsAsync(c.fetch('select 1'), {
    message: /queryTags\.tag must give a string or undefined, not 7/,
  })
  give = () => 'half \ud800'
  t.regex((await c.fetchVal<string>(OWN))!, /tag='half%20%EF%BF%BD'/)
})

test('tags are checked', async (t) => {
  await t.throwsAsync(connect(url, { queryTags: 'a' as never }), {
    message: /'queryTags' must be an object of tags/,
  })
  await t.throwsAsync(connect(url, { queryTags: { a: 1 } as never }), {
    message: /'queryTags': 'a' must be a string or a function that gives one, not 1/,
  })
})
