import test from 'ava'
import { DataError, InterfaceError } from 'oxpg'
import { schema, shared, type TypeRow, testRefusals, testTypes } from '../support/type-table.js'

/** Text with everything that PostgreSQL's literals of arrays, composites and ranges have to quote. */
const awkward: readonly TypeRow[] = [
  ["''", ''],
  ["' '", ' '],
  ["'NULL'", 'NULL'],
  ["'null'", 'null'],
  ["'empty'", 'empty'],
  [`'a,b (c) [d] {e} "f" ''g'' \\h;'`, `a,b (c) [d] {e} "f" 'g' \\h;`],
  [`E'line\\nfeed\\ttab\\rreturn\\x0b\\x0c'`, 'line\nfeed\ttab\rreturn\v\f'],
  [`'""'`, '""'],
  [`'\\\\'`, '\\\\'],
  ["'Grüße, 世界 😀'", 'Grüße, 世界 😀'],
  ["U&'e\\0301\\200D\\FEFF\\+10FFFF'", 'e\u0301\u200d\ufeff\u{10ffff}'],
]

testTypes([
  { type: 'text', rows: awkward },
  { type: 'varchar', rows: awkward },
  {
    type: 'varchar(3)',
    rows: [
      ["'abc'", 'abc'],
      ["'ü'", 'ü'],
    ],
  },
  {
    type: 'bpchar',
    rows: [
      ["'abc'", 'abc'],
      ["'a,b'", 'a,b'],
    ],
  },
  {
    type: 'char(5)',
    rows: [
      ["'abc'", 'abc  '],
      ["'a\"b'", 'a"b  '],
    ],
  },
  {
    type: 'name',
    rows: [
      ["'pg_class'", 'pg_class'],
      [`'Quoted "name"'`, 'Quoted "name"'],
    ],
  },
  {
    type: '"char"',
    rows: [
      ["'x'", 'x'],
      ["''", ''],
      ["'\"'", '"'],
      ["'\\'", '\\'],
      ["','", ','],
      ["' '", ' '],
      // The text of the upper half is octal only since version 16.
      ["'\\310'", '\\310', { since: 16 }],
    ],
  },
  {
    type: `${schema}.mood`,
    create: `create type ${schema}.mood as enum ('sad', 'so, so', 'very "happy"', 'größer')`,
    rows: [
      ["'sad'", 'sad'],
      ["'so, so'", 'so, so'],
      [`'very "happy"'`, 'very "happy"'],
      ["'größer'", 'größer'],
    ],
  },
  {
    type: 'xml',
    probe: "select '<a/>'::xml",
    lacks: ['equality', 'ranges'],
    rows: [
      ['\'<a b="1">x &amp; y</a>\'', '<a b="1">x &amp; y</a>'],
      ["'<ä>😀</ä>'", '<ä>😀</ä>'],
    ],
  },
  { type: 'refcursor', lacks: ['equality', 'ranges'], rows: [["'my cursor'", 'my cursor']] },
  {
    type: 'tsvector',
    lacks: ['records'],
    rows: [
      ["''", ''],
      ["'a:1A fat:2B,4C cat''s:5'", "'a':1A 'cat''s':5 'fat':2B,4C"],
      [`'" , \\\\ '`, `'"' ',' '\\\\'`, { parameter: `'"' ',' '\\\\'` }],
    ],
  },
  {
    type: 'tsquery',
    lacks: ['records'],
    rows: [
      ["'fat & (rat | !cat:ab)'", "'fat' & ( 'rat' | !'cat':AB )"],
      ["'a <-> b <2> c:*'", "'a' <-> 'b' <2> 'c':*"],
    ],
  },
  {
    type: 'jsonpath',
    lacks: ['equality', 'ranges'],
    rows: [
      ["'$.a[*] ? (@.b > 1)'", '$."a"[*]?(@."b" > 1)'],
      ["'strict $'", 'strict $'],
    ],
  },
  {
    type: 'money',
    lacks: ['records'],
    rows: [
      ["'1234.5'", '$1,234.50'],
      ["'-0.01'", '-$0.01'],
      ["'92233720368547758.07'", '$92,233,720,368,547,758.07'],
    ],
  },
])

const SURROGATES = { first: 0xd800, last: 0xdfff }
const CHUNK = 0x4000

/** All code points from `first` that text can have: not NUL, no halves of surrogate pairs. */
function codePoints(first: number): number[] {
  return Array.from({ length: CHUNK }, (_, index) => first + index).filter(
    (point) => point !== 0 && (point < SURROGATES.first || point > SURROGATES.last),
  )
}

test('text of every code point', async (t) => {
  const c = shared()
  for (let first = 0; first <= 0x10ffff; first += CHUNK) {
    const points = codePoints(first)
    const text = String.fromCodePoint(...points)
    const [sent, back, read] = (await c.fetchRow<[Buffer, string, string]>(
      `select convert_to($1::text, 'UTF8') as sent, $1::text as back,
          (select string_agg(chr(point), '' order by place) from unnest($2::int4[]) with ordinality p (point, place)) as read`,
      [text, points],
      { rowMode: 'array' },
    ))!
    t.true(Buffer.from(text).equals(sent), `sent from U+${first.toString(16)}`)
    t.true(back === text, `read back from U+${first.toString(16)}`)
    t.true(read === text, `read from U+${first.toString(16)}`)
  }
})

test('every code point of the lowest plane as an element of an array, in both formats', async (t) => {
  const c = shared()
  await c.execute(`create type ${schema}.texts as (texts text[], acl aclitem)`)
  const points = codePoints(0).filter((point) => point < 0x3000)
  const texts = points.map((point) => String.fromCodePoint(point))
  const read = `select array_agg(chr(point) order by place) from unnest($1::int4[]) with ordinality p (point, place)`
  t.deepEqual(await c.fetchVal(read, [points]), texts)
  t.true(await c.fetchVal(`select $1::text[] = (${read.replace('$1', '$2')})`, [texts, points]))
  const composite = await c.fetchVal<{ texts: string[] }>(`select row((${read}), null)::${schema}.texts`, [
    points,
  ])
  t.deepEqual(composite?.texts, texts)
  t.true(
    await c.fetchVal(`select ($1::${schema}.texts).texts = (${read.replace('$1', '$2')})`, [
      { texts, acl: null },
      points,
    ]),
  )
})

test('long text of every width, alone and in an array', async (t) => {
  const c = shared()
  for (const character of ['a', 'ü', '世', '😀']) {
    for (const length of [1000, 16_384, 70_000, 1_000_000]) {
      const text = character.repeat(length)
      t.true((await c.fetchVal(`select repeat('${character}', ${length})`)) === text)
      t.true(await c.fetchVal(`select $1 = repeat('${character}', ${length})`, [text]))
      const array = await c.fetchVal<string[]>(`select array[repeat('${character}', ${length}), 'x']`)
      t.true(array?.[0] === text && array[1] === 'x')
    }
  }
})

test('halves of surrogate pairs are refused, in values and in queries', async (t) => {
  const c = shared()
  for (const text of ['\ud800', 'a\udfffb', '\udc00\ud800', 'x\ud83d', `${'é'.repeat(5000)}\ud83d`]) {
    const message = /parameter \$1.*halves of surrogate pairs/
    for (const type of ['text', 'text[]', 'json', 'varchar']) {
      const value = type === 'text[]' ? ['fine', text] : type === 'json' ? JSON.stringify('x') + text : text
      await t.throwsAsync(c.fetchVal(`select $1::${type}`, [value]), { instanceOf: DataError, message })
      await t.throwsAsync(c.fetchVal(`select $1::${type}`, [value]), { instanceOf: DataError, message })
    }
    await t.throwsAsync(c.executeMany('select $1::text', [['fine'], [text]]), {
      instanceOf: DataError,
      message,
    })
    const query = `select '${text}'`
    for (const call of [
      () => c.fetch(query),
      () => c.execute(query),
      () => c.execute(query, []),
      () => c.prepare(query),
    ]) {
      await t.throwsAsync(call, { instanceOf: InterfaceError, message: /half of a surrogate pair/ })
    }
  }
  t.is(await c.fetchVal('select $1::text', ['😀'.repeat(3000)]), '😀'.repeat(3000))
})

test('NUL is refused wherever text can be', async (t) => {
  const c = shared()
  await c.execute(`create type ${schema}.labelled as (id int4, label text)`)
  const bad = 'nul \0 inside'
  const places: readonly (readonly [type: string, value: unknown, place: RegExp])[] = [
    ['text', bad, /\$1/],
    ['varchar', bad, /\$1/],
    ['json', JSON.stringify('a') + bad, /\$1/],
    ['tsvector', bad, /\$1/],
    ['text[]', ['fine', bad], /\$1.*element 2/],
    ['tsvector[]', ['fine', bad], /\$1/],
    [`${schema}.labelled`, { id: 1, label: bad }, /\$1.*"label"/],
    [
      `${schema}.labelled[]`,
      [
        { id: 1, label: 'fine' },
        { id: 2, label: bad },
      ],
      /\$1.*element 2.*"label"/,
    ],
    [`${schema}.mood`, bad, /\$1/],
    ['xml', bad, /\$1/],
  ]
  for (const [type, value, place] of places) {
    for (let round = 0; round < 2; round += 1) {
      const error = await t.throwsAsync(
        c.fetch(`select $1::${type}, nextval('${schema}.executions')`, [value]),
        { instanceOf: DataError, message: /NUL/ },
        type,
      )
      t.regex(error?.message ?? '', place)
    }
  }
  t.false(await c.fetchVal(`select is_called from ${schema}.executions`))
})

testRefusals([
  ['text', 5, /: 5 /],
  ['text', {}, /an object/],
  ['text', ['a'], /\["a"\]/],
  ['varchar', true, /true/],
  ['text', 'nul \0 inside', /NUL/],
  ['"char"', 'ab', /"ab"/],
  ['"char"', 'ü'],
  [`${schema}.mood`, 1, /: 1 /],
  ['text[]', 7, /: 7 /],
  ['xml', 5],
  ['tsvector', Symbol('lexeme')],
])
