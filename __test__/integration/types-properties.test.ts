// Random values, compared with what the server itself prints for them and reads from them.
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { BitString, type FetchOptions, Interval, json, Point, Polygon } from 'oxpg'
import { shared, useSchema } from '../support/type-table.js'
import { plain } from '../support/values.js'

const INT64 = 2n ** 63n

// The text of timestamps is compared, which is printed in the zone of the session.
useSchema(async () => {}, { serverSettings: { TimeZone: 'UTC' } })

/** Many values a query, few queries: the server is asked once a list. */
const LISTS = { numRuns: 25 }

const anyNumeric = fc.oneof(
  fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }).map(String),
  fc
    .tuple(
      fc.bigInt({ min: 0n, max: 10n ** 40n }),
      fc.stringMatching(/^[0-9]{1,40}$/),
      fc.constantFrom('', '-'),
    )
    .map(([whole, fraction, sign]) => `${sign}${whole}.${fraction}`),
)

const anyInterval = fc
  .record({
    months: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    days: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    // Servers before version 15 cannot print more hours than 32 bits have.
    microseconds: fc.oneof(fc.integer(), fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n })),
  })
  .map((fields) => new Interval(fields))

/**
 * Lists of values, sent as an array and each alone within an array of text: the server prints the first and reads the
 * second.
 */
async function checkType<T>(
  t: ExecutionContext,
  type: string,
  values: fc.Arbitrary<T>,
  textOf: (value: T) => string,
  options: FetchOptions = {},
  numRuns = LISTS.numRuns,
): Promise<void> {
  const c = shared()
  const query = `select $1::${type}[]::text[] as printed, $2::text[]::${type}[]::text[] as meant,
    $2::text[]::${type}[] as read, $1::${type}[] as back, $1::${type}[]::text = $2::text[]::${type}[]::text as same`
  const property = fc.asyncProperty(fc.array(values, { minLength: 1, maxLength: 40 }), async (list) => {
    const row = await c.fetchRow(query, [list, list.map(textOf)], options)
    t.deepEqual(row?.printed, row?.meant)
    t.deepEqual(plain(row?.read), plain(list))
    t.deepEqual(plain(row?.back), plain(list))
    t.true(row?.same)
  })
  await fc.assert(property, { numRuns })
}

test('int8', (t) => {
  const any = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -INT64, max: INT64 - 1n }))
  const normal = any.map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n))
  return checkType(t, 'int8', normal, String)
})

test('xid8', (t) => {
  return checkType(t, 'xid8', fc.bigInt({ min: 2n ** 53n, max: 2n * INT64 - 1n }), String)
})

test('float8: all bits both ways', async (t) => {
  const c = shared()
  const property = fc.asyncProperty(
    fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 1, maxLength: 200 }),
    async (bits) => {
      const doubles = new Float64Array(BigUint64Array.from(bits).buffer).filter(
        (double) => !Number.isNaN(double),
      )
      const query =
        "select array_agg(encode(float8send(d), 'hex') order by n), array_agg(d::text order by n), $1::float8[] from unnest($1::float8[]) with ordinality u (d, n)"
      const [hex, texts, back] = (await c.fetch<unknown[]>(query, [doubles], { rowMode: 'array' }))[0] as [
        string[],
        string[],
        number[],
      ]
      const expected = Array.from(doubles, (double) => {
        const bytes = Buffer.alloc(8)
        bytes.writeDoubleBE(double)
        return bytes.toString('hex')
      })
      t.deepEqual(hex ?? [], expected)
      t.deepEqual(back, [...doubles])
      t.deepEqual((texts ?? []).map(Number), [...doubles])
    },
  )
  await fc.assert(property, LISTS)
})

test("float4: all bits come as the number of the server's own text, and go back as they were", async (t) => {
  const c = shared()
  const property = fc.asyncProperty(
    fc.array(fc.integer(), { minLength: 1, maxLength: 200 }),
    async (bits) => {
      const floats = new Float32Array(Int32Array.from(bits).buffer).filter((float) => !Number.isNaN(float))
      const query =
        "select $1::float4[], $1::float4[]::text[], array(select encode(float4send(f), 'hex') from unnest($1::float4[]) f)"
      const [read, texts, hex] = (await c.fetch<unknown[]>(query, [floats], { rowMode: 'array' }))[0] as [
        number[],
        string[],
        string[],
      ]
      t.deepEqual(read, texts.map(Number))
      const again = await c.fetchVal(
        "select array(select encode(float4send(f), 'hex') from unnest($1::float4[]) f)",
        [read],
      )
      t.deepEqual(again, hex)
      t.deepEqual(Float32Array.from(read), floats)
    },
  )
  await fc.assert(property, LISTS)
})

test('numeric', (t) => {
  const canonical = anyNumeric.map((text) => (/^-0(\.0+)?$/.test(text) ? text.slice(1) : text))
  return checkType(t, 'numeric', canonical, (text) => text)
})

test('numbers as numeric keep all their digits', async (t) => {
  const c = shared()
  const property = fc.asyncProperty(
    fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
    async (list) => {
      const doubles = list.map((double) => double + 0)
      t.deepEqual(await c.fetchVal('select $1::numeric[]', [doubles], { numeric: 'number' }), doubles)
    },
  )
  await fc.assert(property, LISTS)
})

test('date', (t) => {
  // Days from 4714 BC to the year 5874897.
  const days = fc.oneof(
    fc.integer({ min: -2440588, max: 2145042540 }),
    fc.integer({ min: -1_000_000, max: 3_000_000 }),
  )
  return checkDates(t, days)
})

async function checkDates(t: ExecutionContext, anyDay: fc.Arbitrary<number>): Promise<void> {
  const c = shared()
  const property = fc.asyncProperty(fc.array(anyDay, { minLength: 1, maxLength: 100 }), async (days) => {
    const query =
      "select array(select date '1970-01-01' + d from unnest($1::int4[]) d) as dates, array(select (date '1970-01-01' + d)::text from unnest($1::int4[]) d) as texts"
    const row = await c.fetchRow<{ dates: string[]; texts: string[] }>(query, [days])
    t.deepEqual(row?.dates, row?.texts)
    const back = "select array(select d - date '1970-01-01' from unnest($1::date[]) d)"
    t.deepEqual(await c.fetchVal(back, [row?.texts]), days)
    const inDate = days.filter((day) => Math.abs(day) <= 1e8)
    t.deepEqual(await c.fetchVal(back, [inDate.map((day) => new Date(day * 86_400_000))]), inDate)
    t.deepEqual(
      await c.fetchVal("select array(select date '1970-01-01' + d from unnest($1::int4[]) d)", [inDate], {
        date: 'date',
      }),
      inDate.map((day) => new Date(day * 86_400_000)),
    )
  })
  await fc.assert(property, LISTS)
}

test('time', (t) => {
  const micros = fc.integer({ min: 0, max: 86_400_000_000 }).map((all) => {
    const [hours, minutes, seconds] = [all / 3_600_000_000, (all / 60_000_000) % 60, (all / 1_000_000) % 60]
    const clock = [hours, minutes, seconds].map((part) => String(Math.floor(part)).padStart(2, '0')).join(':')
    const fraction = all % 1_000_000
    return fraction === 0 ? clock : `${clock}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`
  })
  return checkType(t, 'time', micros, (text) => text)
})

test('timestamps: microseconds both ways, and the text of every mapping', async (t) => {
  const c = shared()
  const [first, last] = [-210866803200000000n, 9224318015999999999n]
  const anyMicros = fc.oneof(
    fc.bigInt({ min: first, max: last }),
    fc.bigInt({ min: -(10n ** 16n), max: 10n ** 16n }),
  )
  const property = fc.asyncProperty(fc.array(anyMicros, { minLength: 1, maxLength: 100 }), async (micros) => {
    for (const [type, zone] of [
      ['timestamp', ''],
      ['timestamptz', '+00'],
    ] as const) {
      const texts = await c.fetchVal<string[]>(
        `select array(select (m at time zone 'UTC')::text from unnest($1::${type}[]) m)`,
        [micros],
      )
      // For a timestamptz `at time zone` gives the timestamp, for a timestamp the timestamptz, in the zone of the session.
      const printed = texts?.map((text) => text.replace(/\+00/, '').replace(/( BC)?$/, `${zone}$1`))
      t.deepEqual(await c.fetchVal(`select $1::${type}[]`, [micros], { [type]: 'string' }), printed)
      t.deepEqual(await c.fetchVal(`select $1::${type}[]`, [printed], { [type]: 'micros' }), micros)
      t.deepEqual(
        await c.fetchVal(`select array(select m from unnest($1::text[]::${type}[]) m)`, [printed], {
          [type]: 'micros',
        }),
        micros,
      )
    }
  })
  await fc.assert(property, LISTS)
})

test('Dates as timestamps', async (t) => {
  const c = shared()
  const anyDate = fc.date({
    min: new Date('-004713-11-24T00:00:00Z'),
    max: new Date(8.64e15),
    noInvalidDate: true,
  })
  const property = fc.asyncProperty(fc.array(anyDate, { minLength: 1, maxLength: 100 }), async (dates) => {
    for (const type of ['timestamp', 'timestamptz']) {
      t.deepEqual(await c.fetchVal(`select $1::${type}[]`, [dates]), dates)
    }
    t.deepEqual(
      await c.fetchVal('select $1::timestamp[]', [dates], { timestamp: 'micros' }),
      dates.map((date) => BigInt(date.getTime()) * 1000n),
    )
  })
  await fc.assert(property, LISTS)
})

test('intervals, and the ISO 8601 text of their class', async (t) => {
  const c = shared()
  const property = fc.asyncProperty(fc.array(anyInterval, { minLength: 1, maxLength: 40 }), async (list) => {
    const query =
      'select $1::interval[] as back, $2::text[]::interval[] as read, $1::interval[]::text = $2::text[]::interval[]::text as same'
    // Servers before version 15 do not read the text of all hours that an interval can have.
    const short = list.filter(
      ({ microseconds }) => c.serverVersion.major >= 15 || BigInt(microseconds) ** 2n < 10n ** 30n,
    )
    const row = await c.fetchRow(query, [short, short.map(String)])
    t.deepEqual(row?.back, short)
    t.deepEqual(row?.read, short)
    t.true(row?.same)
    t.deepEqual(await c.fetchVal('select $1::interval[]', [list]), list)
  })
  await fc.assert(property, LISTS)
})

test('uuid', (t) => checkType(t, 'uuid', fc.uuid(), (text) => text))

test('varbit', (t) => {
  const any = fc
    .string({ unit: fc.constantFrom('0', '1'), maxLength: 70 })
    .map((digits) => new BitString(digits))
  return checkType(t, 'varbit', any, String)
})

test('inet and cidr, IPv6 in all its short forms', async (t) => {
  const c = shared()
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
  const ipv6 = fc
    .tuple(group, group, group, group, group, group, group, group)
    .map((groups) => groups.map((n) => n.toString(16)).join(':'))
  const ipv4 = fc.ipV4()
  const any = fc.oneof(
    fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([address, bits]) => `${address}/${bits}`),
    fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([address, bits]) => `${address}/${bits}`),
  )
  const property = fc.asyncProperty(fc.array(any, { minLength: 1, maxLength: 100 }), async (list) => {
    const query = `select $1::text[]::inet[] as read, $2::inet[] as back, array(select i::text from unnest($1::text[]::inet[]) i) as full_texts,
      array(select case when masklen(i) = masklen(network(host(i)::inet)) then host(i) else i::text end from unnest($1::text[]::inet[]) i) as texts,
      array(select network(i) from unnest($1::text[]::inet[]) i) as networks, array(select network(i)::text from unnest($1::text[]::inet[]) i) as network_texts`
    const row = await c.fetchRow(query, [list, list])
    t.deepEqual(row?.read, row?.texts)
    t.deepEqual(row?.back, row?.texts)
    t.deepEqual(row?.networks, row?.network_texts)
    t.true(await c.fetchVal('select $1::cidr[] = $2::text[]::cidr[]', [row?.networks, row?.network_texts]))
  })
  await fc.assert(property, LISTS)
})

test('points and polygons, coordinates bit by bit', async (t) => {
  const c = shared()
  const coordinate = fc.double()
  const point = fc.tuple(coordinate, coordinate).map(([x, y]) => new Point(x, y))
  const polygon = fc.array(point, { minLength: 1, maxLength: 5 }).map((points) => new Polygon(points))
  const property = fc.asyncProperty(fc.array(point, { minLength: 1 }), polygon, async (points, figure) => {
    const [back, texts, polygons] = (
      await c.fetch<unknown[]>(
        'select $1::point[], $2::text[]::point[], array[$3::polygon, $3::polygon::text::polygon]',
        [points, points.map(String), figure],
        {
          rowMode: 'array',
        },
      )
    )[0]!
    t.deepEqual(back, points)
    t.deepEqual(
      texts,
      points.map((p) => (Object.is(p.x, -0) || Object.is(p.y, -0) ? new Point(p.x + 0, p.y + 0) : p)),
    )
    t.deepEqual(polygons, [figure, figure])
  })
  await fc.assert(property, LISTS)
})

test('JSON values', async (t) => {
  const c = shared()
  const hasNul = (value: unknown): boolean => JSON.stringify(value).includes('\\u0000')
  const anyJson = fc.jsonValue({ stringUnit: 'grapheme' }).filter((value) => !hasNul(value))
  const property = fc.asyncProperty(fc.array(anyJson, { minLength: 1, maxLength: 10 }), async (list) => {
    const expected = JSON.parse(JSON.stringify(list))
    t.deepEqual(await c.fetchVal('select $1::json', [json(list)]), expected)
    t.deepEqual(await c.fetchVal('select $1::json[]', [list.map(json)]), expected)
    t.true(await c.fetchVal('select $1::jsonb = $2::jsonb', [json(list), JSON.stringify(list)]))
  })
  await fc.assert(property, LISTS)
})

test('bytea', async (t) => {
  const c = shared()
  const property = fc.asyncProperty(
    fc.array(fc.uint8Array({ maxLength: 100 }), { minLength: 1, maxLength: 20 }),
    async (list) => {
      const hex = list.map((bytes) => Buffer.from(bytes).toString('hex'))
      const row = await c.fetchRow(
        "select $1::bytea[] as back, array(select encode(b, 'hex') from unnest($1::bytea[]) b) as hex",
        [list],
      )
      t.deepEqual(row?.hex, hex)
      t.deepEqual(
        row?.back,
        list.map((bytes) => Buffer.from(bytes)),
      )
    },
  )
  await fc.assert(property, LISTS)
})
