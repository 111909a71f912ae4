import { once } from 'node:events'
import test from 'ava'
import { connect, InterfaceError, SerializationError, type Transaction, UniqueViolationError } from 'oxpg'
import { connection, pool, uniqueName, url } from '../support/server.js'

test('a transaction commits what its function did', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int primary key)')
  const result = await c.transaction(async (tx) => {
    await tx.execute('insert into things values (1)')
    t.true(c.isInTransaction)
    return 'result'
  })
  t.is(result, 'result')
  t.false(c.isInTransaction)
  t.is(await c.fetchVal('select count(*) from things'), 1)
})

test('a transaction rolls back when its function throws', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int primary key)')
  const reason = new Error('on purpose')
  t.is(
    await t.throwsAsync(
      c.transaction(async (tx) => {
        await tx.execute('insert into things values (1)')
        throw reason
      }),
    ),
    reason,
  )
  t.is(await c.fetchVal('select count(*) from things'), 0)
})

test('nested transactions are savepoints', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int primary key)')
  await c.transaction(async (tx) => {
    await tx.execute('insert into things values (1)')
    await t.throwsAsync(
      tx.transaction(async (inner) => {
        await inner.execute('insert into things values (2)')
        await inner.execute('insert into things values (1)')
      }),
      { instanceOf: UniqueViolationError },
    )
    await tx.transaction(async (inner) => {
      await inner.execute('insert into things values (3)')
    })
  })
  t.deepEqual(
    (await c.fetch<{ id: number }>('select id from things order by id')).map(({ id }) => id),
    [1, 3],
  )
})

test("a transaction inside the same connection's transaction nests", async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int)')
  await c.transaction(async () => {
    await c.execute('insert into things values (1)')
    await t.throwsAsync(
      c.transaction(async (inner) => {
        await inner.execute('insert into things values (2)')
        throw new Error('inner')
      }),
    )
  })
  t.is(await c.fetchVal('select count(*) from things'), 1)
})

test('two handlers on one connection take turns, and are never savepoints of each other', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int)')
  const outcomes = await Promise.allSettled([
    c.transaction(async (tx) => {
      await tx.execute('insert into things values (1)')
      await tx.fetch('select pg_sleep(0.02)')
      throw new Error('the first fails')
    }),
    c.transaction(async (tx) => {
      await tx.execute('insert into things values (2)')
    }),
  ])
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  )
  t.is(await c.fetchVal('select sum(id) from things'), 2)
})

test('a transaction that another handler begins by hand takes nothing of a callback away', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (who text, id int)')
  const ways = {
    begin: () => c.begin(),
    start: async () => {
      const tx = c.transaction()
      await tx.start()
      return tx
    },
  }
  for (const [way, start] of Object.entries(ways)) {
    let enter!: () => void
    const entered = new Promise<void>((resolve) => {
      enter = resolve
    })
    const order: string[] = []
    const byHand = entered.then(async () => {
      const tx = await start()
      order.push('by hand')
      await tx.execute("insert into things values ('by hand', 1)")
      await tx.rollback()
    })
    await c.transaction(async (tx) => {
      enter()
      for (const id of [1, 2, 3]) await tx.execute('insert into things values ($1, $2)', [way, id])
      order.push('callback')
    })
    await byHand
    t.deepEqual(order, ['callback', 'by hand'])
  }
  t.deepEqual(
    await c.fetch('select who, count(*)::int from things group by who order by who', [], {
      rowMode: 'array',
    }),
    [
      ['begin', 3],
      ['start', 3],
    ],
  )
})

test('isolation, readOnly and deferrable reach the server', async (t) => {
  const c = await connection(t)
  await c.transaction(
    async (tx) => {
      t.is(await tx.fetchVal('show transaction_isolation'), 'serializable')
      t.is(await tx.fetchVal('show transaction_read_only'), 'on')
      t.is(await tx.fetchVal('show transaction_deferrable'), 'on')
    },
    { isolation: 'serializable', readOnly: true, deferrable: true },
  )
  await t.throwsAsync(
    c.transaction(async () => {}, { isolation: 'nonsense' as never }),
    { message: /isolation/ },
  )
})

test('manual start, commit and rollback', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int)')
  const first = c.transaction()
  await first.start()
  await c.execute('insert into things values (1)')
  await first.rollback()
  const second = c.transaction()
  await second.start()
  await c.execute('insert into things values (2)')
  await second.commit()
  t.is(await c.fetchVal('select sum(id) from things'), 2)
  await t.throwsAsync(second.commit(), { instanceOf: InterfaceError })
})

test('a failed transaction rolls back and the error is the first one', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int primary key)')
  await t.throwsAsync(
    c.transaction(async (tx) => {
      await tx.execute('insert into things values (1)')
      await tx.execute('insert into things values (1)').catch(() => {})
      await tx.execute('insert into things values (2)')
    }),
    { code: '25P02' },
  )
  t.is(await c.fetchVal('select count(*) from things'), 0)
})

test('retry runs the function again after a serialization failure', async (t) => {
  const p = await pool(t, { maxSize: 4 })
  const table = uniqueName('counters')
  await p.execute(`create table ${table} (n int)`)
  t.teardown(async () => {
    const c = await connection({ teardown: () => {} })
    await c.execute(`drop table ${table}`)
    await c.close()
  })
  await p.execute(`insert into ${table} values (0)`)
  const add = () =>
    p.transaction(
      async (tx) => {
        const n = await tx.fetchVal<number>(`select n from ${table}`)
        await tx.execute(`update ${table} set n = $1`, [Number(n) + 1])
      },
      { isolation: 'serializable', retry: 50 },
    )
  await Promise.all(Array.from({ length: 8 }, add))
  t.is(await p.fetchVal(`select n from ${table}`), 8)
  t.truthy(SerializationError)
})

test('a transaction that a query ended does not commit without a word', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const table = uniqueName('by_hand')
  await p.execute(`create table ${table} (x int)`)
  t.teardown(async () => {
    const c = await connection({ teardown: () => {} })
    await c.execute(`drop table ${table}`)
    await c.close()
  })
  const ended = { instanceOf: InterfaceError, message: /was ended by a query/ }
  for (const command of ['rollback', 'commit', 'abort', 'end', 'rollback and no chain']) {
    await t.throwsAsync(
      p.transaction(async (tx) => {
        await tx.execute(command)
        await tx.execute(`insert into ${table} values (1)`)
      }),
      ended,
      command,
    )
    await t.throwsAsync(
      p.transaction(async (tx) => {
        await tx.fetch('select 1')
        await Promise.all([tx.execute(command), tx.execute('begin')])
      }),
      ended,
      command,
    )
  }
  t.is(await p.fetchVal(`select count(*)::int from ${table}`), 0)
})

test('the error of a transaction that a query ended names the command', async (t) => {
  const c = await connection(t)
  for (const [text, command] of [
    ['commit', 'COMMIT'],
    ['/* it is */ RollBack and chain', 'ROLLBACK'],
    ['end work', 'END'],
    ['abort', 'ABORT'],
    ['select 1; commit; begin', 'COMMIT'],
    ['commit; begin; rollback', 'COMMIT'],
  ] as const) {
    for (const params of [undefined, []]) {
      if (params !== undefined && text.includes(';')) continue
      const message = new RegExp(`ended by a query \\(${command}\\)`)
      // The next call, or the end of the callback.
      for (const next of [(tx: Transaction) => tx.execute('select 1'), async () => {}]) {
        const ended = c.transaction(async (tx) => {
          await tx.fetch('select 1')
          await tx.execute(text, params)
          await next(tx)
        })
        await t.throwsAsync(ended, { instanceOf: InterfaceError, message }, text)
        if (c.isInTransaction) await c.execute('rollback')
      }
    }
  }
  const tx = await c.begin()
  await tx.execute('rollback')
  await t.throwsAsync(tx.commit(), { message: /ended by a query \(ROLLBACK\)/ })
  await c.transaction((next) => next.execute('select 1'))
  // One that another one has ended before is no reason to name that.
  const other = await c.begin()
  await other.fetch('select 1')
  await c.execute('end')
  await t.throwsAsync(other.fetch('select 1'), { message: /ended by a query \(END\)/ })
})

test('a pool runs a transaction on one connection', async (t) => {
  const p = await pool(t, { maxSize: 3 })
  const pids = await p.transaction(async (tx) => [
    await tx.fetchVal('select pg_backend_pid()'),
    await tx.fetchVal('select pg_backend_pid()'),
  ])
  t.is(pids[0], pids[1])
})

test('one that was begun by hand and that a query has ended is in nobody’s way', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int)')
  for (const end of ['rollback', 'commit']) {
    const lost = await c.begin()
    await c.execute(end)
    t.is(await c.transaction((tx) => tx.execute('insert into things values (1)')), 'INSERT 0 1')
    const next = await c.begin()
    await next.execute('insert into things values (2)')
    await t.throwsAsync(lost.commit(), { instanceOf: InterfaceError })
    await next.commit()
  }
  t.is(await c.fetchVal('select count(*)::int from things'), 4)
})

test('a transaction that a query ends is noticed although another one is open behind it', async (t) => {
  const c = await connection(t)
  const p = await pool(t, { maxSize: 1 })
  const table = uniqueName('chained')
  await c.execute(`create table ${table} (id int)`)
  t.teardown(async () => {
    const last = await connect(url)
    await last.execute(`drop table ${table}`)
    await last.close()
  })
  for (const host of [c, p]) {
    for (const [end, kept] of [
      ['rollback; begin', 0],
      ['rollback and chain', 0],
      ['commit; begin', 1],
      ['commit and chain', 1],
    ] as const) {
      for (const params of [undefined, []]) {
        if (params !== undefined && end.includes(';')) continue
        await c.execute(`truncate ${table}`)
        const transaction = host.transaction(async (tx) => {
          await tx.execute(`insert into ${table} values (1)`)
          await tx.execute(end, params)
          await tx.execute(`insert into ${table} values (2)`)
        })
        await t.throwsAsync(transaction, { instanceOf: InterfaceError, message: /ended by a query/ }, end)
        t.is(await c.fetchVal(`select count(*)::int from ${table}`), kept, end)
        const thrown = host.transaction(async (tx) => {
          await tx.execute(end, params)
          throw new Error('the application’s own')
        })
        const warned = once(process, 'warning') as Promise<[Error & { code: string; detail: string }]>
        const error = await t.throwsAsync(thrown, { message: 'the application’s own' })
        t.false('cause' in error, end)
        const [warning] = await warned
        t.is(warning.code, 'OXPG_SUPPRESSED')
        t.regex(warning.detail, /ended by a query \((COMMIT|ROLLBACK)\)/)
        t.is(await host.fetchVal('select 1'), 1)
      }
    }
  }
  // Savepoints of the application's own end nothing.
  await c.transaction(async (tx) => {
    await tx.execute('savepoint mine')
    await tx.execute('rollback to mine')
    await tx.execute('rollback to savepoint mine; release mine')
  })
})
