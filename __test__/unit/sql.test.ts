import test from 'ava'
import { InterfaceError } from '../../src/errors/index'
import { Sql, sql } from '../../src/sql'

test('values become parameters, never text', (t) => {
  const evil = "'; drop table users; --"
  const query = sql`select * from users where name = ${evil} and age > ${18}`
  t.true(query instanceof Sql)
  t.is(query.text, 'select * from users where name = $1 and age > $2')
  t.deepEqual(query.params, [evil, 18])
})

test('null, undefined, arrays and objects are values too', (t) => {
  const values = [null, undefined, [1, 2], { a: 1 }, new Date(0)]
  t.deepEqual(sql`${values[0]}${values[1]}${values[2]}${values[3]}${values[4]}`.params, values)
})

test('fragments compose and number their placeholders through', (t) => {
  const where = sql`where a = ${1} and b = ${2}`
  const query = sql`select ${0}::int from t ${where} limit ${3}`
  t.is(query.text, 'select $1::int from t where a = $2 and b = $3 limit $4')
  t.deepEqual(query.params, [0, 1, 2, 3])
  // A fragment can be used again.
  t.is(sql`${where} union ${where}`.text, 'where a = $1 and b = $2 union where a = $3 and b = $4')
  t.is(where.text, 'where a = $1 and b = $2')
})

test('identifiers are quoted, part by part', (t) => {
  t.is(sql.identifier('users').text, '"users"')
  t.is(sql.identifier('my"schema', 'a.b').text, '"my""schema"."a.b"')
  for (const names of [[], [''], ['a\0b'], [1 as never]]) {
    t.throws(() => sql.identifier(...names), { instanceOf: InterfaceError })
  }
})

test('join puts separators between values and fragments', (t) => {
  const list = sql`in (${sql.join([1, sql`now()`, 'x'])})`
  t.is(list.text, 'in ($1, now(), $2)')
  t.deepEqual(list.params, [1, 'x'])
  t.is(sql.join([sql`a`, sql`b`], ' and ').text, 'a and b')
  t.is(sql.join([1, 2], sql` or ${'between'} or `).text, '$1 or $2 or $3')
  t.is(sql.join([]).text, '')
  t.throws(() => sql.join([1], 5 as never), { instanceOf: InterfaceError })
})

test('backslashes are those of the query', (t) => {
  t.is(sql`copy t to stdout (escape '\', null '\N')`.text, "copy t to stdout (escape '\\', null '\\N')")
  t.is(sql`select 'order 66' ~ '^\w+ \d+$'`.text, String.raw`select 'order 66' ~ '^\w+ \d+$'`)
  t.is(sql`select E'a\tb' || '\u00e9\x'`.text, String.raw`select E'a\tb' || '\u00e9\x'`)
  t.is(sql`select '\`', '\${a}', '\$1', '\\'`.text, "select '`', '${a}', '\\$1', '\\\\'")
  t.is(
    sql`a
b`.text,
    'a\nb',
  )
})

test('raw text goes in as it is', (t) => {
  t.is(sql`order by ${sql.raw('1 desc')}`.text, 'order by 1 desc')
  t.throws(() => sql.raw(1 as never), { instanceOf: InterfaceError })
})

test('set makes assignments', (t) => {
  const query = sql`update t set ${sql.set({ name: 'Ivan', 'odd"name': null, at: sql`now()` })} where id = ${7}`
  t.is(query.text, 'update t set "name" = $1, "odd""name" = $2, "at" = now() where id = $3')
  t.deepEqual(query.params, ['Ivan', null, 7])
  t.throws(() => sql.set({}), { instanceOf: InterfaceError })
  t.throws(() => sql.set({ a: undefined }), { instanceOf: InterfaceError, message: /column a is undefined/ })
})

test('values makes rows of objects, with the columns of the first or those listed', (t) => {
  t.is(sql.values({ a: 1, b: 2 }).text, '("a", "b") VALUES ($1, $2)')
  const rows = sql.values([
    { a: 1, b: 2 },
    { b: 4, a: 3 },
  ])
  t.is(rows.text, '("a", "b") VALUES ($1, $2), ($3, $4)')
  t.deepEqual(rows.params, [1, 2, 3, 4])
  t.is(sql.values([{ a: 1, b: 2 }], ['b']).text, '("b") VALUES ($1)')
  t.throws(() => sql.values([{ a: 1 }, {}]), { message: /row 1: column a is undefined/ })
  t.throws(() => sql.values([{ a: 1 }, { a: 2, b: 2 }]), {
    instanceOf: InterfaceError,
    message: /row 1 has a column b, which the first row lacks/,
  })
  t.is(sql.values([{ a: 1 }, { a: 2, b: 2 }], ['a']).text, '("a") VALUES ($1), ($2)')
  t.is(
    sql.values([
      { a: 1, b: 1 },
      { b: 2, a: 2 },
    ]).text,
    '("a", "b") VALUES ($1, $2), ($3, $4)',
  )
  t.throws(() => sql.values([]), { instanceOf: InterfaceError })
})

test('values makes rows of arrays', (t) => {
  const rows = sql.values([
    [1, sql`default`],
    [2, 3],
  ])
  t.is(rows.text, 'VALUES ($1, default), ($2, $3)')
  t.is(sql.values([[1, 2]], ['a', 'b']).text, '("a", "b") VALUES ($1, $2)')
  t.throws(() => sql.values([[1, 2], [3]]), { message: /row 1 has 1 values, expected 2/ })
})

test('it is a tag, and its objects come from it alone', (t) => {
  t.throws(() => (sql as unknown as (text: string) => void)('select 1'), { instanceOf: InterfaceError })
  t.throws(() => new (Sql as unknown as new () => unknown)(), { instanceOf: InterfaceError })
  t.throws(() => sql(['select 1'] as never), { instanceOf: InterfaceError })
})
