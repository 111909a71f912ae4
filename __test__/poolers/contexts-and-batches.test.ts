// Contexts and batches on a real PgBouncer: what they are made of is one message group, which stays on one server, and nothing
// of a context is there for whoever has that server next.
import test, { type ExecutionContext } from 'ava'
import {
  connect,
  createPool,
  DivisionByZeroError,
  type Pool,
  type PoolContext,
  TimeoutError,
  UnsupportedClientFeatureError,
} from 'oxpg'
import { hasTransactions, poolerUrl, STATEMENT_MODES } from '../support/pgbouncer.js'
import { connection, uniqueName } from '../support/server.js'

/** Those with contexts: the simple query protocol has none. */
const CONTEXT_MODES = ['cache', 'unnamed'] as const

async function pooled(
  t: ExecutionContext,
  statementMode: (typeof STATEMENT_MODES)[number],
  maxSize = 6,
): Promise<Pool> {
  const p = await createPool(poolerUrl, { statementMode, maxSize })
  t.teardown(async () => p.terminate())
  return p
}

/** A role of the test's, whom everybody may become. */
async function role(t: ExecutionContext): Promise<string> {
  const admin = await connection(t)
  const name = uniqueName('tenant')
  await admin.execute(`create role ${name}`)
  t.teardown(async () => {
    const last = await connect(process.env.OXPG_TEST_URL!)
    await last.execute(`drop role ${name}`)
    await last.close()
  })
  return name
}

/** Who and where a statement finds itself. */
const WHO = "select concat(current_setting('app.tenant', true), ' ', current_user) as who"
const NOBODY = ` ${new URL(poolerUrl).username}`

/** Others, who have the same servers, find nothing of any context. */
async function nothingIsLeft(t: ExecutionContext, what: string): Promise<void> {
  const others = await Promise.all(
    Array.from({ length: 4 }, () => connect(poolerUrl, { statementMode: 'simple' })),
  )
  for (let time = 0; time < 5; time++) {
    const found = await Promise.all(others.map((other) => other.fetchVal(WHO)))
    t.deepEqual(new Set(found), new Set([NOBODY]), what)
  }
  await Promise.all(others.map((other) => other.close()))
}

type Ask = (context: PoolContext) => Promise<unknown>

/** Ways to ask who one is, in one message group. */
const GROUPS: Readonly<Record<string, Ask>> = {
  fetch: async (context) => (await context.fetch<{ who: string }>(WHO))[0]?.who,
  fetchRow: async (context) => (await context.fetchRow<{ who: string }>(WHO))?.who,
  fetchVal: (context) => context.fetchVal(WHO),
  'fetchVal with parameters': (context) =>
    context.fetchVal("select concat(current_setting($1, true), ' ', current_user)", ['app.tenant']),
  run: async (context) => (await context.run<{ who: string }>(WHO)).rows[0]?.who,
  batch: async (context) => {
    const [[first], [second]] = await context.batch<[{ who: string }, { who: string }]>([WHO, WHO])
    return first?.who === second?.who ? first?.who : [first, second]
  },
}

/** Ways that take a transaction. */
const TRANSACTIONS: Readonly<Record<string, Ask>> = {
  transaction: (context) => context.transaction((tx) => tx.fetchVal(WHO)),
  begin: async (context) => {
    const tx = await context.begin()
    const who = await tx.fetchVal(WHO)
    await tx.commit()
    return who
  },
  stream: async (context) => {
    for await (const { who } of context.stream<{ who: string }>(WHO)) return who
    return undefined
  },
  fetchMany: async (context) => {
    const rows = await context.fetchMany<{ who: string }>(`${WHO} where $1::int > 0`, [[1], [0]])
    return rows.length === 1 ? rows[0]?.who : rows
  },
  prepare: async (context) => (await context.prepare(WHO)).fetchVal(),
}

for (const statementMode of CONTEXT_MODES) {
  test.serial(`${statementMode}: each call is in its own context, and leaves nothing behind`, async (t) => {
    const p = await pooled(t, statementMode)
    const user = await role(t)
    const ways = hasTransactions ? { ...GROUPS, ...TRANSACTIONS } : GROUPS
    for (const [way, ask] of Object.entries(ways)) {
      const asked = Array.from({ length: 40 }, async (_, tenant) => {
        const context = p.withContext({ settings: { 'app.tenant': tenant }, role: user })
        t.is(await ask(context), `${tenant} ${user}`, way)
      })
      const outside = Array.from({ length: 40 }, async () => t.is(await p.fetchVal(WHO), NOBODY, way))
      await Promise.all([...asked, ...outside])
      await nothingIsLeft(t, way)
    }
  })

  test.serial(`${statementMode}: nor does one that fails, or is given up`, async (t) => {
    const p = await pooled(t, statementMode)
    const user = await role(t)
    const context = p.withContext({ settings: { 'app.tenant': 'somebody' }, role: user })
    await t.throwsAsync(context.fetch('select 1 / $1::int', [0]), { instanceOf: DivisionByZeroError })
    await nothingIsLeft(t, 'an error')
    await t.throwsAsync(context.fetch('select pg_sleep(60)', [], { timeoutMs: 100 }), {
      instanceOf: TimeoutError,
    })
    await nothingIsLeft(t, 'a limit of time')
    const controller = new AbortController()
    const calls = Array.from({ length: 20 }, () =>
      context.fetch('select pg_sleep(60)', [], { signal: controller.signal }),
    )
    setTimeout(() => controller.abort(new Error('enough')), 50)
    await Promise.all(calls.map((call) => t.throwsAsync(call, { message: 'enough' })))
    await nothingIsLeft(t, 'a signal')
    // A role that does not exist is refused with the settings in front of it.
    const wrong = p.withContext({ settings: { 'app.tenant': 'x' }, role: uniqueName('nobody') })
    await t.throwsAsync(wrong.fetch(WHO))
    await nothingIsLeft(t, 'a role that does not exist')
    t.is(await context.fetchVal(WHO), `somebody ${user}`)
  })
}

const ofStatements = hasTransactions ? test.serial.skip : test.serial
ofStatements(
  'what takes a transaction in a context is refused by the pooler, and leaves nothing',
  async (t) => {
    for (const statementMode of CONTEXT_MODES) {
      const p = await pooled(t, statementMode, 2)
      const context = p.withContext({ settings: { 'app.tenant': 'somebody' } })
      for (const [way, ask] of Object.entries(TRANSACTIONS)) {
        // One that is prepared is executed in one message group afterwards.
        if (way === 'prepare') continue
        await t.throwsAsync(ask(context), undefined, way)
        await nothingIsLeft(t, way)
        t.is(await context.fetchVal(WHO), `somebody${NOBODY}`, way)
      }
    }
  },
)

test.serial('simple: contexts are refused at once, by name', async (t) => {
  const p = await pooled(t, 'simple')
  t.throws(() => p.withContext({ settings: { 'app.tenant': 'x' } }), {
    instanceOf: UnsupportedClientFeatureError,
    message: /withContext/,
  })
})

/** The statement with its number, or with a literal where there are no parameters. */
type Insert = (id: number) => string | [string, [number]]

for (const statementMode of STATEMENT_MODES) {
  test.serial(`${statementMode}: a batch is all or nothing, in order, on one server`, async (t) => {
    const admin = await connection(t)
    const table = uniqueName('batched')
    await admin.execute(`create table ${table} (id int primary key, pid int default pg_backend_pid(),
      xid xid8 default pg_current_xact_id())`)
    t.teardown(async () => {
      const last = await connect(process.env.OXPG_TEST_URL!)
      await last.execute(`drop table ${table}`)
      await last.close()
    })
    const p = await pooled(t, statementMode)
    // Without message groups it is a transaction, which a pooler in statement mode refuses.
    if (statementMode === 'simple' && !hasTransactions) {
      await t.throwsAsync(p.batch(['select 1', 'select 2']))
      t.is(await p.fetchVal('select 1'), 1)
      return
    }
    const insert: Insert =
      statementMode === 'simple'
        ? (id) => `insert into ${table} (id) values (${id}) returning id`
        : (id) => [`insert into ${table} (id) values ($1) returning id`, [id]]
    const good = Array.from({ length: 30 }, async (_, index) => {
      const first = 1 + index * 10
      const rows = await p.batch([
        insert(first),
        insert(first + 1),
        `select count(*)::int as id from ${table} where id in (${first}, ${first + 1})`,
        insert(first + 2),
      ])
      t.deepEqual(
        rows.map(([row]) => (row as { id: number }).id),
        [first, first + 1, 2, first + 2],
      )
    })
    const bad = Array.from({ length: 30 }, async (_, index) => {
      const first = -1 - index * 10
      const error = await t.throwsAsync<DivisionByZeroError>(
        p.batch([insert(first), insert(first - 1), 'select 1 / 0', insert(first - 2)]),
        { instanceOf: DivisionByZeroError },
      )
      t.is(error.statement, 2)
    })
    const beside = Array.from({ length: 30 }, async (_, number) =>
      t.is(await p.fetchVal(`select ${number}`), number),
    )
    await Promise.all([...good, ...bad, ...beside])
    const stored = await admin.fetchRow(`select count(*)::int as rows, min(id) as least,
      count(distinct xid)::int as transactions, count(distinct (xid, pid))::int as places from ${table}`)
    t.deepEqual(stored, { rows: 90, least: 1, transactions: 30, places: 30 })
  })
}

const ofTransactions = hasTransactions ? test.serial : test.serial.skip
ofTransactions('a batch whose statements depend on each other takes a transaction', async (t) => {
  for (const statementMode of STATEMENT_MODES) {
    const p = await pooled(t, statementMode, 2)
    for (let time = 0; time < 3; time++) {
      const table = uniqueName('made')
      const [, , rows] = await p.batch<[unknown, unknown, { n: number }, unknown]>([
        `create table ${table} (n int)`,
        `insert into ${table} values (${time})`,
        `select n from ${table}`,
        `drop table ${table}`,
      ])
      t.deepEqual(rows, [{ n: time }], statementMode)
    }
  }
})
