import test from 'ava'
import { DataError, json, sql } from 'oxpg'
import { connection, uniqueName } from '../support/server.js'
import { shared, type TypeRow, testRefusals, testTypes } from '../support/type-table.js'
import { plain } from '../support/values.js'

// What JSON.stringify writes, since json keeps the text that it is given.
const documents: readonly TypeRow[] = [
  [`'{"a":[1,null,"x"]}'`, { a: [1, null, 'x'] }],
  [`'{"a":{"b":1.5},"":{}}'`, { a: { b: 1.5 }, '': {} }],
  ["'[1,2]'", [1, 2]],
  ["'[[1],[2,[3]]]'", [[1], [2, [3]]]],
  ["'[]'", []],
  ["'{}'", {}],
  [`'"text"'`, 'text'],
  [`'"5"'`, '5'],
  ["'5'", 5],
  ["'-1.5'", -1.5],
  ["'true'", true],
  ["'null'", null],
  [
    `'"quotes \\" back\\\\slash, comma {brace} (bracket) \\n"'`,
    'quotes " back\\slash, comma {brace} (bracket) \n',
  ],
  [`'"Grüße 😀"'`, 'Grüße 😀'],
]

testTypes([
  { type: 'json', rows: documents, parameter: json, lacks: ['equality', 'ranges', 'nesting'] },
  { type: 'jsonb', rows: documents, parameter: json, lacks: ['nesting'] },
])

test('objects, arrays, numbers and booleans are encoded without a mark, a string is JSON already', async (t) => {
  const c = shared()
  for (const type of ['json', 'jsonb']) {
    for (const value of [{ a: 1 }, [1, [2]], 1.5, true, 12345678901234567890n]) {
      t.is(
        await c.fetchVal(`select ($1::${type})::jsonb::text`, [value]),
        await c.fetchVal('select $1::jsonb::text', [json(value)]),
      )
    }
    t.is(await c.fetchVal(`select $1::${type} #>> '{}'`, ['"quoted"']), 'quoted')
    t.is(await c.fetchVal(`select $1::${type} #>> '{}'`, [json('"quoted"')]), '"quoted"')
    t.deepEqual(await c.fetchVal(`select $1::${type}[]`, [[{ a: 1 }, [2], '"s"', null, json(null)]]), [
      { a: 1 },
      [2],
      '"s"',
      null,
      null,
    ])
    t.is(await c.fetchVal(`select $1::${type} is null`, [json(null)]), false)
    t.is(await c.fetchVal(`select $1::${type} is null`, [null]), true)
  }
})

test('strings of documents within arrays and composite values are written back as they were read', async (t) => {
  const c = await connection(t)
  const item = uniqueName('item')
  await c.execute(`create type pg_temp.${item} as (doc jsonb, docs json[])`)
  for (const text of [
    '"text"',
    '"42"',
    '"null"',
    '"{\\"a\\": 1}"',
    '{"a": "b"}',
    '["c"]',
    '7',
    '"\\u00e9😀"',
  ]) {
    const list = await c.fetchVal('select array[$1::jsonb, null]', [text])
    t.true(await c.fetchVal('select $1::jsonb[] is not distinct from array[$2::jsonb, null]', [list, text]))
    const row = await c.fetchVal(`select row($1::jsonb, array[$2::json])::pg_temp.${item}`, [text, text])
    const back = await c.fetchRow(
      `select jsonb_build_array((x).doc, ((x).docs)[1]) = jsonb_build_array($2::jsonb, $2::jsonb) as same
         from (select $1::pg_temp.${item} as x) s`,
      [row, text],
    )
    t.true(back?.same, text)
    const nested = await c.fetchVal(`select array[row($1, null)::pg_temp.${item}]`, [text])
    t.true(await c.fetchVal(`select (($1::pg_temp.${item}[])[1]).doc = $2::jsonb`, [nested, text]))
    const asText = await c.fetchVal('select array[$1::jsonb]', [text], { json: 'string' })
    t.true(await c.fetchVal('select ($1::jsonb[])[1] = $2', [asText, text], { json: 'string' }))
  }
})

test('a connection that reads JSON as text writes text within arrays', async (t) => {
  const c = await connection(t, { json: 'string' })
  const list = await c.fetchVal(`select array['"a"', '{"b": 1}']::jsonb[]`)
  t.deepEqual(list, ['"a"', '{"b": 1}'])
  t.true(await c.fetchVal(`select $1::jsonb[] = array['"a"', '{"b": 1}']::jsonb[]`, [list]))
})

class Empty {}
class Full {
  constructor(public a = 1) {}
}

test('what JSON.stringify would empty is refused, wherever it is', async (t) => {
  const c = await connection(t)
  const emptied = [
    Promise.resolve(1),
    sql`now()`,
    new Map([['a', 1]]),
    new Set([1]),
    new WeakMap(),
    new Error('x'),
    /a/,
    new Empty(),
    globalThis.crypto,
  ]
  for (const type of ['json', 'jsonb', 'jsonb[]']) {
    for (const value of emptied) {
      for (const place of [value, { deep: [value] }, json(value), [value]]) {
        for (let use = 0; use < 2; use++) {
          const given = type === 'jsonb[]' ? [place] : place
          const call = c.fetchVal(`select $1::${type} /* ${use} */`, [given])
          await t.throwsAsync(call, {
            instanceOf: DataError,
            message: /JSON.stringify would write it as \{\}/,
          })
        }
      }
    }
    for (const value of [() => 1, Symbol('s')]) {
      await t.throwsAsync(c.fetchVal(`select $1::${type}`, [value]), { instanceOf: DataError })
    }
  }
  for (const [value, text] of [
    [{}, '{}'],
    [{ a: {}, b: '{}' }, '{"a": {}, "b": "{}"}'],
    [Object.create(null), '{}'],
    [new Full(), '{"a": 1}'],
    [new Uint8Array(0), '{}'],
    [[new String('{}'), new Number(5)], '["{}", 5]'],
    [{ toJSON: () => ({}) }, '{}'],
    [await c.fetchRow('select'), '{}'],
  ]) {
    t.is(await c.fetchVal('select $1::jsonb::text', [value]), text as string)
    t.is(await c.fetchVal('select $1::jsonb::text', [value]), text as string)
  }
})

test('a string that is not JSON is refused by the server', async (t) => {
  const c = await connection(t)
  for (const type of ['json', 'jsonb']) {
    await t.throwsAsync(c.fetch(`select $1::${type}`, ['not json']), { code: '22P02' })
  }
  t.is(await c.fetchVal('select 1'), 1)
})

test('the text is there for those who want it, and for parsers of theirs', async (t) => {
  const c = shared()
  const text = '{"big": 12345678901234567890, "a": [1.0]}'
  const marked = '{"big": 12345678901234567890n, "a": [1.0]}'
  const big = (source: string) => source.replaceAll(/\d{17,}/g, (digits) => `${digits}n`)
  for (let round = 0; round < 3; round += 1) {
    t.is(await c.fetchVal('select $1::json', [text], { json: 'string' }), text)
    t.deepEqual(await c.fetchVal('select array[$1::json, null]', [text], { json: 'string' }), [text, null])
    t.is(await c.fetchVal('select $1::json', [text], { json: big }), marked)
    t.deepEqual(plain(await c.fetchVal('select row(array[$1::json])', [text], { json: big })), {
      f1: [marked],
    })
  }
})

test('a document with a key like a property of every object', async (t) => {
  const c = shared()
  const value = await c.fetchVal<{ x?: unknown }>(`select '{"__proto__": {"x": 1}, "constructor": 2}'::jsonb`)
  t.deepEqual(Object.keys(value ?? {}).sort(), ['__proto__', 'constructor'])
  t.is(value?.x, undefined)
  t.is(await c.fetchVal(`select $1::jsonb #>> '{__proto__,x}'`, [value]), '1')
})

const circular: { self?: unknown } = {}
circular.self = circular
testRefusals([
  ['jsonb', () => {}, /a function/],
  ['json', Symbol('x')],
  ['jsonb', Number.NaN, /NaN/],
  ['json', circular],
  ['jsonb', { n: 1n }],
  ['jsonb[]', 5],
])
