// ambientTransactions: calls on the pool inside a transaction's callback are part of the transaction.
import test from 'ava'
import {
  AdminShutdownError,
  ConnectionDoesNotExistError,
  InterfaceError,
  type Pool,
  type Queryable,
  type Transaction,
} from 'oxpg'
import { connection, pool, uniqueName } from '../support/server.js'

const ambient = { ambientTransactions: true }

async function table(p: Pool): Promise<string> {
  const name = uniqueName('ambient')
  await p.execute(`create table ${name} (id int)`)
  return name
}

const pidOf = async (on: Queryable) => (await on.fetchVal<number>('select pg_backend_pid()'))!

test('every way to ask the pool joins the transaction', async (t) => {
  const p = await pool(t, ambient)
  const name = await table(p)
  const before = await p.prepare('select pg_backend_pid() as pid')
  await t.throwsAsync(
    p.transaction(async (tx) => {
      const pid = await pidOf(tx)
      t.is(await pidOf(p), pid)
      t.is((await p.fetchRow<{ pid: number }>('select pg_backend_pid() as pid'))!.pid, pid)
      t.is((await p.fetch<{ pid: number }>('select pg_backend_pid() as pid'))[0]!.pid, pid)
      t.deepEqual((await p.run('select pg_backend_pid() as pid')).rows, [{ pid }])
      t.is(await before.fetchVal(), pid)
      t.is(await (await p.prepare('select pg_backend_pid()')).fetchVal(), pid)
      await p.execute(`insert into ${name} values ($1)`, [1])
      await p.execute(`insert into ${name} values (2); insert into ${name} values (3)`)
      await p.executeMany(`insert into ${name} values ($1)`, [[4], [5]])
      t.is((await p.fetchMany(`insert into ${name} values ($1) returning id`, [[6], [7]])).length, 2)
      await p.notify(name, 'never')
      t.is(await p.fetchVal(`select count(*)::int from ${name}`), 7)
      t.is(await p.use((c) => c.fetchVal(`select count(*)::int from ${name}`)), 0)
      throw new Error('undone')
    }),
    { message: 'undone' },
  )
  t.is(await p.fetchVal(`select count(*)::int from ${name}`), 0)
})

test('transactions and begin inside are savepoints', async (t) => {
  const p = await pool(t, { ...ambient, maxSize: 1 })
  const name = await table(p)
  const add = (id: number) => p.execute(`insert into ${name} values ($1)`, [id])
  await p.transaction(async () => {
    await add(1)
    await t.throwsAsync(
      p.transaction(async () => {
        await add(2)
        throw new Error('inner')
      }),
      { message: 'inner' },
    )
    await p.transaction(async (inner) => {
      await add(3)
      t.is(await pidOf(inner), await pidOf(p))
    })
    const byHand = await p.begin()
    await add(4)
    await byHand.rollback()
    await t.throwsAsync(
      p.transaction(async () => {}, { isolation: 'serializable' }),
      { instanceOf: InterfaceError },
    )
  })
  t.deepEqual(
    (await p.fetch<{ id: number }>(`select id from ${name} order by 1`)).map(({ id }) => id),
    [1, 3],
  )
})

test('after the end of its transaction a call is an error, and runs nowhere', async (t) => {
  const p = await pool(t, ambient)
  const name = await table(p)
  const late: Promise<unknown>[] = []
  let goOn = () => {}
  const over = new Promise<void>((resolve) => {
    goOn = resolve
  })
  await p.transaction(async (tx) => {
    await tx.transaction(async () => {
      late.push(over.then(() => p.execute(`insert into ${name} values (1)`)))
      late.push(over.then(() => p.transaction(async () => {})))
    })
    late.push(over.then(() => p.begin()))
    late.push(over.then(() => p.fetch('select 1')))
    late.push(over.then(() => p.prepare('select 1')))
  })
  goOn()
  for (const call of late) {
    await t.throwsAsync(call, { instanceOf: InterfaceError, message: /joined is over.*pool\.use\(\)/ })
  }
  t.is(await p.fetchVal(`select count(*)::int from ${name}`), 0)
  await p.transaction(async () => t.is(await p.fetchVal('select 1'), 1))
})

test('after the loss of its connection a call rejects as one on the transaction does', async (t) => {
  const p = await pool(t, ambient)
  const admin = await connection(t)
  const lost = { instanceOf: ConnectionDoesNotExistError, message: /the connection was lost/ }
  const seen: unknown[] = []
  const error = await t.throwsAsync(
    p.transaction(async (tx) => {
      await tx.transaction(async () => {
        const pid = await pidOf(p)
        const running = p.execute('select pg_sleep(60)')
        await admin.fetchVal('select pg_terminate_backend($1)', [pid])
        await t.throwsAsync(running)
        const calls = [
          () => p.execute('select 1'),
          () => p.fetch('select $1::int', [1]),
          () => p.batch(['select 1']),
          () => p.begin(),
          () => p.transaction(async () => {}),
          () => tx.transaction(async () => {}),
          () => p.stream('select 1')[Symbol.asyncIterator]().next(),
        ]
        for (const call of calls) seen.push(await t.throwsAsync<Error>(call(), lost, String(call)))
      })
      seen.push(await t.throwsAsync(p.execute('select 1'), lost))
      await p.execute('select 1')
    }),
    lost,
  )
  for (const each of [...seen, error] as ConnectionDoesNotExistError[]) {
    t.true(each.isTransient)
    t.true(each.cause instanceof AdminShutdownError)
  }
  t.is(await p.fetchVal('select 1'), 1)
})

test('the escape hatch is a connection of its own, whose transaction is joined in its callback', async (t) => {
  const p = await pool(t, ambient)
  await p.transaction(async (outer) => {
    const pid = await pidOf(outer)
    await p.use(async (c) => {
      t.not(await pidOf(c), pid)
      t.is(await pidOf(p), pid)
      await c.transaction(async (own) => t.is(await pidOf(p), await pidOf(own)))
      t.is(await pidOf(p), pid)
    })
    await using lease = await p.acquire()
    t.not(await pidOf(lease), pid)
  })
})

test('pools are independent, and without the option nothing joins', async (t) => {
  const [one, two, plain] = [await pool(t, ambient), await pool(t, ambient), await pool(t)]
  await one.transaction(async (first) => {
    t.not(await pidOf(two), await pidOf(first))
    await two.transaction(async (second) => {
      t.is(await pidOf(one), await pidOf(first))
      t.is(await pidOf(two), await pidOf(second))
    })
    t.is(await pidOf(one), await pidOf(first))
  })
  await plain.transaction(async (tx) => t.not(await pidOf(plain), await pidOf(tx)))
})

test('transactions side by side each have their own calls', async (t) => {
  const p = await pool(t, ambient)
  const name = await table(p)
  const one = async (n: number): Promise<void> => {
    const work = async (tx: Transaction) => {
      const pid = await pidOf(tx)
      for (let call = 0; call < 20; call++) {
        const seen = await p.fetchVal(`insert into ${name} values ($1) returning pg_backend_pid()`, [n])
        if (seen !== pid) t.fail(`${seen} in place of ${pid}`)
      }
      if (n % 2 === 1) throw new Error('odd')
    }
    await p.transaction(work).catch(() => {})
  }
  await Promise.all(Array.from({ length: 30 }, (_, n) => one(n)))
  t.is(await p.fetchVal(`select count(*)::int from ${name}`), 15 * 20)
  t.is(await p.fetchVal(`select count(*)::int from ${name} where id % 2 = 1`), 0)
})

test('hooks, limits, and commands that are none of a pool', async (t) => {
  const p = await pool(t, { ...ambient, setup: () => {} })
  await p.transaction(async (tx) => {
    t.is(await pidOf(p), await pidOf(tx))
    await t.throwsAsync(p.execute('commit'), { instanceOf: InterfaceError, message: /COMMIT/i })
    t.true((await p.fetchVal<string>('select pg_current_xact_id()::text')) !== null)
  })
  let late: unknown
  await t.throwsAsync(
    p.transaction(
      async () => {
        await p.fetch('select pg_sleep(60)').catch(() => {})
        late = await p.fetch('select 1').catch((error: unknown) => error)
      },
      { timeoutMs: 50 },
    ),
    { name: 'TimeoutError' },
  )
  await new Promise((resolve) => setImmediate(resolve))
  t.is((late as Error).name, 'TimeoutError')
  await t.throwsAsync(pool(t, { ambientTransactions: 1 as never }), { message: /ambientTransactions/ })
})
