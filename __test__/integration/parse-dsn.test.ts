// What would be used, and where it comes from.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ClientConfigurationError, connect, parseDsn, UnsupportedClientFeatureError } from 'oxpg'
import { url } from '../support/server.js'

const SECRET = 'marked-Geheimnis'

/** Runs `body` with other environment variables. These tests are synchronous where that counts. */
function withEnvironment<T>(variables: Record<string, string>, body: () => T): T {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, variables)
  try {
    return body()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

test('it shows what would be used and where it comes from', (t) => {
  const dsn = `postgres://ann:${SECRET}@db.example,[::1]:6000/shop?search_path=app&target_session_attrs=primary`
  const parsed = withEnvironment({ PGTZ: 'UTC', PGCONNECT_TIMEOUT: '9' }, () =>
    parseDsn(dsn, { applicationName: 'till', keepalives: false }),
  )
  t.deepEqual(parsed, {
    hosts: [
      { host: 'db.example', port: 5432 },
      { host: '::1', port: 6000 },
    ],
    user: 'ann',
    database: 'shop',
    hasPassword: true,
    connectTimeoutMs: 9000,
    serverSettings: { TimeZone: 'UTC', search_path: 'app', application_name: 'till' },
    keywords: { target_session_attrs: 'primary', keepalives: '0' },
    sources: {
      host: 'dsn',
      port: 'dsn',
      user: 'dsn',
      database: 'dsn',
      password: 'dsn',
      connectTimeoutMs: 'PGCONNECT_TIMEOUT',
      'serverSettings.TimeZone': 'PGTZ',
      'serverSettings.search_path': 'dsn',
      'serverSettings.application_name': 'option applicationName',
      target_session_attrs: 'dsn',
      keepalives: 'option keepalives',
    },
    remarks: [],
  })
})

test('DATABASE_URL is read only where it is passed', (t) => {
  const parsed = withEnvironment({ DATABASE_URL: 'postgres://bob@elsewhere/x' }, () => parseDsn('host=here'))
  t.deepEqual(parsed.hosts, [{ host: 'here', port: 5432 }])
  t.is(
    withEnvironment({ DATABASE_URL: 'postgres://bob@elsewhere/x' }, () => parseDsn(process.env.DATABASE_URL))
      .user,
    'bob',
  )
})

test('the default user is the one of the system, as in libpq', (t) => {
  const parsed = withEnvironment({ USER: 'nobody-at-all', PGUSER: '' }, () => parseDsn({ host: 'h' }))
  t.is(parsed.user, userInfo().username)
  t.is(parsed.sources.user, 'default')
  t.is(parsed.database, userInfo().username)
})

test('a URL object, a password from a function and no argument at all will do', (t) => {
  t.like(parseDsn(new URL(`postgres://ann:p%40ss@h/d?application_name=a+b`)), {
    hasPassword: true,
    serverSettings: { application_name: 'a b' },
  })
  const parsed = parseDsn({ host: 'h', password: () => SECRET })
  t.is(parsed.hasPassword, true)
  t.is(parsed.sources.password, 'option password')
  t.true(parseDsn().hosts.length > 0)
})

test('what connect refuses is refused, and no password shows', (t) => {
  t.throws(() => parseDsn(`mysql://u:${SECRET}@h/`), {
    instanceOf: ClientConfigurationError,
    message: /^dsn: expected postgres:\/\//,
  })
  t.throws(() => parseDsn('postgres://h/?replication=database'), {
    instanceOf: UnsupportedClientFeatureError,
  })
  t.throws(() => parseDsn({ hsot: 'x' } as never), { message: /^parseDsn: unknown option 'hsot'/ })
  const text = JSON.stringify(parseDsn(`postgres://u:${SECRET}@h/`, { serverSettings: { a: 'b' } }))
  t.false(text.includes(SECRET))
})

test('a service stands for where to connect', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'oxpg-service-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'services.conf')
  const { hostname, port, username, password, pathname } = new URL(url)
  const lines = [`host=${hostname}`, `port=${port}`, `user=${username}`, `password=${password}`]
  await writeFile(file, `[test]\n${lines.join('\n')}\ndbname=${pathname.slice(1)}\nsearch_path=pg_catalog\n`)
  const c = await connect('postgres://?service=test', { servicefile: file })
  t.is(await c.fetchVal('show search_path'), 'pg_catalog')
  await c.close()
  const parsed = withEnvironment({ PGSERVICE: 'test', PGSERVICEFILE: file }, () => parseDsn())
  t.is(parsed.sources.password, `service test of ${file}`)
  t.throws(() => parseDsn({ service: 'other', servicefile: file }), {
    message: 'option service: expected a section of the service file, and found no "other"',
  })
})
