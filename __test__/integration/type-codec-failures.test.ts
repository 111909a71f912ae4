// Codecs that throw, return something else, or cannot be: what fails is one call, and what it says is why.
import test from 'ava'
import { DataError, InterfaceError, Range, type TypeCodecOptions, UnsupportedClientFeatureError } from 'oxpg'
import { Decimal, decimalCodec, open, schemaOfTypes, upperCase } from '../support/codec-types.js'

const wrongInRow = Symbol('wrong')

test('null never reaches a codec', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  const seen: unknown[] = []
  const note = (value: unknown) => {
    seen.push(value)
    return value as string
  }
  await c.setTypeCodec('numeric', { schema: 'pg_catalog', encode: note, decode: note })
  await c.setTypeCodec('pair', { schema, format: 'tuple', encode: note as never, decode: note })
  t.deepEqual(
    await c.fetchRow(
      `select $1::numeric as a, $2::numeric[] as b, $3::${schema}.pair as c, $4::${schema}.pair[] as d, '[,]'::numrange as e`,
      [null, [null, undefined], null, [null]],
    ),
    { a: null, b: [null, null], c: null, d: [null], e: new Range(null, null) },
  )
  t.deepEqual(seen, [])
})

test('an encode that throws or returns something else rejects before anything is sent', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  let result: unknown
  const cause = new TypeError('cannot do that')
  await c.setTypeCodec<unknown>('numeric', {
    schema: 'pg_catalog',
    encode: () => {
      if (result === cause) throw cause
      return result as string
    },
    decode: (text) => text,
  })
  const call = () => c.fetchVal('select $1::numeric', ['x'])
  result = cause
  const error = await t.throwsAsync(call(), {
    instanceOf: DataError,
    message: /\$1.*pg_catalog\.numeric.*cannot do that/,
  })
  t.is(error!.cause, cause)
  t.true(error!.safeToRetry)
  for (const wrong of [1, undefined, null, Buffer.from('1'), ['1'], 'a\0b', Symbol('1')]) {
    result = wrong
    await t.throwsAsync(
      call(),
      { instanceOf: DataError, message: /pg_catalog\.numeric: encode returned/ },
      String(wrong),
    )
  }
  result = wrongInRow
  await t.throwsAsync(c.executeMany(`insert into ${schema}.item (amount) values ($1)`, [[1]]), {
    instanceOf: DataError,
    message: /row 0: /,
  })
  result = 'not a number'
  await t.throwsAsync(call(), { code: '22P02' })
  result = '1.5'
  t.is(await call(), '1.5')
  t.is(await c.fetchVal(`select count(*) from ${schema}.item`), 0)
})

test('binary and tuple codecs have to return bytes and tuples', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  let result: unknown
  await c.setTypeCodec('uuid', {
    schema: 'pg_catalog',
    format: 'binary',
    encode: () => result as Buffer,
    decode: (b) => b,
  })
  await c.setTypeCodec('pair', {
    schema,
    format: 'tuple',
    encode: () => result as [],
    decode: (parts) => parts,
  })
  for (const wrong of ['x', 1, undefined, [1], new ArrayBuffer(16)]) {
    result = wrong
    await t.throwsAsync(c.fetchVal('select $1::uuid', ['x']), {
      instanceOf: DataError,
      message: /pg_catalog\.uuid/,
    })
  }
  result = Buffer.alloc(3)
  await t.throwsAsync(c.fetchVal('select $1::uuid', ['x']), { code: '08P01' })
  for (const wrong of ['x', 1, undefined, ['1'], ['1', 'sad', 'more'], { amount: '1', mood: 'sad' }]) {
    result = wrong
    await t.throwsAsync(c.fetchVal(`select $1::${schema}.pair`, ['x']), {
      instanceOf: DataError,
      message: new RegExp(`${schema}\\.pair`),
    })
  }
  result = [{}, 'sad']
  await t.throwsAsync(c.fetchVal(`select $1::${schema}.pair`, ['x']), {
    instanceOf: DataError,
    message: /amount/,
  })
  result = ['1', 'sad']
  t.deepEqual(await c.fetchVal(`select $1::${schema}.pair`, ['x']), ['1', 'sad'])
})

test('a decode that throws rejects with its reason, and the connection goes on', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  let cause: unknown = new RangeError('seven is too much')
  await c.setTypeCodec<number>('numeric', {
    schema: 'pg_catalog',
    encode: String,
    decode: (text) => {
      if (text === '7') throw cause
      return Number(text)
    },
  })
  const [before, failed, behind] = await Promise.allSettled([
    c.fetch('select n::numeric as n from generate_series(1, 3) n'),
    c.fetch('select n::numeric as n from generate_series(1, 5000) n'),
    c.fetchVal('select 8::numeric'),
  ])
  t.deepEqual(before as unknown, { status: 'fulfilled', value: [{ n: 1 }, { n: 2 }, { n: 3 }] })
  t.deepEqual(behind as unknown, { status: 'fulfilled', value: 8 })
  t.is(failed!.status, 'rejected')
  const reason = (failed as PromiseRejectedResult).reason
  t.true(reason instanceof DataError)
  t.regex(reason.message, /pg_catalog\.numeric.*seven is too much/)
  t.is(reason.cause, cause)
  t.false(reason.safeToRetry)
  await t.throwsAsync(c.fetchVal("select array['7'::numeric]"), { instanceOf: DataError })
  await t.throwsAsync(c.fetchVal(`select '(7,sad)'::${schema}.pair`), { instanceOf: DataError })
  await t.throwsAsync(c.fetchMany('select $1::numeric', [[1], [7]]), { instanceOf: DataError })
  await c.transaction(async (tx) => {
    await t.throwsAsync(tx.fetchVal('select 7::numeric'), { instanceOf: DataError })
    t.is(await tx.fetchVal('select 6::numeric'), 6)
  })
  for (const thrown of ['a string', undefined, null, Symbol('s'), Object.create(null), { message: 1 }]) {
    cause = thrown
    const error = await t.throwsAsync(c.fetchVal('select 7::numeric'), { instanceOf: DataError })
    t.is(error!.cause, thrown)
  }
  t.is(await c.fetchVal('select 8::numeric'), 8)
})

test('what cannot have a codec is refused by name, and nothing changes', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  const codec = { encode: String, decode: (text: string) => `changed ${text}` }
  const refused = async (
    name: string,
    options: object,
    errorClass: typeof InterfaceError,
    message: RegExp,
  ) => {
    const call = c.setTypeCodec(name, { ...codec, schema, ...options } as TypeCodecOptions)
    await t.throwsAsync(call, { instanceOf: errorClass, message }, name)
  }
  await refused('mood_domain', {}, InterfaceError, new RegExp(`domain.*${schema}\\.mood\\b`))
  await refused('domain_of_domain', {}, InterfaceError, new RegExp(`domain.*${schema}\\.mood\\b`))
  await refused('amount', {}, InterfaceError, /domain.*numeric/)
  await refused('_mood', {}, InterfaceError, new RegExp(`array.*${schema}\\.mood\\b`))
  await refused('_int4', { schema: 'pg_catalog' }, InterfaceError, /array.*integer|array.*int4/)
  await refused('amount_multirange', {}, InterfaceError, /multirange/)
  await refused('int4multirange', { schema: 'pg_catalog' }, InterfaceError, /multirange/)
  await refused('anyelement', { schema: 'pg_catalog' }, InterfaceError, /pseudo-type/)
  await refused('record', { schema: 'pg_catalog' }, InterfaceError, /pseudo-type/)
  await refused('nothing', {}, InterfaceError, new RegExp(`no type nothing in schema ${schema}$`))
  await refused(
    'numeric',
    { schema: 'public' },
    InterfaceError,
    /no type numeric in schema public; .*'pg_catalog'/,
  )
  await refused('mood', { schema: 'no_such_schema' }, InterfaceError, /no type mood in schema no_such_schema/)
  await refused('pair', {}, UnsupportedClientFeatureError, /composite.*'tuple'/)
  await refused('pair', { format: 'binary' }, UnsupportedClientFeatureError, /composite.*'tuple'/)
  await refused('mood', { format: 'tuple' }, UnsupportedClientFeatureError, /no tuple/)
  await refused(
    'numeric',
    { schema: 'pg_catalog', format: 'tuple' },
    UnsupportedClientFeatureError,
    /no tuple/,
  )
  await refused(
    'aclitem',
    { schema: 'pg_catalog', format: 'binary' },
    UnsupportedClientFeatureError,
    /no binary format/,
  )
  await refused('numeric); drop', {}, InterfaceError, /no type/)
  t.deepEqual(
    await c.fetchRow(
      `select 'sad'::${schema}.mood as a, '(1,sad)'::${schema}.pair as b, 1.5 as c, 2::${schema}.amount as d`,
    ),
    { a: 'sad', b: { amount: '1', mood: 'sad' }, c: '1.5', d: '2' },
  )
})

test('options of codecs are checked', async (t) => {
  const c = await open(t)
  const set = (name: unknown, options: unknown) => c.setTypeCodec(name as string, options as TypeCodecOptions)
  const good = { schema: 'pg_catalog', encode: String, decode: String }
  for (const [name, options, message] of [
    ['numeric', undefined, /codec of type 'numeric'/],
    ['numeric', null, /codec of type 'numeric'/],
    ['numeric', { ...good, encoder: String }, /encoder/],
    ['numeric', { ...good, format: 'json' }, /format must be/],
    ['numeric', { ...good, encode: undefined }, /encode/],
    ['numeric', { ...good, decode: 'x' }, /decode/],
    ['numeric', { ...good, schema: 5 }, /schema/],
    ['numeric', { ...good, schema: '' }, /schema/],
    ['', good, /type name/],
    [7, good, /type name/],
    ['a\0b', good, /type name/],
  ] as const) {
    await t.throwsAsync(set(name, options), { instanceOf: InterfaceError, message }, JSON.stringify(options))
  }
  await t.throwsAsync(c.resetTypeCodec('numeric', { schemas: 'x' } as never), {
    instanceOf: InterfaceError,
    message: /schemas/,
  })
  await t.throwsAsync(c.setBuiltinTypeCodec('numeric', {} as never), {
    instanceOf: InterfaceError,
    message: /codecName/,
  })
  await t.throwsAsync(c.setBuiltinTypeCodec('numeric', { codecName: 'int4', format: 'text' } as never), {
    instanceOf: InterfaceError,
    message: /format/,
  })
  t.is(await c.fetchVal('select 1.5'), '1.5')
})

test('a codec cannot be set in a failed transaction, and the old one stays', async (t) => {
  const c = await open(t)
  await c.execute('begin')
  await t.throwsAsync(c.fetchVal('select 1 / 0'))
  await t.throwsAsync(c.setTypeCodec('numeric', decimalCodec), { code: '25P02' })
  await c.execute('rollback')
  t.is(await c.fetchVal('select 1.5'), '1.5')
  await c.transaction(async (tx) => {
    await c.setTypeCodec('numeric', decimalCodec)
    t.deepEqual(await tx.fetchVal('select 1.5'), new Decimal('1.5'))
  })
  t.deepEqual(await c.fetchVal('select 1.5'), new Decimal('1.5'))
})

test("the driver's own queries are out of the reach of codecs", async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  const broken = {
    schema: 'pg_catalog',
    encode: () => {
      throw new Error('encode was called')
    },
    decode: () => {
      throw new Error('decode was called')
    },
  }
  for (const name of ['text', 'bool', 'name', 'char', 'oid', 'int4', 'int8', 'json', 'varchar']) {
    await c.setTypeCodec(name, broken)
  }
  await c.setTypeCodec('mood', upperCase(schema))
  t.is(await c.fetchVal(`select 'sad'::${schema}.mood`), 'SAD')
  t.is(await c.fetchVal(`select $1::${schema}.amount`, ['1.5']), '1.5')
  const statement = await c.prepare(`select 1 from ${schema}.item`)
  t.regex(JSON.stringify(await statement.explain()), /Seq Scan/)
  await c.setTypeCodec('json', {
    schema: 'pg_catalog',
    format: 'binary',
    encode: broken.encode,
    decode: broken.decode,
  })
  t.regex(JSON.stringify(await statement.explain({ analyze: true })), /Actual Rows/)
  await c.transaction(async (tx) => {
    t.is(await tx.execute(`insert into ${schema}.item values (1)`), 'INSERT 0 1')
  })
  await c.reset()
  for (const name of ['text', 'bool', 'name', 'char', 'oid', 'int4', 'int8', 'json', 'varchar']) {
    await c.resetTypeCodec(name, { schema: 'pg_catalog' })
  }
  t.is(await c.fetchVal("select 'text'::text"), 'text')
})

test('what an error recommends to set a codec on is accepted', async (t) => {
  const schema = await schemaOfTypes(t)
  const c = await open(t)
  await c.execute(`create domain ${schema}.label as varchar(10);
    create domain ${schema}.labels as ${schema}.label[];
    create domain ${schema}.moods as ${schema}.mood[];
    create type ${schema}."Odd ""Name" as enum ('a');
    create domain ${schema}.odd as ${schema}."Odd ""Name"`)
  for (const [typeName, place, expected] of [
    ['label', schema, 'varchar'],
    ['labels', schema, 'varchar'],
    ['moods', schema, 'mood'],
    ['odd', schema, 'Odd "Name'],
    ['_label', schema, 'varchar'],
    ['_timestamptz', 'pg_catalog', 'timestamptz'],
    ['_int4', 'pg_catalog', 'int4'],
  ] as const) {
    const error = await t.throwsAsync(c.setTypeCodec(typeName, upperCase(place)), {
      instanceOf: InterfaceError,
    })
    const [, name, of] =
      /set it on the (?:base|element) type of .*: \('(.*)', \{ schema: '(.*)', … \}\)$/.exec(
        error!.message,
      ) ?? []
    t.is(name, expected, error!.message)
    await t.notThrowsAsync(c.setTypeCodec(name!, upperCase(of!)))
    await c.resetTypeCodec(name!, { schema: of! })
  }
  // What format_type and the documentation call a built-in type is accepted as well.
  for (const [name, type] of [
    ['character varying', 'varchar'],
    ['timestamp with time zone', 'timestamptz'],
    ['integer', 'int4'],
    ['double precision', 'float8'],
  ] as const) {
    const hint = await t.throwsAsync(c.setTypeCodec(name, upperCase('public')), {
      instanceOf: InterfaceError,
    })
    t.regex(hint!.message, /schema: 'pg_catalog'/)
    await c.setTypeCodec(name, { schema: 'pg_catalog', encode: String, decode: (text) => `read ${text}` })
    t.regex(
      (await c.fetchVal<string>(
        `select null::text || 'x', cast(${type === 'timestamptz' ? 'now()' : '1'} as ${type})`,
        [],
        { column: 1 },
      ))!,
      /^read /,
    )
    await c.resetTypeCodec(name, { schema: 'pg_catalog' })
  }
})
