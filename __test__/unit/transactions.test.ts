import { once } from 'node:events'
import { mock } from 'node:test'
import test from 'ava'
import {
  ConnectionDoesNotExistError,
  InFailedSQLTransactionError,
  InterfaceError,
  SerializationError,
  TimeoutError,
  TransactionResolutionUnknownError,
} from '../../src/errors/index'
import { connectionOn, FakeConnection, FakePool, poolOn, serverFailure } from './fake-target'

function fake(): { server: FakeConnection; connection: ReturnType<typeof connectionOn> } {
  const server = new FakeConnection()
  return { server, connection: connectionOn(server) }
}

test('a transaction commits what its callback did and gives what it returned', async (t) => {
  const { server, connection } = fake()
  const result = await connection.transaction(async (tx) => {
    await tx.execute('insert')
    return 5
  })
  t.is(result, 5)
  t.deepEqual(server.log, ['BEGIN', 'insert', 'COMMIT'])
})

test('a callback that throws rolls back, and its error comes out', async (t) => {
  const { server, connection } = fake()
  const reason = new Error('no')
  const thrown = await t.throwsAsync(connection.transaction(() => Promise.reject(reason)))
  t.is(thrown, reason)
  t.deepEqual(server.log, ['BEGIN', 'ROLLBACK'])
})

test('when the rollback fails too, the first error comes out, and keeps the second if it is of the driver', async (t) => {
  const { server, connection } = fake()
  server.answers.set('ROLLBACK', { failure: serverFailure('XX000') })
  const plain = new InterfaceError('no')
  await t.throwsAsync(
    connection.transaction(() => Promise.reject(plain)),
    { is: plain },
  )
  t.is((plain.cause as { sqlstate: string }).sqlstate, 'XX000')
  server.transactionStatus = 'I'
  const withCause = new InterfaceError('no', { cause: 'mine' })
  await t.throwsAsync(
    connection.transaction(() => Promise.reject(withCause)),
    { is: withCause },
  )
  t.is(withCause.cause, 'mine')
  t.is((withCause as unknown as { suppressed: { sqlstate: string } }).suppressed.sqlstate, 'XX000')
})

test.serial(
  'what the application has thrown is not changed: a warning tells of the rollback that failed',
  async (t) => {
    const { server, connection } = fake()
    server.answers.set('ROLLBACK', { failure: serverFailure('XX000') })
    const warned = once(process, 'warning') as Promise<[Error & { code: string; detail: string }]>
    const mine = new Error('no')
    const before = Object.getOwnPropertyNames(mine)
    await t.throwsAsync(
      connection.transaction(() => Promise.reject(mine)),
      { is: mine },
    )
    t.deepEqual(Object.getOwnPropertyNames(mine), before)
    const [warning] = await warned
    t.is(warning.code, 'OXPG_SUPPRESSED')
    t.regex(warning.detail, /XX000/)
  },
)

test('the options are written into BEGIN', async (t) => {
  const { server, connection } = fake()
  await connection.transaction(() => {}, { isolation: 'repeatable_read', readOnly: true, deferrable: false })
  t.is(server.log[0], 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE')
})

test('inside a transaction transactions are savepoints, kept or undone', async (t) => {
  const { server, connection } = fake()
  await connection.transaction(async (tx) => {
    await tx.transaction(async (inner) => inner.execute('kept'))
    await t.throwsAsync(tx.transaction(() => Promise.reject(new Error('undone'))))
    await tx.transaction((inner) => inner.transaction(() => {}), { readOnly: true })
  })
  t.deepEqual(server.log, [
    'BEGIN',
    'SAVEPOINT oxpg_1',
    'kept',
    'RELEASE SAVEPOINT oxpg_1',
    'SAVEPOINT oxpg_2',
    'ROLLBACK TO SAVEPOINT oxpg_2; RELEASE SAVEPOINT oxpg_2',
    'SAVEPOINT oxpg_3; SET TRANSACTION READ ONLY',
    'SAVEPOINT oxpg_4',
    'RELEASE SAVEPOINT oxpg_4',
    'RELEASE SAVEPOINT oxpg_3',
    'COMMIT',
  ])
})

test("the connection's transaction nests in its own callback, at any depth and behind awaits", async (t) => {
  const { server, connection } = fake()
  await connection.transaction(async (tx) => {
    await connection.transaction(async () => {
      await new Promise(setImmediate)
      // The outer one is asked, but the innermost is where this runs.
      await tx.transaction(async () => {})
    })
  })
  t.deepEqual(server.log, [
    'BEGIN',
    'SAVEPOINT oxpg_1',
    'SAVEPOINT oxpg_2',
    'RELEASE SAVEPOINT oxpg_2',
    'RELEASE SAVEPOINT oxpg_1',
    'COMMIT',
  ])
})

test('callbacks from elsewhere wait their turn, in order, also behind one that fails', async (t) => {
  const { server, connection } = fake()
  const work = (name: string) => connection.transaction(async (tx) => tx.execute(name))
  const failing = connection.transaction(async (tx) => {
    await tx.execute('first')
    throw new Error('no')
  })
  await Promise.all([t.throwsAsync(failing), work('second'), work('third'), work('fourth')])
  const rest = ['second', 'third', 'fourth'].flatMap((name) => ['BEGIN', name, 'COMMIT'])
  t.deepEqual(server.log, ['BEGIN', 'first', 'ROLLBACK', ...rest])
})

test('siblings inside a transaction take turns as well', async (t) => {
  const { server, connection } = fake()
  await connection.transaction(async (tx) => {
    await Promise.all(['a', 'b', 'c'].map((name) => tx.transaction(async (inner) => inner.execute(name))))
  })
  const names = ['a', 'b', 'c'].flatMap((name, index) => {
    const savepoint = `oxpg_${index + 1}`
    return [`SAVEPOINT ${savepoint}`, name, `RELEASE SAVEPOINT ${savepoint}`]
  })
  t.deepEqual(server.log, ['BEGIN', ...names, 'COMMIT'])
})

test('nested callbacks that nobody awaited are waited for, and all is rolled back', async (t) => {
  const { server, connection } = fake()
  const left: Promise<unknown>[] = []
  await t.throwsAsync(
    connection.transaction(async (tx) => {
      left.push(tx.transaction(async (inner) => inner.execute('late')))
      left.push(tx.transaction(async (inner) => inner.execute('later')))
    }),
    { instanceOf: InterfaceError, message: /returned before 2 of its calls were answered/ },
  )
  await Promise.all(left)
  t.is(server.log.at(-1), 'ROLLBACK')
  t.true(server.log.includes('later'))
})

test('when the callback throws, nested ones that go on are dead', async (t) => {
  const { server, connection } = fake()
  let nested!: Promise<unknown>
  await t.throwsAsync(
    connection.transaction(async (tx) => {
      const inside = new Promise<void>((entered) => {
        nested = tx.transaction(async (inner) => {
          entered()
          while (server.log.at(-1) !== 'ROLLBACK') await new Promise(setImmediate)
          await inner.execute('too late')
        })
      })
      nested.catch(() => {})
      await inside
      throw new Error('no')
    }),
    { message: 'no' },
  )
  await t.throwsAsync(nested, { instanceOf: InterfaceError, message: /around this one is over/ })
  t.false(server.log.includes('too late'))
  await connection.transaction(() => {})
  t.deepEqual(server.log.slice(-2), ['BEGIN', 'COMMIT'])
})

test('a savepoint left open by hand is no reason to commit around it', async (t) => {
  const { server, connection } = fake()
  await t.throwsAsync(
    connection.transaction(async (tx) => {
      await tx.begin()
    }),
    { instanceOf: InterfaceError, message: /left a nested transaction open/ },
  )
  t.is(server.log.at(-1), 'ROLLBACK')
  const outer = await connection.begin()
  const inner = await connection.begin()
  await t.throwsAsync(outer.commit(), { message: /nested in it is open/ })
  await inner.commit()
  await outer.commit()
  t.is(server.log.at(-1), 'COMMIT')
})

test('by hand: start, commit, rollback, and nothing twice', async (t) => {
  const { server, connection } = fake()
  const tx = connection.transaction({ isolation: 'serializable' })
  await t.throwsAsync(tx.fetch('select'), { instanceOf: InterfaceError, message: /not been started/ })
  await t.throwsAsync(tx.commit(), { message: /not been started/ })
  await tx.start()
  await t.throwsAsync(tx.start(), { message: /already started/ })
  await tx.rollback()
  await t.throwsAsync(tx.commit(), { message: /already rolled back/ })
  await t.throwsAsync(tx.fetch('select'), { message: /already rolled back/ })
  t.deepEqual(server.log, ['BEGIN ISOLATION LEVEL SERIALIZABLE', 'ROLLBACK'])
})

test('by hand inside a transaction is a savepoint, and callbacks nest in it', async (t) => {
  const { server, connection } = fake()
  const outer = await connection.begin()
  await connection.transaction(async () => {
    const inner = connection.transaction()
    await inner.start()
    await inner.commit()
  })
  await outer.commit()
  t.deepEqual(server.log, [
    'BEGIN',
    'SAVEPOINT oxpg_1',
    'SAVEPOINT oxpg_2',
    'RELEASE SAVEPOINT oxpg_2',
    'RELEASE SAVEPOINT oxpg_1',
    'COMMIT',
  ])
})

test('inside a callback the transaction cannot be ended by hand', async (t) => {
  const { connection } = fake()
  await connection.transaction(async (tx) => {
    await t.throwsAsync(tx.commit(), { instanceOf: InterfaceError, message: /callback/ })
    await t.throwsAsync(tx.rollback(), { instanceOf: InterfaceError, message: /callback/ })
    await tx[Symbol.asyncDispose]()
    await tx.execute('still open')
  })
})

test('disposal rolls back unless it was committed', async (t) => {
  const { server, connection } = fake()
  const kept = await connection.begin()
  await kept.commit()
  await kept[Symbol.asyncDispose]()
  const dropped = await connection.begin()
  await dropped[Symbol.asyncDispose]()
  await dropped[Symbol.asyncDispose]()
  t.deepEqual(server.log, ['BEGIN', 'COMMIT', 'BEGIN', 'ROLLBACK'])
})

test('a failure that the callback swallowed is an error at COMMIT', async (t) => {
  const { server, connection } = fake()
  server.answers.set('bad', { failure: serverFailure('23505') })
  await t.throwsAsync(
    connection.transaction(async (tx) => {
      await tx.execute('bad').catch(() => {})
    }),
    { instanceOf: InFailedSQLTransactionError },
  )
  t.false(connection.isInTransaction)
})

test('serialization failures are repeated as often as allowed, with the callback or at COMMIT', async (t) => {
  const { server, connection } = fake()
  let failures = 2
  server.answers.set('COMMIT', () => (failures-- > 0 ? { failure: serverFailure('40001') } : {}))
  let calls = 0
  t.is(await connection.transaction(async () => ++calls, { retry: 2 }), 3)
  failures = 2
  await t.throwsAsync(
    connection.transaction(() => {}, { retry: 1 }),
    { instanceOf: SerializationError },
  )
  t.is(failures, 0)
  server.answers.set('deadlock', { failure: serverFailure('40P01') })
  calls = 0
  await t.throwsAsync(
    connection.transaction(
      async (tx) => {
        calls++
        await tx.execute(calls === 2 ? 'other' : 'deadlock')
        throw new Error('not repeated')
      },
      { retry: 5 },
    ),
    { message: 'not repeated' },
  )
  t.is(calls, 2)
})

test('only the outermost transaction is repeated', async (t) => {
  const { server, connection } = fake()
  server.answers.set('bad', { failure: serverFailure('40001') })
  let calls = 0
  await t.throwsAsync(
    connection.transaction((tx) =>
      tx.transaction(
        async (inner) => {
          calls++
          await inner.execute('bad')
        },
        { retry: 3 },
      ),
    ),
  )
  t.is(calls, 1)
})

test('a nested transaction cannot change the isolation level', async (t) => {
  const { server, connection } = fake()
  await connection.transaction(
    async (tx) => {
      await tx.transaction(() => {}, { isolation: 'serializable' })
      await t.throwsAsync(
        tx.transaction(() => {}, { isolation: 'read_committed' }),
        {
          instanceOf: InterfaceError,
          message: /'read committed' inside 'serializable'/,
        },
      )
      await t.throwsAsync(
        tx.transaction(() => {}, { deferrable: true }),
        { message: /outermost/ },
      )
    },
    { isolation: 'serializable' },
  )
  server.answers.set('SHOW transaction_isolation', { rows: [['read committed']] })
  await connection.transaction(async (tx) => {
    await tx.transaction(() => {}, { isolation: 'read_committed' })
  })
  t.is(server.log.at(-1), 'COMMIT')
})

test('a transaction that a query began is in the way', async (t) => {
  const { server, connection } = fake()
  await connection.execute('BEGIN')
  await t.throwsAsync(
    connection.transaction(() => {}),
    { instanceOf: InterfaceError, message: /begun by a query/ },
  )
  await connection.execute('ROLLBACK')
  await connection.transaction(() => {})
  t.is(server.log.at(-1), 'COMMIT')
})

const ended = { instanceOf: InterfaceError, message: /was ended by a query .*returning.*commit\(\)/ }

test('a transaction that a query ended is no transaction any more, and says so', async (t) => {
  const { server, connection } = fake()
  for (const end of ['COMMIT', 'ROLLBACK']) {
    server.log.length = 0
    const error = await t.throwsAsync(
      connection.transaction(async (tx) => {
        await tx.execute('insert')
        await tx.execute(end)
        await tx.execute('never sent')
      }),
      ended,
    )
    t.false((error as InterfaceError).safeToRetry)
    t.is(error.cause, undefined, 'said once')
    t.deepEqual(server.log.slice(0, 3), ['BEGIN', 'insert', end])
    t.false(server.log.includes('never sent'))
  }
  await connection.transaction(() => {})
})

test('nothing is committed in place of a transaction that a query ended', async (t) => {
  const { connection } = fake()
  await t.throwsAsync(
    connection.transaction(async (tx) => void (await tx.execute('ROLLBACK'))),
    ended,
  )
  // One that nobody waited for.
  await t.throwsAsync(
    connection.transaction((tx) => void tx.execute('ROLLBACK')),
    ended,
  )
  // One that was begun in its place.
  await t.throwsAsync(
    connection.transaction(async (tx) => {
      const calls = [tx.execute('COMMIT'), tx.execute('BEGIN')]
      await Promise.all(calls)
    }),
    ended,
  )
  const tx = await connection.begin()
  await tx.execute('COMMIT')
  await t.throwsAsync(tx.commit(), ended)
  const other = await connection.begin()
  await other.execute('ROLLBACK')
  await t.throwsAsync(other.rollback(), ended)
  await connection.transaction(() => {})
})

test("a callback's error goes before the one about the query that ended its transaction", async (t) => {
  const { connection } = fake()
  const reason = new InterfaceError('mine')
  await t.throwsAsync(
    connection.transaction(async (tx) => {
      await tx.execute('COMMIT')
      throw reason
    }),
    { is: reason },
  )
  t.regex((reason.cause as Error).message, ended.message)
})

test('a lost connection rejects with the first error, and lets those that wait reject too', async (t) => {
  const { server, connection } = fake()
  const first = connection.transaction(async () => {
    server.lose({
      kind: 'connection',
      message: 'reset',
      sqlstate: '08006',
      causeCode: 'ECONNRESET',
      safeToRetry: false,
    })
    throw new Error('mine')
  })
  const waiting = connection.transaction(() => {})
  await t.throwsAsync(first, { message: 'mine' })
  const error = await t.throwsAsync(waiting, { message: 'the connection was lost' })
  t.is((error!.cause as { message: string }).message, 'reset')
  t.false(server.log.includes('ROLLBACK'))
})

test('reset ends open transactions', async (t) => {
  const { server, connection } = fake()
  const tx = await connection.begin()
  await connection.reset()
  t.is(server.log.at(-1), 'reset')
  await t.throwsAsync(tx.commit(), { instanceOf: InterfaceError })
  await connection.transaction(() => {})
  t.is(server.log.at(-1), 'COMMIT')
})

const TIME_LIMIT_MS = 200

test('a COMMIT that is not answered in time still goes out, and others wait for its answer', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server, TIME_LIMIT_MS)
  const tx = await connection.begin()
  const resume = server.stall()
  const error = await t.throwsAsync<TransactionResolutionUnknownError>(tx.commit(), {
    instanceOf: TransactionResolutionUnknownError,
    message: /^COMMIT was not/,
  })
  t.is(error.code, '08007')
  t.false(error.safeToRetry)
  t.true(error.cause instanceof TimeoutError)
  await t.throwsAsync(tx.fetch('select'), { message: /being ended/ })
  const next = connection.transaction(() => {})
  t.is(server.log.at(-1), 'COMMIT')
  resume()
  await next
  t.deepEqual(server.log, ['BEGIN', 'COMMIT', 'BEGIN', 'COMMIT'])
  t.is(server.transactionStatus, 'I')
})

test('the ROLLBACK of a callback that threw goes out too', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server, TIME_LIMIT_MS)
  let resume!: () => void
  const reason = new InterfaceError('mine')
  await t.throwsAsync(
    connection.transaction(async () => {
      resume = server.stall()
      throw reason
    }),
    { is: reason },
  )
  t.true(reason.cause instanceof TimeoutError)
  resume()
  await connection.transaction(() => {})
  t.deepEqual(server.log, ['BEGIN', 'ROLLBACK', 'BEGIN', 'COMMIT'])
})

test.serial('the ROLLBACK of a callback that threw has a limit where nobody has set one', async (t) => {
  const { server, connection } = fake()
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const reason = new InterfaceError('mine')
  let isTold = false
  const transaction = connection.transaction(async () => {
    server.stall()
    throw reason
  })
  const told = t.throwsAsync(transaction, { is: reason }).then(() => {
    isTold = true
  })
  while (server.log.at(-1) !== 'ROLLBACK') await new Promise((resolve) => setImmediate(resolve))
  // The limit is counted from the call by the real clock, of which a busy machine lets some pass before the timer is set.
  mock.timers.tick(30_000)
  await new Promise((resolve) => setImmediate(resolve))
  t.false(isTold)
  mock.timers.tick(30_000)
  await told
  t.regex((reason.cause as Error).message, /ROLLBACK was not answered within 60000 ms/)
})

test('the transaction around a savepoint waits for its rollback, however late it is answered', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server, TIME_LIMIT_MS)
  let resume!: () => void
  await connection.transaction(async (tx) => {
    const nested = tx.transaction(async () => {
      resume = server.stall()
      throw new InterfaceError('mine')
    })
    const error = await t.throwsAsync(nested, { message: 'mine' })
    t.true(error.cause instanceof TimeoutError)
    setImmediate(resume)
  })
  t.deepEqual(server.log, [
    'BEGIN',
    'SAVEPOINT oxpg_1',
    'ROLLBACK TO SAVEPOINT oxpg_1; RELEASE SAVEPOINT oxpg_1',
    'COMMIT',
  ])
})

test('a savepoint that cannot be rolled back leaves its transaction nothing but its own rollback', async (t) => {
  const { server, connection } = fake()
  const undo = (name: string) => `ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`
  server.answers.set(undo('oxpg_1'), { failure: serverFailure('3B001') })
  const dead = {
    instanceOf: InFailedSQLTransactionError,
    message: /a savepoint in it could not be rolled back/,
  }
  const error = await t.throwsAsync(
    connection.transaction(async (tx) => {
      await t.throwsAsync(
        tx.transaction(() => Promise.reject(new Error('inner'))),
        { message: 'inner' },
      )
      await t.throwsAsync(tx.execute('insert'), dead)
      await t.throwsAsync(
        tx.transaction(() => {}),
        dead,
      )
    }),
    dead,
  )
  t.is((error.cause as { sqlstate: string }).sqlstate, '3B001')
  t.deepEqual(server.log, ['BEGIN', 'SAVEPOINT oxpg_1', undo('oxpg_1'), 'ROLLBACK'])
})

test('a savepoint is not sent behind the end of the transaction around it', async (t) => {
  const { server, connection } = fake()
  for (const end of ['commit', 'rollback'] as const) {
    server.log.length = 0
    const outer = await connection.begin()
    const inner = outer.transaction()
    const next = connection.transaction()
    const ended = outer[end]()
    const nested = inner.start()
    const own = next.start()
    await t.throwsAsync(nested, { instanceOf: InterfaceError, message: /around this one is over/ })
    await ended
    await own
    t.deepEqual(server.log, ['BEGIN', end.toUpperCase(), 'BEGIN'])
    await next.rollback()
  }
  const outer = await connection.begin()
  const nested = outer.transaction(() => {})
  await Promise.all([
    t.throwsAsync(nested, { instanceOf: InterfaceError, message: /around this one is over/ }),
    outer.rollback(),
  ])
  t.is(server.log.at(-1), 'ROLLBACK')
})

test('a transaction by hand from elsewhere waits for the end of the callback, and those inside it do not', async (t) => {
  const { server, connection } = fake()
  const elsewhere = connection.transaction()
  let started!: Promise<unknown>
  const callback = connection.transaction(async (tx) => {
    // The context of this callback, in which it is nested.
    const inside = await connection.begin()
    await inside.execute('inside')
    await inside.rollback()
    await asked
    await tx.execute('kept')
  })
  const asked = new Promise<void>((resolve) => {
    started = Promise.all([elsewhere.start(), connection.transaction(async (tx) => tx.execute('last'))])
    setImmediate(resolve)
  })
  await callback
  t.deepEqual(server.log.slice(0, 6), [
    'BEGIN',
    'SAVEPOINT oxpg_1',
    'inside',
    'ROLLBACK TO SAVEPOINT oxpg_1; RELEASE SAVEPOINT oxpg_1',
    'kept',
    'COMMIT',
  ])
  // The one that is open by hand keeps nobody waiting: whoever holds it goes on in the same flow.
  await started
  await elsewhere.commit()
  t.deepEqual(server.log.slice(6), [
    'BEGIN',
    'SAVEPOINT oxpg_2',
    'last',
    'RELEASE SAVEPOINT oxpg_2',
    'COMMIT',
  ])
})

test('one that waits by hand inside a callback that returns is left open, and all is rolled back', async (t) => {
  const { server, connection } = fake()
  let left!: Promise<unknown>
  await t.throwsAsync(
    connection.transaction(async (tx) => {
      const sibling = tx.transaction(async (inner) => inner.execute('sibling'))
      left = tx.begin()
      left.catch(() => {})
      await sibling
    }),
    { instanceOf: InterfaceError, message: /left a nested transaction open/ },
  )
  t.true(server.log.includes('sibling'))
  t.is(server.log.at(-1), 'ROLLBACK')
  await connection.transaction(() => {})
  t.is(server.log.at(-1), 'COMMIT')
})

test('a connection that is lost under a callback that did not notice is the error', async (t) => {
  const { server, connection } = fake()
  const failure = { kind: 'connection', message: 'reset', sqlstate: '08006', safeToRetry: false } as const
  const error = await t.throwsAsync(
    connection.transaction(() => server.lose(failure)),
    { instanceOf: ConnectionDoesNotExistError, message: 'the connection was lost' },
  )
  t.true(error.isTransient)
  t.is((error.cause as Error).message, 'reset')
})

test("a transaction of a pool's own gives its connection back when its end fails, and then only", async (t) => {
  const pool = new FakePool()
  const { session } = pool
  const begin = () => poolOn(pool).begin()
  session.answers.set('COMMIT', { failure: serverFailure('23505') })
  session.answers.set('ROLLBACK', { failure: serverFailure('XX000') })
  for (const end of ['commit', 'rollback'] as const) {
    const tx = await begin()
    session.isReleased = false
    await t.throwsAsync(tx[end]())
    t.true(session.isReleased, end)
  }
  session.answers.clear()
  const tx = await begin()
  session.isReleased = false
  const inner = await tx.begin()
  await t.throwsAsync(tx.commit(), { message: /nested in it is open/ })
  t.false(session.isReleased)
  await inner.commit()
  await tx.commit()
  t.true(session.isReleased)
})

test('a server that prepares nothing gives its own error, and the transaction is over', async (t) => {
  const { server, connection } = fake()
  const command = "PREPARE TRANSACTION E'a'"
  // It is rolled back; a session that is still in it is rolled back by us.
  for (const status of ['I', 'E'] as const) {
    server.log.length = 0
    server.answers.set(command, () => {
      server.transactionStatus = status
      return { failure: serverFailure('55000') }
    })
    await t.throwsAsync(
      connection.transaction((tx) => tx.prepareTransaction('a')),
      { code: '55000' },
    )
    t.deepEqual(server.log, ['BEGIN', command, ...(status === 'E' ? ['ROLLBACK'] : [])])
    await connection.transaction(() => {})
  }
})
