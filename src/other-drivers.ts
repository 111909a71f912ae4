import { InterfaceError } from './errors/index'

/**
 * Options that pg or postgres.js have, and what they are here: the name of an option, or what else to do, with `@` for
 * the function that was called.
 */
const OPTIONS: { readonly [name: string]: { readonly name: string; readonly note?: string } | string } = {
  connectionString: 'the connection string is the first argument: @(connectionString, options)',
  connectionUrl: 'the connection string is the first argument: @(connectionString, options)',
  dsn: 'the connection string is the first argument: @(dsn, options)',
  uri: 'the connection string is the first argument: @(uri, options)',
  url: 'the connection string is the first argument: @(url, options)',
  username: { name: 'user' },
  pass: { name: 'password' },
  db: { name: 'database' },
  max: { name: 'maxSize' },
  min: { name: 'minSize' },
  idleTimeoutMillis: { name: 'maxInactiveConnectionLifetimeMs' },
  idle_timeout: { name: 'maxInactiveConnectionLifetimeMs', note: 'in milliseconds' },
  connectionTimeoutMillis: {
    name: 'connectTimeoutMs',
    note: 'and for the wait for a connection of a pool acquireTimeoutMs',
  },
  connect_timeout: { name: 'connectTimeoutMs', note: 'in milliseconds' },
  maxUses: { name: 'maxQueries', note: 'which counts queries' },
  maxLifetimeSeconds: { name: 'maxLifetimeMs', note: 'in milliseconds' },
  max_lifetime: { name: 'maxLifetimeMs', note: 'in milliseconds' },
  query_timeout: { name: 'commandTimeoutMs' },
  statement_timeout: { name: 'commandTimeoutMs', note: 'or serverSettings: { statement_timeout: … }' },
  lock_timeout: 'it is a setting of the server: serverSettings: { lock_timeout: … }',
  idle_in_transaction_session_timeout:
    'it is a setting of the server: serverSettings: { idle_in_transaction_session_timeout: … }',
  options: 'settings of the server are given by serverSettings: { name: value }',
  connection: 'settings of the server are given by serverSettings: { name: value }',
  prepare: { name: 'statementMode', note: "'unnamed' for no prepared statements by name" },
  types: { name: 'typeCodecs', note: 'and for the usual choices timestamptz, int8, numeric and the like' },
  onConnect: { name: 'init' },
  onconnect: { name: 'init' },
  onnotice: 'notices are heard by onNotice(listener) of a connection or a pool',
  onclose:
    'the ends of sessions are heard by onTermination(listener) of a connection, onClose(listener) of a pool',
  allowExitOnIdle: 'idle connections never keep the process alive',
}

/** What an option of another driver's connections is here; undefined when it is none. `where` was called. */
export function hintAtOption(name: string, known: ReadonlySet<string>, where: string): string | undefined {
  if (!known.has('host') || !Object.hasOwn(OPTIONS, name)) return undefined
  const hint = OPTIONS[name]!
  if (typeof hint === 'string') return hint.replace('@', where)
  const place = known.has(hint.name) ? '' : ', an option of createPool'
  return `here it is '${hint.name}'${place}${hint.note === undefined ? '' : `, ${hint.note}`}`
}

/** How objects of the public classes are made. */
const MADE_BY: { readonly [className: string]: string } = {
  Connection: 'await connect(url, options)',
  Pool: 'await createPool(url, { maxSize: 10 })',
  PoolConnection: 'await pool.acquire()',
  PreparedStatement: 'await connection.prepare(query)',
  Transaction: 'await connection.begin(options), or connection.transaction(callback)',
}

/** What `new` of a class says that only the driver makes objects of. */
export function notByNew({ name }: { readonly name: string }): Error {
  const call = MADE_BY[name]
  return new InterfaceError(`a ${name} is not made by new${call === undefined ? '' : `, but by ${call}`}`)
}

/** What the methods of other drivers are here. */
const CALLS = {
  query:
    'fetch(query, params) gives the rows, run(query, params) also the number of rows affected, the command and the ' +
    'columns, execute(query, params) the command tag; params is an array',
  connect: 'acquire() leases a connection of the pool, use(callback) gives it back by itself',
  end: 'close() waits for the calls in flight, terminate() does not',
  on:
    'there are onNotice(listener), onTermination(listener) of a connection and onConnect(listener) and onClose(listener) of a ' +
    'pool; errors reject the calls that they concern',
} as const

/** What a method says that only other drivers have. */
export function notACall(name: keyof typeof CALLS): Error {
  return new InterfaceError(`there is no ${name}() here: ${CALLS[name]}`)
}
