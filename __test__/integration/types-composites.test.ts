import test from 'ava'
import { DataError, Interval, Range, Row, UnsupportedClientFeatureError } from 'oxpg'
import { connection } from '../support/server.js'
import { schema, shared, testRefusals, testTypes } from '../support/type-table.js'
import { plain } from '../support/values.js'

const AWKWARD = `a,b (c) [d] {e} "f" ''g'' \\h`
const awkward = `a,b (c) [d] {e} "f" 'g' \\h`

testTypes([
  {
    type: `${schema}.pair`,
    create: `create type ${schema}.pair as (id int4, label text)`,
    lacks: ['nesting'],
    rows: [
      ["row(1, 'one')", { id: 1, label: 'one' }],
      ['row(null, null)', { id: null, label: null }],
      ["row(-1, '')", { id: -1, label: '' }],
      [`row(2, '${AWKWARD}')`, { id: 2, label: awkward }],
      ["row(3, 'Grüße 😀')", { id: 3, label: 'Grüße 😀' }],
      ["row(1, 'one')", { id: 1, label: 'one' }, { parameter: [1, 'one'] }],
      ["row(1, 'one')", { id: 1, label: 'one' }, { parameter: '(1,one)' }],
      ['row(1, null)', { id: 1, label: null }, { parameter: { id: 1 } }],
      ['row(1, null)', { id: 1, label: null }, { parameter: { id: '1', label: undefined } }],
    ],
  },
  {
    type: `${schema}.family`,
    create: `create type ${schema}.family as (head ${schema}.pair, members ${schema}.pair[], span int8range, extra jsonb)`,
    lacks: ['nesting'],
    rows: [
      [
        `row(row(1, '${AWKWARD}'), array[row(2, 'b'), null, row(null, null)]::${schema}.pair[], '[1,9007199254740993)', '{"a": [1]}')`,
        {
          head: { id: 1, label: awkward },
          members: [{ id: 2, label: 'b' }, null, { id: null, label: null }],
          span: new Range<number | bigint>(1, 9007199254740993n),
          extra: { a: [1] },
        },
      ],
      ["row(null, '{}', 'empty', null)", { head: null, members: [], span: Range.empty(), extra: null }],
    ],
  },
  {
    type: `${schema}.nothing`,
    create: `create type ${schema}.nothing as ()`,
    lacks: ['nesting'],
    rows: [['row()', {}]],
  },
  {
    type: `${schema}.altered`,
    create: `create type ${schema}.altered as (a int4, gone text, b text, also_gone int4);
      alter type ${schema}.altered drop attribute gone;
      alter type ${schema}.altered drop attribute also_gone;
      alter type ${schema}.altered add attribute c float8`,
    lacks: ['nesting'],
    rows: [["row(1, 'b', 0.5)", { a: 1, b: 'b', c: 0.5 }]],
  },
  {
    type: `${schema}.account`,
    create: `create table ${schema}.account (id int8 primary key, old text, owner text not null, since date);
      alter table ${schema}.account drop column old`,
    lacks: ['nesting'],
    rows: [["row(5, 'me', '2024-01-01')", { id: 5, owner: 'me', since: '2024-01-01' }]],
  },
  {
    type: `${schema}.checked_pair`,
    create: `create domain ${schema}.checked_pair as ${schema}.pair check ((value).id > 0)`,
    lacks: ['nesting'],
    rows: [[`row(1, 'x')::${schema}.pair`, { id: 1, label: 'x' }]],
  },
  {
    type: `${schema}.odd_names`,
    create: `create type ${schema}.odd_names as ("__proto__" int4, "constructor" text, "0" int4, "a ""b""" int4, "toJSON" int4)`,
    lacks: ['nesting'],
    rows: [
      [
        "row(1, 'c', 2, 3, 4)",
        Object.fromEntries([
          ['__proto__', 1],
          ['constructor', 'c'],
          ['0', 2],
          ['a "b"', 3],
          ['toJSON', 4],
        ]),
      ],
    ],
  },
])

test('a composite value is a plain object, or a Record where the rows are', async (t) => {
  const c = shared()
  const query = `select row(1, 'x')::${schema}.pair as pair, array[row(2, 'y')::${schema}.pair] as pairs, row(1, row(2)) as record`
  for (let round = 0; round < 3; round += 1) {
    const row = (
      await c.fetch<{ pair: Row; pairs: Row[]; record: Row<{ f2: Row }> }>(query, [], { rowMode: 'record' })
    )[0]!
    for (const value of [row.pair, row.pairs[0], row.record, row.record.f2]) t.true(value instanceof Row)
    t.deepEqual([...row.pair], [1, 'x'])
    t.is(row.pair[1], 'x')
    t.is(
      JSON.stringify(row),
      '{"pair":{"id":1,"label":"x"},"pairs":[{"id":2,"label":"y"}],"record":{"f1":1,"f2":{"f1":2}}}',
    )
    const [object] = await c.fetch(query)
    t.deepEqual(object, {
      pair: { id: 1, label: 'x' },
      pairs: [{ id: 2, label: 'y' }],
      record: { f1: 1, f2: { f1: 2 } },
    })
    const [array] = await c.fetch(query, [], { rowMode: 'array' })
    t.deepEqual(array?.[0], { id: 1, label: 'x' })
  }
})

test('rows of a table are composites of all its columns', async (t) => {
  const c = shared()
  const insert = `insert into ${schema}.account select ($1::${schema}.account).* returning account`
  t.deepEqual(plain(await c.fetchVal(insert, [{ id: 2n ** 60n, owner: 'me' }])), {
    id: 2n ** 60n,
    owner: 'me',
    since: null,
  })
  const rows = await c.fetch(`select a, a.* from ${schema}.account a`)
  t.deepEqual(plain(rows[0]?.a), { id: 2n ** 60n, owner: 'me', since: null })
  t.is(
    JSON.stringify(rows[0]),
    `{"a":{"id":"${2n ** 60n}","owner":"me","since":null},"id":"${2n ** 60n}","owner":"me","since":null}`,
  )
  t.is(
    await c.fetchVal(`select owner from ${schema}.account a where a = $1::${schema}.account`, [rows[0]?.a]),
    'me',
  )
  t.is(
    await c.fetchVal(`select count(*) from unnest($1::${schema}.account[])`, [
      [rows[0]?.a, { id: 1, owner: 'you' }],
    ]),
    2,
  )
})

test('a composite that is NULL is not one of NULLs', async (t) => {
  const c = shared()
  const query = `select $1::${schema}.pair is not distinct from null, $2::${schema}.pair is not distinct from null`
  const [row] = await c.fetch(query, [null, { id: null, label: null }], { rowMode: 'array' })
  t.deepEqual(row, [true, false])
})

test('anonymous records with values of every kind', async (t) => {
  const c = shared()
  await c.execute(`create type ${schema}.hue as enum ('red', 'light "blue"')`)
  const query = `select row(
    1, 'text'::text, null, 2.50, true, '\\x00ff'::bytea, 'red'::${schema}.hue, array['light "blue"', null]::${schema}.hue[],
    row(1, 'a')::${schema}.pair, array[row(2, 'b')::${schema}.pair, null], '{1,NULL}'::${schema}.integers,
    int4range(1, 5), interval '1 mon -1 day', '[0:1]={1,2}'::int2[], '{"a": 1}'::jsonb, row(row(), row(row(1), null)),
    array[row(1, 'x'), row('y'::text), null]
  )`
  await c.execute(`create domain ${schema}.integers as int4[]`)
  const expected = {
    f1: 1,
    f2: 'text',
    f3: null,
    f4: '2.50',
    f5: true,
    f6: Buffer.from([0, 255]),
    f7: 'red',
    f8: ['light "blue"', null],
    f9: { id: 1, label: 'a' },
    f10: [{ id: 2, label: 'b' }, null],
    f11: [1, null],
    f12: plain(new Range(1, 5)),
    f13: new Interval({ months: 1, days: -1 }),
    f14: [1, 2],
    f15: { a: 1 },
    f16: { f1: {}, f2: { f1: { f1: 1 }, f2: null } },
    f17: [{ f1: 1, f2: 'x' }, { f1: 'y' }, null],
  }
  for (let round = 0; round < 3; round += 1) {
    t.deepEqual(plain(await c.fetchVal(query)), expected)
    // On a connection that has seen none of the types.
    const fresh = await connection(t)
    t.deepEqual(plain(await fresh.fetchVal(query)), expected)
  }
})

test('records of one column whose types change from row to row', async (t) => {
  const c = shared()
  const query = `select case n % 4
      when 0 then row(n, 'text'::text) when 1 then row(n::text, n::numeric, null)
      when 2 then row(row(n, 'x')::${schema}.pair) else row() end as value
    from generate_series(0, 400) n`
  const expected = (n: number) =>
    [{ f1: n, f2: 'text' }, { f1: `${n}`, f2: `${n}`, f3: null }, { f1: { id: n, label: 'x' } }, {}][n % 4]
  for (let round = 0; round < 3; round += 1) {
    const rows = await c.fetch(query)
    t.deepEqual(
      rows.map(({ value }) => plain(value)),
      rows.map((_, n) => expected(n)),
    )
  }
})

test('functions give records of the columns that the query names', async (t) => {
  const c = shared()
  const rows = await c.fetch('select r from (values (1, $1::text), (2, null)) r (id, name)', ['x'])
  t.deepEqual(
    rows.map(({ r }) => plain(r)),
    [
      { f1: 1, f2: 'x' },
      { f1: 2, f2: null },
    ],
  )
  const [array] = await c.fetch(
    'select array_agg(r order by id) as rs from (values (1, $1::text), (2, null)) r (id, name)',
    ['x'],
  )
  t.deepEqual(plain(array?.rs), [
    { f1: 1, f2: 'x' },
    { f1: 2, f2: null },
  ])
})

test('a record with a value that has no binary codec says so, and one with a NULL of the type is read', async (t) => {
  const c = await connection(t)
  for (const value of [
    '1.5::money',
    "'pg_class'::regclass",
    "array['pg_class'::regclass]",
    "'a b'::tsvector",
  ]) {
    for (let round = 0; round < 2; round += 1) {
      const reading = c.fetch(`select row(1, ${value})`)
      await t.throwsAsync(
        reading,
        {
          instanceOf: UnsupportedClientFeatureError,
          message:
            /type (money|regclass|regclass\[\]|tsvector), a type without a binary codec, .*cast it to text/,
        },
        value,
      )
    }
  }
  t.deepEqual(plain(await c.fetchVal('select row(1, null::money)')), { f1: 1, f2: null })
})

test('an anonymous record is no parameter', async (t) => {
  const c = await connection(t)
  await t.throwsAsync(c.fetch('select $1::record', [{ f1: 1 }]), { instanceOf: DataError, message: /\$1/ })
  t.is(await c.fetchVal('select 1'), 1)
})

test('a type that changes is looked up again', async (t) => {
  const c = await connection(t)
  await c.execute(`create type ${schema}.shape as (a int4)`)
  t.deepEqual(plain(await c.fetchVal(`select row(1)::${schema}.shape`)), { a: 1 })
  await c.execute(`alter type ${schema}.shape add attribute b text`)
  const changed = `select row(1, 'x')::${schema}.shape`
  t.deepEqual(plain(await c.fetchVal(changed)), { a: 1, b: 'x' })
  t.is(await c.fetchVal(`select ($1::${schema}.shape).b`, [{ a: 1, b: 'y' }]), 'y')
})

test('deeply nested composites', async (t) => {
  const c = shared()
  let statements = `create type ${schema}.level_0 as (value text)`
  let expression = `row('${AWKWARD}')::${schema}.level_0`
  let value: unknown = { value: awkward }
  for (let level = 1; level <= 10; level += 1) {
    statements += `; create type ${schema}.level_${level} as (inner_value ${schema}.level_${level - 1}, list ${schema}.level_${level - 1}[]${level === 10 ? ', acl aclitem' : ''})`
    const acl = level === 10 ? ', null' : ''
    expression = `row(${expression}, ${level < 4 ? `array[${expression}]` : 'null'}${acl})::${schema}.level_${level}`
    value = { inner_value: value, list: level < 4 ? [value] : null, ...(level === 10 ? { acl: null } : {}) }
  }
  await c.execute(statements)
  for (let round = 0; round < 3; round += 1) {
    t.deepEqual(plain(await c.fetchVal(`select ${expression}`)), value)
    t.deepEqual(
      plain(await c.fetchVal(`select (${expression}).inner_value`)),
      (value as { inner_value: unknown }).inner_value,
    )
    t.true(await c.fetchVal(`select ($1::${schema}.level_10)::text = (${expression})::text`, [value]))
    t.true(
      await c.fetchVal(`select $1::${schema}.level_9 = (${expression}).inner_value`, [
        (value as { inner_value: unknown }).inner_value,
      ]),
    )
  }
})

testRefusals([
  [`${schema}.pair`, 5, /: 5 /],
  [`${schema}.pair`, [1], /\[1\]/],
  [`${schema}.pair`, { id: 1, lable: 'x' }, /"lable"/],
  [`${schema}.pair`, { id: 'x' }, /attribute "id".*"x"/, 'int4'],
  [`${schema}.pair`, new Date(0)],
  [`${schema}.pair`, new Map()],
  [`${schema}.pair[]`, [{ id: 1 }, { id: 1.5 }], /element 2, attribute "id".*1\.5/, 'int4'],
  [
    `${schema}.family`,
    { members: [{ id: 1 }, { label: 7 }] },
    /attribute "members", element 2, attribute "label".*7/,
    'text',
  ],
])
