import { Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import {
  type Connection,
  connect,
  DataError,
  InterfaceError,
  PostgresError,
  Row,
  sql,
  TimeoutError,
  type Transaction,
} from 'oxpg'
import { connection, pool, RUNNING, uniqueName, until } from '../support/server.js'
import { FaultProxy, Pooler } from '../support/testkit.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const SERIES = 'select i from generate_series(1, $1::int) i'
/** More than sockets and buffers hold, a hundred kilobytes a row. */
const LARGE = "select i, repeat('x', 100000) as x from generate_series(1, 2000) i"
/** In FROM they would be made before the first is given. */
const ENDLESS = "select generate_series(1, 1000000000) as i, repeat('x', 10000) as x"

interface N {
  readonly i: number
}

async function read(rows: AsyncIterable<N>): Promise<number[]> {
  const numbers: number[] = []
  for await (const { i } of rows) numbers.push(i)
  return numbers
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

test('all rows come, in their order, through any number of parts', async (t) => {
  const c = await connection(t)
  for (const count of [0, 1, 5, 100, 50_000])
    t.deepEqual(await read(c.stream<N>(SERIES, [count])), upTo(count))
  t.deepEqual(await read(c.stream<N>(sql`select ${7}::int as i`)), [7])
  t.is(await c.fetchVal('select 1'), 1)
})

test('rows are as the options say', async (t) => {
  const c = await connection(t)
  for await (const row of c.stream("select 1::int8, 'x'", [], { rowMode: 'array' }))
    t.deepEqual(row, [1, 'x'])
  for await (const row of c.stream('select 1 as a', [], { rowMode: 'record' })) t.true(row instanceof Row)
  for await (const row of c.stream('select 1::int8 as a', [], { int8: 'bigint' })) t.deepEqual(row, { a: 1n })
  for await (const row of c.stream(`select '{"a":1}'::json as a`, [], { json: (text) => text.length })) {
    t.deepEqual(row, { a: 7 })
  }
})

test('rows come in parts as well', async (t) => {
  const c = await connection(t)
  const numbers: number[] = []
  let parts = 0
  for await (const rows of c.stream<N>(SERIES, [100_000]).batches()) {
    parts++
    t.true(rows.length > 0)
    for (const { i } of rows) numbers.push(i)
  }
  t.true(parts > 1 && parts < 10_000)
  t.deepEqual(numbers, upTo(100_000))
})

test('the server is stopped while nobody reads, and other connections go on', async (t) => {
  const [c, other] = [await connection(t), await connection(t)]
  const iterator = c.stream<N>(LARGE)[Symbol.asyncIterator]()
  t.is((await iterator.next()).value?.i, 1)
  const waits = "select count(*)::int from pg_stat_activity where pid = $1 and wait_event = 'ClientWrite'"
  await until(
    async () => (await other.fetchVal(waits, [c.serverPid])) === 1,
    'the server waits for the reader',
  )
  for (let count = 0; count < 50; count++) await turn()
  t.is(await other.fetchVal(waits, [c.serverPid]), 1)
  let last = 0
  for await (const { i } of iterator) last = i
  t.is(last, 2_000)
  t.is(await c.fetchVal('select 1'), 1)
})

test('inside a transaction the server is stopped as well, until something waits behind the rows', async (t) => {
  const [c, other] = [await connection(t), await connection(t)]
  const WIDE = "select i::int4 as i, repeat('x', 1000000) from generate_series(1, 40) i"
  const isStopped = () =>
    until(
      async () =>
        (await other.fetchVal("select wait_event = 'ClientWrite' from pg_stat_activity where pid = $1", [
          c.serverPid,
        ])) === true,
      'the server waits for the reader',
    )
  const begin = async (tx: Transaction) => {
    const iterator = tx.stream<N>(WIDE)[Symbol.asyncIterator]()
    t.is((await iterator.next()).value?.i, 1)
    await isStopped()
    return iterator
  }
  // A query, another stream, a savepoint.
  await c.transaction(async (tx) => {
    const first = await begin(tx)
    t.is(await tx.fetchVal('select 2'), 2)
    const second = await begin(tx)
    await tx.transaction((inner) => inner.execute('select 3'))
    for (const iterator of [first, second]) {
      const rest: number[] = []
      for await (const { i } of iterator) rest.push(i)
      t.deepEqual(
        rest,
        Array.from({ length: 39 }, (_, index) => index + 2),
      )
    }
  })
  // The end of its transaction, one way or the other.
  await c.transaction(async (tx) => void (await begin(tx)))
  await t.throwsAsync(
    c.transaction(async (tx) => {
      await begin(tx)
      throw new Error('enough')
    }),
    { message: 'enough' },
  )
  await c.transaction(async (tx) => {
    for await (const { i } of tx.stream<N>(WIDE)) if (i === 2) break
    t.is(await tx.fetchVal('select 4'), 4)
  })
  // The end of the session.
  const tx = await c.begin()
  await begin(tx)
  await c.close()
})

test('leaving the loop cancels the query and leaves the connection usable', async (t) => {
  const [c, other] = [await connection(t), await connection(t)]
  for await (const { i } of c.stream<N>(ENDLESS)) if (i === 3) break
  t.is(await c.fetchVal('select 1'), 1)
  await t.throwsAsync(
    async () => {
      for await (const _ of c.stream(ENDLESS)) throw new Error('enough')
    },
    { message: 'enough' },
  )
  const controller = new AbortController()
  const reason = new Error('no more')
  await t.throwsAsync(
    async () => {
      for await (const _ of c.stream(ENDLESS, [], { signal: controller.signal })) controller.abort(reason)
    },
    { is: reason },
  )
  {
    await using stream = c.stream(ENDLESS)
    await stream[Symbol.asyncIterator]().next()
  }
  t.is(await c.fetchVal('select 1'), 1)
  t.is(await other.fetchVal(RUNNING, [c.serverPid]), 0)
})

test('a signal that has fired before lets nothing be sent', async (t) => {
  const c = await connection(t)
  const reason = new Error('before')
  await t.throwsAsync(read(c.stream<N>(SERIES, [1], { signal: AbortSignal.abort(reason) })), { is: reason })
  await t.throwsAsync(
    read(c.stream<N>('select 1 as i, pg_sleep(60)', [], { signal: AbortSignal.timeout(100) })),
    { any: true, name: 'TimeoutError' },
  )
  t.is(await c.fetchVal('select 1'), 1)
})

test('other calls on the connection are refused while it is open, and name it', async (t) => {
  const c = await connection(t)
  const iterator = c.stream<N>(LARGE)[Symbol.asyncIterator]()
  await iterator.next()
  const busy = { instanceOf: InterfaceError, message: /busy with a stream/ }
  await t.throwsAsync(c.fetch('select 1'), busy)
  await t.throwsAsync(c.execute('select 1'), busy)
  await t.throwsAsync(c.begin(), busy)
  await t.throwsAsync(read(c.stream<N>(SERIES, [1])), busy)
  await iterator.return?.()
  t.is(await c.fetchVal('select 1'), 1)
})

test('calls before a stream end before it', async (t) => {
  const c = await connection(t)
  const [first, rows] = await Promise.all([
    c.fetchVal('select 1 from pg_sleep(0.1)'),
    read(c.stream<N>(SERIES, [3])),
  ])
  t.deepEqual([first, rows], [1, [1, 2, 3]])
})

test('inside a transaction other queries run between its parts', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    let sum = 0
    for await (const { i } of tx.stream<N>(SERIES, [2_000])) {
      if (i % 500 === 0) sum += (await tx.fetchVal<number>('select $1::int', [i]))!
    }
    t.is(sum, 5_000)
    for await (const { i } of c.stream<N>(SERIES, [3])) t.is(await tx.fetchVal('select $1::int', [i]), i)
    for await (const { i } of tx.stream<N>(LARGE)) if (i === 3) break
    t.is(await tx.fetchVal("select count(*)::int from pg_cursors where name <> ''"), 0)
    t.deepEqual(await read(tx.stream<N>(SERIES, [0])), [])
  })
})

test('errors come where the query meets them, after the rows before', async (t) => {
  const c = await connection(t)
  await t.throwsAsync(read(c.stream<N>('select wrong')), { instanceOf: PostgresError, message: /wrong/ })
  const seen: number[] = []
  const error = await t.throwsAsync<PostgresError>(
    async () => {
      for await (const { i } of c.stream<N>('select i, 1 / (500 - i) as n from generate_series(1, 1000) i'))
        seen.push(i)
    },
    { message: /division by zero/ },
  )
  t.regex(error?.stack ?? '', /streams\.test/)
  t.deepEqual(seen, upTo(499))
  await t.throwsAsync(read(c.stream<N>(SERIES, ['x'])), { instanceOf: DataError })
  await t.throwsAsync(read(c.stream<N>('copy pg_class to stdout')), { message: /COPY/ })
  t.is(await c.fetchVal('select 1'), 1)
})

test("a parser's exception ends it", async (t) => {
  const c = await connection(t)
  const reason = new Error('not that')
  const json = (): never => {
    throw reason
  }
  await t.throwsAsync(
    read(c.stream<N>("select '1'::json as i, generate_series(1, 1000000000)", [], { json })),
    { is: reason },
  )
  t.is(await c.fetchVal('select 1'), 1)
})

test('it is read once', async (t) => {
  const c = await connection(t)
  const stream = c.stream<N>(SERIES, [2])
  t.deepEqual(await read(stream), [1, 2])
  const error = { instanceOf: InterfaceError, message: /read once/ }
  t.throws(() => stream[Symbol.asyncIterator](), error)
  t.throws(() => stream.batches(), error)
})

test('bad arguments are refused when they are given, and the parameters are those of the call', async (t) => {
  const c = await connection(t)
  t.throws(() => c.stream(1 as never), { instanceOf: InterfaceError })
  t.throws(() => c.stream('select 1', 'x' as never), { instanceOf: InterfaceError })
  t.throws(() => c.stream('select 1', [], { maxResultBytes: 1 } as never), { message: /maxResultBytes/ })
  const params = [3]
  const stream = c.stream<N>(SERIES, params)
  params[0] = 9
  t.deepEqual(await read(stream), [1, 2, 3])
})

test('calls of next that do not wait for each other give one row each', async (t) => {
  const c = await connection(t)
  const iterator = c.stream<N>(SERIES, [5])[Symbol.asyncIterator]()
  const results = await Promise.all(upTo(7).map(() => iterator.next()))
  t.deepEqual(
    results.map(({ value }) => value?.i),
    [1, 2, 3, 4, 5, undefined, undefined],
  )
})

test('closing while a row is waited for ends the wait', async (t) => {
  const c = await connection(t)
  const iterator = c.stream('select pg_sleep(60)')[Symbol.asyncIterator]()
  const next = iterator.next()
  await iterator.return?.()
  t.true((await next).done)
  t.is(await c.fetchVal('select 1'), 1)
})

test('streams of Node and of the web take it', async (t) => {
  const c = await connection(t)
  t.deepEqual(await read(Readable.from(c.stream<N>(SERIES, [1_000]))), upTo(1_000))
  const texts: string[] = []
  await pipeline(
    c.stream<N>(SERIES, [1_000]),
    new Transform({ objectMode: true, transform: ({ i }, _, done) => done(null, `${i}`) }),
    new Writable({
      objectMode: true,
      write: (text, _, done) => {
        texts.push(text)
        setImmediate(done)
      },
    }),
  )
  t.deepEqual(texts.map(Number), upTo(1_000))
  const web = Readable.toWeb(Readable.from(c.stream<N>(SERIES, [1_000])))
  t.deepEqual(await read(web as unknown as AsyncIterable<N>), upTo(1_000))
  const from = (ReadableStream as unknown as { from?: (rows: AsyncIterable<N>) => AsyncIterable<N> }).from
  if (from !== undefined) t.deepEqual(await read(from(c.stream<N>(SERIES, [1_000]))), upTo(1_000))
  const readable = Readable.from(c.stream<N>(LARGE))
  for await (const _ of readable) break
  t.true(readable.destroyed)
  await t.throwsAsync(
    pipeline(
      c.stream<N>(LARGE),
      new Writable({ objectMode: true, write: (_row, _, done) => done(new Error('full')) }),
    ),
    { message: 'full' },
  )
  t.is(await c.fetchVal('select 1'), 1)
})

test('its time limit is for each wait, and not for what the reader takes', async (t) => {
  const c = await connection(t)
  let rows = 0
  for await (const _ of c.stream(LARGE, [], { timeoutMs: 5_000 })) {
    if (rows++ === 0) await new Promise((resolve) => setTimeout(resolve, 5_500))
  }
  t.is(rows, 2_000)
  await t.throwsAsync(
    read(
      c.stream<N>('select i, case when i > 2 then pg_sleep(60) end from generate_series(1, 3) i', [], {
        timeoutMs: 200,
      }),
    ),
    { instanceOf: TimeoutError, message: /200 ms/ },
  )
  t.is(await c.fetchVal('select 1'), 1)
})

test('a pool leases a connection with the first row and has it back however the stream ends', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const never = p.stream<N>(SERIES, [1])
  t.is(p.stats.inUse, 0)
  await never[Symbol.asyncDispose]()
  t.deepEqual(await read(p.stream<N>(SERIES, [3])), [1, 2, 3])
  for await (const _ of p.stream(LARGE)) {
    t.is(p.stats.inUse, 1)
    break
  }
  t.is(await p.fetchVal('select 1'), 1)
  await t.throwsAsync(
    async () => {
      for await (const _ of p.stream(LARGE)) throw new Error('enough')
    },
    { message: 'enough' },
  )
  await t.throwsAsync(read(p.stream<N>('select wrong')), { message: /wrong/ })
  await t.throwsAsync(read(p.stream<N>('select 1 / 0 as i')), { message: /zero/ })
  await t.throwsAsync(read(p.stream<N>('begin')), { instanceOf: InterfaceError })
  const controller = new AbortController()
  await t.throwsAsync(
    async () => {
      for await (const _ of p.stream(LARGE, [], { signal: controller.signal }))
        controller.abort(new Error('gone'))
    },
    { message: 'gone' },
  )
  for await (const _ of p.stream("select set_config('search_path', 'pg_catalog', false)")) {
  }
  t.not(await p.fetchVal("select current_setting('search_path')"), 'pg_catalog')
  t.is(p.stats.inUse, 0)
})

test('a stream of a pool names itself among those that have its connections', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const iterator = p.stream(LARGE)[Symbol.asyncIterator]()
  await iterator.next()
  const error = await t.throwsAsync<TimeoutError>(p.acquire({ timeoutMs: 100 }), {
    instanceOf: TimeoutError,
    message: /stream\(\)/,
  })
  t.is(error?.holders?.[0]?.call, 'stream')
  await iterator.return?.()
  t.is(await p.fetchVal('select 1'), 1)
})

test('closing a pool waits for its streams, and terminating it ends them', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const reading = read(p.stream<N>(LARGE))
  await until(async () => p.stats.inUse === 1, 'the lease')
  await p.close()
  t.is((await reading).length, 2_000)
  const other = await pool(t, { maxSize: 1 })
  const iterator = other.stream(LARGE)[Symbol.asyncIterator]()
  await iterator.next()
  other.terminate()
  await t.throwsAsync(async () => {
    for await (const _ of iterator) {
    }
  })
})

test('a stream of a pool that is left while it waits for a connection waits no longer', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const leased = await p.acquire()
  for (const host of [p, p.withContext({ settings: { 'oxpg.left': 'early' } })]) {
    const iterator = host.stream(LARGE)[Symbol.asyncIterator]()
    const first = iterator.next()
    await until(async () => p.stats.waiting === 1, 'the wait')
    await iterator.return!()
    t.deepEqual(await first, { value: undefined, done: true })
    await until(async () => p.stats.waiting === 0, 'the end of the wait')
  }
  await leased.release()
  t.is(await p.fetchVal('select 1'), 1)
})

test('a release and a rollback end a stream, whose reader learns why', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const leased = await p.acquire()
  const iterator = leased.stream(LARGE)[Symbol.asyncIterator]()
  await iterator.next()
  await leased.release()
  await t.throwsAsync(
    async () => {
      for await (const _ of iterator) {
      }
    },
    { instanceOf: InterfaceError, message: /released/ },
  )
  t.is(await p.fetchVal('select 1'), 1)
})

test('a stream that is forgotten keeps nobody waiting', async (t) => {
  const c = await connection(t)
  const begin = async (): Promise<void> => void (await c.stream(LARGE)[Symbol.asyncIterator]().next())
  await begin()
  await until(async () => {
    collectGarbage()
    await turn()
    return c.fetchVal('select 1').then(
      () => true,
      () => false,
    )
  }, 'forgetting')
  t.is(await c.fetchVal('select 1'), 1)
})

test('a connection that is lost or terminated amid a stream ends it', async (t) => {
  const proxy = await FaultProxy.for(t, {})
  const open = async (): Promise<[Connection, AsyncIterator<unknown>]> => {
    const c = await connect(proxy.url)
    t.teardown(async () => c.terminate())
    const iterator = c.stream(LARGE)[Symbol.asyncIterator]()
    await iterator.next()
    return [c, iterator]
  }
  const rest = async (iterator: AsyncIterator<unknown>): Promise<void> => {
    while (!(await iterator.next()).done);
  }
  const [terminated, first] = await open()
  terminated.terminate()
  await t.throwsAsync(rest(first), { message: /terminated/ })
  const [, second] = await open()
  await proxy.change('rst')
  await t.throwsAsync(rest(second), { message: /lost|closed/ })
})

test('types that are not known are looked up first', async (t) => {
  const c = await connection(t)
  const mood = uniqueName('mood')
  await c.execute(`create type ${mood} as enum ('ok', 'bad')`)
  t.teardown(async () => void (await c.execute(`drop type ${mood}`)))
  const rows: unknown[] = []
  for await (const row of c.stream(`select array['ok', 'bad']::${mood}[] as m, $1::${mood} as n`, ['ok']))
    rows.push(row)
  t.deepEqual(rows, [{ m: ['ok', 'bad'], n: 'ok' }])
})

test('the other modes have streams as well, inside transactions and outside', async (t) => {
  for (const statementMode of ['unnamed', 'simple'] as const) {
    const c = await connection(t, { statementMode })
    const query = 'select i from generate_series(1, 5000) i'
    t.deepEqual(await read(c.stream<N>(query)), upTo(5_000))
    for await (const { i } of c.stream<N>(LARGE)) if (i === 2) break
    await c.transaction(async (tx) => {
      t.deepEqual(await read(tx.stream<N>(query)), upTo(5_000))
      t.is(await tx.fetchVal('select 1'), 1)
    })
  }
})

test('through a transaction pooler a stream stays on one server', async (t) => {
  const pooler = await Pooler.for(t, 2)
  const clients = await Promise.all(upTo(3).map(() => connect(pooler.url)))
  for (const client of clients) t.teardown(async () => client.terminate())
  const all = await Promise.all(clients.map((client) => read(client.stream<N>(SERIES, [20_000]))))
  for (const rows of all) t.deepEqual(rows, upTo(20_000))
})

test('prepared statements have streams', async (t) => {
  const c = await connection(t)
  const statement = await c.prepare(SERIES)
  t.deepEqual(await read(statement.stream<N>([3])), [1, 2, 3])
  const p = await pool(t)
  t.deepEqual(await read((await p.prepare(SERIES)).stream<N>([3])), [1, 2, 3])
})

test("what its signal ends gives a pool's connection back, whether or not it is read on", async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const statement = await p.prepare(ENDLESS)
  const kept: unknown[] = []
  const streams = {
    pool: (signal: AbortSignal) => p.stream(ENDLESS, [], { signal }),
    'prepared statement': (signal: AbortSignal) => statement.stream([], { signal }),
    context: (signal: AbortSignal) =>
      p.withContext({ settings: { 'app.tenant': 'a' } }).stream(ENDLESS, [], { signal }),
  }
  for (const [what, make] of Object.entries(streams)) {
    const client = new AbortController()
    const iterator = make(client.signal)[Symbol.asyncIterator]()
    await iterator.next()
    client.abort(new Error('the client is gone'))
    t.is(await p.fetchVal('select 1'), 1, what)
    kept.push(iterator)
  }
  // It stalls, and so does what it is read by.
  const client = new AbortController()
  const stalled = new Writable({ objectMode: true, highWaterMark: 1, write: () => {} })
  Readable.from(p.stream(ENDLESS, [], { signal: client.signal }))
    .on('error', () => {})
    .pipe(stalled)
  await until(async () => p.stats.inUse === 1, 'the stream has begun')
  client.abort(new Error('the client is gone'))
  t.is(await p.fetchVal('select 2'), 2)
  await until(async () => p.stats.inUse === 0, 'it is given back')
  t.is(kept.length, 3)
})

test('a connection is free as soon as its stream is aborted', async (t) => {
  const c = await connection(t)
  const client = new AbortController()
  const iterator = c.stream(ENDLESS, [], { signal: client.signal })[Symbol.asyncIterator]()
  await iterator.next()
  client.abort(new Error('enough'))
  const next = c.stream(SERIES, [3])
  t.is(await c.fetchVal('select 1'), 1)
  const rows: unknown[] = []
  for await (const row of next) rows.push(row)
  t.is(rows.length, 3)
})

test('a query beside rows that have become large reads no more than the rest of a part', async (t) => {
  const c = await connection(t)
  await c.transaction(async (tx) => {
    await tx.execute('create temp sequence made')
    const text = "select nextval('made') as i, repeat('x', 10) as x from generate_series(1, 100000)"
    let rows = 0
    for await (const _ of tx.stream(text)) {
      // By then as many small rows are asked for at a time as ever.
      if (++rows === 20_000) break
    }
    const made = Number(await tx.fetchVal('select last_value from made'))
    // The part that is read, and the one that is asked for ahead of it.
    t.true(made <= rows + 2 * 256, `${made} rows were made`)
  })
})
