import test from 'ava'
import { type Queryable, Row, sql, UniqueViolationError } from 'oxpg'
import { connection, pool, uniqueName } from '../support/server.js'

test('run gives rows, command, row count and columns', async (t) => {
  const c = await connection(t)
  const table = uniqueName('run')
  t.deepEqual(await c.run(`create temp table ${table} (id int primary key, label varchar(20))`), {
    rows: [],
    command: 'CREATE TABLE',
    rowCount: 0,
    fields: [],
  })
  t.deepEqual(await c.run(`insert into ${table} select n, 'label ' || n from generate_series(1, 3) n`), {
    rows: [],
    command: 'INSERT',
    rowCount: 3,
    fields: [],
  })
  const text = `update ${table} set label = $1 where id > $2 returning label, id`
  for (let round = 0; round < 3; round++) {
    const { rows, command, rowCount, fields } = await c.run<{ label: string; id: number }>(text, ['new', 1])
    t.deepEqual(rows, [
      { label: 'new', id: 2 },
      { label: 'new', id: 3 },
    ])
    t.deepEqual([command, rowCount], ['UPDATE', 2])
    const oid = await c.fetchVal<number>('select $1::text::regclass::oid', [table])
    t.deepEqual(fields, [
      {
        name: 'label',
        type: { oid: 1043, name: 'varchar', kind: 'scalar', schema: 'pg_catalog' },
        tableOid: oid,
        attributeNumber: 2,
        typeModifier: 24,
      },
      {
        name: 'id',
        type: { oid: 23, name: 'int4', kind: 'scalar', schema: 'pg_catalog' },
        tableOid: oid,
        attributeNumber: 1,
        typeModifier: -1,
      },
    ])
  }
  t.like(await c.run(`delete from ${table} where id = $1`, [99]), {
    command: 'DELETE',
    rowCount: 0,
    rows: [],
  })
  t.like(await c.run(sql`select * from generate_series(1, ${5}::int) n`), { command: 'SELECT', rowCount: 5 })
  t.like(await c.run(`table ${table}`), { command: 'SELECT', rowCount: 3 })
  t.like(await c.run('begin'), { command: 'BEGIN', rowCount: 0 })
  t.like(await c.run('rollback'), { command: 'ROLLBACK', rowCount: 0 })
  t.deepEqual(await c.run(''), { rows: [], command: '', rowCount: 0, fields: [] })
})

test('a result without rows has its columns', async (t) => {
  const c = await connection(t)
  for (let round = 0; round < 2; round++) {
    const { rows, fields } = await c.run('select 1 as a, array[1] as b, 2 as a where false')
    t.deepEqual(rows, [])
    t.deepEqual(
      fields.map(({ name, type, tableOid }) => [name, type.name, type.kind, tableOid]),
      [
        ['a', 'int4', 'scalar', 0],
        ['b', 'int4[]', 'array', 0],
        ['a', 'int4', 'scalar', 0],
      ],
    )
    t.true(Object.isFrozen(fields) && fields.every((field) => Object.isFrozen(field)))
  }
})

test('the columns are those of the prepared statement', async (t) => {
  const c = await connection(t)
  const schema = uniqueName('run_types')
  await c.execute(`create schema ${schema}; create type ${schema}.mood as enum ('ok', 'sad');
    create type ${schema}.pair as (id int, mood ${schema}.mood)`)
  t.teardown(async () => {
    const other = await connection({ teardown: () => {} })
    await other.execute(`drop schema ${schema} cascade`)
    await other.close()
  })
  const query = `select row($1::int, 'ok')::${schema}.pair as pair, 'sad'::${schema}.mood as mood`
  const statement = await c.prepare(query)
  const result = await statement.run([7])
  t.deepEqual(result.rows, [{ pair: { id: 7, mood: 'ok' }, mood: 'sad' }])
  t.deepEqual(result.fields, statement.attributes)
  t.deepEqual((await c.run(query, [7])).fields, statement.attributes)
  t.like(result.fields[1], { name: 'mood', type: { name: 'mood', schema, kind: 'scalar' } })
  t.deepEqual([result.command, result.rowCount, statement.statusMessage], ['SELECT', 1, 'SELECT 1'])
})

test('everything that can query can run, in every row mode', async (t) => {
  const c = await connection(t)
  const p = await pool(t, { maxSize: 2 })
  const hooked = await pool(t, { maxSize: 1, setup: () => {} })
  const check = async (db: Queryable): Promise<void> => {
    t.like(await db.run('select $1::int as n', [1]), { rows: [{ n: 1 }], command: 'SELECT', rowCount: 1 })
    t.deepEqual((await db.run('select 1 as a, 2 as a', [], { rowMode: 'array' })).rows, [[1, 2]])
    const [record] = (await db.run('select 1 as a', [], { rowMode: 'record' })).rows
    t.true(record instanceof Row)
  }
  for (const db of [c, p, hooked]) {
    await check(db)
    await db.transaction(check)
  }
  await p.use(check)
  const arrays = await pool(t, { maxSize: 1, rowMode: 'array' })
  t.deepEqual((await arrays.run<[number]>('select 1')).rows, [[1]])
})

test('run rejects as fetch does, and the connection goes on', async (t) => {
  const c = await connection(t)
  await c.execute('create temp table once (id int primary key); insert into once values (1)')
  async function theCaller() {
    return await c.run('insert into once values ($1)', [1])
  }
  const error = await t.throwsAsync(theCaller(), { instanceOf: UniqueViolationError })
  t.is(error?.query, 'insert into once values ($1)')
  t.regex(error?.stack ?? '', /theCaller/)
  await t.throwsAsync(c.run('select 1; select 2'), { code: '42601' })
  await t.throwsAsync(c.run('select pg_sleep(60)', [], { timeoutMs: 50 }), { name: 'TimeoutError' })
  t.like(await c.run('select 1 as n'), { rows: [{ n: 1 }] })
})
