import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { InterfaceError } from 'oxpg'
import { connection, until } from '../support/server.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

test('a prepared statement runs any number of times', async (t) => {
  const c = await connection(t)
  const statement = await c.prepare('select $1::int * 2 as n')
  for (const n of [1, 2, 3]) t.is(await statement.fetchVal([n]), 2 * n)
  t.deepEqual(
    (await statement.fetch<{ n: number }>([4])).map((row) => row.n),
    [8],
  )
  t.is((await statement.fetchRow<{ n: number }>([5]))?.n, 10)
  t.is(await statement.execute([6]), 'SELECT 1')
  t.is(await statement.executeMany([[1], [2]]), 2)
})

test('it describes itself', async (t) => {
  const c = await connection(t)
  const statement = await c.prepare('select $1::int as a, $2::text[] as b')
  t.is(statement.query, 'select $1::int as a, $2::text[] as b')
  t.deepEqual(
    statement.parameters.map((parameter) => parameter.name),
    ['int4', 'text[]'],
  )
  t.deepEqual(
    statement.attributes.map((attribute) => [attribute.name, attribute.type.name]),
    [
      ['a', 'int4'],
      ['b', 'text[]'],
    ],
  )
})

/** The texts that have names on this session, but for those of queries of pg_prepared_statements. */
const NAMED = "select statement from pg_prepared_statements where statement !~ 'pg_prepared' order by 1"

test('it stays prepared whatever else is executed, until it is no longer used', async (t) => {
  const c = await connection(t, { statementCacheSize: 2 })
  const named = async () => (await c.fetch<{ statement: string }>(NAMED)).map((row) => row.statement)
  const long = `select /* ${'x'.repeat(20_000)} */ 2`
  let statements: unknown[] | undefined = [await c.prepare('select 1'), await c.prepare(long)]
  const others = ['select 3', 'select 4', 'select 5', 'select 6']
  for (const text of others) await c.fetch(text)
  t.deepEqual(await named(), [long, 'select 1', 'select 6'])
  t.is(statements.length, 2)
  statements = undefined
  await until(async () => {
    collectGarbage()
    for (const text of others) await c.fetch(text)
    // Each of them is found to be garbage by itself.
    const left = await named()
    return left.length === 1 && left[0] === 'select 6'
  }, 'letting go')
})

test('explain gives the plan', async (t) => {
  const c = await connection(t)
  const statement = await c.prepare('select $1::int')
  t.regex(JSON.stringify(await statement.explain([1])), /Result/)
})

test('a statement that cannot be prepared rejects', async (t) => {
  const c = await connection(t)
  await t.throwsAsync(c.prepare('selec 1'), { code: '42601' })
  t.is(await c.fetchVal('select 1'), 1)
})

test('a statement of a closed connection says so', async (t) => {
  const c = await connection(t)
  const statement = await c.prepare('select 1')
  await c.close()
  await t.throwsAsync(statement.fetch(), { instanceOf: InterfaceError, message: /closed/ })
})
