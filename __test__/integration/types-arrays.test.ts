import test from 'ava'
import { DataError, InterfaceError } from 'oxpg'
import { connection } from '../support/server.js'
import { schema, shared, testRefusals, testTypes } from '../support/type-table.js'

testTypes([
  {
    type: 'int2vector',
    lacks: ['nesting'],
    rows: [
      ["'1 2 -3'", [1, 2, -3]],
      ["''", []],
    ],
  },
  {
    type: 'oidvector',
    lacks: ['nesting'],
    rows: [
      ["'1 4294967295'", [1, 4294967295]],
      ["''", []],
    ],
  },
  {
    type: `${schema}.integers`,
    create: `create domain ${schema}.integers as int4[] check (cardinality(value) < 10)`,
    lacks: ['nesting'],
    rows: [
      ["'{1,NULL,3}'", [1, null, 3]],
      ["'{}'", []],
      [
        "'{{1,2},{3,4}}'",
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ],
  },
  {
    type: `${schema}.labels`,
    create: `create domain ${schema}.label as text check (length(value) < 20);
      create domain ${schema}.labels as ${schema}.label[]`,
    lacks: ['nesting'],
    rows: [[`'{a,"b, \\"c\\"",NULL,"null",""}'`, ['a', 'b, "c"', null, 'null', '']]],
  },
])

test('lower bounds are kept and sent back', async (t) => {
  const c = shared()
  for (let round = 0; round < 3; round += 1) {
    const array = await c.fetchVal("select '[2:4]={1,2,3}'::int[]")
    t.deepEqual(array, [1, 2, 3])
    t.deepEqual(Object.keys(array as object), ['0', '1', '2'])
    t.is(await c.fetchVal('select $1::int[]::text', [array]), '[2:4]={1,2,3}')
  }
  const nested = await c.fetchVal("select '[-1:0][5:6]={{a,b},{c,NULL}}'::text[]")
  t.deepEqual(nested, [
    ['a', 'b'],
    ['c', null],
  ])
  t.is(await c.fetchVal('select $1::text[]::text', [nested]), '[-1:0][5:6]={{a,b},{c,NULL}}')
  t.is(
    await c.fetchVal('select $1::tsvector[]::text', [await c.fetchVal("select '[0:1]={a,b}'::tsvector[]")]),
    "[0:1]={'a','b'}",
  )
})

test('an array that is marked with lower bounds and was changed has the marks that fit', async (t) => {
  const c = shared()
  const array = await c.fetchVal<number[]>("select '[2:4]={1,2,3}'::int[]")
  array?.push(4)
  t.is(await c.fetchVal('select $1::int[]::text', [array]), '[2:5]={1,2,3,4}')
  t.is(await c.fetchVal('select $1::int[]::text', [array?.map((n) => n * 2)]), '{2,4,6,8}')
})

test('arrays of six dimensions', async (t) => {
  const c = shared()
  const deep = [[[[[[1, 2]]]]], [[[[[3, null]]]]]]
  for (let round = 0; round < 3; round += 1) {
    t.deepEqual(await c.fetchVal("select '{{{{{{1,2}}}}},{{{{{3,NULL}}}}}}'::int4[]"), deep)
    t.deepEqual(await c.fetchVal('select $1::int4[]', [deep]), deep)
    t.is(await c.fetchVal('select ($1::tsvector[])::text', [[[[[[['a']]]]]]]), "{{{{{{'a'}}}}}}")
  }
  await t.throwsAsync(c.fetch('select $1::int4[]', [[deep]]), {
    instanceOf: DataError,
    message: /\$1.*6 dimensions/,
  })
})

test('empty arrays of any depth are the empty array', async (t) => {
  const c = shared()
  for (const empty of [[], [[]], [[], []]]) {
    for (const type of ['int4', 'text', 'tsvector', 'box', 'numrange']) {
      t.is(await c.fetchVal(`select ($1::${type}[])::text`, [empty]), '{}', type)
    }
  }
})

test('a parameter may be an array that a column holds', async (t) => {
  const c = shared()
  await c.execute(`create table ${schema}.tagged (id int, tags text[])`)
  await c.executeMany(`insert into ${schema}.tagged values ($1, $2)`, [
    [1, ['a', 'b']],
    [2, ['c', '"quoted", {braces}']],
  ])
  t.is(await c.fetchVal(`select id from ${schema}.tagged where $1 = any(tags)`, ['c']), 2)
  t.is(await c.fetchVal(`select id from ${schema}.tagged where $1 = any(tags)`, ['"quoted", {braces}']), 2)
  t.is(await c.fetchVal(`select count(*) from ${schema}.tagged where id = any($1)`, [[1, 2, 3]]), 2)
})

test("PostgreSQL's text of an array is taken for any", async (t) => {
  const c = shared()
  const texts: readonly (readonly [type: string, text: string])[] = [
    ['int4', '{1,2,NULL}'],
    ['int4', '[0:1]={1,2}'],
    ['text', '{a,"b \\"c\\"",NULL,"NULL"}'],
    ['box', '{(3,4),(1,2);(1,1),(0,0)}'],
    ['tsvector', '{a,b}'],
  ]
  for (const [type, text] of texts) {
    for (let round = 0; round < 2; round += 1) {
      t.is(
        await c.fetchVal(`select ($1::${type}[])::text`, [text]),
        await c.fetchVal(`select '${text}'::${type}[]::text`),
      )
    }
  }
})

test('arrays that do not fit the mailbox', async (t) => {
  const c = shared()
  const numbers = Array.from({ length: 200_000 }, (_, index) => index)
  t.deepEqual(await c.fetchVal('select array_agg(n order by n) from generate_series(0, 199999) n'), numbers)
  t.deepEqual(await c.fetchVal('select $1::int4[]', [numbers]), numbers)
  const texts = numbers.slice(0, 70_000).map((n) => `ü${n}`)
  t.deepEqual(await c.fetchVal('select $1::text[]', [texts]), texts)
  t.deepEqual(
    await c.fetchVal('select $1::text[]::tsvector[]::text[]', [texts.slice(0, 500)]),
    texts.slice(0, 500).map((x) => `'${x}'`),
  )
})

test('sparse arrays and undefined are NULL', async (t) => {
  const c = shared()
  const sparse = [1, 2, 3]
  delete sparse[1]
  t.is(await c.fetchVal('select ($1::int4[])::text', [sparse]), '{1,NULL,3}')
  t.is(await c.fetchVal('select ($1::text[])::text', [['a', undefined]]), '{a,NULL}')
})

test("system catalogs' vectors are arrays of numbers", async (t) => {
  const c = await connection(t)
  const [row] = await c.fetch<{ indkey: number[]; indclass: number[] }>(
    "select indkey, indclass from pg_index where indexrelid = 'pg_class_relname_nsp_index'::regclass",
  )
  t.true(row?.indkey.every((key) => typeof key === 'number'))
  t.is(row?.indclass.length, 2)
  const again = 'select indexrelid::regclass from pg_index where indkey = $1 and indrelid = $2::regclass'
  t.is(await c.fetchVal(again, [row?.indkey, 'pg_class']), 'pg_class_relname_nsp_index')
})

testRefusals([
  ['int4[]', [[1, 2], [3]]],
  ['int4[]', [1, [2]]],
  ['int4[]', [[1], 2]],
  ['text[]', {}],
  ['text[]', new Map()],
  ['bool[]', [[true], ['yes']], /element 2.*"yes"/],
  [`${schema}.integers`, ['x'], /element 1.*"x"/, 'int4'],
])

test('an array that is longer than any can be is refused, and the process goes on', async (t) => {
  const c = await connection(t)
  const holes = Object.assign([], { length: 2 ** 32 - 1 })
  const [row, rows] = [Array(2 ** 12).fill(1), Array(2 ** 12)]
  for (const use of ['cold', 'warm']) {
    for (const [type, value] of [
      ['int4[]', holes],
      ['text[]', holes],
      ['jsonb[]', holes],
      ['int4', holes],
      ['int4range', holes],
      ['polygon', { points: holes }],
      ['int4[]', [holes]],
      ['int4[]', rows.fill(row)],
    ] as const) {
      await t.throwsAsync(
        c.fetchVal(`select $1::${type}`, [value]),
        { instanceOf: DataError, message: /^parameter \$1\b.*: invalid input/ },
        `${type}, ${use}`,
      )
    }
    // Each element is one, and together they are too many.
    await t.throwsAsync(c.fetchVal('select $1::int4[], $2::int4[]', [Array(2 ** 23), Array(2 ** 23)]), {
      instanceOf: InterfaceError,
      message: 'the parameters have too many elements',
    })
  }
  t.is(await c.fetchVal('select cardinality($1::int4[])', [Array(2 ** 20)]), 2 ** 20)
})
