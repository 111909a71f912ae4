// Where a codec holds: one connection, one lease, or a whole pool; and codecs that the driver has itself.
import test, { type ExecutionContext } from 'ava'
import {
  connect,
  createPool,
  InterfaceError,
  type NamedTypeCodec,
  type PoolConnection,
  type TypeCodecOptions,
  UnsupportedClientFeatureError,
} from 'oxpg'
import { connection, pool, uniqueName, until, url } from '../support/server.js'

const marked: TypeCodecOptions<string> = {
  schema: 'pg_catalog',
  encode: (value) => value.slice(2),
  decode: (text) => `n:${text}`,
}
const named: NamedTypeCodec = { typeName: 'numeric', ...marked }

async function freshSchema(t: ExecutionContext, script: string): Promise<string> {
  const schema = uniqueName('scopes')
  const c = await connect(url)
  await c.execute(`create schema ${schema}; set search_path = ${schema}, public; ${script}`)
  t.teardown(async () => {
    await c.execute(`set client_min_messages = error; drop schema ${schema} cascade`)
    await c.close()
  })
  return schema
}

/** Connections of the tests' server with this name. */
async function openNamed(name: string): Promise<number> {
  const c = await connect(url)
  try {
    return (
      (await c.fetchVal<number>('select count(*)::int from pg_stat_activity where application_name = $1', [
        name,
      ])) ?? -1
    )
  } finally {
    await c.close()
  }
}

test('connections do not share codecs', async (t) => {
  const [c, d] = await Promise.all([connection(t), connection(t)])
  await c.setTypeCodec('numeric', marked)
  t.is(await c.fetchVal('select $1::numeric', ['n:1.5']), 'n:1.5')
  t.is(await d.fetchVal('select $1::numeric', ['1.5']), '1.5')
})

test('codecs survive reset, reloadSchemaState and DISCARD ALL', async (t) => {
  const c = await connection(t)
  await c.setTypeCodec('numeric', marked)
  await c.reset()
  t.is(await c.fetchVal('select 1.5'), 'n:1.5')
  await c.reloadSchemaState()
  t.is(await c.fetchVal('select 1.5'), 'n:1.5')
  await c.execute('discard all')
  t.is(await c.fetchVal('select 1.5'), 'n:1.5')
})

test('connect takes codecs', async (t) => {
  const c = await connection(t, { typeCodecs: [named] })
  t.is(await c.fetchVal('select $1::numeric', ['n:1.5']), 'n:1.5')
})

test('codecs of a pool hold on all its connections, and for calls on the pool', async (t) => {
  const schema = await freshSchema(t, "create type mood as enum ('sad')")
  const p = await pool(t, {
    minSize: 1,
    maxSize: 3,
    typeCodecs: [
      named,
      { typeName: 'mood', schema, encode: (v) => v.toLowerCase(), decode: (v) => v.toUpperCase() },
    ],
  })
  const [first, second, third] = await Promise.all([p.acquire(), p.acquire(), p.acquire()])
  for (const c of [first, second, third]) {
    t.is(await c.fetchVal('select $1::numeric', ['n:1.5']), 'n:1.5')
    t.is(await c.fetchVal(`select $1::${schema}.mood`, ['SAD']), 'SAD')
    await c.release()
  }
  const values = await Promise.all(
    Array.from({ length: 20 }, () => p.fetchVal('select $1::numeric', ['n:2'])),
  )
  t.deepEqual(values, Array(20).fill('n:2'))
  t.is(await p.executeMany('select $1::numeric', [['n:1']]), 1)
  await p.transaction(async (tx) => t.is(await tx.fetchVal('select 3::numeric'), 'n:3'))
  p.expireConnections()
  t.is(await p.fetchVal('select 4::numeric'), 'n:4')
})

test('connect and createPool reject, and leave nothing open, when a codec cannot be set', async (t) => {
  const applicationName = uniqueName('bad_codec')
  for (const [typeCodecs, message] of [
    [[named, { typeName: 'nothing', encode: String, decode: String }], /no type nothing in schema public/],
    [[{ typeName: 'numeric', encode: String, decode: String }], /pg_catalog/],
    [[{ typeName: '_int4', schema: 'pg_catalog', encode: String, decode: String }], /array/],
    [[{ typeName: 'numeric', schema: 'pg_catalog', codecName: 'nonsense' }], /nonsense/],
  ] as [NamedTypeCodec[], RegExp][]) {
    await t.throwsAsync(connect(url, { applicationName, typeCodecs }), {
      instanceOf: InterfaceError,
      message,
    })
    await t.throwsAsync(createPool(url, { applicationName, minSize: 2, typeCodecs }), {
      instanceOf: InterfaceError,
      message,
    })
  }
  await until(async () => (await openNamed(applicationName)) === 0, 'the end of all connections')
  t.pass()
})

test('the option typeCodecs is checked before anything is opened', async (t) => {
  for (const typeCodecs of [
    {},
    'numeric',
    [null],
    ['numeric'],
    [{ encode: String, decode: String }],
    [{ ...named, decode: undefined }],
    [{ ...named, unknown: 1 }],
    [{ ...named, codecName: 'int4' }],
  ] as unknown as NamedTypeCodec[][]) {
    const host = '127.0.0.1'
    await t.throwsAsync(
      connect({ host, port: 1, typeCodecs }),
      { instanceOf: InterfaceError },
      JSON.stringify(typeCodecs),
    )
    await t.throwsAsync(createPool({ host, port: 1, typeCodecs }), { instanceOf: InterfaceError })
  }
})

test('a codec that is set on a lease holds until it is released', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  t.is(await p.fetchVal('select 1.5'), '1.5')
  const lease = await p.acquire()
  const pid = lease.serverPid
  t.is(await lease.fetchVal('select 1.5'), '1.5')
  await lease.setTypeCodec('numeric', marked)
  t.is(await lease.fetchVal('select 1.5'), 'n:1.5')
  t.is(await lease.fetchVal('select $1::numeric', ['n:2']), 'n:2')
  await lease.release()
  t.is(await p.fetchVal('select 1.5'), '1.5')
  await p.use(async (next) => {
    t.is(next.serverPid, pid)
    t.is(await next.fetchVal('select 1.5'), '1.5')
    t.is(await next.fetchVal('select $1::numeric', ['2']), '2')
    await next.setTypeCodec('numeric', { ...marked, decode: (text) => `other:${text}` })
    t.is(await next.fetchVal('select 1.5'), 'other:1.5')
  })
  t.is(await p.fetchVal('select 1.5'), '1.5')
})

test('other connections of the pool do not see a codec of a lease', async (t) => {
  const p = await pool(t, { minSize: 2, maxSize: 2, typeCodecs: [named] })
  const [first, second] = await Promise.all([p.acquire(), p.acquire()])
  await first.setTypeCodec<number>('numeric', { schema: 'pg_catalog', encode: String, decode: Number })
  await first.setTypeCodec<string>('date', {
    schema: 'pg_catalog',
    encode: String,
    decode: (text) => `d:${text}`,
  })
  t.is(await first.fetchVal('select 1.5'), 1.5)
  t.is(await first.fetchVal("select '2024-01-01'::date"), 'd:2024-01-01')
  t.is(await second.fetchVal('select 1.5'), 'n:1.5')
  t.is(await second.fetchVal("select '2024-01-01'::date"), '2024-01-01')
  await first.resetTypeCodec('numeric', { schema: 'pg_catalog' })
  t.is(await first.fetchVal('select 1.5'), '1.5')
  t.is(await second.fetchVal('select 1.5'), 'n:1.5')
  await first.release()
  t.is(await p.fetchVal('select 1.5'), 'n:1.5')
  await second.release()
})

test('a codec of a lease that fails to be set changes nothing for anybody', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1, typeCodecs: [named] })
  await p.use(async (lease) => {
    await t.throwsAsync(lease.setTypeCodec('nothing', marked), { instanceOf: InterfaceError })
    t.is(await lease.fetchVal('select 1.5'), 'n:1.5')
  })
  t.is(await p.fetchVal('select 1.5'), 'n:1.5')
})

test('calls in flight when a lease with codecs is released end well', async (t) => {
  const p = await pool(t, { minSize: 1, maxSize: 1 })
  const lease = await p.acquire()
  await lease.setTypeCodec('numeric', marked)
  const calls = [
    lease.fetchVal('select 1.5'),
    lease.fetchVal('select $1::numeric', ['n:2']),
    lease.fetch('select n::numeric as n from generate_series(1, 3000) n'),
  ]
  await lease.release()
  const [one, two, rows] = await Promise.all(calls)
  t.deepEqual([one, two], ['n:1.5', 'n:2'])
  t.is((rows as { n: string }[])[2999]!.n, 'n:3000')
  t.is(await p.fetchVal('select 1.5'), '1.5')
})

test('what init sets on a connection holds for good', async (t) => {
  let inits = 0
  const p = await pool(t, {
    minSize: 1,
    maxSize: 1,
    init: async (c: PoolConnection) => {
      inits++
      await c.setTypeCodec('numeric', marked)
    },
  })
  for (let n = 0; n < 3; n++) t.is(await p.fetchVal('select $1::numeric', ['n:1.5']), 'n:1.5')
  await p.use(async (lease) => {
    await lease.setTypeCodec<string>('date', {
      schema: 'pg_catalog',
      encode: String,
      decode: (text) => `d:${text}`,
    })
    t.is(await lease.fetchVal('select 1.5'), 'n:1.5')
    t.is(await lease.fetchVal("select '2024-01-01'::date"), 'd:2024-01-01')
    await lease.setTypeCodec('numeric', { ...marked, decode: (text) => `leased:${text}` })
    t.is(await lease.fetchVal('select 1.5'), 'leased:1.5')
  })
  t.is(await p.fetchVal('select 1.5'), 'n:1.5')
  t.is(await p.fetchVal("select '2024-01-01'::date"), '2024-01-01')
  t.is(inits, 1)
})

test('what setup sets holds for one lease', async (t) => {
  let codec: TypeCodecOptions<string> | undefined = marked
  const p = await pool(t, {
    minSize: 1,
    maxSize: 1,
    setup: async (c: PoolConnection) => {
      if (codec !== undefined) await c.setTypeCodec('numeric', codec)
    },
  })
  t.is(await p.fetchVal('select 1.5'), 'n:1.5')
  codec = undefined
  t.is(await p.fetchVal('select 1.5'), '1.5')
})

test('types that are looked up by a lease with codecs are as everywhere', async (t) => {
  const schema = await freshSchema(t, 'create type pair as (amount numeric, id int)')
  const p = await pool(t, { minSize: 2, maxSize: 2, rowMode: 'object' })
  const [first, second] = await Promise.all([p.acquire(), p.acquire()])
  const text = `select '(1.5,2)'::${schema}.pair`
  t.deepEqual(await first.fetchVal(text), { amount: '1.5', id: 2 })
  await first.setTypeCodec('numeric', marked)
  t.deepEqual(await first.fetchVal(text), { amount: 'n:1.5', id: 2 })
  t.deepEqual(await second.fetchVal(text), { amount: '1.5', id: 2 })
  await Promise.all([first.release(), second.release()])
  t.deepEqual(await p.fetchVal(text), { amount: '1.5', id: 2 })
})

test('setBuiltinTypeCodec makes values come and go like those of a type that is known', async (t) => {
  const schema = await freshSchema(t, 'create extension if not exists citext schema public')
  const c = await connection(t, { rowMode: 'object' })
  await c.setBuiltinTypeCodec('citext', { codecName: 'text' })
  t.is(await c.fetchVal('select $1::public.citext', ['Text']), 'Text')
  t.deepEqual(await c.fetchVal('select $1::public.citext[]', [['A', null]]), ['A', null])
  await c.setBuiltinTypeCodec('citext', { codecName: 'json' })
  t.deepEqual(await c.fetchVal('select $1::public.citext', [{ a: [1] }]), { a: [1] })
  await c.resetTypeCodec('citext')
  t.is(await c.fetchVal('select $1::public.citext', ['Text']), 'Text')
  await c.execute(`create type ${schema}.mood as enum ('1', '2')`)
  await c.setBuiltinTypeCodec('mood', { schema, codecName: 'text' })
  t.deepEqual(await c.fetchVal(`select array[$1::${schema}.mood]`, ['2']), ['2'])
})

test('hstore is known by its extension, and by the names of its codec', async (t) => {
  const schema = await freshSchema(t, 'create extension if not exists hstore schema public')
  const c = await connection(t)
  const value = { a: '1', b: null, 'c"d': 'e=>f' }
  const plain = async () =>
    Object.fromEntries(Object.entries((await c.fetchVal<object>('select $1::public.hstore', [value]))!))
  t.deepEqual(await plain(), value)
  for (const codecName of ['hstore', 'pg_contrib.hstore']) {
    await c.setBuiltinTypeCodec('hstore', { codecName })
    t.deepEqual(await plain(), value)
  }
  await c.setBuiltinTypeCodec('hstore', { codecName: 'text' })
  t.is(await c.fetchVal("select 'a=>1'::public.hstore"), '"a"=>"1"')
  t.deepEqual(await c.fetchVal("select array['a=>1'::public.hstore]"), ['"a"=>"1"'])
  t.deepEqual(await c.fetchVal('select $1::public.hstore -> $2', ['b=>2', 'b']), '2')
  await c.setTypeCodec<string>('hstore', { encode: (text) => text, decode: (text) => text })
  t.is(await c.fetchVal('select $1::public.hstore', ['"a"=>"1"']), '"a"=>"1"')
  await c.resetTypeCodec('hstore')
  t.deepEqual(await plain(), value)
  t.truthy(schema)
})

test('setBuiltinTypeCodec refuses names and types that do not go together', async (t) => {
  const schema = await freshSchema(
    t,
    "create type mood as enum ('a'); create type pair as (a int); create domain dom as text; create type span as range (subtype = int)",
  )
  const c = await connection(t)
  for (const [name, codecName, message] of [
    ['mood', 'nonsense', /nonsense/],
    ['mood', 'int4range', /int4range/],
    ['mood', '_int4', /_int4/],
    ['mood', 'record', /record/],
    ['pair', 'text', /parts/],
    ['span', 'text', /parts/],
    ['dom', 'text', /domain/],
    ['_mood', 'text', /array/],
    ['nothing', 'text', /no type nothing/],
  ] as const) {
    await t.throwsAsync(
      c.setBuiltinTypeCodec(name, { schema, codecName }),
      { instanceOf: InterfaceError, message },
      name,
    )
  }
  await t.throwsAsync(c.setBuiltinTypeCodec('aclitem', { schema: 'pg_catalog', codecName: 'text' }), {
    instanceOf: UnsupportedClientFeatureError,
    message: /no binary format/,
  })
  t.is(await c.fetchVal(`select 'a'::${schema}.mood`), 'a')
})

test('a closed connection takes no codecs', async (t) => {
  const c = await connect(url)
  await c.setTypeCodec('numeric', marked)
  await c.close()
  await t.throwsAsync(c.setTypeCodec('numeric', marked), { instanceOf: InterfaceError, message: /closed/ })
  const p = await pool(t)
  const lease = await p.acquire()
  await lease.release()
  await t.throwsAsync(lease.setTypeCodec('numeric', marked), { message: /released/ })
})
