import { performance } from 'node:perf_hooks'
import { inspect } from 'node:util'
import test from 'ava'
import { CONNECT_OPTIONS, connectPlan, dsnAndOptions } from '../../src/connect-options'
import { Connection } from '../../src/connection'
import { askForCredentials } from '../../src/credentials'
import { ClientConfigurationError, InterfaceError, TimeoutError } from '../../src/errors/index'
import { Limit } from '../../src/limit'
import { checkOptions } from '../../src/options'
import { Pool } from '../../src/pool'
import { PoolConnection } from '../../src/pool-connection'
import { POOL_OPTIONS, poolPlan } from '../../src/pool-options'
import { PreparedStatement } from '../../src/prepared-statement'
import { parseServerVersion } from '../../src/server-version'
import { sql } from '../../src/sql'
import { Transaction } from '../../src/transaction'
import { connectionOn, FakeConnection, FakePool, poolOn, serverFailure } from './fake-target'

const configuration = { instanceOf: ClientConfigurationError }

test('an unknown option is refused, and the one that was meant is named', (t) => {
  const refused = (name: string, known = POOL_OPTIONS) =>
    t.throws(() => checkOptions({ [name]: 1 }, known, 'createPool'), configuration)!.message
  t.is(refused('maxsize'), "createPool: unknown option 'maxsize'; did you mean 'maxSize'?")
  t.regex(refused('max_size'), /'maxSize'/)
  t.regex(refused('connectTimeout'), /'connectTimeoutMs'/)
  t.regex(refused('pasword'), /'password'/)
  t.notRegex(refused('qwertyuiop'), /did you mean/)
  t.throws(() => checkOptions(5, POOL_OPTIONS, 'createPool'), { ...configuration, message: /not 5/ })
})

test('an option of pg or postgres.js is refused with what it is here', (t) => {
  const refused = (name: string, known = POOL_OPTIONS, where = 'createPool') =>
    t.throws(() => checkOptions({ [name]: 'postgres://u:hush@h' }, known, where), configuration)!.message
  t.is(refused('max'), "createPool: unknown option 'max'; here it is 'maxSize'")
  t.is(
    refused('max', CONNECT_OPTIONS, 'connect'),
    "connect: unknown option 'max'; here it is 'maxSize', an option of createPool",
  )
  t.is(
    refused('connectionString', CONNECT_OPTIONS, 'connect'),
    "connect: unknown option 'connectionString'; the connection string is the first argument: connect(connectionString, options)",
  )
  t.regex(refused('connectionString'), /first argument: createPool\(/)
  for (const [name, ours] of [
    ['idleTimeoutMillis', 'maxInactiveConnectionLifetimeMs'],
    ['connectionTimeoutMillis', 'connectTimeoutMs'],
    ['query_timeout', 'commandTimeoutMs'],
    ['statement_timeout', 'serverSettings'],
    ['maxUses', 'maxQueries'],
    ['min', 'minSize'],
    ['application_name', 'applicationName'],
    ['idle_timeout', 'maxInactiveConnectionLifetimeMs'],
    ['username', 'user'],
    ['prepare', 'statementMode'],
  ] as const) {
    t.true(refused(name).includes(ours), refused(name))
  }
  for (const name of ['constructor', 'connectionString']) t.notRegex(refused(name), /hush/)
  t.notRegex(refused('types', new Set(['timeoutMs']), 'options of the call'), /typeCodecs/)
})

test("what is called as pg's objects are names the right call", async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server) as any
  const pool = poolOn(new FakePool()) as any
  const misused = (message: RegExp) => ({ instanceOf: InterfaceError, message })
  for (const db of [connection, pool]) {
    t.throws(
      () => db.query('select 1'),
      misused(/no query\(\) here: fetch\(query, params\) .*run\(query, params\)/),
    )
    t.throws(() => db.end(), misused(/close\(\)/))
    t.throws(() => db.on('error', () => {}), misused(/onTermination/))
  }
  t.throws(() => pool.connect(), misused(/acquire\(\)/))
  for (const [made, message] of [
    [
      () => new (Pool as any)({ connectionString: 'postgres://u:hush@h', max: 5 }),
      /by await createPool\(url/,
    ],
    [() => new (Pool as any)(), /a Pool is not made by new, but by await createPool\(/],
    [() => new (Connection as any)({ host: 'h' }), /by await connect\(url/],
    [() => new (PoolConnection as any)(), /by await pool.acquire\(\)/],
    [() => new (Transaction as any)(), /connection.begin/],
    [() => new (PreparedStatement as any)(connection), /connection.prepare/],
  ] as const) {
    t.throws(made, misused(message))
  }
  const config = { text: 'select $1', values: [1], rowMode: 'array' }
  for (const call of ['fetch', 'fetchRow', 'fetchVal', 'execute', 'run', 'prepare']) {
    await t.throwsAsync(
      connection[call](config),
      misused(/\{ text, values \} are two arguments here: fetch\(text, values\)/),
    )
  }
  await t.throwsAsync(
    connection.fetch({ sql: 'select' }),
    misused(/must be a string or sql`…`, not an object$/),
  )
  for (const args of [
    ['q', 1, 2],
    ['q', [1], 2],
    ['q', [1], [2]],
    ['q', new Date(0)],
  ]) {
    const message = /fetch\(query, \[1, 2\]\)|options are the argument after/
    await t.throwsAsync(connection.fetch(...args), misused(message))
    await t.throwsAsync(connection.execute(...args), misused(message))
  }
  await t.throwsAsync(
    connection.fetch('q', [1], () => {}),
    misused(/no callback: they give promises/),
  )
  t.deepEqual(server.log, [])
})

test('the DSN and the options may each be left out', (t) => {
  const sorted = (first?: string | URL | object, second?: object) =>
    dsnAndOptions('connect', first, second, CONNECT_OPTIONS)
  t.deepEqual(sorted(), { dsn: undefined, options: {} })
  t.deepEqual(sorted('postgres://h'), { dsn: 'postgres://h', options: {} })
  t.deepEqual(sorted(new URL('postgres://u:p%20w@h:5433/d?a=b'), { port: 1 } as object), {
    dsn: 'postgres://u:p%20w@h:5433/d?a=b',
    options: { port: 1 },
  })
  t.deepEqual(sorted(new URL('postgresql://h')), { dsn: 'postgresql://h', options: {} })
  t.deepEqual(sorted({ host: 'h' }), { dsn: undefined, options: { host: 'h' } })
  t.deepEqual(sorted('postgres://h', { port: 1 }), { dsn: 'postgres://h', options: { port: 1 } })
  t.throws(() => sorted({ host: 'h' }, { port: 1 }), configuration)
  t.throws(() => sorted(7 as never), configuration)
})

test('what Rust reads is handed on, the environment with it', (t) => {
  process.env.PGHOST = 'from-the-environment'
  process.env.NOT_FOR_US = 'x'
  const plan = connectPlan('postgres://h', {
    user: 'u',
    port: [1, 2],
    serverSettings: { a: 'b' },
    ssl: false,
  })
  const config = JSON.parse(JSON.stringify(plan.config))
  t.is(config.dsn, 'postgres://h')
  t.deepEqual(config.options, { port: [1, 2], user: 'u', serverSettings: { a: 'b' }, ssl: false })
  t.is(config.environment.PGHOST, 'from-the-environment')
  t.is(typeof config.environment.USER, 'string')
  t.false('NOT_FOR_US' in config.environment)
  t.is(cacheSizeOf(undefined), undefined)
  t.is(cacheSizeOf(0), 0)
  t.is(plan.defaults.commandTimeoutMs, 0)
})

/** What Rust is told; it has the default. */
function cacheSizeOf(statementCacheSize: number | undefined): unknown {
  return connectPlan(undefined, { statementCacheSize }).config.options.statementCacheSize
}

test('the password and the token may be functions', async (t) => {
  for (const name of ['password', 'oauthToken']) {
    const given = async (option: unknown) => {
      const { config, credentials } = connectPlan(undefined, { [name]: option } as never)
      if (credentials === undefined) return { [name]: config.options[name] }
      return askForCredentials(credentials, new Limit(0))
    }
    t.deepEqual(await given('p'), { [name]: 'p' })
    t.deepEqual(await given(() => 'q'), { [name]: 'q' })
    t.deepEqual(await given(async () => 'r'), { [name]: 'r' })
    const error = await t.throwsAsync(
      given(async () => ['hush']),
      { ...configuration, message: new RegExp(`option '${name}'`) },
    )
    t.notRegex(inspect(error), /hush/)
  }
  const both = connectPlan(undefined, { password: () => 'p', oauthToken: async () => 'q' })
  t.deepEqual(await askForCredentials(both.credentials!, new Limit(0)), { password: 'p', oauthToken: 'q' })
})

test('text that UTF-8 cannot hold is refused, and not shown', (t) => {
  for (const options of [
    { password: 'hush\ud800' },
    { oauthToken: 'hush\udc00' },
    { user: 'hush\ud800' },
    { host: ['a', 'hush\ud800'] },
    { serverSettings: { search_path: 'hush\ud800' } },
    { ssl: { ca: 'hush\ud800' } },
  ]) {
    const error = t.throws(() => connectPlan(undefined, options), {
      ...configuration,
      message: /^option .*half of a surrogate pair/,
    })
    t.notRegex(inspect(error), /hush/)
  }
  t.throws(() => connectPlan('postgres://h/hush\ud800', {}), {
    ...configuration,
    message: /^dsn: .*surrogate/,
  })
  t.truthy(connectPlan(undefined, { user: 'a😀' }))
})

test('values that do not fit are refused with the name, what was expected and what came', (t) => {
  const refused = (options: object, message: RegExp) =>
    t.throws(() => connectPlan(undefined, options), { ...configuration, message })
  refused({ commandTimeoutMs: -1 }, /'commandTimeoutMs' must be a number of milliseconds .* not -1/)
  refused({ connectTimeoutMs: '5' }, /'connectTimeoutMs' .* not '5'/)
  refused({ statementCacheSize: 1.5 }, /'statementCacheSize' must be a whole number/)
  refused({ serverSettings: { a: 1 } }, /'serverSettings': 'a' must be a string, not 1/)
  refused({ signal: {} }, /'signal' must be an AbortSignal/)
  refused({ rowMode: 'rows' }, /'rowMode'/)
  t.throws(() => poolPlan({ minSize: 11 }), { ...configuration, message: /'minSize' must not be more/ })
  t.throws(() => poolPlan({ maxSize: 0 }), { ...configuration, message: /'maxSize'/ })
  t.throws(() => poolPlan({ shareConnections: 1 as never }), { ...configuration, message: /true or false/ })
  t.throws(() => poolPlan({ init: 1 as never }), { instanceOf: InterfaceError, message: /function/ })
})

test('a pool has the documented defaults', (t) => {
  t.deepEqual(poolPlan({}).settings, {
    minSize: 1,
    maxSize: 10,
    maxQueries: 50_000,
    maxInactiveConnectionLifetimeMs: 300_000,
    maxLifetimeMs: 0,
    acquireTimeoutMs: 30_000,
    shareConnections: true,
  })
})

test('calls check their arguments before anything is sent', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  const misused = { instanceOf: InterfaceError }
  await t.throwsAsync(connection.fetch(5 as never), { ...misused, message: /query must be a string/ })
  await t.throwsAsync(connection.fetch('q', 5 as never), { ...misused, message: /must be an array, not 5/ })
  await t.throwsAsync(connection.fetch('q', { timeoutMs: 1 } as never), {
    message: /options are the argument after/,
  })
  await t.throwsAsync(connection.fetch(sql`${1}`, [1]), { ...misused, message: /given twice/ })
  await t.throwsAsync(connection.fetch('q', [], { timeout: 1 } as never), {
    message: /did you mean 'timeoutMs'/,
  })
  await t.throwsAsync(connection.fetchVal('q', [], { rowMode: 'array' } as never), configuration)
  await t.throwsAsync(connection.fetchVal('q', [], { column: -1 }), { ...misused, message: /'column'/ })
  await t.throwsAsync(connection.executeMany('q', 5 as never), { ...misused, message: /iterable of arrays/ })
  await t.throwsAsync(connection.executeMany(sql`${1}`, []), { ...misused, message: /placeholders/ })
  await t.throwsAsync(
    connection.transaction(() => {}, { isolation: 'odd' as never }),
    configuration,
  )
  await t.throwsAsync(
    connection.transaction(() => {}, { retry: -1 }),
    configuration,
  )
  t.deepEqual(server.log, [])
})

test('limits, row modes and mappings go with the call', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server, 5_000)
  server.answers.set('q', { rows: [[1, 'one']], tag: 'SELECT 1' })
  await connection.fetch('q', [1])
  await connection.fetchRow(sql`select ${1}`, undefined, {
    timeoutMs: 0.5,
    rowMode: 'object',
    int8: 'bigint',
  })
  t.is(await connection.fetchVal('q', [], { column: 1, timeoutMs: 0 }), 'one')
  t.is(await connection.fetchVal('none'), null)
  t.is(await connection.execute('q', []), 'SELECT 1')
  await t.throwsAsync(connection.fetchVal('q', [], { column: 2 }), {
    message: /no column 2: the row has 2 columns/,
  })
  const [first, second, third] = server.calls
  t.like(first, { text: 'q', params: [1], maxRows: 0, timeoutMs: 5_000 })
  t.like(second, { text: 'select $1', params: [1], maxRows: 1, timeoutMs: 1 })
  t.is(second!.plan.rowMode, 'object')
  t.is(second!.plan.mapping.int8, 'bigint')
  t.is(third!.plan.rowMode, 'array')
  t.is(third!.timeoutMs, 0)
})

test('execute without parameters is a script, with them a query', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  await connection.execute('a; b')
  await connection.execute('c', [])
  await connection.execute(sql`d ${1}`)
  t.deepEqual(
    server.calls.map(({ params }) => params),
    [undefined, [], [1]],
  )
})

test('executeMany takes any iterable, waits for the connection, and stops when the batch fails', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  t.is(await connection.executeMany('i', [[1], [2]]), 2)
  t.is(await connection.executeMany('i', new Set([[1]])), 1)
  async function* rows(count: number) {
    for (let row = 0; row < count; row++) yield [row]
  }
  t.is(await connection.executeMany('i', rows(2_500)), 2_500)
  t.is(server.batches.at(-1)!.flushes, 2)
  const long = 'x'.repeat(200_000)
  await connection.executeMany('i', [[long], [long], [long]])
  t.is(server.batches.at(-1)!.flushes, 1)

  let made = 0
  let isClosed = false
  function* endless() {
    try {
      for (;;) yield [made++]
    } finally {
      isClosed = true
    }
  }
  const failing = connection.executeMany('i', endless())
  server.batches.at(-1)!.failAtFlush = serverFailure('23505')
  await t.throwsAsync(failing, { code: '23505' })
  t.is(made, 1_000)
  t.true(isClosed)
})

test('executeMany takes the batch back when its source or a row is wrong', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  async function* broken() {
    yield [1]
    throw new Error('source')
  }
  await t.throwsAsync(connection.executeMany('i', broken()), { message: 'source' })
  t.is(server.batches.at(-1)!.state, 'aborted')
  await t.throwsAsync(connection.executeMany('i', [[1], 2 as never]), {
    message: /^row 1: .* must be an array, not 2/,
  })
  t.is(server.batches.at(-1)!.state, 'aborted')
})

test('a batch that fails does not wait for a source that is stuck', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  const stuck = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
  const call = connection.executeMany('i', stuck)
  server.batches.at(-1)!.answer({ failure: { kind: 'timeout', message: 'too long', safeToRetry: false } })
  await t.throwsAsync(call, { name: 'TimeoutError' })
})

test('more parameters than the protocol can count are refused before anything is sent', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  const most = Array.from({ length: 65_535 }, () => 1)
  const refused = {
    instanceOf: InterfaceError,
    message: /^a statement takes at most 65535 parameters, not 65536/,
  }
  await connection.execute('q', most)
  const statement = await connection.prepare('q')
  const sent = server.log.length
  const tooMany = [...most, 1]
  await t.throwsAsync(connection.execute('q', tooMany), refused)
  await t.throwsAsync(connection.fetchVal('q', tooMany), refused)
  await t.throwsAsync(connection.fetch(sql`select ${sql.join(tooMany.map((n) => sql`${n}`))}`), refused)
  await t.throwsAsync(statement.fetch(tooMany), refused)
  t.is(server.log.length, sent)
  await t.throwsAsync(connection.executeMany('i', [most, tooMany]), {
    instanceOf: InterfaceError,
    message: /^row 1: a statement takes at most 65535 parameters/,
  })
  t.is(server.batches.at(-1)!.state, 'aborted')
})

test('a batch that settles while it waits for the connection does not ask its source for more', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  let asked = 0
  let isClosed = false
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: (): Promise<IteratorResult<unknown[]>> =>
        ++asked > 1_000 ? new Promise<never>(() => {}) : Promise.resolve({ value: [asked], done: false }),
      return: async (): Promise<IteratorResult<unknown[]>> => {
        isClosed = true
        return { value: undefined, done: true }
      },
    }),
  }
  const call = connection.executeMany('i', source)
  server.batches.at(-1)!.failAtFlush = serverFailure('23505')
  await t.throwsAsync(call, { code: '23505' })
  t.is(asked, 1_000)
  t.true(isClosed)
})

test('a parser of the results that throws takes the batch back', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  const rows = Array.from({ length: 2_500 }, (_, row) => [row])
  async function* later() {
    yield* rows
  }
  for (const list of [rows, later()]) {
    const error = new Error('parser')
    const call = connection.fetchMany('i', list)
    const batch = server.batches.at(-1)!
    batch.parserFailure = { kind: 'thrown', message: 'parser', safeToRetry: false, error }
    await t.throwsAsync(call, { is: error })
    t.is(batch.state, 'aborted')
    t.is(batch.pushed.length, 1_000)
  }
})

test('a prepared statement describes itself and keeps its last tag', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  server.answers.set('q', { rows: [[1]], tag: 'SELECT 1' })
  const statement = await connection.prepare('q')
  t.deepEqual(statement.parameters, [{ oid: 23, name: 'int4', kind: 'scalar', schema: 'pg_catalog' }])
  t.is(statement.attributes[0]!.type.name, 'text')
  t.is(statement.statusMessage, null)
  await statement.fetch([1])
  t.is(statement.statusMessage, 'SELECT 1')
  server.answers.set('EXPLAIN (FORMAT JSON, VERBOSE, ANALYZE) q', { rows: [[[{ Plan: {} }]]] })
  t.deepEqual(await statement.explain([1], { analyze: true }), [{ Plan: {} }])
  t.deepEqual(server.log.slice(-3), ['BEGIN', 'EXPLAIN (FORMAT JSON, VERBOSE, ANALYZE) q', 'ROLLBACK'])
  await connection.close()
  await t.throwsAsync(statement.fetch(), { instanceOf: InterfaceError, message: 'the connection is closed' })
})

test('after release all of a checkout is dead and says so', async (t) => {
  const pool = new FakePool()
  const connection = await poolOn(pool).acquire()
  const statement = await connection.prepare('q')
  const tx = await connection.begin()
  await connection.release()
  await connection.release()
  for (const call of [
    () => connection.fetch('q'),
    () => statement.fetch(),
    () => tx.fetch('q'),
    () => tx.commit(),
    () => connection.transaction(() => {}),
  ]) {
    await t.throwsAsync(call, { instanceOf: InterfaceError, message: /released/ })
  }
  t.is(pool.session.log.filter((text) => text === 'release').length, 1)
})

test('the hooks of a pool run in their order, and calls on the pool lease then', async (t) => {
  const target = new FakePool()
  const calls: string[] = []
  const pool = poolOn(target, {
    init: () => calls.push('init'),
    setup: () => calls.push('setup'),
    reset: async (connection) => {
      await connection.execute('in reset')
      calls.push('reset')
    },
  })
  await pool.fetch('q')
  await pool.use((connection) => connection.fetch('q'))
  t.deepEqual(calls, ['init', 'setup', 'reset', 'setup', 'reset'])
  t.deepEqual(target.direct, [])
  t.deepEqual(target.session.log, ['q', 'in reset', 'release', 'q', 'in reset', 'release'])
  const failing = poolOn(new FakePool(), { setup: () => Promise.reject(new Error('setup')) })
  await t.throwsAsync(failing.acquire(), { message: 'setup' })
})

test('use releases and keeps the first error', async (t) => {
  const target = new FakePool()
  const pool = poolOn(target, { reset: () => Promise.reject(new Error('second')) })
  const error = await t.throwsAsync(
    pool.use(() => Promise.reject(new InterfaceError('first'))),
    { message: 'first' },
  )
  t.is((error!.cause as Error).message, 'second')
  t.is(target.session.log.at(-1), 'terminate')
})

// By itself: the clock stands still meanwhile, so that what is left of a limit is all of it.
test.serial("a call on the pool inside the pool's own transaction does not wait for itself", async (t) => {
  performance.now = () => 1
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  const target = new FakePool()
  const pool = poolOn(target)
  await pool.fetch('outside')
  t.deepEqual(target.direct, ['outside'])
  await pool.transaction(async (tx) => {
    const nested = { instanceOf: InterfaceError, message: /inside one of the pool's own transactions/ }
    await t.throwsAsync(pool.fetch('q'), nested)
    await t.throwsAsync(
      pool.transaction(() => {}),
      nested,
    )
    await tx.execute('fine')
  })
  t.deepEqual(target.timeouts, [30_000, 1_000, 1_000])
  // Limits that were asked for hold instead, longer ones too.
  await pool.transaction(async () => {
    const late = { instanceOf: TimeoutError, message: /full; .*own transactions/ }
    target.isFull = true
    await t.throwsAsync(pool.acquire({ timeoutMs: 5_000 }), late)
    await t.throwsAsync(pool.fetch('q', [], { timeoutMs: 4_000 }), late)
    await t.throwsAsync(
      pool.transaction(() => {}, { timeoutMs: 3_000 }),
      late,
    )
    target.isFull = false
  })
  const asked = target.timeouts.slice(-3)
  t.deepEqual(asked, [5_000, 4_000, 3_000])
  const patient = poolOn(target, {}, true)
  await patient.transaction(async () => {
    target.isFull = true
    await t.throwsAsync(patient.fetch('q'), { instanceOf: TimeoutError, message: /own transactions/ })
    target.isFull = false
  })
  t.is(target.timeouts.at(-1), 30_000)
  target.maxSize = 2
  await pool.transaction(async () => pool.fetch('inside'))
  t.deepEqual(target.direct, ['outside', 'inside'])
})

test('a transaction begun on a pool gives its connection back when it ends', async (t) => {
  const target = new FakePool()
  const pool = poolOn(target)
  const tx = await pool.begin()
  await tx.commit()
  const dropped = await pool.begin()
  await dropped[Symbol.asyncDispose]()
  t.deepEqual(target.session.log, ['BEGIN', 'COMMIT', 'release', 'BEGIN', 'ROLLBACK', 'release'])
})

test('what is printed of connections and pools has no secrets, and says how they are', async (t) => {
  const connection = connectionOn(new FakeConnection())
  t.is(inspect(connection), 'Connection { serverPid: 4242, idle }')
  await connection.begin()
  t.is(inspect(connection), 'Connection { serverPid: 4242, in a transaction }')
  t.is(inspect(poolOn(new FakePool())), 'Pool { size: 1 of 1, idle: 1, waiting: 0 }')
  t.deepEqual(Object.keys(connection), [])
})

test('notices and the end of the session reach their listeners', async (t) => {
  const server = new FakeConnection()
  const connection = connectionOn(server)
  const heard: string[] = []
  const stop = connection.onNotice((message) => heard.push(message.message))
  connection.onTermination(() => heard.push('the end'))
  server.onNotice?.({ severity: 'NOTICE', sqlstate: '00000', message: 'one' })
  stop()
  server.onNotice?.({ severity: 'NOTICE', sqlstate: '00000', message: 'two' })
  await connection.close()
  await connection.close()
  t.deepEqual(heard, ['one', 'the end'])
  t.true(connection.isClosed)
})

test('server versions are read as asyncpg reads them', (t) => {
  const version = (text: string) => Object.values(parseServerVersion(text))
  t.deepEqual(version('18.4'), [18, 0, 4, 'final', 0])
  t.deepEqual(version('16.2 (Debian 16.2-1.pgdg120+2)'), [16, 0, 2, 'final', 0])
  t.deepEqual(version('9.6.24'), [9, 6, 24, 'final', 0])
  t.deepEqual(version('17rc1'), [17, 0, 0, 'candidate', 1])
  t.deepEqual(version('18beta2'), [18, 0, 0, 'beta', 2])
  t.deepEqual(version('19devel'), [19, 0, 0, 'alpha', 0])
  t.deepEqual(version('?'), [0, 0, 0, 'final', 0])
})

test('server versions of others that speak the protocol are read', (t) => {
  for (const [text, ...expected] of [
    ['16.3 (Debian 16.3-1.pgdg120+1)', 16, 0, 3, 'final', 0],
    ['17beta1', 17, 0, 0, 'beta', 1],
    ['17beta1 (Ubuntu 17~beta1-1)', 17, 0, 0, 'beta', 1],
    ['PostgreSQL 16.3 on x86_64-pc-linux-gnu', 16, 0, 3, 'final', 0],
    ['16.3.0 (EnterpriseDB Advanced Server 16.3.0)', 16, 0, 3, 'final', 0],
    ['EnterpriseDB 9.5.0.5', 9, 5, 0, 'final', 0],
    ['EnterpriseDB Advanced Server 16.3', 16, 0, 3, 'final', 0],
    ['8.0.2', 8, 0, 2, 'final', 0],
    ['PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.12103', 8, 0, 2, 'final', 0],
    ['13.0.0', 13, 0, 0, 'final', 0],
    ['CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu)', 23, 0, 1, 'final', 0],
    ['CockroachDB v24.2.0-beta.1', 24, 0, 2, 'final', 0],
    ['11.2-YB-2.20.1.0-b0', 11, 0, 2, 'final', 0],
    ['9.4.26 (Greenplum Database 6.25.3)', 9, 4, 26, 'final', 0],
    ['Postgres-XL 10r1.1', 10, 0, 0, 'final', 0],
    ['1.18.0/bouncer', 1, 18, 0, 'final', 0],
    ['', 0, 0, 0, 'final', 0],
  ] as const) {
    t.deepEqual(Object.values(parseServerVersion(text)), [...expected], text)
  }
})

test.serial('without permission for the network nothing is connected to', (t) => {
  const plan = () => connectPlan('postgres://u@h', {})
  const { permission, allowedNodeEnvironmentFlags } = process as typeof process & { permission?: object }
  const set = (flags: readonly string[], granted: readonly string[]): void => {
    const has = (scope: string) => granted.includes(scope)
    Object.defineProperty(process, 'permission', { value: { has }, configurable: true })
    Object.defineProperty(process, 'allowedNodeEnvironmentFlags', {
      value: new Set(flags),
      configurable: true,
    })
  }
  t.teardown(() => {
    if (permission === undefined) Reflect.deleteProperty(process, 'permission')
    else Object.defineProperty(process, 'permission', { value: permission, configurable: true })
    Object.defineProperty(process, 'allowedNodeEnvironmentFlags', {
      value: allowedNodeEnvironmentFlags,
      configurable: true,
    })
  })
  set(['--allow-net'], ['fs.read'])
  t.like(t.throws(plan), { code: 'ERR_ACCESS_DENIED', permission: 'Net' })
  set(['--allow-net'], ['net'])
  t.notThrows(plan)
  // A model that knows no network answers no to everything.
  set([], [])
  t.notThrows(plan)
})
