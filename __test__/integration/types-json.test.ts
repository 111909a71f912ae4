import test from 'ava'
import { json } from 'oxpg'
import { connection } from '../support/server.js'
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

test('objects, arrays, numbers and booleans are encoded without a mark, strings are JSON already', async (t) => {
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
      's',
      null,
      null,
    ])
    t.is(await c.fetchVal(`select $1::${type} is null`, [json(null)]), false)
    t.is(await c.fetchVal(`select $1::${type} is null`, [null]), true)
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
