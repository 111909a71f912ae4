// Values that are hostile, or have changed by the time that they are sent, as parameters of each type and of each call.
import { inspect, isDeepStrictEqual } from 'node:util'
import { connect, PostgresError } from 'oxpg'
import { uniqueName, url } from '../../support/server.js'
import { Row } from '../network/report.js'
import { isClear, type Outcome, outcomeOf } from './judging.js'
import { type Make, ODD, UNSTEADY } from './odd-values.js'
import { nothingIsPolluted } from './pollution.js'
import { COMMAND_WAYS, type Host, Hosts, ROW_WAYS, VALUE_WAYS } from './ways.js'

const WAYS = { ...ROW_WAYS, ...VALUE_WAYS, ...COMMAND_WAYS }

const TYPES = [
  ...['text', 'varchar', 'bpchar', 'name', '"char"', 'bytea', 'uuid', 'json', 'jsonb', 'xml', 'jsonpath'],
  ...['bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'money', 'oid', 'bit varying'],
  ...['timestamptz', 'timestamp', 'date', 'time', 'timetz', 'interval', 'inet', 'macaddr', 'pg_lsn'],
  ...['point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle', 'tsvector', 'refcursor'],
  ...['int4range', 'daterange', 'numrange', 'int4multirange', 'tstzmultirange'],
  ...[
    'text[]',
    'bytea[]',
    'int4[]',
    'int8[]',
    'numeric[]',
    'jsonb[]',
    'bool[]',
    'point[]',
    'date[]',
    'int4range[]',
  ],
]

export async function values(isFull: boolean): Promise<Row[]> {
  const row = new Row('34', 'hostile values as parameters')
  const admin = await connect(url)
  const schema = uniqueName('values')
  await admin.execute(`create schema ${schema};
    create type ${schema}.mood as enum ('ok', 'sad');
    create domain ${schema}.short as text check (length(value) < 100);
    create type ${schema}.person as (name text, age int, mood ${schema}.mood)`)
  const own = ['mood', 'short', 'person', 'person[]'].map((name) => `${schema}.${name}`)
  // Multiranges come with PostgreSQL 14.
  const { major } = admin.serverVersion
  const types = [...TYPES, ...own].filter((type) => major > 13 || !type.includes('multirange'))
  const hosts = await Hosts.open()
  let turn = 0
  for (const [index, [odd, make]] of ODD.entries()) {
    // In part each value has met some of the types and some of the ways.
    for (const type of types.filter((_, place) => isFull || place % 4 === index % 4)) {
      const known = await outcomeAs(hosts.connection as unknown as Host, 'fetchVal', type, make)
      judge(known, row, `${odd} as ${type}`)
      await hosts.each(async (host, on) => {
        for (const way of Object.keys(WAYS)) {
          turn += 1
          if (turn % (isFull ? 7 : 47) !== 0) continue
          const what = `${odd} as ${type} on ${on}, by ${way}`
          const outcome = await outcomeAs(host, way, type, make)
          row.cases += 1
          if (UNSTEADY.has(odd)) {
            judge(outcome, row, what)
            continue
          }
          row.check(isSame(known, outcome, way), `${what}: ${shown(outcome)} in place of ${shown(known)}`)
        }
      })
    }
    const alive = await Promise.all([
      hosts.connection.fetchVal('select $1::text', ['42']),
      hosts.pool.fetchVal('select $1::text', ['42']),
    ])
    row.check(isDeepStrictEqual(alive, ['42', '42']), `after ${odd}: ${alive}`)
  }
  await playChanges(hosts, row)
  await playLists(hosts, isFull, row)
  nothingIsPolluted(row, 'values')
  await hosts.close()
  await admin.execute(`drop schema ${schema} cascade`)
  await admin.close()
  row.detail = `${ODD.length} values (methods and getters that throw or give nonsense, proxies, cycles, depth, arrays that change, bytes that are detached, resized or lie, hollow instances, dates, numbers, functions, what asks for something itself) as parameters of ${types.length} types, by ${Object.keys(WAYS).join(', ')}, on connections, pools (with hooks and without), leases and contexts: an error that names the parameter, or a value, and the same by all of them; values that are changed when the call has been made go as they were; lists of parameters and statements that are none are refused`
  return [row]
}

/** What comes of it as a parameter: a value, or an error. */
async function outcomeAs(host: Host, way: string, type: string, make: Make): Promise<Outcome> {
  const inner: Promise<Outcome>[] = []
  const value = make(() => {
    inner.push(outcomeOf(() => host.fetchVal('select 42')))
  })
  const outcome = await outcomeOf(async () => {
    const answer = await WAYS[way as keyof typeof WAYS]!(host, `select $1::${type} as x`, [value])
    return way in ROW_WAYS ? (answer as { x: unknown }[])[0]?.x : answer
  })
  for (const meanwhile of await Promise.all(inner)) {
    // In a transaction that has failed it is refused as well.
    if ('value' in meanwhile ? meanwhile.value !== 42 : isClear(meanwhile.error) !== undefined)
      return { error: new Error(`what was asked meanwhile: ${shown(meanwhile)}`) }
  }
  return outcome
}

function judge(outcome: Outcome, row: Row, what: string): void {
  row.cases += 1
  if ('value' in outcome) {
    row.count('a value')
    return
  }
  const unclear = isClear(outcome.error)
  row.check(unclear === undefined, `${what}: ${unclear}`)
  if (!(outcome.error instanceof PostgresError)) {
    row.fail(`${what}: ${shown(outcome)}`)
    return
  }
  const { fromServer, parameter, message, safeToRetry } = outcome.error
  row.count(`${outcome.error.name}${fromServer ? ' of the server' : ''}`)
  if (isOfResult(outcome)) row.check(/beyond the range of Date/.test(message), `${what}: ${message}`)
  else if (!fromServer)
    row.check(parameter === 1 && /\$1/.test(message) && safeToRetry, `${what}: ${message}`)
}

/** It was answered, and the answer could not be read. */
const isOfResult = (outcome: Outcome): boolean =>
  'error' in outcome &&
  outcome.error instanceof PostgresError &&
  !outcome.error.fromServer &&
  outcome.error.parameter === undefined

/** Places that only some of the ways can name are no part of it. */
function isSame(known: Outcome, found: Outcome, way: string): boolean {
  if (isOfResult(known) && way in COMMAND_WAYS) return 'value' in found
  if ('value' in known || 'value' in found) {
    if (!('value' in known && 'value' in found)) return false
    return way in COMMAND_WAYS || isDeepStrictEqual(known.value, found.value)
  }
  const [one, other] = [known.error, found.error]
  if (!(one instanceof PostgresError && other instanceof PostgresError)) return false
  return (
    one.constructor === other.constructor &&
    one.fromServer === other.fromServer &&
    one.parameter === other.parameter &&
    withoutPlace(one.message) === withoutPlace(other.message)
  )
}

const withoutPlace = (message: string): string => message.replace(/^(?:row|statement) \d+(?:, |: )/, '')

const shown = (outcome: Outcome): string =>
  'value' in outcome
    ? inspect(outcome.value, { breakLength: Infinity }).slice(0, 100)
    : outcome.error instanceof Error
      ? `${outcome.error.name}: ${outcome.error.message}`.slice(0, 200)
      : inspect(outcome.error).slice(0, 100)

/** What becomes of a value as soon as the call has been made. */
const CHANGES: readonly [what: string, type: string, make: () => { value: unknown; change(): void }][] = [
  [
    'bytes that are filled',
    'bytea',
    () => {
      const value = Buffer.alloc(10_000, 65)
      return { value, change: () => value.fill(66) }
    },
  ],
  [
    'bytes that are detached',
    'bytea',
    () => {
      const value = new Uint8Array(10_000).fill(65)
      return { value, change: () => structuredClone(value, { transfer: [value.buffer] }) }
    },
  ],
  [
    'bytes that are resized',
    'bytea',
    () => {
      const buffer = Reflect.construct(ArrayBuffer, [10_000, { maxByteLength: 20_000 }]) as ArrayBuffer & {
        resize(length: number): void
      }
      const value = new Uint8Array(buffer).fill(65)
      return { value, change: () => buffer.resize(10) }
    },
  ],
  [
    'shared bytes that are filled',
    'bytea',
    () => {
      const value = new Uint8Array(new SharedArrayBuffer(10_000)).fill(65)
      return { value, change: () => value.fill(66) }
    },
  ],
  [
    'an array that is emptied',
    'int4[]',
    () => {
      const value = [1, 2, 3]
      return { value, change: () => value.splice(0) }
    },
  ],
  [
    'bytes in an array',
    'bytea[]',
    () => {
      const value = [Buffer.alloc(10_000, 65)]
      return { value, change: () => value[0]!.fill(66) }
    },
  ],
  [
    'an object',
    'jsonb',
    () => {
      const value: { a: unknown } = { a: [1] }
      return {
        value,
        change: () => {
          value.a = 2
        },
      }
    },
  ],
  [
    'a Date',
    'timestamptz',
    () => {
      const value = new Date(0)
      return { value, change: () => value.setTime(1e12) }
    },
  ],
]

/** A value is taken when the call is made. */
async function playChanges(hosts: Hosts, row: Row): Promise<void> {
  await hosts.each(async (host, on) => {
    for (const [what, type, make] of CHANGES) {
      for (const [way, ask] of Object.entries(WAYS)) {
        // These take their values later: inside a transaction's callback, when a list gives them, behind an await.
        if (LATER.test(way)) continue
        for (const use of ['first', 'again']) {
          row.cases += 1
          const text = `select md5($1::${type}::text) as x`
          const { value, change } = make()
          const wanted = await host.fetchVal(text, [value])
          const params = [value]
          const asking = ask(host, `${text} /* ${on} ${way} */`, params)
          change()
          params[0] = 'something else'
          const answer = await asking
          if (way in COMMAND_WAYS) continue
          const found = way in ROW_WAYS ? (answer as { x: unknown }[])[0]?.x : answer
          row.check(found === wanted, `${what} on ${on}, by ${way}, ${use}: ${inspect(found)}`)
        }
      }
    }
  })
}

const LATER = /^(?:prepared|cursor|transaction|savepoint|begin)|Many/

/** Places whose value is called, or iterated over. */
const CALLED = new Set(['executeMany', 'fetchMany', 'transaction'])

/** What is no list of parameters, or no list of such, or no statement. */
async function playLists({ connection: c, pool }: Hosts, isFull: boolean, row: Row): Promise<void> {
  const lists = ODD.filter(([what]) => !/^an array|grows|shrinks|holes|iterated/.test(what))
  for (const [what, make] of lists.filter((_, place) => isFull || place % 3 === 0)) {
    const list = (): unknown => make(() => {})
    const calls: Record<string, () => unknown> = {
      fetch: () => c.fetch('select 1', list() as []),
      'fetch on a pool': () => pool.fetch('select 1', list() as []),
      execute: () => c.execute('select 1', list() as []),
      executeMany: () => c.executeMany('select $1::text', list() as []),
      'a row of executeMany': () => c.executeMany('select $1::text', [list() as []]),
      fetchMany: () => c.fetchMany('select $1::text', list() as []),
      batch: () => c.batch(list() as []),
      'a statement of a batch': () => c.batch([list() as string]),
      'parameters of a batch': () => c.batch([['select 1', list() as []]]),
      stream: async () => {
        for await (const _ of c.stream('select 1', list() as []));
      },
      query: () => c.fetch(list() as string),
      'query on a pool': () => pool.fetch(list() as string),
      prepare: () => c.prepare(list() as string),
      options: () => c.fetch('select 1', [], list() as object),
      transaction: () => c.transaction(list() as () => void),
      'options of a transaction': () => c.transaction(async () => 1, list() as object),
      listen: () => c.listen('adversity', list() as () => void),
      notify: () => c.notify(list() as string),
      withContext: () => pool.withContext(list() as object).fetch('select 1'),
      'settings of withContext': () =>
        pool.withContext({ settings: list() as { a: string } }).fetch('select 1'),
      acquire: async () => (await pool.acquire(list() as object)).release(),
      connect: async () => (await connect(url, list() as object)).close(),
    }
    for (const [place, call] of Object.entries(calls)) {
      row.cases += 1
      const outcome = await outcomeOf(call)
      if ('value' in outcome) {
        row.count(`taken as ${place}`)
        continue
      }
      const unclear = isClear(outcome.error)
      // What a list throws when it is iterated, a callback when it is called, or an option when it is read, is its own; and of
      // what is revoked the engine says so.
      const isOwn =
        outcome.error instanceof TypeError &&
        (CALLED.has(place) || /^it refuses$|has been revoked$/.test(outcome.error.message))
      row.check(unclear === undefined || isOwn, `${what} in place of ${place}: ${unclear}`)
    }
    const subscription = await c.listen('adversity', () => {})
    await subscription.unlisten()
    const alive = await Promise.all([c.fetchVal('select 42'), pool.fetchVal('select 42')])
    row.check(isDeepStrictEqual(alive, [42, 42]), `after ${what} in other places: ${alive}`)
  }
}
