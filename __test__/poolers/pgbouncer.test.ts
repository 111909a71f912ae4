// On a real PgBouncer in transaction mode: `npm run test:poolers`.
import test from 'ava'
import { connect, type PostgresLogMessage } from 'oxpg'
import { clientsThatRestart } from '../support/pooled-work.js'

const poolerUrl = (() => {
  const given = process.env.OXPG_TEST_POOLER_URL
  if (given === undefined) throw new Error('OXPG_TEST_POOLER_URL is not set: use `npm run test:poolers`')
  return given
})()

test.serial('two clients, each started three times, lose nothing and get their own answers', async (t) => {
  await clientsThatRestart(t, poolerUrl)
})

test.serial('with unnamed statements from the start it is the same', async (t) => {
  await clientsThatRestart(t, poolerUrl, { statementCacheSize: 0 })
})

test.serial('a connection says once that a pooler is between', async (t) => {
  const c = await connect(poolerUrl)
  t.teardown(async () => c.terminate())
  const notices: PostgresLogMessage[] = []
  c.onNotice((notice) => notices.push(notice))
  for (let number = 0; number < 20; number++) t.is(await c.fetchVal('select $1::int', [number]), number)
  t.is(notices.length, 1)
  t.regex(notices[0]!.message, /transaction pooler/)
})
