// timeoutMs and signal of a transaction hold over all of it: see the table in docs/guide/transactions.md.
import { getEventListeners } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import {
  type Connection,
  connect,
  type Pool,
  type PostgresError,
  SerializationError,
  TimeoutError,
  type Transaction,
  type TransactionOptions,
  TransactionResolutionUnknownError,
} from 'oxpg'
import { connection, pool, RUNNING, SLEEPING, uniqueName, until, url } from '../support/server.js'
import { FaultProxy } from '../support/testkit.js'

const never = (): Promise<never> => new Promise(() => {})
const FOR_EVER = 'select pg_sleep(60)'

/** A table that is dropped with the test. */
async function table(t: ExecutionContext, columns = 'id int'): Promise<string> {
  const name = uniqueName('limited')
  const owner = await connect(url)
  await owner.execute(`create table ${name} (${columns})`)
  await owner.close()
  t.teardown(async () => {
    const last = await connect(url)
    await last.execute(`drop table if exists ${name}`)
    await last.close()
  })
  return name
}

/** What ends a transaction: its time, or a signal that fires once it does something; with what it rejects with. */
interface Ending {
  options: TransactionOptions
  /** It is under way. */
  isUnderWay(): void
  isTheReason(error: unknown): boolean
}

const ENDINGS: Record<string, () => Ending> = {
  timeoutMs: () => ({
    options: { timeoutMs: 1_000 },
    isUnderWay() {},
    isTheReason: (error) =>
      error instanceof TimeoutError &&
      /the transaction did not end within 1000 ms, and is rolled back$/.test(error.message),
  }),
  signal: () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    return {
      options: { signal: controller.signal },
      isUnderWay: () => controller.abort(reason),
      isTheReason: (error) => error === reason,
    }
  },
}

type Host = Connection | Pool

const HOSTS: Record<string, (t: ExecutionContext) => Promise<Host>> = {
  'a connection': connection,
  'a pool': (t) => pool(t, { minSize: 1, maxSize: 1 }),
}

const reasonOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  )

for (const [ends, ending] of Object.entries(ENDINGS)) {
  for (const [where, open] of Object.entries(HOSTS)) {
    test(`${ends}, on ${where}: the statement that runs is cancelled, and all is rolled back`, async (t) => {
      const [host, other] = [await open(t), await connection(t)]
      const name = await table(t)
      const { options, isUnderWay, isTheReason } = ending()
      let pid = 0
      let statement: unknown
      const error = await reasonOf(
        host.transaction(async (tx) => {
          await tx.execute(`insert into ${name} values (1)`)
          pid = (await tx.fetchVal<number>('select pg_backend_pid()'))!
          const call = reasonOf(tx.fetch(FOR_EVER))
          if (ends === 'signal')
            await until(async () => (await other.fetchVal(SLEEPING, [pid])) === 1, 'the statement')
          isUnderWay()
          statement = await call
          throw new Error('nobody hears of this')
        }, options),
      )
      t.true(isTheReason(error), `${error}`)
      t.true(isTheReason(statement), `${statement}`)
      if (ends === 'timeoutMs') t.true((error as TimeoutError).safeToRetry)
      // On a pool this waits until the connection is back.
      t.is(await host.fetchVal(`select count(*) from ${name}`), 0)
      t.is(await host.transaction((tx) => tx.fetchVal('select 1')), 1)
      await until(async () => (await other.fetchVal(RUNNING, [pid])) === 0, 'the end of the statement')
      if ('stats' in host) t.is(host.stats.closed, 0)
      else t.false(host.isInTransaction)
    })

    test(`${ends}, on ${where}: a callback that waits for something else is not waited for`, async (t) => {
      const host = await open(t)
      const { options, isUnderWay, isTheReason } = ending()
      let later: Transaction | undefined
      let goOn!: () => void
      const gone = new Promise<void>((resolve) => (goOn = resolve))
      let last: Promise<unknown> | undefined
      const error = await reasonOf(
        host.transaction(async (tx) => {
          later = tx
          await tx.execute('select 1')
          setImmediate(isUnderWay)
          await gone
          // On its connection too it is part of nothing.
          if (!('stats' in host)) last = reasonOf(host.transaction(() => t.fail()))
          await never()
        }, options),
      )
      t.true(isTheReason(error), `${error}`)
      goOn()
      await new Promise((resolve) => setImmediate(resolve))
      if (!('stats' in host)) t.true(isTheReason(await last))
      for (const call of [later!.fetchVal('select 2'), later!.transaction(async () => {}), later!.begin()])
        t.true(isTheReason(await reasonOf(call)))
      t.is(await host.transaction((tx) => tx.fetchVal('select 3')), 3)
    })

    test(`${ends}, on ${where}: one that was begun by hand is over as well`, async (t) => {
      const host = await open(t)
      const name = await table(t)
      const { options, isUnderWay, isTheReason } = ending()
      const tx = await host.begin(options)
      await tx.execute(`insert into ${name} values (1)`)
      const call = reasonOf(tx.fetch(FOR_EVER))
      isUnderWay()
      t.true(isTheReason(await call))
      t.true(isTheReason(await reasonOf(tx.fetchVal('select 1'))))
      t.true(isTheReason(await reasonOf(tx.commit())))
      // It is rolled back: what asks for that again only waits for it.
      await tx.rollback()
      await tx[Symbol.asyncDispose]()
      t.is(await host.fetchVal(`select count(*) from ${name}`), 0)
      if ('stats' in host) t.deepEqual([host.stats.closed, host.stats.size], [0, 1])
    })
  }

  test(`${ends}: a COMMIT that is under way has an outcome that nobody knows`, async (t) => {
    const [c, other] = [await connection(t), await connection(t)]
    const name = await table(t)
    await c.execute(`
      create function ${name}_slow() returns trigger language plpgsql as 'begin perform pg_sleep(3); return null; end';
      create constraint trigger slow after insert on ${name} deferrable initially deferred
        for each row execute function ${name}_slow()`)
    t.teardown(async () => {
      const last = await connect(url)
      await last.execute(`drop function ${name}_slow cascade`)
      await last.close()
    })
    for (const isManaged of [true, false]) {
      const { options, isUnderWay, isTheReason } = ending()
      const isCommitting = async () =>
        (await other.fetchVal(`${SLEEPING} and query = 'COMMIT'`, [c.serverPid])) === 1
      const insert = `insert into ${name} values (1)`
      let done: Promise<unknown>
      if (isManaged) done = c.transaction((tx) => tx.execute(insert), options)
      else {
        const tx = await c.begin(options)
        await tx.execute(insert)
        done = tx.commit()
      }
      const told = reasonOf(done)
      if (ends === 'signal') await until(isCommitting, 'COMMIT')
      isUnderWay()
      const error = (await told) as TransactionResolutionUnknownError
      t.true(error instanceof TransactionResolutionUnknownError, `${error}`)
      t.false(error.safeToRetry)
      if (ends === 'signal') t.true(isTheReason(error.cause))
      else {
        t.true(error.cause instanceof TimeoutError)
        t.is((error.cause as Error).message, 'the transaction did not end within 1000 ms')
      }
      // It was not taken back, and what comes behind it waits for it.
      t.is(await c.transaction((tx) => tx.fetchVal(`select count(*) from ${name}`)), isManaged ? 1 : 2)
    }
  })

  test(`${ends}: those inside end with it`, async (t) => {
    const c = await connection(t)
    const { options, isUnderWay, isTheReason } = ending()
    const inner: Promise<unknown>[] = []
    const error = await reasonOf(
      c.transaction(async (tx) => {
        inner.push(
          reasonOf(tx.transaction((nested) => nested.transaction((deep) => deep.fetch(FOR_EVER)))),
          // It waits for its turn.
          reasonOf(tx.transaction(async () => {})),
        )
        setImmediate(isUnderWay)
        await Promise.all(inner)
        await never()
      }, options),
    )
    t.true(isTheReason(error), `${error}`)
    for (const nested of await Promise.all(inner)) t.true(isTheReason(nested), `${nested}`)
    t.is(await c.transaction((tx) => tx.fetchVal('select 1')), 1)
  })

  test(`${ends}: a savepoint's is the savepoint's alone`, async (t) => {
    const c = await connection(t)
    const name = await table(t)
    const { options, isUnderWay, isTheReason } = ending()
    await c.transaction(
      async (tx) => {
        await tx.execute(`insert into ${name} values (1)`)
        const error = await reasonOf(
          tx.transaction(async (nested) => {
            await nested.execute(`insert into ${name} values (2)`)
            const call = nested.fetch(FOR_EVER)
            setImmediate(isUnderWay)
            await call
          }, options),
        )
        t.true(isTheReason(error), `${error}`)
        await tx.execute(`insert into ${name} values (3)`)
      },
      { timeoutMs: 60_000, signal: new AbortController().signal },
    )
    t.deepEqual(await c.fetch(`select id from ${name} order by id`), [{ id: 1 }, { id: 3 }])
  })

  test(`${ends}: rows that nobody gives any more are not waited for`, async (t) => {
    const c = await connection(t)
    const name = await table(t)
    const { options, isUnderWay, isTheReason } = ending()
    async function* rows() {
      yield [1]
      setImmediate(isUnderWay)
      yield await never()
    }
    const error = await reasonOf(
      c.transaction((tx) => tx.executeMany(`insert into ${name} values ($1)`, rows()), options),
    )
    t.true(isTheReason(error), `${error}`)
    t.is(await c.fetchVal(`select count(*) from ${name}`), 0)
  })
}

test('a limit of a call inside, and one of the transaction, hold both', async (t) => {
  const c = await connection(t)
  await c.transaction(
    async (tx) => {
      const savepoint = tx.transaction((nested) => nested.fetch(FOR_EVER, [], { timeoutMs: 50 }))
      await t.throwsAsync(savepoint, {
        instanceOf: TimeoutError,
        message: /the call did not finish within 50 ms/,
      })
      t.is(await tx.fetchVal('select 1', [], { timeoutMs: 60_000 }), 1)
    },
    { timeoutMs: 60_000 },
  )
})

test('a transaction that nobody knows to be rolled back is not said to be safe', async (t) => {
  const c = await connection(t)
  const error = await t.throwsAsync<TimeoutError>(
    c.transaction((tx) => tx.execute(`select pg_sleep(60); commit`), { timeoutMs: 100 }),
    { instanceOf: TimeoutError },
  )
  t.false(error!.safeToRetry)
  t.is(await c.fetchVal('select 1'), 1)
})

test('one limit is for all repetitions', async (t) => {
  const c = await connection(t)
  let calls = 0
  const conflict = "do $$ begin raise exception using errcode = '40001'; end $$"
  const error = await t.throwsAsync<TimeoutError>(
    c.transaction(
      async (tx) => {
        calls += 1
        await tx.execute(conflict)
      },
      { timeoutMs: 1_500, retry: 1_000 },
    ),
    { instanceOf: TimeoutError },
  )
  t.true(calls > 1)
  if (/did not succeed/.test(error!.message)) t.true(error!.cause instanceof SerializationError)
  t.true(error!.safeToRetry)
  const controller = new AbortController()
  const reason = new Error('enough')
  const aborted = c.transaction((tx) => tx.execute(conflict), { signal: controller.signal, retry: 1_000 })
  setTimeout(() => controller.abort(reason), 50)
  await t.throwsAsync(aborted, { is: reason })
  t.is(await c.transaction((tx) => tx.fetchVal('select 1')), 1)
})

test('a server that does not answer the ROLLBACK of a transaction that was cut short is given up', async (t) => {
  const at = { marker: { text: 'the last answer' } }
  const proxy = await FaultProxy.for(t, { toClient: { fault: { at, effect: 'mute' } } })
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const c = await connect(proxy.url)
  t.teardown(async () => c.terminate())
  const ended = new Promise((resolve) => c.onTermination(resolve))
  await t.throwsAsync(
    c.transaction(
      async (tx) => {
        await tx.fetchVal("select 'the last answer'").catch(() => {})
        await never()
      },
      { timeoutMs: 300 },
    ),
    { instanceOf: TimeoutError },
  )
  await ended
  t.true(c.isClosed)
  t.is(await p.fetchVal('select 1'), 1)
})

test('a COMMIT whose answer is lost is unknown at the end of the time of its transaction', async (t) => {
  // Behind what is told of the INSERT, and before what is told of COMMIT.
  const at = { marker: { text: 'INSERT 0 1' } }
  const proxy = await FaultProxy.for(t, { toClient: { fault: { at, effect: 'mute' } } })
  const c = await connect(proxy.url)
  t.teardown(async () => c.terminate())
  const name = await table(t)
  const error = await t.throwsAsync<PostgresError>(
    c.transaction((tx) => tx.execute(`insert into ${name} values (1)`), { timeoutMs: 1_000 }),
    { instanceOf: TransactionResolutionUnknownError, message: /in the time of the transaction/ },
  )
  t.false(error!.safeToRetry)
})

test('a signal is asked for by one listener, and by none when the transactions are over', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error): void => void warnings.push(warning)
  process.on('warning', note)
  t.teardown(() => void process.off('warning', note))
  const p = await pool(t, { maxSize: 4 })
  const { signal } = new AbortController()
  let most = 0
  const all = Array.from({ length: 200 }, (_, number) =>
    p.transaction(
      async (tx) => {
        most = Math.max(most, getEventListeners(signal, 'abort').length)
        return tx.fetchVal('select $1::int', [number], { signal })
      },
      { signal, timeoutMs: 60_000 },
    ),
  )
  t.deepEqual(await Promise.all(all), [...all.keys()])
  t.is(most, 1)
  t.is(getEventListeners(signal, 'abort').length, 0)
  t.deepEqual(warnings, [])
})

test('a signal forgets a transaction that was begun by hand and whose session is gone', async (t) => {
  const [c, killer] = [await connection(t), await connection(t)]
  const { signal } = new AbortController()
  await c.begin({ signal, timeoutMs: 60_000 })
  t.is(getEventListeners(signal, 'abort').length, 1)
  const told = new Promise((resolve) => c.onTermination(resolve))
  await killer.fetch('select pg_terminate_backend($1)', [c.serverPid])
  await told
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('a limit that has passed before anything was sent sends nothing', async (t) => {
  const [c, p] = [await connection(t), await pool(t, { maxSize: 1 })]
  const reason = new Error('enough')
  const options = { signal: AbortSignal.abort(reason) }
  const isCalled = () => t.fail()
  for (const call of [
    c.transaction(isCalled, options),
    c.begin(options),
    c.transaction(options).start(),
    p.transaction(isCalled, options),
    p.begin(options),
  ])
    await t.throwsAsync(call, { is: reason })
  await t.throwsAsync(
    c.transaction(() => {}, { timeoutMs: -1 }),
    { message: /timeoutMs/ },
  )
  t.false(c.isInTransaction)
})

test('explain of what is executed has one limit for its transaction', async (t) => {
  const c = await connection(t)
  const statement = await c.prepare(FOR_EVER)
  await t.throwsAsync(statement.explain({ analyze: true, timeoutMs: 200 }), { instanceOf: TimeoutError })
  const reason = new Error('enough')
  const controller = new AbortController()
  const call = statement.explain({ analyze: true, signal: controller.signal })
  setTimeout(() => controller.abort(reason), 20)
  await t.throwsAsync(call, { is: reason })
  t.is(await c.transaction((tx) => tx.fetchVal('select 1')), 1)
})
