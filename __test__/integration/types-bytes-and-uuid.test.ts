import test from 'ava'
import { schema, shared, testRefusals, testTypes } from '../support/type-table.js'
import { plain } from '../support/values.js'

const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
const id = '00112233-4455-6677-8899-aabbccddeeff'

testTypes([
  {
    type: 'bytea',
    rows: [
      ["''", Buffer.alloc(0)],
      ["'\\x00ff10'", Buffer.from([0, 255, 16])],
      [`'\\x${every.toString('hex')}'`, every],
      [`'\\x5c225c5c2227'`, Buffer.from('\\"\\\\"\'')],
      ["'\\x0102'", Buffer.from([1, 2]), { parameter: Uint8Array.of(1, 2) }],
      ["'\\x0102'", Buffer.from([1, 2]), { parameter: new DataView(Uint8Array.of(0, 1, 2, 3).buffer, 1, 2) }],
      ["'\\x0201'", Buffer.from([2, 1]), { parameter: Uint16Array.of(0x0102) }],
    ],
  },
  {
    type: 'uuid',
    rows: [
      [`'${id}'`, id],
      ["'ffffffff-ffff-ffff-ffff-ffffffffffff'", 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
      [`'${id}'`, id, { parameter: id.toUpperCase() }],
      [`'${id}'`, id, { parameter: id.replaceAll('-', '') }],
      [`'${id}'`, id, { parameter: Buffer.from(id.replaceAll('-', ''), 'hex') }],
      [`'${id}'`, Buffer.from(id.replaceAll('-', ''), 'hex'), { options: { uuid: 'buffer' } }],
    ],
  },
])

test('bytea in its other output format, within a composite that crosses as text', async (t) => {
  const c = shared()
  await c.execute(`create type ${schema}.bytes as (one bytea, many bytea[], acl aclitem)`)
  const query = `select row($1::bytea, array[$1::bytea, null, '']::bytea[], null)::${schema}.bytes as value`
  const expected = { one: every, many: [every, null, Buffer.alloc(0)], acl: null }
  for (const output of ['hex', 'escape']) {
    await c.transaction(async (transaction) => {
      await transaction.execute(`set local bytea_output = '${output}'`)
      for (let round = 0; round < 3; round += 1) {
        t.deepEqual(plain(await transaction.fetchVal(query, [every])), expected, output)
      }
    })
  }
})

test('a value that was read stays as it is when others are read after it', async (t) => {
  const c = shared()
  const rows = await c.fetch<{ value: Buffer }>(
    "select decode(lpad(to_hex(n), 8, '0'), 'hex') as value from generate_series(1, 5000) n",
  )
  await c.fetch("select decode(repeat('ff', 4), 'hex') from generate_series(1, 5000)")
  t.true(rows.every((row, index) => row.value.readUInt32BE() === index + 1))
})

test('long bytea', async (t) => {
  const c = shared()
  for (const length of [16_384, 70_000, 3_000_000]) {
    const bytes = Buffer.alloc(length, every)
    t.true(bytes.equals((await c.fetchVal<Buffer>('select $1::bytea', [bytes])) ?? Buffer.alloc(0)))
    t.is(await c.fetchVal('select md5($1::bytea) = md5($2::bytea)', [bytes, Uint8Array.from(bytes)]), true)
    const array = await c.fetchVal<[Buffer, null]>('select array[$1::bytea, null]', [bytes])
    t.true(bytes.equals(array?.[0] ?? Buffer.alloc(0)))
  }
})

testRefusals([
  ['bytea', 5, /: 5 /],
  ['bytea', 'text', /"text"/],
  ['bytea', [1, 2]],
  ['bytea', {}],
  ['bytea[]', [Buffer.alloc(1), 5], /element 2/],
  ['uuid', '0011', /"0011"/],
  ['uuid', `${id}0`],
  ['uuid', id.replace('f', 'g')],
  ['uuid', Buffer.alloc(15), /15 bytes/],
  ['uuid', 1],
  ['uuid[]', [id, 'x'], /element 2/],
])
