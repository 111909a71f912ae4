// What the driver asks a server for itself is found in pg_catalog, whatever others have put into schemas of the search
// path (CVE-2018-1058): it would run with the rights of the application.
import test, { type ExecutionContext } from 'ava'
import { type Connection, connect, createPool } from 'oxpg'
import { connection, uniqueName, until, url } from '../support/server.js'

const OPERATORS = ['=', '<>', '>', '<', '>=', '<=']
/** Pairs that the catalogs' columns and the driver's constants could meet as. */
const OPERANDS = [
  ['oid', 'oid'],
  ['oid', 'integer'],
  ['oid', 'bigint'],
  ['regproc', 'integer'],
  ['regproc', 'oid'],
  ['regclass', 'oid'],
  ['oid', 'regclass'],
  ['"char"', '"char"'],
  ['"char"', 'text'],
  ['text', 'text'],
  ['name', 'text'],
  ['name', 'name'],
  ['smallint', 'smallint'],
  ['smallint', 'integer'],
  ['integer', 'integer'],
  ['boolean', 'boolean'],
]
const FUNCTIONS = [
  'unnest(pg_catalog.oid[]) returns setof pg_catalog.oid',
  'unnest(pg_catalog.text[]) returns setof pg_catalog.text',
  'format_type(pg_catalog.oid, integer) returns pg_catalog.text',
  'set_config(pg_catalog.text, pg_catalog.text, boolean) returns pg_catalog.text',
  'pg_advisory_unlock_all() returns void',
]
const TYPES = ['oid', 'text', 'cstring', 'regclass', '"char"', 'name', 'int2', 'int4']

/**
 * A schema in front of pg_catalog in which everything has a double that leaves a trace: each insert into `seen` says
 * what ran. The types are of no use to anybody.
 */
async function trap(t: ExecutionContext): Promise<{ admin: Connection; schema: string }> {
  const admin = await connection(t)
  const schema = uniqueName('trap')
  t.teardown(async () => {
    const last = await connect(url)
    await last.execute(`drop schema ${schema} cascade`)
    await last.close()
  })
  await admin.execute(`create schema ${schema}; create table ${schema}.seen (what pg_catalog.text)`)
  await admin.execute(`create type ${schema}.mood as enum ('ok', 'sad');
    create type ${schema}.person as (name pg_catalog.text, mood ${schema}.mood);
    create domain ${schema}.cheerful as ${schema}.mood`)
  const leaveTrace = (what: string): string =>
    `begin insert into ${schema}.seen values (${quoted(what)}::pg_catalog.text); return null; end`
  for (const operator of OPERATORS) {
    for (const [left, right] of OPERANDS) {
      const types = [left, right].map((type) =>
        type === '"char"' ? 'pg_catalog."char"' : `pg_catalog.${builtIn(type!)}`,
      )
      const name = `spy_${OPERATORS.indexOf(operator)}`
      await admin.execute(`create function ${schema}.${name}(${types.join(', ')}) returns pg_catalog.bool
        language plpgsql as $$ ${leaveTrace(`${types[0]} ${operator} ${types[1]}`)} $$`)
      await admin.execute(`create operator ${schema}.${operator}
        (leftarg = ${types[0]}, rightarg = ${types[1]}, function = ${schema}.${name})`)
    }
  }
  for (const signature of FUNCTIONS) {
    const isSet = signature.includes('setof')
    const isVoid = signature.endsWith('void')
    const trace = `insert into ${schema}.seen values (${quoted(signature)}::pg_catalog.text)`
    await admin.execute(`create function ${schema}.${signature} language plpgsql as $$ begin ${trace};
      ${isSet || isVoid ? 'return' : 'return null'}; end $$`)
  }
  for (const type of TYPES) await admin.execute(`create type ${schema}.${type} as (trapped pg_catalog.bool)`)
  return { admin, schema }
}

const builtIn = (type: string): string =>
  ({ integer: 'int4', bigint: 'int8', smallint: 'int2', boolean: 'bool' })[type] ?? type

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

const inFront = (schema: string): { serverSettings: { search_path: string } } => ({
  serverSettings: { search_path: `${schema}, pg_catalog` },
})

async function seen(admin: Connection, schema: string): Promise<unknown[]> {
  return admin.fetch(`select distinct what from ${schema}.seen order by 1`)
}

test('the trap works', async (t) => {
  const { admin, schema } = await trap(t)
  const victim = await connection(t, inFront(schema))
  await victim.execute(`select 1::pg_catalog.oid = 2::pg_catalog.oid; select pg_advisory_unlock_all()`)
  t.is((await seen(admin, schema)).length, 2)
})

test('looking types up runs nothing of others', async (t) => {
  const { admin, schema } = await trap(t)
  const victim = await connection(t, inFront(schema))
  t.is(await victim.fetchVal(`select 'ok'::${schema}.mood`), 'ok')
  t.is(await victim.fetchVal(`select $1::${schema}.cheerful`, ['sad']), 'sad')
  t.like(await victim.fetchVal(`select $1::${schema}.person`, [{ name: 'Ada', mood: 'ok' }]), {
    name: 'Ada',
    mood: 'ok',
  })
  await victim.reloadSchemaState()
  await victim.transaction(async (tx) => {
    t.is(await tx.fetchVal(`select 'sad'::${schema}.mood as inside`), 'sad')
  })
  t.deepEqual(await seen(admin, schema), [])
})

test('setting codecs runs nothing of others', async (t) => {
  const { admin, schema } = await trap(t)
  const victim = await connection(t, inFront(schema))
  await victim.setTypeCodec('mood', {
    schema,
    encode: (value: string) => value.toLowerCase(),
    decode: (text) => text.toUpperCase(),
  })
  t.is(await victim.fetchVal(`select $1::${schema}.mood`, ['OK']), 'OK')
  await t.throwsAsync(victim.setTypeCodec('cheerful', { schema, encode: String, decode: String }), {
    message: /set it on .*mood/,
  })
  await victim.resetTypeCodec('mood', { schema })
  t.deepEqual(await seen(admin, schema), [])
})

test('resetting a session runs nothing of others', async (t) => {
  const { admin, schema } = await trap(t)
  const victim = await connection(t, inFront(schema))
  await victim.reset()
  const pool = await createPool(url, { ...inFront(schema), minSize: 1, maxSize: 1 })
  t.teardown(async () => pool.terminate())
  await pool.use(async (leased) => leased.execute(`select 'ok'::${schema}.mood`))
  await until(async () => pool.stats.idle === 1, 'the reset')
  t.deepEqual(await seen(admin, schema), [])
})
