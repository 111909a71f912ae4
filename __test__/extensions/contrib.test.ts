// Types and functions of the extensions that come with PostgreSQL.
import { DataError } from 'oxpg'
import { testTypes, testWith, useExtensions } from '../support/extensions.js'

useExtensions('hstore', 'citext', 'ltree', 'cube', 'seg', 'isn', 'intarray', 'pg_trgm', 'uuid-ossp')

/** An hstore's value: an object without a prototype, so that no key means anything else. */
const pairs = (entries: Record<string, string | null>): unknown => Object.assign(Object.create(null), entries)

testTypes('hstore', [
  { type: 'hstore', literal: "''", value: pairs({}), alsoTaken: [{}, new Map()] },
  {
    type: 'hstore',
    literal: `'a => 1, "c d" => "x\\"y", n => NULL, "" => "", ä => 😀'`,
    value: pairs({ a: '1', 'c d': 'x"y', n: null, '': '', ä: '😀' }),
    alsoTaken: [
      { a: '1', 'c d': 'x"y', n: null, '': '', ä: '😀' },
      new Map<string, string | null>([
        ['a', '1'],
        ['c d', 'x"y'],
        ['n', null],
        ['', ''],
        ['ä', '😀'],
      ]),
      '"a"=>"1", "c d"=>"x\\"y", n=>NULL, ""=>"", ä=>"😀"',
    ],
  },
])

testWith('hstore', 'keys named like properties of every object', async (t, c) => {
  const value = await c.fetchVal<Record<string, string>>(
    `select 'constructor => 1, "__proto__" => 2, toString => 3'::hstore`,
  )
  t.is(Object.getPrototypeOf(value), null)
  t.deepEqual(Object.keys(value ?? {}).sort(), ['__proto__', 'constructor', 'toString'])
  t.deepEqual(Object.values(value ?? {}).sort(), ['1', '2', '3'])
  t.is(await c.fetchVal(`select ($1::hstore) -> '__proto__'`, [value]), '2')
})

testWith('hstore', 'NUL is refused in keys and in values, in an array as well', async (t, c) => {
  for (const value of [{ 'a\0': 'x' }, { a: 'x\0' }, 'a => "\0"']) {
    await t.throwsAsync(c.fetch('select $1::hstore', [value]), { instanceOf: DataError, message: /\$1.*NUL/ })
    await t.throwsAsync(c.fetch('select $1::hstore[]', [[value]]), {
      instanceOf: DataError,
      message: /\$1.*NUL/,
    })
  }
  t.is(await c.fetchVal('select 1'), 1)
})

testWith('hstore', 'columns are written and read', async (t, c) => {
  await c.execute('create temp table product (id int primary key, properties hstore)')
  await c.executeMany('insert into product values ($1, $2)', [
    [1, { colour: 'red', size: null }],
    [2, new Map([['colour', 'blue']])],
    [3, null],
  ])
  const rows = await c.fetch(
    "select id, properties, properties -> 'colour' as colour from product order by id",
  )
  t.deepEqual(
    rows.map(({ id, properties, colour }) => [id, properties, colour]),
    [
      [1, pairs({ colour: 'red', size: null }), 'red'],
      [2, pairs({ colour: 'blue' }), 'blue'],
      [3, null, null],
    ],
  )
  t.is(await c.fetchVal('select id from product where properties @> $1', [{ colour: 'blue' }]), 2)
})

testTypes('citext', [
  { type: 'citext', literal: '\'Grüße, "Welt"\'', value: 'Grüße, "Welt"' },
  { type: 'citext', literal: "''", value: '' },
])

testWith('citext', 'a parameter is compared without regard to case', async (t, c) => {
  t.true(await c.fetchVal("select 'ABC'::citext = $1", ['abc']))
  t.true(await c.fetchVal("select 'ABC'::citext = any($1)", [['x', 'abc']]))
})

testTypes('ltree', [
  { type: 'ltree', literal: "'Top.Science.Astronomy'", value: 'Top.Science.Astronomy' },
  { type: 'ltree', literal: "''", value: '' },
  { type: 'lquery', literal: "'Top.*{1,2}.!b|c@'", value: 'Top.*{1,2}.!b|c@', hasNoEquality: true },
  {
    type: 'ltxtquery',
    literal: "'Europe & Russia@* & !Transportation'",
    value: 'Europe & Russia@* & !Transportation',
    hasNoEquality: true,
  },
])

testWith('ltree', 'paths are searched with parameters of its types', async (t, c) => {
  t.true(await c.fetchVal("select 'Top.Science.Astronomy'::ltree ~ $1", ['*.Science.*']))
  t.true(await c.fetchVal("select 'Top.Science.Astronomy'::ltree @ $1", ['Astro* & Top']))
  t.true(await c.fetchVal("select 'Top.Science'::ltree ? $1", [['x.*', 'Top.*']]))
  t.is(await c.fetchVal("select $1::ltree || 'Stars'", ['Top.Astronomy']), 'Top.Astronomy.Stars')
})

testTypes('cube', [
  { type: 'cube', literal: "'(1, 2),(3, -4.5)'", value: '(1, 2),(3, -4.5)' },
  { type: 'cube', literal: "'(1e+30)'", value: '(1e+30)' },
])

testTypes('seg', [
  { type: 'seg', literal: "'1.5 .. 2.5'", value: '1.5 .. 2.5' },
  { type: 'seg', literal: "'~6.50'", value: '~6.50' },
])

testTypes('isn', [
  { type: 'ean13', literal: "'0220356483481'", value: '022-035648348-1' },
  { type: 'isbn13', literal: "'978-0-393-04002-9'", value: '978-0-393-04002-9' },
  { type: 'isbn', literal: "'978-0-393-04002-9'", value: '0-393-04002-X' },
  { type: 'ismn13', literal: "'9790260000438'", value: '979-0-2600-0043-8' },
  { type: 'ismn', literal: "'M-2306-7118-7'", value: 'M-2306-7118-7' },
  { type: 'issn13', literal: "'1436-4522'", value: '977-1436-452-00-8' },
  { type: 'issn', literal: "'1436-4522'", value: '1436-4522' },
  { type: 'upc', literal: "'220356483481'", value: '220356483481' },
])

testTypes('intarray', [
  { type: 'query_int', literal: "'1&(2|!3)'", value: '1 & ( 2 | !3 )', hasNoEquality: true },
])

testWith('intarray', 'arrays are searched and sorted', async (t, c) => {
  t.true(await c.fetchVal("select '{1,4}'::int[] @@ $1", ['1 & (2 | !3)']))
  t.deepEqual(await c.fetchVal('select uniq(sort($1))', [[3, 1, 2, 3]]), [1, 2, 3])
  t.deepEqual(await c.fetchVal('select $1::int[] - 2', [[1, 2, 3]]), [1, 3])
})

testWith('pg_trgm', 'its functions give numbers and arrays', async (t, c) => {
  t.is(await c.fetchVal("select similarity('word', $1)", ['two words']), 0.36363637)
  t.deepEqual(await c.fetchVal("select show_trgm('word')"), ['  w', ' wo', 'ord', 'rd ', 'wor'])
  t.true(await c.fetchVal("select 'word' <% $1", ['two words']))
})

testWith('uuid-ossp', 'its functions give uuids', async (t, c) => {
  const byName = await c.fetchVal('select uuid_generate_v5(uuid_ns_dns(), $1)', ['example.com'])
  t.is(byName, 'cfbff0d1-9375-5685-968c-48ce8b15ae17')
  t.is(await c.fetchVal('select uuid_nil()'), '00000000-0000-0000-0000-000000000000')
  const [one, other] =
    (await c.fetchVal<string[]>('select array[uuid_generate_v4(), uuid_generate_v4()]')) ?? []
  t.regex(one ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.not(one, other)
})
