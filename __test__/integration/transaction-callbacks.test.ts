// What a transaction's function leaves behind, and what others do beside its savepoints: nothing that was answered is lost
// without a word.
import test from 'ava'
import { type Connection, InterfaceError, QueryCanceledError, type Transaction } from 'oxpg'
import { connection, pool, uniqueName } from '../support/server.js'

async function table(c: Pick<Connection, 'execute'>): Promise<string> {
  const name = uniqueName('callback')
  await c.execute(`create table ${name} (id int)`)
  return name
}

const idsIn = (c: Pick<Connection, 'fetch'>, name: string) =>
  c.fetch<{ id: number }>(`select id from ${name} order by id`).then((rows) => rows.map(({ id }) => id))

/** What is done later, by whoever wants to. */
function gate() {
  let open!: () => void
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

const beside = { instanceOf: InterfaceError, message: /a savepoint is open in the transaction/ }
const forgotten = {
  instanceOf: InterfaceError,
  message: /returned before (a call of its was|2 of its calls were) answered/,
}

test('a query beside a savepoint is refused, and would have been undone with it', async (t) => {
  const c = await connection(t)
  const name = await table(c)
  await c.transaction(async (tx) => {
    const { open, opened } = gate()
    await tx.execute(`insert into ${name} values (1)`)
    const statement = await tx.prepare(`insert into ${name} values (9)`)
    const inner = tx.transaction(async (savepoint) => {
      await savepoint.execute(`insert into ${name} values (2)`)
      await opened
      throw new Error('undone')
    })
    const insert = `insert into ${name} values (9)`
    const refused = await t.throwsAsync(tx.execute(insert), beside)
    t.true((refused as InterfaceError).safeToRetry)
    await t.throwsAsync(tx.fetch(insert), beside)
    await t.throwsAsync(tx.executeMany(insert, [[]]), beside)
    await t.throwsAsync(tx.batch([insert, insert]), beside)
    await t.throwsAsync(statement.execute(), beside)
    await t.throwsAsync(tx.stream(`${insert} returning id`)[Symbol.asyncIterator]().next(), beside)
    await t.throwsAsync(tx.cursor(`${insert} returning id`).open(), beside)
    open()
    await t.throwsAsync(inner, { message: 'undone' })
    await tx.execute(`insert into ${name} values (3)`)
  })
  t.deepEqual(await idsIn(c, name), [1, 3])
})

test('it is refused from the call of the inner transaction on, and of one deeper down as well', async (t) => {
  const c = await connection(t)
  const name = await table(c)
  await c.transaction(async (tx) => {
    const { open, opened } = gate()
    const inner = tx.transaction((one) => one.transaction(() => opened))
    await t.throwsAsync(tx.execute(`insert into ${name} values (9)`), beside)
    open()
    await inner
    await tx.execute(`insert into ${name} values (1)`)
  })
  t.deepEqual(await idsIn(c, name), [1])
})

test('what the function of a savepoint calls on the transaction around it is inside the savepoint', async (t) => {
  const c = await connection(t)
  const name = await table(c)
  await c.transaction(async (tx) => {
    const add = (id: number) => tx.execute(`insert into ${name} values ($1)`, [id])
    await tx.transaction(() => add(1))
    await t.throwsAsync(
      tx.transaction(async () => {
        await add(2)
        throw new Error('undone')
      }),
      { message: 'undone' },
    )
    // Nobody but whoever holds it goes on beside a savepoint that was begun by hand.
    const byHand = await tx.begin()
    await add(3)
    await byHand.rollback()
  })
  t.deepEqual(await idsIn(c, name), [1])
})

test('what is open is read on beside a savepoint', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const cursor = await tx.cursor('select generate_series(1, 6) as id').open()
    const rows = tx.stream<{ id: number }>('select generate_series(1, 100000) as id')[Symbol.asyncIterator]()
    await rows.next()
    t.deepEqual(await cursor.fetch(2), [{ id: 1 }, { id: 2 }])
    const { open, opened } = gate()
    const inner = tx.transaction(async (savepoint) => {
      await savepoint.execute('select 1')
      await opened
      throw new Error('undone')
    })
    t.deepEqual(await cursor.fetch(2), [{ id: 3 }, { id: 4 }])
    open()
    await t.throwsAsync(inner, { message: 'undone' })
    t.deepEqual(await cursor.fetch(9), [{ id: 5 }, { id: 6 }])
    let count = 1
    for (let row = await rows.next(); !row.done; row = await rows.next()) count++
    t.is(count, 100_000)
  })
})

test('calls of a pool with ambient transactions are not made beside a savepoint', async (t) => {
  const p = await pool(t, { ambientTransactions: true })
  const name = await table(p)
  await p.transaction(async () => {
    const { open, opened } = gate()
    const inner = p.transaction(async () => {
      await p.execute(`insert into ${name} values (2)`)
      await opened
      throw new Error('undone')
    })
    await t.throwsAsync(p.execute(`insert into ${name} values (9)`), beside)
    open()
    await t.throwsAsync(inner, { message: 'undone' })
    await p.execute(`insert into ${name} values (1)`)
  })
  t.deepEqual(await idsIn(p, name), [1])
})

test('a function that does not wait for its calls is undone, and the transaction rejects', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const name = await table(p)
  const insert = (tx: Transaction, id: number) => tx.execute(`insert into ${name} values ($1)`, [id])
  const careless: ((tx: Transaction) => unknown)[] = [
    (tx) => void insert(tx, 1),
    (tx) => {
      void insert(tx, 1)
      void insert(tx, 2)
    },
    (tx) => void tx.executeMany(`insert into ${name} values ($1)`, [[1], [2]]),
    (tx) => void tx.batch([`insert into ${name} values (1)`, `insert into ${name} values (2)`]),
    (tx) => void tx.execute(`insert into ${name} values (1); insert into ${name} values (2)`),
    // Of this chain only the first is made before the function returns.
    (tx) => {
      const chain = async () => {
        await insert(tx, 1)
        await insert(tx, 2)
      }
      void chain().catch(() => {})
    },
    async (tx) => {
      await insert(tx, 1)
      void insert(tx, 2)
    },
  ]
  for (const callback of careless) await t.throwsAsync(p.transaction(callback), forgotten)
  t.deepEqual(await idsIn(p, name), [])
  // The same of a savepoint: the transaction goes on without it.
  for (const callback of careless) {
    await p.transaction(async (tx) => {
      await t.throwsAsync(tx.transaction(callback), forgotten)
    })
  }
  t.deepEqual(await idsIn(p, name), [])
  t.is(p.stats.inUse, 0)
})

test('a savepoint, cursor or stream that the function has forgotten is one of its calls', async (t) => {
  const p = await pool(t)
  const name = await table(p)
  const left: Promise<unknown>[] = []
  const insert = `insert into ${name} values (1)`
  const rows = `insert into ${name} select generate_series(1, 100) returning id`
  const careless: ((tx: Transaction) => unknown)[] = [
    (tx) => void left.push(tx.transaction((inner) => inner.execute(insert))),
    (tx) =>
      void left.push(
        tx.transaction(async (inner) => {
          await inner.execute(insert)
          throw new Error('undone')
        }),
      ),
    (tx) => void left.push(tx.cursor(rows).open()),
    async (tx) => {
      const cursor = await tx.cursor(rows).open()
      left.push(cursor.fetch(10))
    },
    async (tx) => {
      const cursor = await tx.cursor(rows).open()
      left.push(cursor.forward(10))
    },
    (tx) => void left.push(tx.cursor(rows)[Symbol.asyncIterator]().next()),
    (tx) => void left.push(tx.stream(rows)[Symbol.asyncIterator]().next()),
    (tx) => {
      const loop = async () => {
        for await (const row of tx.cursor<{ id: number }>('select generate_series(1, 100) as id', [], {
          prefetch: 1,
        }))
          await tx.execute(`insert into ${name} values ($1)`, [row.id])
      }
      left.push(loop())
    },
  ]
  for (const [at, callback] of careless.entries()) {
    await t.throwsAsync(p.transaction(callback), forgotten, `${at}`)
    t.deepEqual(await idsIn(p, name), [], `${at}`)
  }
  await Promise.allSettled(left)
  t.is(p.stats.inUse, 0)
})

test('what was answered before the function returned, or was left early, is no fault', async (t) => {
  const p = await pool(t)
  const name = await table(p)
  await p.transaction(async (tx) => {
    void tx.execute(`insert into ${name} values (1)`)
    await tx.execute(`insert into ${name} values (2)`)
  })
  await p.transaction(async (tx) => {
    await Promise.all(
      [3, 3].map((id) => tx.transaction((inner) => inner.execute(`insert into ${name} values (${id})`))),
    )
    const cursor = tx.cursor('select generate_series(1, 100000)')[Symbol.asyncIterator]()
    await cursor.next()
    const iterator = tx.stream('select pg_sleep(0.05) from generate_series(1, 2)')[Symbol.asyncIterator]()
    const waited = iterator.next()
    await iterator.return!()
    await waited
  })
  await p.transaction(async (tx) => {
    for await (const _ of tx.stream('select generate_series(1, 100000)')) break
    await t.throwsAsync(tx.fetch('select pg_sleep(30)', [], { signal: AbortSignal.abort() }), { any: true })
    await tx.execute(`insert into ${name} values (4)`)
  })
  t.deepEqual(await idsIn(p, name), [1, 2, 3, 3, 4])
})

test('rows that nobody waits for keep nobody waiting', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const name = await table(p)
  async function* endless() {
    for (let id = 0; ; id++) {
      yield [id]
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const left: Promise<unknown>[] = []
  await t.throwsAsync(
    p.transaction((tx) => {
      left.push(tx.executeMany(`insert into ${name} values ($1)`, endless()))
    }),
    forgotten,
  )
  await t.throwsAsync(left[0]!, { instanceOf: QueryCanceledError })
  t.deepEqual(await idsIn(p, name), [])
})

test('a stream that is left open in the simple protocol keeps nobody waiting', async (t) => {
  const p = await pool(t, { maxSize: 1, statementMode: 'simple' })
  const rows: AsyncIterator<unknown>[] = []
  await t.throwsAsync(
    p.transaction(async (tx) => {
      rows.push(tx.stream("select generate_series(1, 1000000), repeat('x', 1000)")[Symbol.asyncIterator]())
      await rows[0]!.next()
    }),
    forgotten,
  )
  t.is(await p.fetchVal('select 1'), 1)
})

test('calls of others on the connection are nothing that the function has forgotten', async (t) => {
  const c = await connection(t)
  const [begun, sent] = [gate(), gate()]
  const transaction = c.transaction(async (tx) => {
    await tx.execute('select 1')
    begun.open()
    await sent.opened
  })
  await begun.opened
  const slow = c.fetchVal('select pg_sleep(0.2), 7', [], { column: 1 })
  sent.open()
  await transaction
  t.is(await slow, 7)
})
