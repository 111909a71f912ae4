import test from 'ava'
import { InterfaceError } from 'oxpg'
import { connection } from '../support/server.js'

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
