import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import type { Connection } from 'oxpg'
import { connection, pool } from '../support/server.js'

/** A mutable decimal, as some libraries have them. */
class Decimal {
  digits = '0'
  toString() {
    return this.digits
  }
}

/** A source that uses the same objects for every row, as generators do. */
function* reusing(count: number) {
  const at = new Date(0)
  const tags = [0]
  const doc = { n: 0, deep: [{ n: 0 }] }
  const bytes = Buffer.alloc(1)
  const price = new Decimal()
  const row: unknown[] = [0, at, tags, doc, bytes, price]
  for (let i = 1; i <= count; i++) {
    row[0] = i
    at.setTime(i * 1000)
    tags[0] = i
    doc.n = i
    doc.deep[0]!.n = i
    bytes[0] = i % 256
    price.digits = `${i}.5`
    yield row
  }
}

async function* reusingLater(count: number) {
  for (const row of reusing(count)) {
    if ((row[0] as number) % 500 === 0) await turn()
    yield row
  }
}

const TABLE = 'create temp table t (i int, at timestamptz, tags int[], doc jsonb, bytes bytea, price numeric)'
const WRONG = `select count(*) from t where extract(epoch from at) <> i or tags <> array[i]
  or doc <> jsonb_build_object('n', i, 'deep', jsonb_build_array(jsonb_build_object('n', i)))
  or get_byte(bytes, 0) <> i % 256 or price <> i + 0.5`

for (const [source, make] of [
  ['a generator', reusing],
  ['an asynchronous generator', reusingLater],
] as const) {
  test(`executeMany takes the values of a row when ${source} gives it`, async (t) => {
    const c = await connection(t)
    await c.execute(TABLE)
    t.is(await c.executeMany('insert into t values ($1, $2, $3, $4, $5, $6)', make(2500)), 2500)
    t.is(await c.fetchVal('select count(*) from t'), 2500)
    t.is(await c.fetchVal(WRONG), 0)
  })
}

test('fetchMany and prepared statements take them as well', async (t) => {
  const c = await connection(t)
  const values = (rows: Record<string, unknown>[]) => rows.map(({ tags }) => (tags as number[])[0])
  const wanted = Array.from({ length: 1500 }, (_, index) => index + 1)
  const source = function* () {
    for (const [, , tags] of reusing(1500)) yield [tags]
  }
  t.deepEqual(values(await c.fetchMany('select $1::int[] as tags', source())), wanted)
  const statement = await c.prepare('select $1::int[] as tags, 1')
  t.deepEqual(values(await statement.fetchMany(source())), wanted)
})

async function sendsThree(c: Pick<Connection, 'fetchVal'>, text: string): Promise<unknown[]> {
  const ids = [0]
  const home = { street: [''] }
  const calls = [1, 2, 3].map((i) => {
    ids[0] = i
    home.street[0] = `street ${i}`
    const call = c.fetchVal(text, [ids, home])
    ids[0] = 9
    home.street.fill('elsewhere')
    return call
  })
  return Promise.all(calls)
}

test('a single call takes its values, whether or not the text was used before', async (t) => {
  const c = await connection(t)
  const p = await pool(t)
  const text = "select ($1::int[])[1] || ' ' || ($2::jsonb -> 'street' ->> 0)"
  const wanted = ['1 street 1', '2 street 2', '3 street 3']
  for (const queryable of [c, p]) {
    t.deepEqual(await sendsThree(queryable, text), wanted)
    t.deepEqual(await sendsThree(queryable, text), wanted)
  }
})

test('a call that is made while another one is written takes its values', async (t) => {
  const c = await connection(t)
  await c.fetchVal('select $1::jsonb', [{}])
  await c.fetchVal('select $1::int[]', [[0]])
  const ids = [1]
  let inner: Promise<unknown> | undefined
  const outer = c.fetchVal('select $1::jsonb', [
    {
      toJSON() {
        inner = c.fetchVal('select $1::int[]', [ids])
        ids[0] = 2
        return { a: 1 }
      },
    },
  ])
  ids[0] = 3
  t.deepEqual(await outer, { a: 1 })
  t.deepEqual(await inner, [1])
})

test('bytes are taken when the value is, whatever another parameter does to them', async (t) => {
  const c = await connection(t)
  const text = 'select md5($1::bytea) as bytes, $2::json as meta'
  const wanted = async (length: number) => c.fetchVal("select md5(decode(repeat('41', $1), 'hex'))", [length])
  for (const length of [4_000, 10_000, 100_000]) {
    for (const use of ['cold', 'warm']) {
      const bytes = new Uint8Array(length).fill(65)
      const meta = {
        toJSON() {
          structuredClone(bytes, { transfer: [bytes.buffer] })
          return length
        },
      }
      const row = await c.fetchRow(`${text} /* ${length} */`, [bytes, meta])
      t.deepEqual({ ...row }, { bytes: await wanted(length), meta: length }, use)
    }
  }
  const filled = Buffer.alloc(10_000, 65)
  const meta = { toJSON: () => filled.fill(66).length }
  t.is((await c.fetchRow(text, [filled, meta]))?.bytes, await wanted(10_000))
})

test('bytes within other values are taken when the value is', async (t) => {
  const c = await connection(t)
  const text = "select md5(array_to_string($1::bytea[], ''))"
  const length = 20_000
  for (const use of ['cold', 'warm']) {
    const bytes = new Uint8Array(length).fill(65)
    const list: unknown[] = [bytes]
    Object.defineProperty(list, 1, {
      enumerable: true,
      get() {
        if (bytes.byteLength > 0) structuredClone(bytes, { transfer: [bytes.buffer] })
        return Buffer.of(65)
      },
    })
    const wanted = await c.fetchVal("select md5('\\x' || repeat('41', $1) || '\\x41')", [length])
    t.is(await c.fetchVal(text, [list]), wanted, use)
  }
})

test('sizes are those of the memory, whatever an object says of itself', async (t) => {
  const c = await connection(t)
  await c.fetchVal('select $1::text', ['warm'])
  await c.fetchVal('select $1::bytea', [Buffer.from('warm')])
  for (const lie of [-6, 0, 3, 1e9, Number.NaN, '5']) {
    const liar = Buffer.alloc(10, 65)
    for (const name of ['length', 'byteLength', 'byteOffset'])
      Object.defineProperty(liar, name, { value: lie })
    const view = new DataView(new ArrayBuffer(10), 2, 4)
    for (const name of ['byteLength', 'byteOffset']) Object.defineProperty(view, name, { value: lie })
    const [before, bytes, viewed, after, uuid] = await Promise.all([
      c.fetchVal('select $1::text', ['hello world']),
      c.fetchVal('select $1::bytea', [liar]),
      c.fetchVal('select $1::bytea', [view]),
      c.fetchVal('select $1::text', ['ZZZZ']),
      c.fetchVal('select $1::uuid', [
        Object.defineProperty(Buffer.alloc(16, 1), 'byteOffset', { value: lie }),
      ]),
    ])
    t.deepEqual([before, after], ['hello world', 'ZZZZ'])
    t.deepEqual(bytes, Buffer.alloc(10, 65))
    t.deepEqual(viewed, Buffer.alloc(4))
    t.is(uuid, '01010101-0101-0101-0101-010101010101')
  }
})

test('a call that waits for its connection, or its first row, has taken its values', async (t) => {
  const c = await connection(t)
  const p = await pool(t)
  const hooked = await pool(t, { setup: () => {}, maxSize: 1 })
  const context = p.withContext({ settings: { 'app.x': '1' } })
  const text = "select ($1::int[])[1] || ' ' || get_byte($2, 0) || ' ' || ($3::jsonb ->> 'a') as x"
  const rowOf = async (rows: AsyncIterable<unknown>) => {
    for await (const { x } of rows as AsyncIterable<{ x: string }>) return x
    return undefined
  }
  type Ask = (params: unknown[]) => Promise<unknown>
  await c.execute(`create function pg_temp.make(name text) returns void language plpgsql as
    $$ begin execute 'create temp table ' || name || ' as select 1 as n'; end $$`)
  let tables = 0
  const ofRows = async (rows: Promise<unknown[]>) => ((await rows)[0] as { x: string }).x
  const asks: Record<string, Ask> = {
    'with hooks, fetchVal': (params) => hooked.fetchVal(text, params),
    'with hooks, fetch': (params) => ofRows(hooked.fetch(text, params)),
    'with hooks, fetchRow': async (params) => (await hooked.fetchRow<{ x: string }>(text, params))?.x,
    'with hooks, run': async (params) => ofRows(hooked.run(text, params).then(({ rows }) => rows)),
    'with hooks, batch': (params) => ofRows(hooked.batch([[text, params]]).then(([rows]) => rows!)),
    'with hooks, stream': (params) => rowOf(hooked.stream(text, params)),
    'a batch that is executed one by one': (params) =>
      ofRows(c.batch(['set local app.x to 1', [text, params]]).then(([, rows]) => rows!)),
    'a batch that cannot be parsed at once': (params) => {
      tables += 1
      const batch = c.batch([
        `select pg_temp.make('taken_${tables}')`,
        [`${text} from taken_${tables}`, params],
      ])
      return ofRows(batch.then(([, rows]) => rows!))
    },
    'a context, stream': (params) => rowOf(context.stream(text, params)),
    'a context of a pool with hooks': (params) =>
      ofRows(hooked.withContext({ settings: { 'app.x': '1' } }).fetch(text, params)),
    'a pool, stream': (params) => rowOf(p.stream(text, params)),
    'a connection, stream': (params) => rowOf(c.stream(text, params)),
  }
  for (const use of ['cold', 'warm']) {
    for (const [what, ask] of Object.entries(asks)) {
      const ids = [1]
      const bytes = Buffer.of(2)
      const doc = { a: 3 }
      const params: unknown[] = [ids, bytes, doc]
      const asked = ask(params)
      ids[0] = 9
      bytes[0] = 9
      doc.a = 9
      params[0] = [8]
      t.is(await asked, '1 2 3', `${what}, ${use}`)
    }
  }
  const stream = c.stream(text, [[1], Buffer.of(2), { a: 3 }])
  const values: [number[], Buffer, { a: number }] = [[1], Buffer.of(2), { a: 3 }]
  const later = c.stream(text, values)
  const tx = await p.begin()
  const cursor = tx.cursor(text, values)
  values[0][0] = 9
  values[1][0] = 9
  values[2].a = 9
  t.is(await rowOf(stream), '1 2 3')
  t.is(await rowOf(later), '1 2 3')
  t.is(await rowOf(cursor), '1 2 3')
  await tx.rollback()
})
