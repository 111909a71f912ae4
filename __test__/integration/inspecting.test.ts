import { inspect } from 'node:util'
import test from 'ava'
import { sql } from 'oxpg'
import { connection, pool, url } from '../support/server.js'

const shown = (value: unknown) => inspect(value, { depth: 9, showHidden: true })

test('connections, pools, statements and transactions show their state and no secret', async (t) => {
  const password = decodeURIComponent(new URL(url).password)
  const c = await connection(t)
  const p = await pool(t)
  t.is(shown(c), `Connection { serverPid: ${c.serverPid}, idle }`)
  const statement = await c.prepare('select $1::text as inspected')
  await statement.fetch(['a hidden value'])
  const transaction = await c.begin()
  t.is(shown(transaction), 'Transaction { started }')
  const nested = await transaction.begin()
  t.is(shown(nested), 'Transaction { savepoint, started }')
  t.is(shown(c), `Connection { serverPid: ${c.serverPid}, in a transaction }`)
  const held = await p.acquire()
  t.is(shown(held), `PoolConnection { serverPid: ${held.serverPid}, idle }`)
  t.is(shown(p), 'Pool { size: 1 of 10, idle: 0, waiting: 0 }')
  const query = sql`select ${'a hidden value'}`
  const error = await t.throwsAsync(p.fetch('select $1::text::int', ['a hidden value'.slice(2)]))
  for (const value of [c, p, statement, transaction, nested, held, query]) {
    t.notRegex(shown(value), /hidden value/)
    t.false(shown(value).includes(`'${password}'`))
  }
  t.false(shown(error).includes('params'))
  await held.release()
  t.is(shown(held), `PoolConnection { serverPid: ${held.serverPid}, released }`)
  await transaction.rollback()
  t.is(shown(transaction), 'Transaction { rolled back }')
  await c.close()
  await p.close()
  t.is(shown(c), `Connection { serverPid: ${c.serverPid}, closed }`)
  t.is(shown(p), 'Pool { closed }')
})
