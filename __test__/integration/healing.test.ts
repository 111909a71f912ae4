// Rule 14: what a session, or the driver, knows of statements and types and what has changed since. Whatever can be done
// again is; where a transaction is open the call rejects, certainly without effect, and the next try works.
import test from 'ava'
import { createPool, type Queryable } from 'oxpg'
import { connection, pool, uniqueName, url, urlWith } from '../support/server.js'
import { unseen } from '../support/unseen.js'

const RETRY = { isTransient: true, safeToRetry: true }

/** Gives a query that drops the driver's statements without a tag that says so. */
async function losing(on: Queryable): Promise<string> {
  const name = uniqueName('losing')
  const body = "begin execute 'deallocate all'; return 1; end"
  await on.execute(`create function ${name}() returns int language plpgsql as $$ ${body} $$`)
  return `select ${name}()`
}

async function table(on: Queryable, columns: string, values: string): Promise<string> {
  const name = uniqueName('healing')
  await on.execute(`create table ${name} (${columns})`)
  await on.execute(`insert into ${name} values (${values})`)
  return name
}

/** A table with a column of a composite type (x int, y int) that holds (2, 3). */
async function typed(on: Queryable): Promise<{ name: string; type: string; all: string }> {
  const type = uniqueName('pair')
  await on.execute(`create type ${type} as (x int, y int)`)
  const name = await table(on, `a int, b ${type}`, '1, (2, 3)')
  return { name, type, all: `select b from ${name}` }
}

const failing = async (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error as { code?: string; isTransient: boolean; safeToRetry: boolean },
  )

test.serial('a stale plan is planned again without a word', async (t) => {
  const c = await connection(t)
  const name = await table(c, 'a int, b int', '1, 2')
  const other = await connection(t)
  for (const c of [await connection(t), await pool(t, { maxSize: 1 })]) {
    await other.execute(`alter table ${name} alter column b type int using b::int`)
    const statement = await c.prepare(`select b, 1 from ${name}`)
    t.is(await c.fetchVal(`select b from ${name}`), 2)
    t.is(await statement.fetchVal(), 2)
    await unseen(`alter table ${name} alter column b type text`)
    t.is(await c.fetchVal(`select b from ${name}`), '2')
    t.is(await statement.fetchVal(), '2')
    t.is(await c.executeMany(`update ${name} set b = $1 where a = 1`, [['2']]), 1)
  }
})

test.serial('a prepared statement describes itself as it is, after its table has changed', async (t) => {
  const [c, p, other] = [await connection(t), await pool(t, { maxSize: 1 }), await connection(t)]
  const name = uniqueName('described')
  t.teardown(() => other.execute(`drop table ${name}`).then(() => {}))
  for (const host of [c, p]) {
    await other.execute(`drop table if exists ${name}; create table ${name} (a int)`)
    const statement = await host.prepare(`select * from ${name} where a = $1`)
    const shown = () => [
      statement.parameters.map((parameter) => parameter.name),
      statement.attributes.map((attribute) => [attribute.name, attribute.type.name]),
    ]
    const before = statement.attributes
    await statement.fetch([1])
    t.is(statement.attributes, before)
    await other.execute(`alter table ${name} add b text, alter a type int8`)
    await statement.fetch([1])
    t.deepEqual(shown(), [
      ['int8'],
      [
        ['a', 'int8'],
        ['b', 'text'],
      ],
    ])
  }
})

test.serial('in a transaction a stale plan rejects, and is planned again after it', async (t) => {
  const c = await connection(t)
  const name = await table(c, 'a int, b int', '1, 2')
  const all = `select * from ${name}`
  t.deepEqual(await c.fetchRow(all), { a: 1, b: 2 })
  await unseen(`alter table ${name} alter column b type text`)
  const error = await failing(c.transaction((tx) => tx.fetchRow(all)))
  t.like(error, { code: '0A000', ...RETRY })
  t.deepEqual(await c.fetchRow(all), { a: 1, b: '2' })
  t.deepEqual(await c.transaction((tx) => tx.fetchRow(all)), { a: 1, b: '2' })
})

test.serial('a statement that is missing is prepared again; in a transaction it rejects', async (t) => {
  for (const c of [await connection(t), await pool(t, { maxSize: 1 })]) {
    const lose = await losing(c)
    const statement = await c.prepare('select $1::int + 1')
    t.is(await c.fetchVal('select $1::int', [5]), 5)
    t.is(await statement.fetchVal([5]), 6)
    await c.execute(lose)
    t.is(await c.fetchVal('select $1::int', [6]), 6)
    await c.execute(lose)
    t.is(await statement.fetchVal([6]), 7)
    const error = await failing(
      c.transaction(async (tx) => {
        t.is(await tx.fetchVal('select $1::int', [7]), 7)
        await tx.execute(lose)
        await tx.fetchVal('select $1::int', [8])
      }),
    )
    t.like(error, { code: '26000', ...RETRY })
    t.is(await c.fetchVal('select $1::int', [9]), 9)
    t.is(await c.transaction((tx) => tx.fetchVal('select $1::int', [10])), 10)
  }
})

test.serial(
  'what one connection of a pool has found stale the others ask for anew, in transactions too',
  async (t) => {
    const admin = await connection(t)
    const name = await table(admin, 'a int, b int', '1, 2')
    const all = `select * from ${name}`
    const p = await pool(t, { minSize: 2, maxSize: 2 })
    await using one = await p.acquire()
    await using two = await p.acquire()
    for (const c of [one, two]) t.deepEqual(await c.fetchRow(all), { a: 1, b: 2 })
    await unseen(`alter table ${name} alter column b type text`)
    t.deepEqual(await one.fetchRow(all), { a: 1, b: '2' })
    t.deepEqual(await two.transaction((tx) => tx.fetchRow(all)), { a: 1, b: '2' })
  },
)

test.serial(
  'a composite type that gets an attribute in a transaction, which is kept or rolled back',
  async (t) => {
    const c = await connection(t)
    const { type, all } = await typed(c)
    const statement = await c.prepare(all)
    const old = { x: 2, y: 3 }
    const added = { x: 2, y: 3, c: null }
    t.like(await c.fetchVal(all), old)
    t.like(await statement.fetchVal(), old)
    await t.throwsAsync(
      c.transaction(async (tx) => {
        await tx.execute(`alter type ${type} add attribute c text`)
        t.like(await tx.fetchVal(all), added)
        t.like(await statement.fetchVal(), added)
        throw new Error('rolled back')
      }),
      { message: 'rolled back' },
    )
    for (const row of [await c.fetchVal(all), await statement.fetchVal()]) {
      t.deepEqual(Object.keys(row as object), ['x', 'y'])
      t.like(row, old)
    }
    await c.transaction(async (tx) => {
      await tx.execute(`alter type ${type} add attribute c text`)
      t.like(await tx.fetchVal(all), added)
    })
    t.like(await c.fetchVal(all), added)
  },
)

test.serial('attributes that are dropped, and made anew with another type', async (t) => {
  const c = await connection(t)
  const { type, all } = await typed(c)
  t.like(await c.fetchVal(all), { x: 2, y: 3 })
  await unseen(`alter type ${type} drop attribute x`)
  t.deepEqual({ ...((await c.fetchVal(all)) as object) }, { y: 3 })
  await unseen(`alter type ${type} drop attribute y; alter type ${type} add attribute y bigint`)
  t.deepEqual({ ...((await c.fetchVal(all)) as object) }, { y: null })
})

test.serial(
  'a change that one connection of a pool meets is known to the others, and to no other database',
  async (t) => {
    const admin = await connection(t)
    const database = uniqueName('healing_db')
    await admin.execute(`create database ${database}`)
    const elsewhere = await createPool(urlWith({ pathname: `/${database}` }), { maxSize: 1 })
    const p = await createPool(url, { minSize: 2, maxSize: 2 })
    t.teardown(async () => {
      await Promise.all([p.close(), elsewhere.close()])
      await admin.execute(`drop database ${database}`)
      admin.terminate()
    })
    const { type, all } = await typed(admin)
    const there = await typed(elsewhere)
    await using one = await p.acquire()
    await using two = await p.acquire()
    for (const c of [one, two]) t.like(await c.fetchVal(all), { x: 2, y: 3 })
    t.like(await elsewhere.fetchVal(there.all), { x: 2, y: 3 })
    await unseen(`alter type ${type} add attribute c text`)
    await elsewhere.execute(`alter type ${there.type} add attribute c int`)
    t.like(await one.fetchVal(all), { x: 2, y: 3, c: null })
    t.like(await two.transaction((tx) => tx.fetchVal(all)), { x: 2, y: 3, c: null })
    t.like(await one.fetchVal(all), { x: 2, y: 3, c: null })
    t.like(await elsewhere.fetchVal(there.all), { x: 2, y: 3, c: null })
  },
)

test.serial('labels of an enum, and a domain whose base is another one', async (t) => {
  const [c, admin] = [await connection(t), await connection(t)]
  const [colour, positive] = [uniqueName('colour'), uniqueName('positive')]
  await admin.execute(
    `create type ${colour} as enum ('red'); create domain ${positive} as int check (value > 0)`,
  )
  const name = await table(admin, `a ${colour}, b ${positive}`, "'red', 1")
  t.deepEqual(await c.fetchRow(`select * from ${name}`), { a: 'red', b: 1 })
  t.is(await c.fetchVal(`select $1::${colour}`, ['red']), 'red')
  await admin.execute(`alter type ${colour} add value 'green'`)
  await admin.execute(`alter type ${colour} rename value 'red' to 'dark red'`)
  t.is(await c.fetchVal(`select $1::${colour}`, ['green']), 'green')
  t.deepEqual(await c.fetchRow(`select * from ${name}`), { a: 'dark red', b: 1 })
  await admin.execute(
    `alter table ${name} drop column b; drop domain ${positive}; create domain ${positive} as text`,
  )
  await admin.execute(`alter table ${name} add column b ${positive} default 'x'`)
  t.deepEqual(await c.fetchRow(`select * from ${name}`), { a: 'dark red', b: 'x' })
  t.is(await c.fetchVal(`select $1::${positive}`, ['y']), 'y')
})
