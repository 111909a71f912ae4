import test from 'ava'
import {
  DataError,
  InterfaceError,
  PostgresSyntaxError,
  Row,
  SyntaxOrAccessError,
  sql,
  UndefinedTableError,
} from 'oxpg'
import { connection, uniqueName } from '../support/server.js'

test('execute gives the command tag', async (t) => {
  const c = await connection(t)
  t.is(await c.execute('create temp table tags (id int)'), 'CREATE TABLE')
  t.is(await c.execute('insert into tags select generate_series(1, 3)'), 'INSERT 0 3')
  t.is(await c.execute('insert into tags values ($1)', [4]), 'INSERT 0 1')
  t.is(await c.execute('update tags set id = id + $1 where id > 1', [1]), 'UPDATE 3')
  t.is(await c.execute('delete from tags where id = $1', [1]), 'DELETE 1')
  t.is(await c.execute('select * from tags'), 'SELECT 3')
  t.is(await c.execute(''), '')
})

test('execute runs a script of many statements', async (t) => {
  const c = await connection(t)
  const tag = await c.execute(
    'create temp table script (id int); insert into script values (1), (2); select 1',
  )
  t.is(tag, 'SELECT 1')
  t.is(await c.fetchVal('select count(*) from script'), 2)
})

test('a failing script is rolled back as a whole, and the connection goes on', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table half (id int)')
  await t.throwsAsync(c.execute('insert into half values (1); select 1 / 0'), { code: '22012' })
  t.is(await c.fetchVal('select count(*) from half'), 0)
})

test('fetch, fetchRow, fetchVal', async (t) => {
  const c = await connection(t)
  const rows = await c.fetch<{ n: number; s: string }>(
    "select n, 'row ' || n as s from generate_series(1, 3) n",
  )
  t.deepEqual(rows, [
    { n: 1, s: 'row 1' },
    { n: 2, s: 'row 2' },
    { n: 3, s: 'row 3' },
  ])
  t.is((await c.fetchRow<{ n: number }>('select 7 as n'))?.n, 7)
  t.is(await c.fetchRow('select 1 where false'), null)
  t.is(await c.fetchVal('select 5'), 5)
  t.is(await c.fetchVal('select 5 where false'), null)
  t.is(await c.fetchVal("select 1 as a, 'x' as b", [], { column: 'b' }), 'x')
  t.is(await c.fetchVal("select 1 as a, 'x' as b", [], { column: 1 }), 'x')
  await t.throwsAsync(c.fetchVal('select 1 as a', [], { column: 'nope' }), { message: /nope/ })
})

test('fetchRow reads one row of many, and the next query is not disturbed', async (t) => {
  const c = await connection(t)
  for (let round = 0; round < 3; round += 1) {
    t.is((await c.fetchRow<{ n: number }>('select n from generate_series(1, 100000) n'))?.n, 1)
    t.is(await c.fetchVal('select $1::int', [round]), round)
  }
})

test('fetchMany gives the rows of every execution', async (t) => {
  const c = await connection(t)
  const rows = await c.fetchMany<{ n: number }>('select $1::int * 2 as n', [[1], [2], [3]])
  t.deepEqual(
    rows.map((row) => row.n),
    [2, 4, 6],
  )
})

test('a result of no columns has rows', async (t) => {
  const c = await connection(t)
  t.is((await c.fetch('select from generate_series(1, 3)')).length, 3)
})

test('calls made without awaiting are one pipeline, in order', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table steps (id serial, step int)')
  const calls = Array.from({ length: 200 }, (_, step) =>
    c.fetchVal('insert into steps (step) values ($1) returning step', [step]),
  )
  t.deepEqual(
    await Promise.all(calls),
    Array.from({ length: 200 }, (_, step) => step),
  )
  t.true(await c.fetchVal<boolean>('select bool_and(id = step + 1) from steps'))
})

test('different cold statements at once', async (t) => {
  const c = await connection(t)
  const values = await Promise.all(
    Array.from({ length: 50 }, (_, n) => c.fetchVal(`select $1::int + ${n}`, [n])),
  )
  t.deepEqual(
    values,
    Array.from({ length: 50 }, (_, n) => 2 * n),
  )
})

test('a failing query in a pipeline harms no other', async (t) => {
  const c = await connection(t)
  const results = await Promise.allSettled([
    c.fetchVal('select 1'),
    c.fetchVal('select 1 / $1::int', [0]),
    c.fetchVal('selec 1'),
    c.fetchVal('select * from no_such_table'),
    c.fetchVal('select 5'),
  ])
  t.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code)),
    [1, '22012', '42601', '42P01', 5],
  )
})

test('many callers of one failing statement each get its own error', async (t) => {
  const c = await connection(t)
  const results = await Promise.allSettled([c.fetch('selec 2'), c.fetch('selec 2'), c.fetch('selec 2')])
  for (const result of results)
    t.true(result.status === 'rejected' && result.reason instanceof PostgresSyntaxError)
  t.is(await c.fetchVal('select 1'), 1)
})

test('an error has its class, its hierarchy and its fields', async (t) => {
  const c = await connection(t)
  const error = await t.throwsAsync<UndefinedTableError>(c.fetch('select * from no_such_table'), {
    instanceOf: UndefinedTableError,
  })
  t.true(error instanceof SyntaxOrAccessError)
  t.is(error?.sqlstate, '42P01')
  t.is(error?.severity, 'ERROR')
  t.is(Number(error?.position), 15)
  t.is(error?.query, 'select * from no_such_table')
  t.regex(error?.message ?? '', /relation "no_such_table" does not exist/)
})

test('the position of an error is an index of the query, whatever characters are before it', async (t) => {
  const c = await connection(t)
  const query = "select '🐘🐘', 'é', $1::text from no_such_table"
  for (const call of [c.fetch(query, ['x']), c.execute(query.replace('$1', "'x'")), c.prepare(query)]) {
    const error = await t.throwsAsync<UndefinedTableError>(call, { instanceOf: UndefinedTableError })
    t.is(error?.query?.slice(error.position! - 1), 'no_such_table')
  }
})

test("the stack shows the caller's line", async (t) => {
  const c = await connection(t)
  async function theCallerOfTheQuery() {
    return await c.fetch('select * from no_such_table')
  }
  const error = await t.throwsAsync(theCallerOfTheQuery())
  t.regex(error?.stack ?? '', /theCallerOfTheQuery/)
})

test('row modes', async (t) => {
  const c = await connection(t)
  const query = "select 1 as a, 'x' as b, 2 as a"
  t.deepEqual(await c.fetch(query, [], { rowMode: 'array' }), [[1, 'x', 2]])
  const rows = [await c.fetch<object>(query), await c.fetch<object>(query, [], { rowMode: 'object' })]
  for (const [object] of rows) {
    t.is(Object.getPrototypeOf(object), Object.prototype)
    t.deepEqual(object, { b: 'x', a: 2 })
    t.deepEqual(Row.entries(object!), [
      ['a', 1],
      ['b', 'x'],
      ['a', 2],
    ])
  }
  const [record] = await c.fetch(query, [], { rowMode: 'record' })
  t.true(record instanceof Row)
  t.deepEqual([...record!], [1, 'x', 2])
  t.deepEqual(Row.values(record!), [1, 'x', 2])
  t.deepEqual(Row.keys(record!), ['a', 'b', 'a'])
})

test('a column that is named like a trap is just a column', async (t) => {
  const c = await connection(t)
  const names = [
    '__proto__',
    'constructor',
    'toString',
    '0',
    '1',
    '',
    'quote\'"`',
    'back\\slash',
    '*/ //',
    '\u2028',
    '${x}',
  ]
  const list = names.map((name, index) => `${index} as "${name.replaceAll('"', '""') || ' '}"`).join(', ')
  // The first runs the loop, the third the compiled code.
  for (let round = 0; round < 3; round += 1) {
    const [row] = await c.fetch(`select ${list}`)
    t.deepEqual(
      Object.entries(row as object),
      // Integer-like keys come first in JavaScript's order of properties.
      [...names.entries()]
        .map(([index, name]) => [name || ' ', index] as const)
        .sort(([a], [b]) => Number(/^\d+$/.test(b)) - Number(/^\d+$/.test(a))),
    )
    t.is(({} as Record<string, unknown>).polluted, undefined)
  }
})

test('a type that oxpg does not know comes and goes as text', async (t) => {
  const c = await connection(t)
  const row = await c.fetchRow<{ relacl: string | null; typname: string }>(
    'select relacl, typname from pg_class, pg_type limit 1',
  )
  t.is(typeof row?.typname, 'string')
  t.is(await c.fetchVal("select 'a & b'::tsquery"), "'a' & 'b'")
  t.is(await c.fetchVal('select $1::tsquery', ['a & b']), "'a' & 'b'")
  t.is(await c.fetchVal("select '12.50'::money"), '$12.50')
})

test('a value that does not fit is a DataError that names it, and harms nothing', async (t) => {
  const c = await connection(t)
  for (let round = 0; round < 2; round += 1) {
    const error = await t.throwsAsync<DataError>(c.fetch('select $1::int, $2::int', [1, 'not a number']), {
      instanceOf: DataError,
    })
    t.regex(error?.message ?? '', /\$2/)
    t.regex(error?.message ?? '', /int4/)
    t.regex(error?.message ?? '', /not a number/)
    t.false((error as unknown as { fromServer: boolean }).fromServer)
    t.is(await c.fetchVal('select 1'), 1)
  }
})

test('too few and too many parameters are an InterfaceError', async (t) => {
  const c = await connection(t)
  for (let round = 0; round < 2; round += 1) {
    await t.throwsAsync(c.fetch('select $1::int', []), { instanceOf: InterfaceError })
    await t.throwsAsync(c.fetch('select $1::int', [1, 2]), { instanceOf: InterfaceError })
  }
  await t.throwsAsync(c.fetch('select 1', 'x' as never), { message: /array/ })
})

test('an injection attempt in a parameter is inert', async (t) => {
  const c = await connection(t)
  const table = uniqueName('victims')
  await c.execute(`create temp table ${table} (name text)`)
  const attack = `'); drop table ${table}; --`
  await c.execute(`insert into ${table} values ($1)`, [attack])
  t.is(await c.fetchVal(`select name from ${table}`), attack)
})

test('a tagged template makes parameters of its values', async (t) => {
  const c = await connection(t)
  const table = uniqueName('Odd "name')
  await c.execute(sql`create temp table ${sql.identifier(table)} (id int, name text)`)
  await c.execute(sql`insert into ${sql.identifier(table)} values (${1}, ${"O'Brien"})`)
  const condition = sql`id = any(${[1, 2]})`
  const row = await c.fetchRow<{ name: string }>(
    sql`select name from ${sql.identifier(table)} where ${condition}`,
  )
  t.is(row?.name, "O'Brien")
})

test('large values and large results arrive whole', async (t) => {
  const c = await connection(t)
  const long = 'ä€😀x'.repeat(300_000)
  t.is(await c.fetchVal('select $1::text', [long]), long)
  const bytes = Buffer.alloc(5_000_000, 'abc')
  t.deepEqual(await c.fetchVal('select $1::bytea', [bytes]), bytes)
  const rows = await c.fetch<{ n: number; s: string }>(
    "select n, repeat('é', n % 50) as s from generate_series(1, 200000) n",
  )
  t.is(rows.length, 200_000)
  t.true(rows.every((row, index) => row.n === index + 1 && row.s.length === row.n % 50))
})

test('a row wider than the mailbox arrives whole', async (t) => {
  const c = await connection(t)
  const [row] = await c.fetch<{ a: number[]; s: string }>(
    "select array(select generate_series(1, 200000)) as a, 'x' as s",
  )
  t.is(row?.a.length, 200_000)
  t.is(row?.a[199_999], 200_000)
  t.is(row?.s, 'x')
})

test('statementCacheSize 0 uses unnamed statements', async (t) => {
  const c = await connection(t, { statementCacheSize: 0 })
  const values = await Promise.all([1, 2, 3].map((n) => c.fetchVal('select $1::int * 2', [n])))
  t.deepEqual(values, [2, 4, 6])
  t.is(await c.fetchVal('select count(*) from pg_prepared_statements'), 0)
})

test('the statement cache is bounded', async (t) => {
  const c = await connection(t, { statementCacheSize: 10 })
  for (let n = 0; n < 40; n += 1) await c.fetch(`select ${n}`)
  t.true(Number(await c.fetchVal('select count(*)::int from pg_prepared_statements')) <= 11)
})

test('a lost statement heals', async (t) => {
  const c = await connection(t)
  t.is(await c.fetchVal('select $1::int', [1]), 1)
  await c.execute("do $$ begin execute 'deallocate all'; end $$")
  t.is(await c.fetchVal('select $1::int', [2]), 2)
})

test('DISCARD ALL empties the cache', async (t) => {
  const c = await connection(t)
  t.is(await c.fetchVal('select $1::int', [1]), 1)
  await c.execute('discard all')
  t.is(await c.fetchVal('select $1::int', [2]), 2)
})

test('a stale plan heals', async (t) => {
  const c = await connection(t)
  const table = uniqueName('stale')
  await c.execute(`create temp table ${table} (a int)`)
  await c.execute(`insert into ${table} values (1)`)
  t.deepEqual({ ...(await c.fetchRow(`select * from ${table}`)) }, { a: 1 })
  await c.execute(`alter table ${table} add column b text default 'x'`)
  t.deepEqual({ ...(await c.fetchRow(`select * from ${table}`)) }, { a: 1, b: 'x' })
})

test('COPY is refused with the names of the methods for it', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table copied (id int)')
  for (const statement of ['copy copied from stdin', 'copy copied to stdout']) {
    await t.throwsAsync(c.execute(statement), { instanceOf: InterfaceError, message: /copy/i })
    await t.throwsAsync(c.fetch(statement), { instanceOf: InterfaceError, message: /copy/i })
    t.is(await c.fetchVal('select 1'), 1)
  }
})

test('notices reach their handler', async (t) => {
  const c = await connection(t)
  const notices: string[] = []
  c.onNotice((notice) => notices.push(notice.message))
  await c.execute("do $$ begin raise notice 'hello'; end $$")
  t.deepEqual(notices, ['hello'])
})

test('parameters that are too long for one message are refused before they are copied', async (t) => {
  const c = await connection(t)
  const query = 'select length($1::bytea) + length($2::bytea) + length($3::bytea)'
  // Memory that nobody has touched is not there: copies would be.
  const long = Buffer.alloc(520 << 20)
  for (const isKnown of [false, true]) {
    if (isKnown) t.is(await c.fetchVal(query, [long.subarray(0, 1), long.subarray(0, 1), null]), null)
    const before = process.resourceUsage().maxRSS
    const error = await t.throwsAsync<InterfaceError>(c.fetchVal(query, [long, long, long]), {
      instanceOf: InterfaceError,
      message: /1 GiB/,
    })
    t.true(error?.safeToRetry)
    const grown = (process.resourceUsage().maxRSS - before) >> 10
    t.true(grown < 400, `${grown} MiB`)
  }
  // What is added up is that of one call.
  const text = 'x'.repeat(5_000)
  for (let round = 0; round < 3; round += 1) await c.execute(`select '${text}'`)
  t.is(await c.fetchVal('select length($1)', [text]), 5_000)
})
