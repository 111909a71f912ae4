// Tuples of dates and times: the numbers that PostgreSQL keeps, as asyncpg has them.
import test, { type ExecutionContext } from 'ava'
import { type Connection, DataError, Range } from 'oxpg'
import { connection } from '../support/server.js'

const MOST = 2n ** 63n - 1n
const LEAST = -(2n ** 63n)

/** A connection whose type has the tuple itself as its value. */
async function withTuples(t: ExecutionContext, ...names: string[]): Promise<Connection> {
  const c = await connection(t, { rowMode: 'object' })
  for (const name of names) {
    await c.setTypeCodec<readonly unknown[]>(name, {
      schema: 'pg_catalog',
      format: 'tuple',
      encode: (tuple) => tuple,
      decode: (tuple) => tuple,
    })
  }
  return c
}

/** Type, its literal, and its tuple. */
const tuples: readonly (readonly [type: string, literal: string, tuple: readonly unknown[]])[] = [
  ['date', '2000-01-01', [0]],
  ['date', '1999-12-31', [-1]],
  ['date', '2024-02-29', [8825]],
  ['date', '0001-01-01', [-730119]],
  ['date', '0001-12-31 BC', [-730120]],
  ['date', '4714-11-24 BC', [-2451545]],
  ['date', '5874897-12-31', [2145031948]],
  ['date', 'infinity', [2147483647]],
  ['date', '-infinity', [-2147483648]],
  ['time', '00:00:00', [0]],
  ['time', '12:34:56.789012', [45296789012]],
  ['time', '24:00:00', [86400000000]],
  ['timetz', '12:34:56.000001+00', [45296000001, 0]],
  ['timetz', '12:34:56+02', [45296000000, -7200]],
  ['timetz', '12:34:56-05:30', [45296000000, 19800]],
  ['timetz', '00:00:00.1+15:59:59', [100000, -57599]],
  ['timestamp', '2000-01-01 00:00:00', [0n]],
  ['timestamp', '1999-12-31 23:59:59.999999', [-1n]],
  ['timestamp', '2024-02-29 12:34:56.789012', [762525296789012n]],
  ['timestamp', '4714-11-24 00:00:00 BC', [-211813488000000000n]],
  // Counted from 1970, the next would be the end of int64, which is infinity.
  ['timestamp', '294247-01-10 04:00:54.775806', [9222425352054775806n]],
  ['timestamp', 'infinity', [MOST]],
  ['timestamp', '-infinity', [LEAST]],
  ['timestamptz', '2000-01-01 00:00:00+00', [0n]],
  ['timestamptz', '2024-02-29 12:34:56.789012+02', [762518096789012n]],
  ['timestamptz', '-infinity', [LEAST]],
  ['timestamptz', 'infinity', [MOST]],
  ['interval', '0', [0, 0, 0n]],
  ['interval', '1 year 2 mons 3 days 04:05:06.789012', [14, 3, 14706789012n]],
  ['interval', '-1 mons +2 days -00:00:00.000001', [-1, 2, -1n]],
  ['interval', '-178000000 years', [-2136000000, 0, 0n]],
  ['interval', 'infinity', [2147483647, 2147483647, MOST]],
  ['interval', '-infinity', [-2147483648, -2147483648, LEAST]],
]

for (const [type, literal, tuple] of tuples) {
  test(`${type} '${literal}' is ${tuple.join(', ')}`, async (t) => {
    const c = await withTuples(t, type)
    // Intervals have infinities from PostgreSQL 17 on.
    if (type === 'interval' && literal.endsWith('infinity') && c.serverVersion.major < 17) {
      t.pass()
      return
    }
    await c.execute("set timezone = 'UTC'")
    t.deepEqual(await c.fetchVal(`select '${literal}'::${type}`), tuple)
    t.true(await c.fetchVal<boolean>(`select $1::${type} = '${literal}'::${type}`, [tuple]))
    t.deepEqual(await c.fetchVal(`select $1::${type}`, [tuple]), tuple)
    t.deepEqual(await c.fetchVal(`select $1::${type}[]`, [[tuple, null]]), [tuple, null])
    t.deepEqual(await c.fetchVal(`select row('${literal}'::${type}, null::${type})`), { f1: tuple, f2: null })
  })
}

test('tuples do not depend on the time zone of the session', async (t) => {
  const c = await withTuples(t, 'timestamptz', 'timetz', 'date')
  await c.execute(
    "set timezone = 'Asia/Kathmandu'; set datestyle = 'SQL, DMY'; set intervalstyle = 'iso_8601'",
  )
  t.deepEqual(await c.fetchVal("select '2000-01-01 05:45'::timestamptz"), [0n])
  t.true(await c.fetchVal<boolean>("select $1::timestamptz = '2000-01-01 05:45'", [[0n]]))
  t.true(await c.fetchVal<boolean>("select $1::date = '02-01-2000'", [[1]]))
  t.true(await c.fetchVal<boolean>("select $1::timetz = '01:00+05:45'", [[3600000000, -20700]]))
})

test('numbers and bigints are both taken', async (t) => {
  const c = await withTuples(t, 'timestamp', 'date', 'interval')
  t.deepEqual(await c.fetchVal('select $1::timestamp', [[1]]), [1n])
  t.deepEqual(await c.fetchVal('select $1::date', [[1n]]), [1])
  t.deepEqual(await c.fetchVal('select $1::interval', [[1n, 2n, 3]]), [1, 2, 3n])
})

test('what is no such tuple is refused', async (t) => {
  const c = await withTuples(t, 'date', 'time', 'timetz', 'timestamp', 'interval')
  for (const [type, wrong] of [
    ['date', [1.5]],
    ['date', [1, 2]],
    ['date', []],
    ['date', ['2024-01-01']],
    ['date', [2147483648]],
    ['time', [-1]],
    ['time', [86400000001]],
    ['timetz', [0]],
    ['timetz', [0, 57600]],
    ['timestamp', [MOST + 1n]],
    ['timestamp', [1.5]],
    ['interval', [1, 2]],
    ['interval', [1, 2, 'x']],
    ['interval', [2147483648, 0, 0]],
  ] as const) {
    await t.throwsAsync(
      c.fetchVal(`select $1::${type}`, [wrong]),
      { instanceOf: DataError, message: new RegExp(`pg_catalog\\.${type}: encode returned`) },
      `${type} ${wrong.map(String)}`,
    )
  }
  t.deepEqual(await c.fetchVal('select $1::date', [[5]]), [5])
})

test('tuples inside ranges and multiranges', async (t) => {
  const c = await withTuples(t, 'date', 'timestamptz')
  t.deepEqual(await c.fetchVal("select '[2000-01-02,2000-01-05)'::daterange"), new Range([1], [4]))
  t.deepEqual(await c.fetchVal('select $1::daterange', [new Range([1], [4])]), new Range([1], [4]))
  if (c.serverVersion.major < 14) return
  t.deepEqual(await c.fetchVal('select $1::tstzmultirange', [[new Range([0n], [5n])]]), [
    new Range([0n], [5n]),
  ])
})
