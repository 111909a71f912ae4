// Types that change after they were looked up, without a sign of it but in answers. One test at a time: DDL on this thread has
// them looked up again.
import test, { type ExecutionContext } from 'ava'
import { type Connection, connect, createPool, OutdatedSchemaCacheError } from 'oxpg'
import { connection, pool, uniqueName, url } from '../support/server.js'
import { unseen } from '../support/unseen.js'
import { wireTap } from '../support/wire-tap.js'

/** A composite type (id int, name text), an array of which a table has; gone with the test. */
async function pairType(t: ExecutionContext, attributes = 'id int, name text'): Promise<string> {
  const name = uniqueName('pair')
  const c = await connect(url)
  await c.execute(`create type ${name} as (${attributes})`)
  t.teardown(async () => {
    await c.execute(`set client_min_messages = error; drop type if exists ${name} cascade`)
    await c.close()
  })
  return name
}

test.serial('a result whose type has an attribute more is read by what the type is now', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const text = `select unnest(string_to_array($1, ' ')::${pair}[]) as value`
  t.deepEqual(await c.fetch(text, ['(1,a) (2,b)']), [
    { value: { id: 1, name: 'a' } },
    { value: { id: 2, name: 'b' } },
  ])
  await unseen(`alter type ${pair} add attribute more int`)
  t.deepEqual(await c.fetch(text, ['(1,a,3) (2,b,)']), [
    { value: { id: 1, name: 'a', more: 3 } },
    { value: { id: 2, name: 'b', more: null } },
  ])
})

test.serial('so does one of a prepared statement, of a table and of a batch', async (t) => {
  const pair = await pairType(t)
  const table = uniqueName('pairs')
  const c = await connection(t, { rowMode: 'object' })
  t.teardown(() => unseen(`drop table if exists ${table}`))
  await c.execute(`create table ${table} (value ${pair}); insert into ${table} values (row(1, 'a')), (null)`)
  const statement = await c.prepare(`select value from ${table}`)
  t.deepEqual(await statement.fetchVal(), { id: 1, name: 'a' })
  await unseen(`alter type ${pair} add attribute more int`)
  t.deepEqual(await statement.fetch(), [{ value: { id: 1, name: 'a', more: null } }, { value: null }])
  const batch = await c.prepare(`select value from ${table} where $1`)
  t.is((await batch.fetchMany([[true], [false], [true]])).length, 4)
  await unseen(`alter type ${pair} add attribute yet_more text`)
  const value = { id: 1, name: 'a', more: null, yet_more: null }
  t.deepEqual(await batch.fetchMany([[true], [true]]), [
    { value },
    { value: null },
    { value },
    { value: null },
  ])
})

test.serial('what was stored is returned, whatever its type has become', async (t) => {
  const pair = await pairType(t)
  const table = uniqueName('pairs')
  t.teardown(() => unseen(`drop table if exists ${table}`))
  const c = await connection(t, { rowMode: 'object' })
  await c.execute(`create table ${table} (id int, value ${pair})`)
  const text = `insert into ${table} values ($1, row(1, 'a')) returning value`
  t.deepEqual(await c.fetchVal(text, [1]), { id: 1, name: 'a' })
  await unseen(`alter type ${pair} rename attribute name to title; alter type ${pair} add attribute more int`)
  const again = `insert into ${table} select $1, value from ${table} returning value`
  t.deepEqual(await c.fetchVal(again, [2]), { id: 1, title: 'a', more: null })
  t.is(await c.fetchVal(`select count(*) from ${table}`), 2)
})

test.serial('such a result in a transaction leaves the transaction open', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const text = `select row(1, 'a')::${pair}`
  await c.fetchVal(`select null::${pair}`)
  await c
    .transaction(async (tx) => {
      await tx.execute(`alter type ${pair} add attribute more int`)
      t.deepEqual(await tx.fetchVal(`select '(1,a,2)'::${pair}`), { id: 1, name: 'a', more: 2 })
      await t.throwsAsync(tx.fetchVal(text), { code: '42846' })
    })
    .catch((error) => t.is(error.code, '25P02'))
  t.deepEqual(await c.fetchVal(text), { id: 1, name: 'a' }, 'the change was rolled back with the transaction')
})

test.serial('rows that show nothing of a change stand beside those that do', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const text = `select number, case when number > 500 then format($1, number)::${pair} end as value
    from generate_series(1, 1000) number`
  t.deepEqual((await c.fetch(text, ['(%s,a)']))[999], { number: 1000, value: { id: 1000, name: 'a' } })
  await unseen(`alter type ${pair} add attribute more int`)
  const rows = await c.fetch(text, ['(%s,b,2)'])
  const expected = Array.from({ length: 1000 }, (_, at) => ({
    number: at + 1,
    value: at < 500 ? null : { id: at + 1, name: 'b', more: 2 },
  }))
  t.deepEqual(rows, expected)
})

test.serial('dropped attributes are gone', async (t) => {
  const pair = await pairType(t, 'id int, name text, last bool')
  const c = await connection(t, { rowMode: 'object' })
  t.deepEqual(await c.fetchVal(`select '(1,a,t)'::${pair}`), { id: 1, name: 'a', last: true })
  await unseen(`alter type ${pair} drop attribute name`)
  const value = await c.fetchVal(`select '(1,t)'::${pair}`)
  t.deepEqual(value, { id: 1, last: true })
  t.deepEqual(await c.fetchVal(`select $1::${pair}`, [{ id: 2, last: false }]), { id: 2, last: false })
})

test.serial('an attribute of another type is read as what it is now', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  t.deepEqual(await c.fetchVal(`select '(1,2)'::${pair}`), { id: 1, name: '2' })
  // Seen: a statement that was parsed before has the constant as it was, and PostgreSQL sends it as if it were the new one.
  await (await connection(t)).execute(`alter type ${pair} alter attribute name type int`)
  t.deepEqual(await c.fetchVal(`select '(1,2)'::${pair}`), { id: 1, name: 2 })
})

test.serial('a renamed attribute has its old name until the schema is loaded again', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const text = `select '(1,a)'::${pair}`
  t.deepEqual(await c.fetchVal(text), { id: 1, name: 'a' })
  await unseen(`alter type ${pair} rename attribute name to title`)
  t.deepEqual(await c.fetchVal(text), { id: 1, name: 'a' })
  await c.reloadSchemaState()
  t.deepEqual(await c.fetchVal(text), { id: 1, title: 'a' })
  t.deepEqual(await c.fetchVal(`select $1::${pair}`, [{ id: 2, title: 'b' }]), { id: 2, title: 'b' })
})

test.serial('labels that are added to an enum just work', async (t) => {
  const mood = uniqueName('mood')
  const c = await connection(t)
  t.teardown(() => unseen(`drop type ${mood}`))
  await c.execute(`create type ${mood} as enum ('sad')`)
  t.is(await c.fetchVal(`select $1::${mood}`, ['sad']), 'sad')
  await unseen(`alter type ${mood} add value 'happy'`)
  t.is(await c.fetchVal(`select $1::${mood}`, ['happy']), 'happy')
  t.is(await c.fetchVal(`select (enum_range(null::${mood}))[2]`), 'happy')
  await unseen(`alter type ${mood} rename value 'sad' to 'blue'`)
  t.is(await c.fetchVal(`select (enum_range(null::${mood}))[1]`), 'blue')
})

test.serial('a value that fits a parameter only as its type is now goes through', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const text = `select ($1::${pair}).id`
  t.is(await c.fetchVal(text, [{ id: 1, name: 'a' }]), 1)
  await unseen(`alter type ${pair} add attribute more int`)
  t.is(await c.fetchVal(text, [{ id: 2, name: 'b', more: 3 }]), 2)
  await unseen(`alter type ${pair} add attribute again int`)
  t.is(await c.fetchVal(text, [[4, 'd', 5, 6]]), 4)
  await unseen(`alter type ${pair} drop attribute again`)
  t.is(await c.fetchVal(text, [{ id: 7, name: 'b', more: 3 }]), 7)
})

test.serial('a parameter of a type that has changed heals by itself on an idle connection', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const [one, many] = [`select ($1::${pair}).id`, `select cardinality($1::${pair}[])`]
  const value = { id: 1, name: 'a' }
  t.is(await c.fetchVal(one, [value]), 1)
  t.is(await c.fetchVal(many, [[value, null]]), 2)
  await unseen(`alter type ${pair} add attribute more int`)
  t.is(await c.fetchVal(one, [value]), 1)
  t.is(await c.fetchVal(many, [[value, null]]), 2)
  await unseen(`alter type ${pair} alter attribute id type bigint`)
  t.is(await c.fetchVal(many, [[value, null]]), 2)
  t.is(await c.fetchVal(one, [value]), 1)
})

test.serial(
  'inside a transaction such a parameter rejects as safe to retry, and the next try works',
  async (t) => {
    const pair = await pairType(t)
    const c = await connection(t, { rowMode: 'object' })
    const text = `select ($1::${pair}).id`
    const value = { id: 1, name: 'a' }
    t.is(await c.fetchVal(text, [value]), 1)
    await unseen(`alter type ${pair} add attribute more int`)
    await c.execute('begin')
    const error = await t.throwsAsync(c.fetchVal(text, [value]), { instanceOf: OutdatedSchemaCacheError })
    t.true(error!.safeToRetry)
    await c.execute('rollback')
    t.is(await c.fetchVal(text, [{ ...value, more: 2 }]), 1)
  },
)

test.serial('in a pipeline such a parameter rejects as safe to retry, and the next try works', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const text = `select ($1::${pair}).id`
  const value = { id: 1, name: 'a' }
  t.is(await c.fetchVal(text, [value]), 1)
  await unseen(`alter type ${pair} add attribute more int`)
  const results = await Promise.allSettled([
    c.fetchVal('select 1'),
    c.fetchVal(text, [value]),
    c.fetchVal(text, [value]),
    c.fetchVal('select 2'),
  ])
  t.deepEqual([results[0], results[3]] as unknown, [
    { status: 'fulfilled', value: 1 },
    { status: 'fulfilled', value: 2 },
  ])
  for (const result of [results[1]!, results[2]!]) {
    if (result.status === 'fulfilled') {
      t.is(result.value, 1)
      continue
    }
    t.true(result.reason instanceof OutdatedSchemaCacheError, String(result.reason))
    t.true(result.reason.safeToRetry)
  }
  t.is(await c.fetchVal(text, [{ ...value, more: 2 }]), 1)
})

test.serial(
  'a batch of such parameters has no effect, is safe to retry, and works the next time',
  async (t) => {
    const pair = await pairType(t)
    const table = uniqueName('pairs')
    const c = await connection(t, { rowMode: 'object' })
    t.teardown(() => unseen(`drop table if exists ${table}`))
    await c.execute(`create table ${table} (id int, value ${pair})`)
    const text = `insert into ${table} values ($1, $2)`
    const rows = Array.from({ length: 10 }, (_, n) => [n, { id: n, name: 'x' }])
    await c.executeMany(text, rows)
    await unseen(`alter type ${pair} add attribute more int; truncate ${table}`)
    const error = await t.throwsAsync(c.executeMany(text, rows), { instanceOf: OutdatedSchemaCacheError })
    t.true(error!.safeToRetry)
    t.is(await c.fetchVal(`select count(*) from ${table}`), 0)
    t.is(await c.executeMany(text, rows), 10)
    t.is(await c.fetchVal(`select count(*) from ${table} where (value).name = 'x'`), 10)
  },
)

test.serial('a type that is dropped and made again is another type', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const text = `select $1::${pair}`
  t.deepEqual(await c.fetchVal(text, [{ id: 1, name: 'a' }]), { id: 1, name: 'a' })
  await unseen(`drop type ${pair}; create type ${pair} as (other bool, id int)`)
  const value = { other: true, id: 5 }
  const again = () => c.fetchVal(text, [value])
  t.deepEqual(await again().catch(again), value)
  await unseen(`drop type ${pair}; create type ${pair} as enum ('a', 'b')`)
  t.is(await c.fetchVal(text, ['b']).catch(() => c.fetchVal(text, ['b'])), 'b')
})

test.serial('a table that is dropped and made again, and one whose columns change', async (t) => {
  const table = uniqueName('changing')
  const c = await connection(t, { rowMode: 'object' })
  t.teardown(() => unseen(`drop table if exists ${table}`))
  await c.execute(`create table ${table} (id int, name text); insert into ${table} values (1, 'a')`)
  const text = `select x as value from ${table} x`
  t.deepEqual(await c.fetchVal(text), { id: 1, name: 'a' })
  await unseen(`alter table ${table} add column more text default 'new'`)
  t.deepEqual(await c.fetchVal(text), { id: 1, name: 'a', more: 'new' })
  await unseen(`alter table ${table} drop column name`)
  t.deepEqual(await c.fetchVal(text), { id: 1, more: 'new' })
  await unseen(`drop table ${table}; create table ${table} (single bool); insert into ${table} values (true)`)
  t.deepEqual(await c.fetchVal(text), { single: true })
})

test.serial('composites in the text format show that they have changed as well', async (t) => {
  const pair = await pairType(t, 'id int, acl aclitem')
  const c = await connection(t, { rowMode: 'object' })
  const literal = "'postgres=r/postgres'"
  const value = { id: 1, acl: 'postgres=r/postgres' }
  t.deepEqual(await c.fetchVal(`select row(1, ${literal})::${pair}`), value)
  t.deepEqual(await c.fetchVal(`select $1::${pair}`, [value]), value)
  t.deepEqual(await c.fetchVal(`select $1::${pair}[]`, [[value, null]]), [value, null])
  await unseen(`alter type ${pair} add attribute more text`)
  const text = `select '(1,postgres=r/postgres,x)'::${pair}`
  t.deepEqual(await c.fetchVal(text), { ...value, more: 'x' })
  await unseen(`alter type ${pair} drop attribute more`)
  const parameter = () => c.fetchVal(`select $1::${pair}`, [value])
  t.deepEqual(await parameter().catch(parameter), value)
})

test.serial('all connections of a pool heal with one', async (t) => {
  const pair = await pairType(t)
  const tap = await wireTap(t)
  const p = await createPool(tap.url, { minSize: 2, maxSize: 2, rowMode: 'object' })
  t.teardown(async () => p.terminate())
  const text = `select '(1,a,2)'::${pair}`
  const [first, second] = await Promise.all([p.acquire(), p.acquire()])
  await first.fetchVal(`select null::${pair}`)
  await second.fetchVal(`select null::${pair}`)
  await unseen(`alter type ${pair} add attribute more int`)
  t.deepEqual(await first.fetchVal(text), { id: 1, name: 'a', more: 2 })
  t.deepEqual(await second.fetchVal(text), { id: 1, name: 'a', more: 2 })
  t.deepEqual(await first.fetchVal(text), { id: 1, name: 'a', more: 2 })
  t.is(tap.lookUps, 2)
})

test.serial('a parameter of a changed type heals on the pool itself', async (t) => {
  const pair = await pairType(t)
  const p = await pool(t, { minSize: 2, maxSize: 2, rowMode: 'object' })
  const text = `select ($1::${pair}).id`
  const value = { id: 1, name: 'a' }
  const calls = () => Promise.all(Array.from({ length: 8 }, () => p.fetchVal(text, [value])))
  t.deepEqual(await calls(), Array(8).fill(1))
  await unseen(`alter type ${pair} add attribute more int`)
  t.deepEqual(await calls(), Array(8).fill(1))
})

test.serial('reloadSchemaState on a lease reaches the whole pool', async (t) => {
  const pair = await pairType(t)
  const p = await pool(t, { minSize: 2, maxSize: 2, rowMode: 'object' })
  const text = `select '(1,a)'::${pair}`
  const [first, second] = await Promise.all([p.acquire(), p.acquire()])
  t.deepEqual(await first.fetchVal(text), { id: 1, name: 'a' })
  t.deepEqual(await second.fetchVal(text), { id: 1, name: 'a' })
  await unseen(`alter type ${pair} rename attribute name to title`)
  await first.reloadSchemaState()
  t.deepEqual(await second.fetchVal(text), { id: 1, title: 'a' })
  t.deepEqual(await first.fetchVal(text), { id: 1, title: 'a' })
})

test.serial('expireConnections forgets the types as well', async (t) => {
  const pair = await pairType(t)
  const p = await pool(t, { minSize: 1, maxSize: 1, rowMode: 'object' })
  const text = `select '(1,a)'::${pair}`
  t.deepEqual(await p.fetchVal(text), { id: 1, name: 'a' })
  await unseen(`alter type ${pair} rename attribute name to title`)
  p.expireConnections()
  t.deepEqual(await p.fetchVal(text), { id: 1, title: 'a' })
})

test.serial('reloadSchemaState amid calls in flight does them no harm', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const text = `select $1::${pair}`
  const value = { id: 1, name: 'a' }
  const calls: Promise<unknown>[] = []
  for (let n = 0; n < 30; n++) {
    calls.push(c.fetchVal(text, [value]))
    if (n % 3 === 0) calls.push(c.reloadSchemaState().then(() => value))
    if (n % 7 === 0) await calls[0]
  }
  for (const result of await Promise.all(calls)) t.deepEqual(result, value)
})

test.serial('values in anonymous records are read by their types as they are now', async (t) => {
  const pair = await pairType(t)
  const c = await connection(t, { rowMode: 'object' })
  const text = (literal: string) => `select row('${literal}'::${pair}, 1)`
  t.deepEqual(await c.fetchVal(text('(1,a)')), { f1: { id: 1, name: 'a' }, f2: 1 })
  await unseen(`alter type ${pair} add attribute more int`)
  t.deepEqual(await c.fetchVal(text('(1,a,2)')), {
    f1: { id: 1, name: 'a', more: 2 },
    f2: 1,
  })
})

test.serial('a connection that is closed has no schema state', async (t) => {
  const c: Connection = await connect(url)
  await c.close()
  await t.throwsAsync(c.reloadSchemaState(), { message: /closed/ })
})
