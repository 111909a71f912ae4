import test from 'ava'
import {
  type Connection,
  type Cursor,
  connect,
  InterfaceError,
  NoActiveSQLTransactionError,
  PostgresError,
  QueryCanceledError,
  Row,
  sql,
  TimeoutError,
  UnsupportedClientFeatureError,
} from 'oxpg'
import { connection, pool, SLEEPING, uniqueName, until } from '../support/server.js'
import { FaultProxy, Pooler } from '../support/testkit.js'

const SERIES = 'select i from generate_series(1, $1::int) i'

/** Portals of this session, besides the unnamed one. */
const PORTALS = "select count(*)::int from pg_cursors where name <> ''"

const numbers = (rows: readonly { i: number }[]): number[] => rows.map((row) => row.i)

test('rows are iterated over, so many fetched at a time', async (t) => {
  const c = await connection(t)
  await c.execute('create temp sequence taken')
  await c.transaction(async (tx) => {
    const rows: number[] = []
    const query = "select i, nextval('taken') from generate_series(1, 7) i"
    for await (const { i } of tx.cursor<{ i: number }>(query, [], { prefetch: 3 })) {
      rows.push(i)
      t.is(Number(await tx.fetchVal('select last_value from taken')), Math.min(7, Math.ceil(i / 3) * 3))
    }
    t.deepEqual(rows, [1, 2, 3, 4, 5, 6, 7])
    t.is(await tx.fetchVal(PORTALS), 0)
  })
})

test('fifty rows are fetched at a time by default, and the last part may be full', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    for (const count of [0, 1, 49, 50, 51, 100, 1_234]) {
      const rows: number[] = []
      for await (const { i } of tx.cursor<{ i: number }>(SERIES, [count])) rows.push(i)
      t.deepEqual(
        rows,
        Array.from({ length: count }, (_, index) => index + 1),
      )
    }
    t.is(await tx.fetchVal(PORTALS), 0)
  })
})

test('an open cursor is fetched from step by step', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const cursor = await tx.cursor<{ i: number }>(SERIES, [20]).open()
    t.deepEqual(numbers(await cursor.fetch(3)), [1, 2, 3])
    t.is((await cursor.fetchRow())?.i, 4)
    t.is(await cursor.forward(5), 5)
    t.deepEqual(numbers(await cursor.fetch(2)), [10, 11])
    t.deepEqual(numbers(await cursor.fetch(100)), [12, 13, 14, 15, 16, 17, 18, 19, 20])
    t.deepEqual(await cursor.fetch(1), [])
    t.is(await cursor.fetchRow(), null)
    t.is(await cursor.forward(1), 0)
    await cursor.close()
    await cursor.close()
    await t.throwsAsync(cursor.fetch(1), { instanceOf: InterfaceError, message: /closed/ })
  })
})

test('going past the end says how many rows there were, and is the end', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const cursor = await tx.cursor(SERIES, [5]).open()
    t.is(await cursor.forward(3), 3)
    t.is(await cursor.forward(3), 2)
    t.deepEqual(await cursor.fetch(1), [])
  })
})

test('steps that do not wait for each other are made in their order', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const cursor = await tx.cursor<{ i: number }>(SERIES, [5]).open()
    const [first, moved, second, rest, none] = await Promise.all([
      cursor.fetch(1),
      cursor.forward(1),
      cursor.fetchRow(),
      cursor.fetch(5),
      cursor.fetchRow(),
      cursor.close(),
    ])
    t.deepEqual([numbers(first), moved, second?.i, numbers(rest), none], [[1], 1, 3, [4, 5], null])
  })
})

test('several cursors and other queries of the transaction take turns', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const seen: string[] = []
    const inner = await tx.cursor<{ i: number }>(SERIES, [100]).open()
    for await (const { i } of tx.cursor<{ i: number }>(SERIES, [4], { prefetch: 2 })) {
      seen.push(`${i} ${(await inner.fetchRow())?.i} ${await tx.fetchVal('select $1::int * 10', [i])}`)
      for await (const row of tx.cursor<{ i: number }>(SERIES, [1])) t.is(row.i, 1)
    }
    t.deepEqual(seen, ['1 1 10', '2 2 20', '3 3 30', '4 4 40'])
  })
})

test('leaving the loop closes the cursor, and so does an error in it', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    for await (const { i } of tx.cursor<{ i: number }>(SERIES, [1_000])) if (i === 60) break
    t.is(await tx.fetchVal(PORTALS), 0)
    await t.throwsAsync(
      async () => {
        for await (const _ of tx.cursor(SERIES, [1_000])) throw new Error('enough')
      },
      { message: 'enough' },
    )
    t.is(await tx.fetchVal(PORTALS), 0)
    const iterator = tx.cursor(SERIES, [1_000])[Symbol.asyncIterator]()
    await iterator.next()
    t.is(await tx.fetchVal(PORTALS), 1)
    await iterator.return?.()
    t.deepEqual(await iterator.next(), { value: undefined, done: true })
    t.is(await tx.fetchVal(PORTALS), 0)
    {
      await using cursor = await tx.cursor(SERIES, [10]).open()
      t.is((await cursor.fetch(1)).length, 1)
      t.is(await tx.fetchVal(PORTALS), 1)
    }
    t.is(await tx.fetchVal(PORTALS), 0)
  })
})

test('it is used once', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const factory = tx.cursor(SERIES, [3])
    await factory.open()
    const error = { instanceOf: InterfaceError, message: /used once/ }
    await t.throwsAsync(factory.open(), error)
    t.throws(() => factory[Symbol.asyncIterator](), error)
  })
})

test('outside of a transaction there is none', async (t) => {
  const c = await connection(t)
  const none = { instanceOf: NoActiveSQLTransactionError, message: /transaction\(\).*stream\(\)/ }
  await t.throwsAsync(c.cursor(SERIES, [3]).open(), none)
  await t.throwsAsync(async () => {
    for await (const _ of c.cursor(SERIES, [3])) t.fail()
  }, none)
  t.is(await c.fetchVal('select 1'), 1)
})

test('a connection has cursors in its own transaction, begun either way', async (t) => {
  const c = await connection(t)
  await c.transaction(async () => {
    const cursor = await c.cursor<{ i: number }>(SERIES, [3]).open()
    t.deepEqual(numbers(await cursor.fetch(5)), [1, 2, 3])
  })
  await c.execute('begin')
  const cursor = await c.cursor<{ i: number }>(SERIES, [3]).open()
  t.deepEqual(numbers(await cursor.fetch(2)), [1, 2])
  await c.execute('commit')
  await t.throwsAsync(cursor.fetch(1), { instanceOf: InterfaceError, message: /transaction has ended/ })
  t.is(await c.fetchVal('select 1'), 1)
})

test('a cursor of a transaction that has ended says so, also in the next one', async (t) => {
  const c = await connection(t)
  let left: Cursor<unknown> | undefined
  await c.transaction(async (tx) => {
    left = await tx.cursor(SERIES, [3]).open()
  })
  await t.throwsAsync(left!.fetch(1), { instanceOf: InterfaceError })
  await c.execute('begin')
  left = await c.cursor(SERIES, [3]).open()
  await c.execute('rollback')
  await c.transaction(async (tx) => {
    await t.throwsAsync(left!.fetch(1), { instanceOf: InterfaceError, message: /transaction has ended/ })
    t.is(await tx.fetchVal('select 1'), 1)
  })
})

test('a cursor or stream on a connection whose transaction somebody else ends says so', async (t) => {
  const c = await connection(t)
  const series = 'select generate_series(1, 100000) as id'
  const over = {
    instanceOf: InterfaceError,
    message: /the transaction has ended in which the cursor or stream was opened/,
  }
  for (const isAnswered of [true, false]) {
    const tx = await c.begin()
    const cursor = await c.cursor(series).open()
    const rows = c.stream(series)[Symbol.asyncIterator]()
    await rows.next()
    await cursor.fetch(1)
    const end = tx.commit()
    if (isAnswered) await end
    await t.throwsAsync(cursor.fetch(1), over)
    const rest = async () => {
      while (!(await rows.next()).done);
    }
    await t.throwsAsync(rest(), over)
    await end
  }
})

test('after a release and after the end of the session it says so', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const leased = await p.acquire()
  const tx = await leased.begin()
  const cursor = await tx.cursor(SERIES, [3]).open()
  await cursor.fetch(1)
  await leased.release()
  await t.throwsAsync(cursor.fetch(1), { instanceOf: InterfaceError, message: /released/ })
  await cursor.close()
  t.is(await p.fetchVal(PORTALS), 0)
  const c = await connection(t)
  const started = await c.begin()
  const other = await started.cursor(SERIES, [3]).open()
  await c.close()
  await t.throwsAsync(other.fetch(1), { instanceOf: InterfaceError, message: /closed/ })
})

test('prepared statements have cursors', async (t) => {
  const c = await connection(t)
  const statement = await c.prepare(SERIES)
  await t.throwsAsync(statement.cursor([3]).open(), { instanceOf: NoActiveSQLTransactionError })
  await c.transaction(async () => {
    const rows: number[] = []
    for await (const { i } of statement.cursor<{ i: number }>([3], { prefetch: 1 })) rows.push(i)
    t.deepEqual(rows, [1, 2, 3])
  })
  const p = await pool(t)
  const shared = await p.prepare(SERIES)
  t.throws(() => shared.cursor([3]), { instanceOf: InterfaceError, message: /pool/ })
})

test('rows are as the options say', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const [array] = await (
      await tx.cursor("select 1::int8 as a, 'x' as b", [], { rowMode: 'array' }).open()
    ).fetch(1)
    t.deepEqual(array, [1, 'x'])
    const record = await (await tx.cursor('select 1 as a', [], { rowMode: 'record' }).open()).fetchRow()
    t.true(record instanceof Row)
    for await (const row of tx.cursor('select 1::int8 as a', [], { int8: 'bigint' }))
      t.deepEqual(row, { a: 1n })
    for await (const row of tx.cursor(sql`select ${5}::int as a`)) t.deepEqual(row, { a: 5 })
  })
})

test('bad arguments are refused when they are given', async (t) => {
  const c = await connection(t)
  const refused = (call: () => unknown, message: RegExp) =>
    t.throws(call, { instanceOf: InterfaceError, message })
  refused(() => c.cursor(1 as never), /query/)
  refused(() => c.cursor('select 1', 'x' as never), /array/)
  for (const prefetch of [0, -1, 1.5, '1', 2 ** 31]) {
    refused(() => c.cursor('select 1', [], { prefetch: prefetch as number }), /prefetch/)
  }
  refused(() => c.cursor('select 1', [], { perfetch: 1 } as never), /perfetch/)
  await c.transaction(async (tx) => {
    const cursor = await tx.cursor('select 1').open()
    for (const count of [0, -1, 1.5, '1', undefined]) {
      await t.throwsAsync(cursor.fetch(count as number), { instanceOf: InterfaceError, message: /count/ })
      await t.throwsAsync(cursor.forward(count as number), { instanceOf: InterfaceError, message: /count/ })
    }
    t.is((await cursor.fetch(1)).length, 1)
  })
})

test('errors of the query come at its opening or at the step that meets them', async (t) => {
  const c = await connection(t)
  await t.throwsAsync(
    c.transaction(async (tx) => void (await tx.cursor('select wrong').open())),
    { instanceOf: PostgresError, message: /wrong/ },
  )
  await t.throwsAsync(
    c.transaction(async (tx) => {
      const cursor = await tx
        .cursor<{ n: number }>('select 1 / (3 - i) as n from generate_series(1, 5) i')
        .open()
      t.is((await cursor.fetch(2)).length, 2)
      await cursor.fetch(2)
    }),
    { message: /division by zero/ },
  )
  await t.throwsAsync(
    c.transaction(async (tx) => void (await tx.cursor('copy pg_class to stdout').open())),
    { instanceOf: InterfaceError, message: /COPY/ },
  )
  t.is(await c.fetchVal('select 1'), 1)
})

test('what gives no rows, or changes something and gives some, has a cursor as well', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table done (i int)')
  await c.transaction(async (tx) => {
    const cursor = await tx.cursor('insert into done select generate_series(1, 3)').open()
    t.deepEqual(await cursor.fetch(1), [])
    const rows: number[] = []
    const query = 'insert into done select generate_series(4, 9) returning i'
    for await (const { i } of tx.cursor<{ i: number }>(query, [], { prefetch: 2 })) rows.push(i)
    t.deepEqual(rows, [4, 5, 6, 7, 8, 9])
    for await (const _ of tx.cursor('')) t.fail()
  })
  t.is(await c.fetchVal('select count(*)::int from done'), 9)
})

test('a time limit and a signal hold for each step', async (t) => {
  const c = await connection(t)
  await t.throwsAsync(
    c.transaction(async (tx) => {
      const query = 'select case when i > 2 then pg_sleep(60) end from generate_series(1, 5) i'
      const cursor = await tx.cursor(query, [], { timeoutMs: 200 }).open()
      t.is((await cursor.fetch(2)).length, 2)
      await cursor.fetch(1)
    }),
    { instanceOf: TimeoutError },
  )
  const controller = new AbortController()
  const reason = new Error('no more')
  await t.throwsAsync(
    c.transaction(async (tx) => {
      for await (const { i } of tx.cursor<{ i: number }>(SERIES, [1_000], { signal: controller.signal })) {
        if (i === 3) controller.abort(reason)
      }
    }),
    { is: reason },
  )
  t.is(await c.fetchVal('select 1'), 1)
})

test("a transaction's own limit ends its cursors", async (t) => {
  const c = await connection(t)
  await t.throwsAsync(
    c.transaction(
      async (tx) => {
        for await (const _ of tx.cursor('select pg_sleep(60) from generate_series(1, 5)')) t.fail()
      },
      { timeoutMs: 200 },
    ),
    { instanceOf: TimeoutError, message: /transaction/ },
  )
  t.is(await c.fetchVal('select 1'), 1)
})

test('types that are not known are looked up, and a schema may change while a cursor is open', async (t) => {
  const c = await connection(t)
  const other = await connection(t)
  const [mood, table] = [uniqueName('mood'), uniqueName('moods')]
  await c.execute(`create type ${mood} as enum ('ok', 'bad'); create table ${table} (m ${mood}[])`)
  t.teardown(async () => void (await other.execute(`drop table ${table}; drop type ${mood}`)))
  await c.execute(`insert into ${table} select array['ok', 'bad']::${mood}[] from generate_series(1, 5)`)
  await c.transaction(async (tx) => {
    const query = `select m from ${table}`
    const cursor = await tx.cursor(query).open()
    t.deepEqual(await cursor.fetch(1), [{ m: ['ok', 'bad'] }])
    await c.reloadSchemaState()
    await tx.fetch(query)
    t.deepEqual(await cursor.fetch(1), [{ m: ['ok', 'bad'] }])
    await other.execute(`alter type ${mood} add value 'fine'`)
    t.deepEqual(await cursor.fetch(10), Array(3).fill({ m: ['ok', 'bad'] }))
    // Values of anonymous records say their types themselves.
    const records = await tx.cursor(`select row(i, 'ok'::${mood}) as r from generate_series(1, 4) i`).open()
    await c.reloadSchemaState()
    t.deepEqual(await records.fetch(2), [{ r: { f1: 1, f2: 'ok' } }, { r: { f1: 2, f2: 'ok' } }])
    t.deepEqual(await records.fetch(2), [{ r: { f1: 3, f2: 'ok' } }, { r: { f1: 4, f2: 'ok' } }])
  })
})

test('maxResultBytes is for each step', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const cursor = await tx
      .cursor("select repeat('x', 100) from generate_series(1, 50)", [], { maxResultBytes: 1_000 })
      .open()
    t.is((await cursor.fetch(9)).length, 9)
    t.is((await cursor.fetch(9)).length, 9)
  })
  await t.throwsAsync(
    c.transaction(async (tx) => {
      await (
        await tx
          .cursor("select repeat('x', 100) from generate_series(1, 50)", [], { maxResultBytes: 1_000 })
          .open()
      ).fetch(20)
    }),
    { instanceOf: InterfaceError, message: /1000 bytes/ },
  )
})

test('savepoints end the cursors that were opened in them', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    const outer = await tx.cursor<{ i: number }>(SERIES, [5]).open()
    const inner = await tx.begin()
    const cursor = await inner.cursor(SERIES, [5]).open()
    await outer.fetch(1)
    await inner.rollback()
    await t.throwsAsync(cursor.fetch(1), { instanceOf: InterfaceError })
    t.deepEqual(numbers(await outer.fetch(2)), [2, 3])
  })
})

test('the unnamed mode has cursors, and the simple protocol says that it has none', async (t) => {
  const unnamed = await connection(t, { statementMode: 'unnamed' })
  await unnamed.transaction(async (tx) => {
    const seen: number[] = []
    for await (const { i } of tx.cursor<{ i: number }>(SERIES, [5], { prefetch: 2 })) {
      seen.push(i, (await tx.fetchVal<number>('select $1::int', [i * 10]))!)
    }
    t.deepEqual(seen, [1, 10, 2, 20, 3, 30, 4, 40, 5, 50])
  })
  const simple = await connection(t, { statementMode: 'simple' })
  await simple.transaction(async (tx) => {
    await t.throwsAsync(tx.cursor('select 1').open(), {
      instanceOf: UnsupportedClientFeatureError,
      message: /cursor/,
    })
    t.is(await tx.fetchVal('select 1'), 1)
  })
})

test('through a transaction pooler each has its own portals', async (t) => {
  const pooler = await Pooler.for(t, 2)
  const clients = await Promise.all([1, 2].map(() => connect(pooler.url)))
  for (const client of clients) t.teardown(async () => client.terminate())
  const read = (client: Connection) =>
    client.transaction(async (tx) => {
      const rows: number[] = []
      for await (const { i } of tx.cursor<{ i: number }>(SERIES, [20], { prefetch: 3 })) rows.push(i)
      return rows.length
    })
  t.deepEqual(await Promise.all(clients.map(read)), [20, 20])
  t.deepEqual(await Promise.all(clients.map(read)), [20, 20])
})

test('a connection that is lost amid a cursor ends it', async (t) => {
  const proxy = await FaultProxy.for(t, {})
  const c = await connect(proxy.url)
  t.teardown(async () => c.terminate())
  const tx = await c.begin()
  const cursor = await tx.cursor(SERIES, [50]).open()
  await cursor.fetch(1)
  await proxy.change('rst')
  await t.throwsAsync(cursor.fetch(1), { message: /lost|closed/ })
  await cursor.close()
})

test("a cancel from outside is the step's error", async (t) => {
  const c = await connection(t)
  const other = await connection(t)
  await t.throwsAsync(
    c.transaction(async (tx) => {
      const cursor = await tx.cursor('select pg_sleep(60) from generate_series(1, 3)').open()
      const fetched = cursor.fetch(1)
      await until(async () => (await other.fetchVal(SLEEPING, [c.serverPid])) === 1, 'the sleep')
      await other.execute('select pg_cancel_backend($1)', [c.serverPid])
      await fetched
    }),
    { instanceOf: QueryCanceledError },
  )
})

test('a cursor that has executed nothing is refused beside a savepoint, with which it would be undone', async (t) => {
  const p = await pool(t)
  await p.execute('create table if not exists beside_savepoint (n int)')
  try {
    await p.transaction(async (tx) => {
      const insert = await tx.cursor('insert into beside_savepoint values (1), (2) returning n').open()
      const read = await tx.cursor(SERIES, [3]).open()
      t.is(((await read.fetchRow()) as { i: number }).i, 1)
      const gate = () => {
        let open = () => {}
        const passed = new Promise<void>((resolve) => {
          open = resolve
        })
        return { open: () => open(), passed }
      }
      const [inside, outside] = [gate(), gate()]
      const savepoint = tx.transaction(async (sp) => {
        await sp.execute('select 1')
        inside.open()
        await outside.passed
        throw new Error('no')
      })
      await inside.passed
      await t.throwsAsync(insert.fetch(1), { instanceOf: InterfaceError, message: /undone/ })
      await t.throwsAsync(insert.forward(1), { instanceOf: InterfaceError, message: /undone/ })
      t.is(((await read.fetchRow()) as { i: number }).i, 2)
      outside.open()
      await t.throwsAsync(savepoint, { message: 'no' })
      t.is((await insert.fetch(5)).length, 2)
    })
    t.is(await p.fetchVal('select count(*)::int from beside_savepoint'), 2)
  } finally {
    await p.execute('drop table beside_savepoint')
  }
})

test('what was opened in a savepoint that was rolled back is refused, and the transaction goes on', async (t) => {
  const c = await connection(t)
  const kept = await c.transaction(async (tx) => {
    const [cursor, stream] = [tx.cursor(SERIES, [1000]), tx.stream(SERIES, [1000])]
    const [rows, more] = [cursor[Symbol.asyncIterator](), stream[Symbol.asyncIterator]()]
    let open: Cursor<unknown> | undefined
    await t.throwsAsync(
      tx.transaction(async (sp) => {
        open = await tx.cursor(SERIES, [1000]).open()
        await open.fetch(1)
        // A savepoint that ends well keeps what was opened in it.
        await sp.transaction(async () => {
          await tx.fetch('select 1')
        })
        throw new Error('no')
      }),
      { message: 'no' },
    )
    await t.throwsAsync(open!.fetch(1), {
      instanceOf: InterfaceError,
      message: /savepoint has been rolled back/,
    })
    await rows.next()
    await more.next()
    let released: Cursor<unknown> | undefined
    await tx.transaction(async () => {
      released = await tx.cursor(SERIES, [2]).open()
      await released.fetch(1)
    })
    t.is((await released!.fetch(5)).length, 1)
    await rows.return?.()
    await more.return?.()
    return tx.fetchVal('select 1')
  })
  t.is(kept, 1)
})
