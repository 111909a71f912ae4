// NUL, which PostgreSQL ends its texts with, and halves of surrogate pairs, which UTF-8 has no place for, in every place that
// takes text.
import { inspect, isDeepStrictEqual } from 'node:util'
import { connect, createPool, JsonValue, json, parseDsn, Range, sql } from 'oxpg'
import { uniqueName, url } from '../../support/server.js'
import { Row } from '../network/report.js'
import { isClear, type Outcome, outcomeOf } from './judging.js'
import { COMMAND_WAYS, type Host, Hosts, ROW_WAYS, VALUE_WAYS } from './ways.js'

const TEXTS = {
  NUL: ['\0', '\0a', 'a\0', 'a\0b'],
  'half of a surrogate pair': ['\uD800', '\uDC00', 'a\uD83D', '\uDC00\uD800', '🐘\uD83D'],
} as const
const ALL = Object.values(TEXTS).flat()
const WAYS = { ...ROW_WAYS, ...VALUE_WAYS, ...COMMAND_WAYS }

/** What a value of a type is made of such a text. */
const VALUES: Readonly<Record<string, (text: string) => unknown>> = {
  text: (text) => text,
  varchar: (text) => text,
  'varchar(40)': (text) => text,
  bpchar: (text) => text,
  name: (text) => text,
  '"char"': (text) => text,
  json: (text) => text,
  jsonb: (text) => text,
  xml: (text) => text,
  tsvector: (text) => text,
  tsquery: (text) => text,
  jsonpath: (text) => text,
  regclass: (text) => text,
  regtype: (text) => text,
  inet: (text) => text,
  macaddr: (text) => text,
  uuid: (text) => text,
  numeric: (text) => text,
  int4: (text) => text,
  int8: (text) => text,
  float8: (text) => text,
  bool: (text) => text,
  bytea: (text) => text,
  timestamptz: (text) => text,
  date: (text) => text,
  time: (text) => text,
  interval: (text) => text,
  'bit varying': (text) => text,
  point: (text) => text,
  money: (text) => text,
  pg_lsn: (text) => text,
  int4range: (text) => text,
  daterange: (text) => new Range(text, null),
  'text[]': (text) => ['first', text],
  'text[][]': (text) => [['first'], [text]],
  'name[]': (text) => [text],
  'json[]': (text) => [json(text)],
  'int4[]': (text) => [text],
  refcursor: (text) => text,
}

/** Where text is a part of something else: it may come back as it is. */
const NESTED: Readonly<Record<string, (text: string) => unknown>> = {
  json: (text) => json({ [text]: text }),
  jsonb: (text) => json([text, { a: text }]),
}

export async function texts(isFull: boolean): Promise<Row[]> {
  const row = new Row('34', 'NUL and halves of surrogate pairs in every text')
  const hosts = await Hosts.open()
  const types = await Types.open()
  await hosts.each(async (host, on) => {
    await playQueries(host, on, row)
    await playParameters(host, on, types, isFull, row)
  })
  await playNames(hosts, types, row)
  await playOpening(row)
  const alive = await Promise.all([hosts.connection.fetchVal('select 42'), hosts.pool.fetchVal('select 42')])
  row.check(isDeepStrictEqual(alive, [42, 42]), `afterwards: ${alive}`)
  await types.close()
  await hosts.close()
  row.detail = `${ALL.length} texts in the text of a query (${Object.keys(WAYS).join(', ')}; sql, sql.identifier, sql.raw, scripts, tags), in parameters of ${Object.keys(VALUES).length + types.values.size} types alone, in arrays, JSON, composite values and enums, in names of channels, contexts, roles, types, schemas and prepared transactions, in payloads and columns, and in each option of connect, createPool and parseDsn: an error that says so, or the same text comes back; the connection goes on`
  return [row]
}

/** Types of this process's own. */
class Types {
  private constructor(
    readonly schema: string,
    readonly values: ReadonlyMap<string, (text: string) => unknown>,
  ) {}

  static async open(): Promise<Types> {
    const schema = uniqueName('texts')
    const c = await connect(url)
    await c.execute(`create schema ${schema};
      create type ${schema}.mood as enum ('ok', 'sad');
      create domain ${schema}.short as text check (length(value) < 100);
      create type ${schema}.person as (name text, mood ${schema}.mood)`)
    await c.close()
    return new Types(
      schema,
      new Map<string, (text: string) => unknown>([
        [`${schema}.mood`, (text) => text],
        [`${schema}.mood[]`, (text) => ['ok', text]],
        [`${schema}.short`, (text) => text],
        [`${schema}.person`, (text) => ({ name: text, mood: 'ok' })],
        [`${schema}.person[]`, (text) => [{ name: 'Ada', mood: text }]],
      ]),
    )
  }

  async close(): Promise<void> {
    const c = await connect(url)
    await c.execute(`drop schema ${this.schema} cascade`)
    await c.close()
  }
}

/** An error that says what was wrong, or the same again. */
function judge(outcome: Outcome, sent: unknown, row: Row, what: string): void {
  row.cases += 1
  if ('error' in outcome) {
    const unclear = isClear(outcome.error)
    row.check(unclear === undefined, `${what}: ${unclear}`)
    row.count(outcome.error instanceof Error ? outcome.error.name : 'no error')
  } else {
    row.count('comes back')
    row.check(isDeepStrictEqual(outcome.value, sent), `${what}: gives ${inspect(outcome.value)}`)
  }
}

/** Nothing of this can be done. */
async function refuses(call: () => unknown, row: Row, what: string): Promise<void> {
  judge(await outcomeOf(call), NOTHING, row, what)
}
const NOTHING = Symbol('what no call gives')

async function playQueries(host: Host, on: string, row: Row): Promise<void> {
  for (const text of ALL) {
    const shown = JSON.stringify(text)
    const queries: [kind: string, query: unknown][] = [
      ['a literal', `select '${text}' as x`],
      ['a comment', `select 1 as x /* ${text} */`],
      ['all of it', text],
      ['sql', sql`select 1 as x ${sql.raw(`--${text}`)}`],
    ]
    for (const [kind, query] of queries) {
      for (const [way, ask] of Object.entries(WAYS))
        await refuses(() => ask(host, query, []), row, `${shown} in ${kind} on ${on}, by ${way}`)
    }
    await refuses(() => host.execute(`select 1; select '${text}'`), row, `${shown} in a script on ${on}`)
    await refuses(() => host.fetchVal('select 1 as x', [], { column: text }), row, `${shown}, a column`)
  }
  const alive = await host.fetchVal('select 42')
  row.check(alive === 42, `after queries on ${on}: ${alive}`)
}

async function playParameters(
  host: Host,
  on: string,
  types: Types,
  isFull: boolean,
  row: Row,
): Promise<void> {
  const values = [...Object.entries(VALUES), ...types.values, ...Object.entries(NESTED)]
  let turn = 0
  for (const [type, make] of values) {
    for (const text of ALL) {
      for (const [way, ask] of Object.entries(WAYS)) {
        turn += 1
        if (!isFull && turn % 7 !== 0) continue
        const value = make(text)
        const what = `${JSON.stringify(text)} as ${type} on ${on}, by ${way}`
        const outcome = await outcomeOf(async () => {
          const answer = await ask(host, `select $1::${type} as x`, [value])
          // Where it goes is not told.
          if (way in COMMAND_WAYS)
            return 'value' in (await outcomeOf(() => host.fetchVal(`select $1::${type}`, [value])))
              ? plainOf(value)
              : answer
          return way in VALUE_WAYS ? answer : (answer as { x: unknown }[])[0]?.x
        })
        judge(outcome, plainOf(value), row, what)
      }
    }
  }
  // The server finds out what it is: text.
  for (const text of ALL) await refuses(() => host.fetchVal('select $1', [text]), row, `${text} as it is`)
  const alive = await host.fetchVal('select $1::text', ['42'])
  row.check(alive === '42', `after parameters on ${on}: ${alive}`)
}

/** What comes back of it: JSON without its wrapping. */
const plainOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plainOf)
  return value instanceof JsonValue ? value.value : value
}

/** Names and texts that are no queries. */
async function playNames({ connection: c, pool }: Hosts, { schema }: Types, row: Row): Promise<void> {
  const ignore = (): void => {}
  const codec = { encode: String, decode: String }
  const places: Record<string, (text: string) => unknown> = {
    'listen of a connection': (text) => c.listen(text, ignore),
    'listen of a connection, iterated': (text) => c.listen(text),
    'listen of a pool': (text) => pool.listen(text, ignore),
    'notify of a connection': (text) => c.notify(text),
    'notify of a pool': (text) => pool.notify(text),
    'notify of a transaction': (text) => c.transaction((tx) => tx.notify(text)),
    'the payload of a connection': (text) => c.notify('adversity', text),
    'the payload of a pool': (text) => pool.notify('adversity', text),
    'the payload of a transaction': (text) => c.transaction((tx) => tx.notify('adversity', text)),
    "a setting's name": (text) =>
      pool.withContext({ settings: { [`app.${text}`]: 'x' } }).fetchVal('select 1'),
    "a setting's value": (text) => pool.withContext({ settings: { 'app.x': text } }).fetchVal('select 1'),
    "a setting's value, in a transaction": (text) =>
      pool.withContext({ settings: { 'app.x': text } }).transaction((tx) => tx.fetchVal('select 1')),
    'a role': (text) => pool.withContext({ role: text }).fetchVal('select 1'),
    prepareTransaction: (text) =>
      c.begin().then(async (tx) => {
        try {
          await tx.execute('create temp table nothing ()')
          await tx.prepareTransaction(text)
        } finally {
          await tx.rollback().catch(ignore)
        }
      }),
    commitPrepared: (text) => c.commitPrepared(text),
    rollbackPrepared: (text) => c.rollbackPrepared(text),
    'commitPrepared of a pool': (text) => pool.commitPrepared(text),
    'rollbackPrepared of a pool': (text) => pool.rollbackPrepared(text),
    isolation: (text) => c.transaction(async () => {}, { isolation: text as 'serializable' }),
    "setTypeCodec's type": (text) => c.setTypeCodec(text, { schema, ...codec }),
    "setTypeCodec's schema": (text) => c.setTypeCodec('mood', { schema: text, ...codec }),
    "setTypeCodec's format": (text) => c.setTypeCodec('mood', { schema, ...codec, format: text as 'text' }),
    "resetTypeCodec's type": (text) => c.resetTypeCodec(text, { schema }),
    "resetTypeCodec's schema": (text) => c.resetTypeCodec('mood', { schema: text }),
    "setBuiltinTypeCodec's type": (text) => c.setBuiltinTypeCodec(text, { schema, codecName: 'text' }),
    "setBuiltinTypeCodec's schema": (text) =>
      c.setBuiltinTypeCodec('mood', { schema: text, codecName: 'text' }),
    "setBuiltinTypeCodec's name": (text) => c.setBuiltinTypeCodec('mood', { schema, codecName: text }),
    rowMode: (text) => c.fetch('select 1', [], { rowMode: text as 'object' }),
    'sql.identifier': (text) => c.fetchVal(sql`select 1 as ${sql.identifier(text)}`),
    'sql.values': (text) => c.fetchVal(sql`insert into nowhere ${sql.values({ [text]: 1 })}`),
    'sql.set': (text) => c.fetchVal(sql`update nowhere set ${sql.set({ [text]: 1 })}`),
    'sql.join': (text) => c.fetchVal(sql`select ${sql.join([1, 2], text)}`),
    "what a codec's encode gives": (text) =>
      c.transaction(async (tx) => {
        await c.setTypeCodec('mood', { schema, encode: () => text, decode: String })
        try {
          return await tx.fetchVal(`select $1::${schema}.mood`, ['ok'])
        } finally {
          await c.resetTypeCodec('mood', { schema })
        }
      }),
  }
  for (const [place, call] of Object.entries(places)) {
    for (const text of ALL) await refuses(() => call(text), row, `${JSON.stringify(text)} as ${place}`)
    const alive = await outcomeOf(() => Promise.all([c.fetchVal('select 42'), pool.fetchVal('select 42')]))
    row.check(
      'value' in alive && isDeepStrictEqual(alive.value, [42, 42]),
      `after ${place}: ${inspect(alive)}`,
    )
  }
}

/** Options that are text, or have some in them. */
const OPTIONS: Readonly<Record<string, (text: string) => object>> = {
  host: (text) => ({ host: text }),
  hosts: (text) => ({ host: ['127.0.0.1', text] }),
  hostaddr: (text) => ({ hostaddr: text }),
  port: (text) => ({ port: text }),
  user: (user) => ({ user }),
  password: (password) => ({ password }),
  'password, a function': (text) => ({ password: () => text }),
  'password, a promise': (text) => ({ password: async () => text }),
  database: (database) => ({ database }),
  passfile: (passfile) => ({ passfile }),
  service: (service) => ({ service }),
  servicefile: (servicefile) => ({ service: 'x', servicefile }),
  applicationName: (applicationName) => ({ applicationName }),
  'serverSettings, the name': (text) => ({ serverSettings: { [text]: 'x' } }),
  'serverSettings, the value': (text) => ({ serverSettings: { search_path: text } }),
  ssl: (ssl) => ({ ssl }),
  'ssl.ca': (ca) => ({ ssl: { ca } }),
  'ssl.servername': (servername) => ({ ssl: { rejectUnauthorized: false, servername } }),
  sslNegotiation: (sslNegotiation) => ({ sslNegotiation }),
  channelBinding: (channelBinding) => ({ channelBinding }),
  requireAuth: (requireAuth) => ({ requireAuth }),
  requirePeer: (requirePeer) => ({ requirePeer }),
  oauthToken: (oauthToken) => ({ oauthToken }),
  targetSessionAttrs: (targetSessionAttrs) => ({ targetSessionAttrs }),
  loadBalanceHosts: (loadBalanceHosts) => ({ loadBalanceHosts }),
  minProtocolVersion: (minProtocolVersion) => ({ minProtocolVersion }),
  statementMode: (statementMode) => ({ statementMode }),
  rowMode: (rowMode) => ({ rowMode }),
  'typeCodecs, the type': (typeName) => ({ typeCodecs: [{ typeName, encode: String, decode: String }] }),
  'typeCodecs, the schema': (schema) => ({
    typeCodecs: [{ typeName: 'int4', schema, encode: String, decode: String }],
  }),
  'an option of its own': (text) => ({ [text]: 'x' }),
}

const DSNS: Readonly<Record<string, (text: string) => string>> = {
  'a URL': (text) => `postgres://ann:secret@127.0.0.1/${text}`,
  "a URL's user": (text) => `postgres://${text}@127.0.0.1/shop`,
  "a URL's keyword": (text) => `postgres://ann@127.0.0.1/shop?application_name=${text}`,
  'a URL, escaped': (text) =>
    `postgres://ann@127.0.0.1/${text.replaceAll('\0', '%00').replaceAll(/[\uD800-\uDFFF]+/g, '%ED%A0%80')}`,
  "a keyword's value": (text) => `host=127.0.0.1 user=ann dbname='${text}'`,
  'a keyword': (text) => `host=127.0.0.1 user=ann ${text}=1`,
  'all of it': (text) => text,
}

async function playOpening(row: Row): Promise<void> {
  // Where a server is asked, it is not there.
  const away = { host: '127.0.0.1', port: 1, user: 'ann', database: 'shop', connectTimeoutMs: 5_000 }
  const openers = {
    connect: async (...args: object[]) => (await Reflect.apply(connect, undefined, args)).terminate(),
    createPool: async (...args: object[]) => (await Reflect.apply(createPool, undefined, args)).terminate(),
    parseDsn: (...args: object[]) => Reflect.apply(parseDsn, undefined, args),
  }
  for (const [opener, open] of Object.entries(openers)) {
    for (const text of ALL) {
      const shown = JSON.stringify(text)
      for (const [name, make] of Object.entries(OPTIONS)) {
        // A function is called by those who connect.
        if (opener === 'parseDsn' && name.startsWith('password,')) continue
        if (opener === 'parseDsn' && OF_SESSIONS.has(name.split(',')[0]!)) continue
        const options = { ...away, ...make(text) }
        const outcome = await outcomeOf(() => open(options))
        judge(outcome, NOTHING, row, `${shown} as ${name} of ${opener}`)
        if ('error' in outcome) isAtHome(outcome.error, row, `${shown} as ${name} of ${opener}`)
      }
      for (const [name, make] of Object.entries(DSNS)) {
        const outcome = await outcomeOf(() => open(make(text) as unknown as object))
        judge(outcome, NOTHING, row, `${shown} in ${name} of ${opener}`)
        if ('error' in outcome) isAtHome(outcome.error, row, `${shown} in ${name} of ${opener}`)
      }
    }
  }
}

/** What parseDsn, which opens no session, has nothing to do with. */
const OF_SESSIONS = new Set(['typeCodecs', 'rowMode', 'statementMode'])

/** It is refused here, and not by a server that is asked for it. */
function isAtHome(error: unknown, row: Row, what: string): void {
  const isAsked = error instanceof Error && 'sqlstate' in error && /refused/i.test(error.message)
  row.check(!isAsked, `${what}: the server is asked for it`)
}
