// Behind a pooler, where sessions share servers and leave their prepared statements behind with them.
import test from 'ava'
import { connect, type PostgresLogMessage } from 'oxpg'
import { clientsThatRestart } from '../support/pooled-work.js'
import { connection } from '../support/server.js'
import { Pooler } from '../support/testkit.js'

const MODES = ['cache', 'unnamed', 'simple'] as const

for (const statementMode of MODES) {
  test(`${statementMode}: two clients, each started three times, lose nothing and get their own answers`, async (t) => {
    const between = await Pooler.for(t, 3)
    await clientsThatRestart(t, between.url, { statementMode })
    const changes = await between.changes()
    t.true(changes > 100, `servers were changed: ${changes}`)
  })

  test(`${statementMode}: a pooler that resets its servers after each transaction changes nothing`, async (t) => {
    const between = await Pooler.for(t, 3, { resetQuery: 'discard all' })
    await clientsThatRestart(t, between.url, { statementMode })
  })

  test(`${statementMode}: so it is in statement mode, without transactions`, async (t) => {
    for (const resetQuery of [undefined, 'discard all']) {
      const between = await Pooler.for(t, 3, { mode: 'statement', ...(resetQuery && { resetQuery }) })
      await clientsThatRestart(t, between.url, { statementMode, hasTransactions: false })
    }
  })
}

for (const statementMode of ['unnamed', 'simple'] as const) {
  test(`${statementMode}: nobody asks who the server is, and nothing is said of poolers`, async (t) => {
    const between = await Pooler.for(t, 2)
    const c = await connect(between.url, { statementMode })
    t.teardown(async () => c.terminate())
    const notices: PostgresLogMessage[] = []
    c.onNotice((notice) => notices.push(notice))
    for (let number = 0; number < 5; number++) t.is(await c.fetchVal(`select ${number}`), number)
    t.deepEqual(notices, [])
  })
}

test('a connection says once that a pooler is between', async (t) => {
  const between = await Pooler.for(t, 2)
  const c = await connect(between.url)
  t.teardown(async () => c.terminate())
  const notices: PostgresLogMessage[] = []
  c.onNotice((notice) => notices.push(notice))
  for (let number = 0; number < 5; number++) t.is(await c.fetchVal('select $1::int', [number]), number)
  t.is(notices.length, 1)
  t.regex(notices[0]!.message, /transaction pooler/)
  t.regex(notices[0]!.hint ?? '', /statementMode.*statementCacheSize/)
})

test('a server of its own is known as such, and statements keep their names', async (t) => {
  const c = await connection(t)
  const notices: PostgresLogMessage[] = []
  c.onNotice((notice) => notices.push(notice))
  for (let number = 0; number < 3; number++)
    t.is(await c.fetchVal('select $1::int + 1', [number]), number + 1)
  const names = await c.fetch<{ name: string }>(`select name from pg_prepared_statements`)
  t.true(names.length >= 1)
  t.true(names.every(({ name }) => /^oxpg_[a-z2-7]{12}_\d+$/.test(name)))
  t.deepEqual(notices, [])
})

test('names are no other connection’s', async (t) => {
  const first = await connection(t)
  const second = await connection(t)
  const prefixes = await Promise.all(
    [first, second].map(async (c) => {
      await c.fetchVal('select $1::int', [1])
      return c.fetchVal<string>(`select min(split_part(name, '_', 2)) from pg_prepared_statements`)
    }),
  )
  t.not(prefixes[0], prefixes[1])
})
