import test from 'ava'
import { connect, createPool, UnsupportedClientFeatureError } from 'oxpg'

const url = process.env.OXPG_TEST_URL!

test('a connection whose client_encoding changes closes, and sends nothing behind the change', async (t) => {
  for (const [query, parameters] of [
    ["set client_encoding = 'LATIN1'", undefined],
    ["set client_encoding = 'LATIN1'", []],
    ["set names 'latin1'", []],
    ["select set_config('client_encoding', $1, false)", ['LATIN1']],
    ["begin; set local client_encoding to 'WIN1252'", undefined],
  ] as const) {
    const connection = await connect(url)
    const change = connection.execute(query, parameters)
    const behind = connection.fetchVal('select octet_length($1::text)', ['é'])
    const error = await t.throwsAsync(change, { instanceOf: UnsupportedClientFeatureError }, query)
    t.regex(error!.message, /client_encoding became (?:LATIN1|WIN1252)/)
    await t.throwsAsync(behind, { message: /client_encoding became/ }, query)
    t.true(connection.isClosed, query)
    await t.throwsAsync(connection.fetchVal('select 1'))
  }
})

test("a pool goes on with another connection when one's client_encoding has changed", async (t) => {
  const pool = await createPool(url, { minSize: 1, maxSize: 1 })
  await t.throwsAsync(pool.fetchVal("select set_config('client_encoding', 'LATIN1', false)"), {
    instanceOf: UnsupportedClientFeatureError,
  })
  t.is(await pool.fetchVal('select octet_length($1::text)', ['é']), 2)
  await pool.close()
})

test('a function may have a client_encoding of its own, and a script may name UTF8', async (t) => {
  const connection = await connect(url)
  await connection.execute(`set client_encoding to 'UTF8'; set names 'utf8'; reset client_encoding;
    create function pg_temp.greets() returns text language sql set client_encoding to 'LATIN1' as $$ select 'é' $$`)
  t.is(await connection.fetchVal('select pg_temp.greets()'), 'é')
  t.is(await connection.fetchVal('select $1::text', ['é']), 'é')
  await connection.close()
})
