// Rows as queries give them, through what takes data apart: a row has to arrive as what it was.

import { deepStrictEqual } from 'node:assert'
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import * as devalue from 'devalue'
import { produce } from 'immer'
import * as lodash from 'lodash'
import { deserialize, serialize } from 'seroval'
import superjson from 'superjson'
import { z } from 'zod'
import { connection, url } from '../support/server.js'

/** A row with what people keep in tables: numbers, text, a moment, NULL, arrays, JSON, a composite value. */
const QUERY = `
  select 1 as id, 'Ivan' as name, timestamptz '2024-01-02 03:04:05+00' as at, null as nothing, true as ok,
    array['a', 'b'] as tags, '{"deep": [1, {"x": null}]}'::jsonb as body, row(7, 'x') as part, 5::int8 as large`
/** Columns of the same name, as joins have them. */
const JOINED = 'select 1 as id, 2 as id, 3 as "0"'

/** Such a row has a `toJSON` that is not enumerable. */
const BIG = 'select 1 as id, 9007199254740993::int8 as big, array[9007199254740993] as list'
const BIG_ROW = { id: 1, big: 9007199254740993n, list: [9007199254740993n] }

const IVAN = {
  id: 1,
  name: 'Ivan',
  at: new Date('2024-01-02T03:04:05Z'),
  nothing: null,
  ok: true,
  tags: ['a', 'b'],
  body: { deep: [1, { x: null }] },
  part: { f1: 7, f2: 'x' },
  large: 5,
}

/** By the loop, by compiled code, and columns of the same name. */
async function rowsOf(
  t: Parameters<typeof connection>[0],
): Promise<[row: typeof IVAN, row: typeof IVAN, joined: object]> {
  const c = await connection(t)
  const first = (await c.fetchRow<typeof IVAN>(QUERY))!
  const second = (await c.fetchRow<typeof IVAN>(QUERY))!
  return [first, second, (await c.fetchRow(JOINED))!]
}

const JOINED_ROW = { 0: 3, id: 2 }

for (const [name, copyOf] of [
  ['structuredClone', (value: unknown) => structuredClone(value)],
  ['devalue', (value: unknown) => devalue.parse(devalue.stringify(value))],
  ["devalue's code", (value: unknown) => new Function(`return ${devalue.uneval(value)}`)()],
  ['superjson', (value: unknown) => superjson.parse(superjson.stringify(value))],
  ['seroval', (value: unknown) => deserialize(serialize(value))],
  ['lodash cloneDeep', (value: unknown) => lodash.cloneDeep(value)],
] as const) {
  test(`${name} gives the row again`, async (t) => {
    const [first, second, joined] = await rowsOf(t)
    deepStrictEqual(copyOf([first, second, joined]), [IVAN, IVAN, JOINED_ROW])
    const big = await (await connection(t)).fetchRow(BIG)
    deepStrictEqual(copyOf({ big }), { big: BIG_ROW })
    t.is(JSON.stringify(big), '{"id":1,"big":"9007199254740993","list":["9007199254740993"]}')
  })
}

test('deep equality takes a row for the object that it is', async (t) => {
  const [first, second, joined] = await rowsOf(t)
  for (const row of [first, second]) {
    t.true(lodash.isEqual(row, IVAN))
    t.true(lodash.isPlainObject(row))
    t.true(isDeepStrictEqual(row, IVAN))
    // toStrictEqual of Jest compares the constructors and all own keys.
    t.is(row.constructor, Object)
    t.deepEqual(Reflect.ownKeys(row), Object.keys(IVAN))
    t.deepEqual(row, IVAN)
  }
  t.true(lodash.isEqual(joined, JOINED_ROW))
  t.true(isDeepStrictEqual(joined, JOINED_ROW))
})

test('immer makes drafts of rows', async (t) => {
  const [first] = await rowsOf(t)
  const changed = produce({ rows: [first] }, (draft) => {
    draft.rows[0]!.name = 'Olga'
    draft.rows[0]!.part.f1 = 8
  })
  t.deepEqual(changed.rows[0], { ...IVAN, name: 'Olga', part: { f1: 8, f2: 'x' } })
  t.deepEqual(first, IVAN)
})

test('zod takes rows for objects and records', async (t) => {
  const [first, second] = await rowsOf(t)
  const person = z.strictObject({
    id: z.number(),
    name: z.string(),
    at: z.date(),
    nothing: z.null(),
    ok: z.boolean(),
    tags: z.array(z.string()),
    body: z.record(z.string(), z.unknown()),
    part: z.record(z.string(), z.union([z.number(), z.string()])),
    large: z.number(),
  })
  t.deepEqual(z.array(person).parse([first, second]), [IVAN, IVAN])
  t.deepEqual(z.record(z.string(), z.unknown()).parse(first), IVAN)
})

/** Renders rows as a server component does: a process of its own, since React's server is another React. */
const FLIGHT = `
  const { connect } = require('oxpg')
  const { renderToPipeableStream } = require('react-server-dom-webpack/server.node')
  connect(process.env.OXPG_TEST_URL).then(async (connection) => {
    const rows = []
    for (const query of JSON.parse(process.argv[1])) rows.push((await connection.fetch(query))[0])
    await connection.close()
    renderToPipeableStream({ rows }, {}).pipe(process.stdout)
  })`

interface FlightClient {
  createFromNodeStream(stream: Readable, manifest: object): PromiseLike<{ rows: object[] }>
}

test("rows cross from React's server components, and React has nothing to say about them", async (t) => {
  const flags = ['--conditions=react-server', '-e', FLIGHT, JSON.stringify([QUERY, QUERY, JOINED])]
  const env = { ...process.env, OXPG_TEST_URL: url, NODE_ENV: 'development' }
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve, reject) => {
    execFile(process.execPath, flags, { env }, (error, out, errors) =>
      error === null ? resolve({ stdout: out, stderr: errors }) : reject(error),
    )
  })
  t.is(stderr, '')
  const client = createRequire(__filename)('react-server-dom-webpack/client.node') as FlightClient
  const manifest = { moduleMap: {}, serverModuleMap: null, moduleLoading: null }
  const { rows } = await client.createFromNodeStream(Readable.from([Buffer.from(stdout)]), manifest)
  deepStrictEqual(rows, [IVAN, IVAN, JOINED_ROW])
})
