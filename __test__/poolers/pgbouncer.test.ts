// On a real PgBouncer, in the mode that OXPG_TEST_POOLER_MODE names: `npm run test:poolers`.
import test from 'ava'
import { connect, createPool, type PostgresLogMessage, TimeoutError } from 'oxpg'
import { hasTransactions, keepsStatements, poolerUrl, STATEMENT_MODES } from '../support/pgbouncer.js'
import { clientsThatRestart } from '../support/pooled-work.js'

for (const statementMode of STATEMENT_MODES) {
  test.serial(`${statementMode}: two clients, each started three times, lose nothing`, async (t) => {
    await clientsThatRestart(t, poolerUrl, { statementMode, hasTransactions })
  })

  test.serial(`${statementMode}: a limit of time ends its own call`, async (t) => {
    const c = await connect(poolerUrl, { statementMode })
    t.teardown(async () => c.terminate())
    await t.throwsAsync(c.fetch('select pg_sleep(60)', [], { timeoutMs: 100 }), { instanceOf: TimeoutError })
    t.is(await c.fetchVal('select 1'), 1)
  })
}

test.serial('with statementCacheSize 0 it is as with unnamed statements', async (t) => {
  await clientsThatRestart(t, poolerUrl, { statementCacheSize: 0, hasTransactions })
})

const ofKept = keepsStatements ? test.serial : test.serial.skip
ofKept('statements keep their names where the pooler keeps them', async (t) => {
  await clientsThatRestart(t, poolerUrl, { statementCacheSize: 100, hasTransactions })
  const p = await createPool(poolerUrl, { statementCacheSize: 100, maxSize: 4 })
  const notices: PostgresLogMessage[] = []
  await p.use(async (c) => {
    c.onNotice((notice) => notices.push(notice))
    for (let number = 0; number < 20; number++) t.is(await c.fetchVal('select $1::int', [number]), number)
    const names = await c.fetchVal<number>(
      "select count(*)::int from pg_prepared_statements where statement = 'select $1::int'",
    )
    t.is(names, 1, 'the server has it, by a name of the pooler’s')
  })
  t.deepEqual(notices, [], 'nothing has shown a pooler')
  await p.close()
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

const ofStatements = hasTransactions ? test.serial.skip : test.serial
ofStatements('a transaction is refused, and a pool goes on', async (t) => {
  for (const statementMode of STATEMENT_MODES) {
    const p = await createPool(poolerUrl, { statementMode, maxSize: 2 })
    await t.throwsAsync(
      p.transaction((tx) => tx.fetch('select 1')),
      undefined,
      statementMode,
    )
    t.is(await p.fetchVal('select 1'), 1)
    await p.close()
  }
})

test.serial('a setting that PgBouncer does not know is refused at the start, with its name', async (t) => {
  const error = await t.throwsAsync(connect(poolerUrl, { serverSettings: { lock_timeout: '1s' } }))
  t.regex(error.message, /unsupported startup parameter: lock_timeout/)
  const c = await connect(poolerUrl, { applicationName: 'known', serverSettings: { TimeZone: 'UTC' } })
  t.is(await c.fetchVal('show application_name'), 'known')
  await c.close()
})

test.serial('the console answers simple queries, and takes nothing else', async (t) => {
  const console = Object.assign(new URL(poolerUrl), { pathname: '/pgbouncer' }).href
  const c = await connect(console, { statementMode: 'simple' })
  t.teardown(async () => c.terminate())
  t.regex(c.settings.server_version ?? '', /bouncer/)
  const pools = await c.fetch<{ database: string; cl_active: number }>('SHOW POOLS')
  t.true(pools.some(({ database, cl_active }) => database === 'pgbouncer' && cl_active >= 1))
  t.is(typeof (await c.fetchRow<{ port: unknown }>('SHOW CLIENTS'))?.port, 'number')
  await t.throwsAsync(c.fetch('SHOW NOTHING_OF_THE_KIND'))
  await c.reset()
  await c.execute('RELOAD')
  const p = await createPool(console, { statementMode: 'simple', maxSize: 1 })
  await p.use((lease) => lease.fetch('SHOW LISTS'))
  t.true((await p.fetch('SHOW DATABASES')).length > 0)
  t.is(p.stats.opened, 1, 'a release costs no connection')
  await p.close()
  const extended = await connect(console)
  t.teardown(async () => extended.terminate())
  await t.throwsAsync(extended.fetch('SHOW POOLS'))
})
