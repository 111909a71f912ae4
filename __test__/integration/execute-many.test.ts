import test from 'ava'
import {
  DataError,
  InterfaceError,
  NotNullViolationError,
  type PostgresError,
  UniqueViolationError,
} from 'oxpg'
import { connection, pool } from '../support/server.js'

test('executeMany inserts every row and counts them', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int primary key, name text)')
  const rows = Array.from({ length: 25_000 }, (_, id) => [id, `name ${id}`])
  t.is(await c.executeMany('insert into things values ($1, $2)', rows), 25_000)
  t.true(await c.fetchVal<boolean>("select bool_and(name = 'name ' || id) and count(*) = 25000 from things"))
})

test('it takes any iterable, synchronous or not', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int)')
  function* some() {
    for (let id = 0; id < 10; id += 1) yield [id]
  }
  async function* later() {
    yield* some()
  }
  t.is(await c.executeMany('insert into things values ($1)', some()), 10)
  t.is(await c.executeMany('insert into things values ($1)', later()), 10)
  t.is(await c.executeMany('insert into things values ($1)', []), 0)
})

test('it is atomic: a row that the server refuses undoes all', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int primary key)')
  const rows = Array.from({ length: 20_000 }, (_, id) => [id === 19_999 ? 5 : id])
  await t.throwsAsync(c.executeMany('insert into things values ($1)', rows), {
    instanceOf: UniqueViolationError,
  })
  t.is(await c.fetchVal('select count(*) from things'), 0)
})

for (const bad of [0, 3, 19_999]) {
  test(`it is atomic: a value that does not fit in row ${bad} undoes all`, async (t) => {
    const c = await connection(t)
    await c.execute('create temp table things (id int primary key)')
    const rows = Array.from({ length: 20_000 }, (_, id) => [id === bad ? 'not a number' : id])
    const error = await t.throwsAsync(c.executeMany('insert into things values ($1)', rows), {
      instanceOf: DataError,
    })
    t.regex(error?.message ?? '', new RegExp(`\\b${bad}\\b`))
    t.is(await c.fetchVal('select count(*) from things'), 0)
    t.is(await c.fetchVal('select 1'), 1)
  })
}

test('inside a transaction a refused batch leaves the rest of the transaction alone', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int primary key)')
  await c.transaction(async (tx) => {
    await tx.execute('insert into things values (-1)')
    const rows = Array.from({ length: 20_000 }, (_, id) => [id === 19_999 ? 'not a number' : id])
    await t.throwsAsync(tx.executeMany('insert into things values ($1)', rows), { instanceOf: DataError })
    await tx.execute('insert into things values (-2)')
  })
  t.is(await c.fetchVal('select sum(id)::int from things'), -3)
})

test('an error names the row that the server refuses, wherever it is', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int primary key, n int not null)')
  for (const [count, bad] of [
    [3, 0],
    [3, 1],
    [20_000, 1],
    [20_000, 12_345],
    [20_000, 19_999],
  ] as const) {
    const rows = Array.from({ length: count }, (_, id) => [id, id === bad ? null : id])
    for (const size of ['cold', 'warm']) {
      const sql = `insert into things values ($1, $2) /* ${count} ${bad} */`
      const error = await t.throwsAsync(c.executeMany(sql, rows), { instanceOf: NotNullViolationError })
      t.is((error as NotNullViolationError).row, bad, size)
    }
    const other = await t.throwsAsync(c.fetchMany('select 1 / $1::int', [[1], [0]]))
    t.is((other as PostgresError).row, 1)
  }
  const single = await t.throwsAsync(c.execute('insert into things values ($1, $2)', [1, null]))
  t.is((single as PostgresError).row, undefined)
})

test('rollback takes back what an iterable still feeds, and commit says what is in the way', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int)')
  for (const isNested of [false, true]) {
    const outer = await c.begin()
    await outer.execute('insert into things values ($1)', [-1])
    const tx = isNested ? await outer.begin() : outer
    let isAsked!: () => void
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve
    })
    async function* endless() {
      for (let id = 0; id < 2_000; id++) yield [id]
      isAsked()
      await new Promise(() => {})
    }
    const feeding = t.throwsAsync(tx.executeMany('insert into things values ($1)', endless()))
    await asked
    await t.throwsAsync(tx.commit(), { instanceOf: InterfaceError, message: /busy with executeMany/ })
    await tx.rollback()
    await feeding
    t.is(await c.fetchVal('select count(*)::int from things'), isNested ? 1 : 0)
    if (isNested) await outer.rollback()
    t.false(c.isInTransaction)
  }
})

test('an iterable that throws undoes all, and its error is the one', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int)')
  async function* broken() {
    for (let id = 0; id < 5000; id += 1) yield [id]
    throw new Error('the source broke')
  }
  await t.throwsAsync(c.executeMany('insert into things values ($1)', broken()), {
    message: 'the source broke',
  })
  t.is(await c.fetchVal('select count(*) from things'), 0)
})

test('a call that its own source waits for is refused, and does not hang', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (id int)')
  async function* asking() {
    yield [1]
    yield [await c.fetchVal('select 2')]
  }
  await t.throwsAsync(c.executeMany('insert into things values ($1)', asking()), {
    instanceOf: InterfaceError,
    message: /executeMany/,
  })
  t.is(await c.fetchVal('select count(*) from things'), 0)
})

test('a parser of the results that throws undoes what was sent until then', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table things (n numeric)')
  async function* many() {
    for (let n = 0; n < 20_000; n += 1) {
      // Gives the answers their turn.
      if (n % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
      yield [n]
    }
  }
  const numeric = (): never => {
    throw new Error('the parser broke')
  }
  await t.throwsAsync(c.fetchMany('insert into things values ($1) returning n', many(), { numeric }), {
    message: 'the parser broke',
  })
  t.is(await c.fetchVal('select count(*)::int from things'), 0)
})

test('a pool runs it on a connection of its own', async (t) => {
  const p = await pool(t)
  const c = await p.acquire()
  await c.execute('create temp table things (id int)')
  t.is(await c.executeMany('insert into things values ($1)', [[1], [2]]), 2)
  await c.release()
  t.is(await p.executeMany('select $1::int', [[1], [2], [3]]), 3)
})

for (const kind of ['synchronous', 'asynchronous']) {
  test(`a row that does not fit is what it reports, whatever the source's return() does: ${kind}`, async (t) => {
    const c = await connection(t)
    await c.execute('create temp table things (id int primary key)')
    const source = (rows: unknown[]) => {
      const iterator = {
        next: () => ({ done: rows.length === 0, value: [rows.shift()] }),
        return() {
          throw new Error('the source')
        },
      }
      return kind === 'synchronous'
        ? { [Symbol.iterator]: () => iterator }
        : { [Symbol.asyncIterator]: () => iterator }
    }
    const insert = 'insert into things values ($1)'
    for (let use = 0; use < 2; use++) {
      const error = await t.throwsAsync(c.executeMany(insert, source([1, 'two', 3]) as never), {
        instanceOf: DataError,
      })
      t.regex(error?.message ?? '', /row 1/)
    }
    // The server refuses a row while the source still has many.
    const ids = Array.from({ length: 50_000 }, (_, index) => (index === 10 ? 5 : index))
    await t.throwsAsync(c.executeMany(insert, source(ids) as never), { instanceOf: UniqueViolationError })
    t.is(await c.fetchVal('select count(*) from things'), 0)
  })
}
