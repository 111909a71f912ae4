// Names that PostgreSQL takes and others trip over, in every place that has a name: they mean what they say, and nothing else.
import { inspect } from 'node:util'
import { type Connection, type ConnectOptions, connect, createPool, type Pool, sql } from 'oxpg'
import { uniqueName, url } from '../../support/server.js'
import { Row } from '../network/report.js'
import { type Server, startServer } from '../pools/clusters.js'
import { NAMES } from './columns.js'

/** What would happen if one of them were code: a table would be gone. */
const INJECTIONS = [
  "'; drop table witness; --",
  '"; drop table witness; --',
  "\\'; drop table witness; --",
  '$$; drop table witness; $$',
  '*/ ; drop table witness; /*',
  "x'); drop table witness; --",
  'x"; drop table witness; select "',
]

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** One server's objects with such names, and how many of them there may be. */
interface Place {
  connection: Connection
  pool: Pool
  row: Row
  /** Of this process alone. */
  prefix: string
  /** One that lets every user in. */
  server: Server
}

export async function names(isFull: boolean): Promise<Row[]> {
  const row = new Row('34', 'names with quotes and other hostile characters')
  const place: Place = {
    connection: await connect(url),
    pool: await createPool(url, { minSize: 1, maxSize: 2 }),
    row,
    prefix: uniqueName('n'),
    server: await startServer(),
  }
  const { connection: c } = place
  await c.execute('create table if not exists witness ()')
  const all = [...INJECTIONS, ...NAMES.filter((_, index) => isFull || index % 5 === 0)]
  for (const name of all) {
    for (const [what, play] of Object.entries(PLACES)) {
      row.cases += 1
      const shown = `${JSON.stringify(name)} as ${what}`
      try {
        const found = await play(place, name)
        row.check(found === true, `${shown}: ${inspect(found)}`)
      } catch (error) {
        row.fail(`${shown}: ${error instanceof Error ? `${error.name}: ${error.message}` : inspect(error)}`)
      }
    }
    const isThere = await c.fetchVal("select to_regclass('witness') is not null")
    row.check(isThere === true, `${JSON.stringify(name)} was executed`)
  }
  await c.execute('drop table if exists witness')
  await c.close()
  await Promise.all([place.pool.close(), place.server.stop()])
  row.detail = `${all.length} names (those of columns, and what would drop a table) as ${Object.keys(PLACES).join(', ')}: each means itself, there and back, and none is executed`
  return [row]
}

/** Waits for what a channel brings. */
async function heard(
  listen: (handler: (payload: string, message: { channel: string }) => void) => Promise<{
    unlisten(): Promise<void>
  }>,
  notify: () => Promise<void>,
): Promise<string> {
  let tell: (found: string) => void = () => {}
  const message = new Promise<string>((resolve) => {
    tell = resolve
  })
  const subscription = await listen((payload, { channel }) => tell(`${channel} ${payload}`))
  await notify()
  const found = await message
  await subscription.unlisten()
  return found
}

/** Gives true, or what was found in its place. */
const PLACES: Readonly<Record<string, (place: Place, name: string) => Promise<unknown>>> = {
  'a channel of a connection': async ({ connection: c, pool }, name) => {
    const found = await heard(
      (handler) => c.listen(name, handler),
      () => pool.notify(name, name),
    )
    const left = await c.fetchVal('select count(*)::int from pg_listening_channels()')
    return found === `${name} ${name}` && left === 0 ? true : [found, left]
  },
  'a channel of a pool': async ({ connection: c, pool }, name) => {
    const found = await heard(
      (handler) => pool.listen(name, handler),
      () => c.transaction((tx) => tx.notify(name, name)),
    )
    return found === `${name} ${name}` ? true : found
  },
  'tables and columns of sql.identifier': async ({ connection: c }, name) => {
    const table = sql.identifier('pg_temp', name)
    await c.execute(sql`create temp table ${sql.identifier(name)} (${sql.identifier(name)} text)`)
    await c.execute(sql`insert into ${table} ${sql.values({ [name]: name })}`)
    const found = await c.fetchVal(sql`select ${table}.${sql.identifier(name)} from ${table}`, undefined, {
      column: name,
    })
    const prepared = await c.prepare(sql`select * from ${table}`)
    const plan = JSON.stringify(await prepared.explain())
    await c.execute(sql`drop table ${table}`)
    return found === name && prepared.attributes[0]?.name === name && plan.includes('Plan') ? true : found
  },
  'a schema with types': async ({ connection: c, prefix }, name) => {
    const schema = `${prefix} ${name}`.slice(0, 40)
    const [mood, person] = [quoted(name), quoted(`${name.slice(0, 20)} p`)].map(
      (type) => `${quoted(schema)}.${type}`,
    )
    await c.execute(`create schema ${quoted(schema)}`)
    try {
      await c.execute(`create type ${mood} as enum ('ok', '${name.replaceAll("'", "''")}');
        create domain ${quoted(schema)}.d as ${mood};
        create type ${person} as (${quoted(name)} ${mood}, list ${mood}[])`)
      const value = { [name]: name, list: [name, 'ok', null] }
      const found = await c.fetchVal(`select $1::${person}`, [value])
      const list = await c.fetchVal(`select $1::${quoted(schema)}.d[]`, [[name, 'ok']])
      await c.setTypeCodec(name, {
        schema,
        encode: (text: string) => text.slice(1),
        decode: (text) => `#${text}`,
      })
      const coded = await c.fetchVal(`select $1::${mood}`, [`#${name}`])
      await c.resetTypeCodec(name, { schema })
      await c.setBuiltinTypeCodec(name, { schema, codecName: 'text' })
      const builtin = await c.fetchVal(`select $1::${mood}`, [name])
      await c.resetTypeCodec(name, { schema })
      await c.reloadSchemaState()
      const opened = await connect(url, {
        typeCodecs: [{ typeName: name, schema, encode: String, decode: (text) => `!${text}` }],
        serverSettings: { search_path: `${quoted(schema)}, pg_catalog` },
      })
      const first = await opened.fetchVal(`select $1::${quoted(name)}`, [name])
      const path = await opened.fetchVal('select (current_schemas(false))[1]::text')
      await opened.close()
      const isSame =
        JSON.stringify(found) === JSON.stringify(value) &&
        JSON.stringify(list) === JSON.stringify([name, 'ok']) &&
        coded === `#${name}` &&
        builtin === name &&
        first === `!${name}` &&
        path === schema
      return isSame ? true : { found, list, coded, builtin, first, path }
    } finally {
      await c.execute(`drop schema ${quoted(schema)} cascade`)
    }
  },
  'a role of a context': async ({ connection: c, pool, prefix }, name) => {
    const role = `${prefix} ${name}`.slice(0, 40)
    await c.execute(`create role ${quoted(role)}`)
    try {
      const context = pool.withContext({ role })
      const found = [
        await context.fetchVal('select current_user::text'),
        await context.transaction((tx) => tx.fetchVal('select current_user::text')),
        (await context.batch<[{ x: string }]>(['select current_user::text as x']))[0][0]?.x,
      ]
      const after = await pool.fetchVal('select current_user = session_user')
      return found.every((user) => user === role) && after === true ? true : [found, after]
    } finally {
      await c.execute(`drop role ${quoted(role)}`)
    }
  },
  "a setting's value in a context": async ({ pool }, name) => {
    const context = pool.withContext({ settings: { 'app.hostile': name, search_path: quoted(name) } })
    const text = "select current_setting('app.hostile')"
    const found = [await context.fetchVal(text), await context.transaction((tx) => tx.fetchVal(text))]
    const after = await pool.fetchVal("select coalesce(current_setting('app.hostile', true), '')")
    return found.every((value) => value === name) && after === '' ? true : [found, after]
  },
  'a prepared transaction': async ({ connection: c, pool, prefix }, name) => {
    const gid = `${prefix} ${name}`
    const find = 'select count(*)::int from pg_prepared_xacts where gid = $1'
    const prepare = async (): Promise<unknown> => {
      const tx = await pool.begin()
      await tx.fetchVal('select pg_current_xact_id_if_assigned(), txid_current()')
      await tx.prepareTransaction(gid)
      return c.fetchVal(find, [gid])
    }
    const first = await prepare()
    await c.rollbackPrepared(gid)
    const second = await prepare()
    await pool.commitPrepared(gid)
    const left = await c.fetchVal(find, [gid])
    return first === 1 && second === 1 && left === 0 ? true : [first, second, left]
  },
  'a user, a password, a database and an application': async ({ prefix, server }, name) => {
    const [user, database] = [`${prefix} u ${name}`.slice(0, 40), `${prefix} d ${name}`.slice(0, 40)]
    const password = `p ${name}`
    const c = await connect(server.url)
    await c.execute("set password_encryption = 'scram-sha-256'")
    await c.execute(`create role ${quoted(user)} login password '${password.replaceAll("'", "''")}'`)
    await c.execute(`create database ${quoted(database)} owner ${quoted(user)} template template0`)
    const { host, port } = server
    const escaped = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`
    const [u, p, d] = [user, password, database].map(encodeURIComponent)
    const ways: [dsn: string, options: ConnectOptions][] = [
      [`postgres://${u}:${p}@${host}:${port}/${d}`, {}],
      [`postgres://${host}:${port}`, { user, password, database }],
      [
        `host=${host} port=${port} user=${escaped(user)} password=${escaped(password)} dbname=${escaped(database)}`,
        {},
      ],
    ]
    const found: unknown[] = []
    for (const [dsn, options] of ways) {
      const opened = await connect(dsn, { ...options, applicationName: name })
      found.push(await opened.fetchVal("select concat(session_user, '|', current_database())"))
      const application = await opened.fetchVal<string>("select current_setting('application_name')")
      // What is not ASCII, a server keeps in another way.
      if (/^[ -~]*$/.test(name) && application !== name) found.push(application)
      await opened.close()
    }
    await c.execute(`drop database ${quoted(database)}`)
    await c.execute(`drop role ${quoted(user)}`)
    await c.close()
    return found.every((one) => one === `${user}|${database}`) ? true : found
  },
  'tags of queries': async (_, name) => {
    const opened = await connect(url, { queryTags: { route: name, [`k ${name}`]: name } })
    const text = 'select query from pg_stat_activity where pid = pg_backend_pid()'
    const found = await opened.fetchVal<string>(text)
    const script = await opened.execute('select 1; select 2')
    await opened.close()
    const comment = found?.slice(text.length) ?? ''
    const isOneComment = /^ ?\/\*(?:(?!\*\/)[\s\S])*\*\/$/.test(comment)
    return found?.startsWith(text) && isOneComment && script === 'SELECT 1' ? true : found
  },
}
