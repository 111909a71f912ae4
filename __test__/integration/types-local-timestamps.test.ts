// Before any Date is made: a zone with a summer time.
process.env.TZ = 'America/New_York'

import test from 'ava'
import { type Connection, type FetchOptions, Range } from 'oxpg'
import { connection, pool, uniqueName } from '../support/server.js'

const LOCAL = { timestamp: 'local' } as const

/** Winter, summer, before the zones, the years that Date.UTC takes for others, before Christ, far away. */
const CLOCKS = [
  '2024-01-15 12:00:00',
  '2024-06-01 12:00:00.123',
  '1883-11-18 12:00:00',
  '0099-12-31 23:59:59.999',
  '0001-01-01 00:00:00',
  '0044-03-15 01:02:03 BC',
  '275760-09-12 00:00:00',
]

test('a Date that was read as local finds its row again, and is written as it was', async (t) => {
  const c = await connection(t, LOCAL)
  t.is(new Date(2024, 5, 1).getTimezoneOffset(), 240)
  await c.execute('create temp table t (clock text, at timestamp)')
  for (const clock of CLOCKS) {
    const read = await c.fetchVal<Date>('select $1::timestamp', [clock])
    t.true(read instanceof Date)
    await c.execute('insert into t values ($1, $2)', [clock, read])
    t.is(await c.fetchVal('select $1::timestamp::text', [read]), clock)
  }
  t.is(await c.fetchVal('select count(*) from t where at <> clock::timestamp'), 0)
  t.is(
    await c.executeMany('insert into t values ($1, $2)', [['2024-06-01 12:00', new Date(2024, 5, 1, 12)]]),
    1,
  )
  t.is(await c.fetchVal('select count(*) from t where at <> clock::timestamp'), 0)
})

test('the hour that is missing in spring is the one after it, and the one that comes twice the first', async (t) => {
  const c = await connection(t, LOCAL)
  const back = async (clock: string) => {
    return c.fetchVal('select $1::timestamp::text', [await c.fetchVal('select $1::timestamp', [clock])])
  }
  t.is(await back('2024-03-10 02:30:00'), '2024-03-10 03:30:00')
  t.is(await back('2024-11-03 01:30:00'), '2024-11-03 01:30:00')
})

async function roundTrips(c: Pick<Connection, 'fetchVal'>, options: FetchOptions): Promise<string[]> {
  const read = (text: string) => c.fetchVal<any>(text, [], options)
  const write = (text: string, value: unknown) => c.fetchVal<string>(text, [value], options)
  const range = await read("select tsrange('2024-06-01 12:00', '2024-12-01 12:00')")
  const fields = { lower: new Date(2024, 5, 1, 12), upper: null }
  const written = [
    await write('select $1::timestamp[]::text', await read("select array[[timestamp '2024-06-01 12:00']]")),
    await write('select $1::tsrange::text', range),
    await write('select $1::tsrange::text', fields),
    await write('select $1::tsrange[]::text', [range]),
    await write(
      'select $1::tsmultirange::text',
      await read("select tsmultirange(tsrange('2024-06-01 12:00', null))"),
    ),
  ]
  return written as string[]
}

const WRITTEN = [
  '{{"2024-06-01 12:00:00"}}',
  '["2024-06-01 12:00:00","2024-12-01 12:00:00")',
  '["2024-06-01 12:00:00",)',
  '{"[\\"2024-06-01 12:00:00\\",\\"2024-12-01 12:00:00\\")"}',
  '{["2024-06-01 12:00:00",)}',
]

test('so in arrays and ranges, by the option of a call, a connection and a pool', async (t) => {
  const c = await connection(t)
  t.deepEqual(await roundTrips(c, LOCAL), WRITTEN)
  t.deepEqual(await roundTrips(await connection(t, LOCAL), {}), WRITTEN)
  t.deepEqual(await roundTrips(await pool(t, LOCAL), {}), WRITTEN)
  const utc = (await roundTrips(c, {}))[0]
  t.is(utc, WRITTEN[0])
})

test('so in composite values and domains; timestamptz is a moment in any case', async (t) => {
  const c = await connection(t, LOCAL)
  const [domain, type] = [uniqueName('clock'), uniqueName('meeting')]
  await c.execute(`create domain pg_temp.${domain} as timestamp;
    create type pg_temp.${type} as (at timestamp, others pg_temp.${domain}[], moment timestamptz)`)
  const at = new Date(2024, 5, 1, 12)
  const row = await c.fetchVal<object>(
    `select row($1, array[$1::timestamp], timestamptz '2024-06-01 12:00-04')::pg_temp.${type}`,
    [at],
  )
  t.like(row, { at, moment: at })
  t.is(
    await c.fetchVal(`select $1::pg_temp.${type}::text`, [row]),
    await c.fetchVal(
      `select row('2024-06-01 12:00', array['2024-06-01 12:00'::timestamp], '2024-06-01 12:00-04'::timestamptz)
        ::pg_temp.${type}::text`,
    ),
  )
  t.is(await c.fetchVal(`select $1::pg_temp.${domain}::text`, [at]), '2024-06-01 12:00:00')
  t.is(await c.fetchVal("select $1::timestamptz = timestamptz '2024-06-01 12:00-04'", [at]), true)
})

test('a statement that both mappings use encodes by each', async (t) => {
  const c = await connection(t)
  const at = new Date(2024, 5, 1, 12)
  const text = 'select $1::timestamp::text'
  const both = [undefined, LOCAL, undefined, LOCAL].map((options) => c.fetchVal(text, [at], options))
  t.deepEqual(await Promise.all(both), [
    '2024-06-01 16:00:00',
    '2024-06-01 12:00:00',
    '2024-06-01 16:00:00',
    '2024-06-01 12:00:00',
  ])
  t.is((await c.fetch('select 1 where $1 = timestamp $$2024-06-01 12:00$$', [at], LOCAL)).length, 1)
  t.true(new Range(at).contains(at))
})
