import { execFile } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import {
  ClientCannotConnectError,
  ClientConfigurationError,
  type Connection,
  ConnectionFailureError,
  type ConnectOptions,
  connect,
  createPool,
  InvalidPasswordError,
  PostgresError,
} from 'oxpg'
import { until } from '../support/server.js'
import { between, certificateFile, pem, startTlsServer, type TlsServer } from '../support/tls-server.js'

const run = promisify(execFile)
const ENCRYPTED = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'

let server: TlsServer

test.before(async () => {
  server = await startTlsServer('server')
})
test.after.always(() => server?.stop())

/** Options for a user of the server's. */
function to(user: string, more: ConnectOptions = {}): ConnectOptions {
  return {
    host: 'localhost',
    port: server.port,
    user,
    password: server.password,
    database: 'postgres',
    ...more,
  }
}

async function opened(t: ExecutionContext, options: ConnectOptions): Promise<Connection> {
  const connection = await connect(options)
  t.teardown(async () => connection.terminate())
  return connection
}

async function isEncrypted(t: ExecutionContext, options: ConnectOptions): Promise<unknown> {
  return (await opened(t, options)).fetchVal(ENCRYPTED)
}

/** The code of the cause of a failure, as Node has it. */
async function codeOf(t: ExecutionContext, options: ConnectOptions): Promise<string | undefined> {
  const error = await t.throwsAsync(connect(options), { instanceOf: ClientCannotConnectError })
  return (error?.cause as { code?: string } | undefined)?.code
}

const ca = pem('ca.crt')

test('the modes are those of libpq', async (t) => {
  t.is(await isEncrypted(t, to('scramuser', { ssl: 'disable' })), false)
  t.is(await isEncrypted(t, to('scramuser', { ssl: false })), false)
  t.is(await isEncrypted(t, to('scramuser', { ssl: 'allow' })), false)
  t.is(await isEncrypted(t, to('tlsuser', { ssl: 'allow' })), true)
  t.is(await isEncrypted(t, to('scramuser', { ssl: 'prefer' })), true)
  t.is(await isEncrypted(t, to('plainuser', { ssl: 'prefer' })), false)
  t.is(await isEncrypted(t, to('scramuser')), true)
  t.is(await isEncrypted(t, to('scramuser', { ssl: 'require' })), true)
  t.is(await isEncrypted(t, to('scramuser', { host: server.socketDirectory, ssl: 'verify-full' })), false)
})

test('a wrong password is told as one, whatever the other attempt came to', async (t) => {
  for (const ssl of ['prefer', 'allow', 'require'] as const) {
    await t.throwsAsync(
      connect(to('tlsuser', { password: 'wrong', ssl })),
      { instanceOf: InvalidPasswordError },
      ssl,
    )
  }
})

test('an object trusts what it names', async (t) => {
  t.is(await isEncrypted(t, to('scramuser', { ssl: { ca } })), true)
  t.is(await isEncrypted(t, to('scramuser', { ssl: { ca: [pem('other-ca.crt'), Buffer.from(ca)] } })), true)
  t.is(await isEncrypted(t, to('scramuser', { ssl: { rejectUnauthorized: false } })), true)
  t.is(await codeOf(t, to('scramuser', { ssl: { ca: pem('other-ca.crt') } })), 'SELF_SIGNED_CERT_IN_CHAIN')
  t.is(await codeOf(t, to('scramuser', { ssl: true })), 'SELF_SIGNED_CERT_IN_CHAIN')
  t.is(
    await codeOf(t, to('scramuser', { ssl: { ca, servername: 'elsewhere' } })),
    'ERR_TLS_CERT_ALTNAME_INVALID',
  )
  t.is(
    await isEncrypted(t, to('scramuser', { ssl: { ca, mode: 'verify-ca', servername: 'elsewhere' } })),
    true,
  )
  t.is(
    await codeOf(t, to('scramuser', { ssl: { ca, crl: pem('revoked.crl'), servername: 'x' } })),
    'ERR_TLS_CERT_ALTNAME_INVALID',
  )
  t.is(await isEncrypted(t, to('scramuser', { ssl: { ca, maxVersion: 'TLSv1.2' } })), true)
  t.is(await isEncrypted(t, to('scramuser', { ssl: { ca, minVersion: 'TLSv1.3' } })), true)
})

test('what the object cannot have is named', async (t) => {
  for (const [ssl, message] of [
    [{ checkServerIdentity: () => undefined }, /ssl\.checkServerIdentity.*verify-ca/],
    [{ pfx: Buffer.from('x') }, /ssl\.pfx.*'cert' and 'key'/],
    [{ cert: 'x' }, /ssl\.key/],
    [{ key: 5, cert: 'x' }, /ssl\.key.*not number/],
    [{ certs: 'x' }, /ssl\.certs/],
    [{ maxVersion: 'TLSv1.1' }, /TLSv1\.1 is no longer safe/],
    [[], /'ssl' must be an object/],
  ] as const) {
    await t.throwsAsync(connect(to('scramuser', { ssl: ssl as never })), { message })
  }
  const error = await t.throwsAsync(connect(to('scramuser', { ssl: { cert: 'x', key: 'marked secret' } })))
  t.notRegex(String(error) + JSON.stringify(error), /marked secret/)
})

test('an address by itself is no name that a certificate could be checked for', async (t) => {
  const at = (more: ConnectOptions): ConnectOptions => {
    const { host: _, ...rest } = to('scramuser', { hostaddr: '127.0.0.1', ssl: { ca } })
    return { ...rest, ...more }
  }
  await t.throwsAsync(connect(at({})), {
    instanceOf: ClientConfigurationError,
    message: /^.*hostaddr: expected a host/,
  })
  t.is(await isEncrypted(t, at({ host: 'localhost' })), true)
  t.is(await isEncrypted(t, at({ ssl: { ca, servername: 'localhost' } })), true)
  t.is(await isEncrypted(t, at({ ssl: { ca, mode: 'verify-ca' } })), true)
})

// Servers, processes and large values one after the other: all at once they would keep a small machine from everything else.
// One server a test, since each takes seconds to start on a busy machine.
for (const [certificate, code] of [
  ['server-other-name', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['server-expired', 'CERT_HAS_EXPIRED'],
  ['server-self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['server-client-only', 'INVALID_PURPOSE'],
  ['server-revoked', 'CERT_REVOKED'],
] as const) {
  test.serial(`each fault of a certificate has its code: ${certificate}`, async (t) => {
    const other = await startTlsServer(certificate)
    try {
      const options = { ...to('scramuser', { ssl: { ca, crl: pem('revoked.crl') } }), port: other.port }
      t.is(await codeOf(t, options), code)
      t.is(await isEncrypted(t, { ...options, ssl: { rejectUnauthorized: false } }), true)
    } finally {
      await other.stop()
    }
  })
}

for (const [certificate, root, ...versions] of [
  ['server-v1', 'ca', 'TLSv1.2', 'TLSv1.3'],
  ['server-cn-only', 'ca', 'TLSv1.2', 'TLSv1.3'],
  ['server-self-signed', 'server-self-signed', 'TLSv1.2', 'TLSv1.3'],
  ['server-chain', 'ca', 'TLSv1.2', 'TLSv1.3'],
  ['server-ed25519', 'ed25519-ca', 'TLSv1.2', 'TLSv1.3'],
  // Its schemes are not there in TLS 1.2.
  ['server-pss', 'ca', 'TLSv1.3'],
] as const) {
  test.serial(`certificates that rustls refuses and OpenSSL takes are taken: ${certificate}`, async (t) => {
    const other = await startTlsServer(certificate)
    try {
      for (const maxVersion of versions) {
        const options = to('scramuser', { port: other.port, ssl: { ca: pem(`${root}.crt`), maxVersion } })
        t.is(await isEncrypted(t, options), true, maxVersion)
      }
    } finally {
      await other.stop()
    }
  })
}

test.serial('without roots of its own a verified session is by those of Node', async (t) => {
  const program = `
    const { connect } = require('oxpg')
    connect(JSON.parse(process.argv[1])).then(async (c) => {
      console.log(await c.fetchVal(${JSON.stringify(ENCRYPTED)}))
      await c.close()
    }, (error) => console.log(error.cause.code))`
  const outcome = async (
    ssl: unknown,
    env: Record<string, string>,
    flags: readonly string[] = [],
  ): Promise<string> => {
    const options = JSON.stringify({ ...to('scramuser'), ssl })
    const { stdout } = await run(process.execPath, [...flags, '-e', program, options], {
      cwd: process.cwd(),
      env: { ...process.env, HOME: tmpdir(), ...env },
    })
    return stdout.trim()
  }
  const extra = { NODE_EXTRA_CA_CERTS: certificateFile('ca.crt') }
  for (const ssl of [true, 'verify-full', {}]) {
    t.is(await outcome(ssl, extra), 'true')
    t.is(await outcome(ssl, {}), 'SELF_SIGNED_CERT_IN_CHAIN')
  }
  // Node trusts OpenSSL's store then, and no longer its own.
  const store = { SSL_CERT_FILE: certificateFile('ca.crt') }
  t.is(await outcome(true, store), 'SELF_SIGNED_CERT_IN_CHAIN')
  t.is(await outcome(true, { ...store, NODE_OPTIONS: '--use-openssl-ca' }), 'true')
  t.is(await outcome(true, store, ['--use-openssl-ca']), 'true')
  const elsewhere = { SSL_CERT_FILE: certificateFile('other-ca.crt') }
  t.is(await outcome(true, elsewhere, ['--use-openssl-ca']), 'SELF_SIGNED_CERT_IN_CHAIN')
  t.is(await outcome(true, { ...elsewhere, ...extra }, ['--use-openssl-ca']), 'true')
})

test('files and keywords of libpq', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'oxpg-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const keys = join(folder, 'keys.log')
  for (const name of ['client.crt', 'client.key', 'client-rsa.crt', 'client-rsa-aes256.key']) {
    copyFileSync(certificateFile(name), join(folder, name))
    chmodSync(join(folder, name), 0o600)
  }
  const dsn = (keywords: string): string =>
    `host=localhost port=${server.port} user=certuser dbname=postgres sslmode=verify-full ` +
    `sslrootcert=${certificateFile('ca.crt')} sslkeylogfile=${keys} ${keywords}`
  const plain = await connect(
    dsn(`sslcert=${folder}/client.crt sslkey=${folder}/client.key sslcertmode=require`),
  )
  t.is(await plain.fetchVal(ENCRYPTED), true)
  await plain.close()
  const rsa = `sslcert=${folder}/client-rsa.crt sslkey=${folder}/client-rsa-aes256.key`
  const encrypted = await connect(dsn(`${rsa} sslpassword=opensesame ssl_max_protocol_version=TLSv1.2`))
  t.is(await encrypted.fetchVal(ENCRYPTED), true)
  await encrypted.close()
  await t.throwsAsync(connect(dsn(rsa)), { message: /encrypted: expected its password/ })
  await t.throwsAsync(connect(dsn(`${rsa} sslpassword=marked`)), { message: /is its password right\?$/ })
  chmodSync(join(folder, 'client.key'), 0o644)
  await t.throwsAsync(connect(dsn(`sslcert=${folder}/client.crt sslkey=${folder}/client.key`)), {
    message: /client\.key has group or world access/,
  })
  t.regex(readFileSync(keys, 'utf8'), /^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]{96}$/m)
  t.regex(readFileSync(keys, 'utf8'), /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}$/m)
})

test('what is wrong on our side ends in no session without TLS', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'oxpg-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  for (const name of ['client-p521.crt', 'client-p521.key']) {
    copyFileSync(certificateFile(name), join(folder, name))
    chmodSync(join(folder, name), 0o600)
  }
  writeFileSync(join(folder, 'root.crl'), 'no list\n')
  const roots = `sslrootcert=${certificateFile('ca.crt')}`
  for (const [keywords, message] of [
    [`${roots} sslcrl=${folder}/root.crl`, /root\.crl: expected certificate revocation lists in PEM/],
    [
      `sslcert=${folder}/client-p521.crt sslkey=${folder}/client-p521.key`,
      /client-p521\.key .*; expected RSA/,
    ],
  ] as const) {
    for (const mode of ['prefer', 'require']) {
      const dsn = `host=localhost port=${server.port} user=scramuser dbname=postgres sslmode=${mode} ${keywords}`
      await t.throwsAsync(connect(dsn, { password: server.password }), { message })
    }
  }
})

test.serial('a key that takes for ever holds up neither sessions nor exits', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'oxpg-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const key = join(folder, 'heavy.key')
  writeFileSync(key, heavyKey(), { mode: 0o600 })
  const dsn =
    `host=localhost port=${server.port} user=certuser dbname=postgres sslmode=require ` +
    `sslcert=${certificateFile('client.crt')} sslkey=${key} sslpassword=x`
  const program = `
    const { Worker, isMainThread, parentPort } = require('node:worker_threads')
    const { connect } = require('oxpg')
    const [dsn, healthy] = JSON.parse(process.env.WORK)
    const attempt = async (say) => {
      const slow = connect(dsn, { connectTimeoutMs: 500 })
      slow.catch(() => {})
      const c = await connect(healthy)
      say(String(await c.fetchVal('select 1')))
      await c.close()
      await slow.catch((error) => say(error.constructor.name))
    }
    if (isMainThread) {
      attempt(console.log).then(() => {
        const worker = new Worker(process.env.SOURCE, { eval: true })
        worker.on('message', (text) => {
          console.log(text)
          if (text !== '1') worker.terminate().then(() => console.log('terminated'))
        })
      })
    } else attempt((text) => parentPort.postMessage(text))`
  const work = JSON.stringify([dsn, to('scramuser')])
  const { stdout } = await run(process.execPath, ['-e', program], {
    cwd: process.cwd(),
    env: { ...process.env, WORK: work, SOURCE: program },
  })
  t.deepEqual(stdout.trim().split('\n'), ['1', 'TimeoutError', '1', 'TimeoutError', 'terminated'])
})

/** A private key that is encrypted by PBES2 with PBKDF2 and 100 million rounds, which take most of a minute. */
function heavyKey(): string {
  const element = (tag: number, ...parts: readonly Buffer[]): Buffer => {
    const contents = Buffer.concat(parts)
    return Buffer.concat([Buffer.from([tag, contents.length]), contents])
  }
  const oid = (hex: string): Buffer => element(6, Buffer.from(hex, 'hex'))
  const octets = (length: number): Buffer => element(4, Buffer.alloc(length, 7))
  const rounds = element(2, Buffer.from('05f5e100', 'hex'))
  const sha256 = element(0x30, oid('2a864886f70d0209'), element(5))
  const derivation = element(0x30, oid('2a864886f70d01050c'), element(0x30, octets(8), rounds, sha256))
  const aes256 = element(0x30, oid('60864801650304012a'), octets(16))
  const scheme = element(0x30, oid('2a864886f70d01050d'), element(0x30, derivation, aes256))
  const base64 = element(0x30, scheme, octets(32)).toString('base64')
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${base64}\n-----END ENCRYPTED PRIVATE KEY-----\n`
}

test("the client's certificate authenticates", async (t) => {
  const certificate = { ca, cert: pem('client.crt'), key: pem('client.key') }
  t.is(await isEncrypted(t, to('certuser', { ssl: certificate })), true)
  t.is(await isEncrypted(t, to('bothuser', { ssl: certificate })), true)
  const locked = {
    ca,
    cert: pem('client.crt'),
    key: pem('client-pkcs8-scrypt.key'),
    passphrase: 'opensesame',
  }
  t.is(await isEncrypted(t, to('certuser', { ssl: locked })), true)
  await t.throwsAsync(connect(to('certuser', { ssl: { ca } })), {
    instanceOf: PostgresError,
    message: /client certificate/,
  })
  const unknown = { ca, cert: pem('client-unknown.crt'), key: pem('client-unknown.key') }
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    t.is(
      await codeOf(t, to('certuser', { ssl: { ...unknown, maxVersion } })),
      'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    )
  }
})

test('authentication is bound to TLS', async (t) => {
  t.is(await isEncrypted(t, to('scramuser', { ssl: { ca }, channelBinding: 'require' })), true)
  t.is(await isEncrypted(t, to('scramuser', { ssl: { ca }, channelBinding: 'disable' })), true)
  for (const [user, ssl] of [
    ['scramuser', 'disable'],
    ['md5user', 'require'],
    ['clearuser', 'require'],
    ['trustuser', 'require'],
  ] as const) {
    const error = await t.throwsAsync(connect(to(user, { ssl, channelBinding: 'require' })), {
      message: /channelBinding/,
    })
    t.is((error as PostgresError).sqlstate, '28000', user)
  }
  const other = await startTlsServer('server-sha384')
  try {
    t.is(
      await isEncrypted(t, to('scramuser', { port: other.port, ssl: { ca }, channelBinding: 'require' })),
      true,
    )
  } finally {
    await other.stop()
  }
})

test('TLS at once', async (t) => {
  t.is(await isEncrypted(t, to('scramuser', { ssl: { ca }, sslNegotiation: 'direct' })), true)
  await t.throwsAsync(connect(to('scramuser', { sslNegotiation: 'direct' })), {
    instanceOf: ClientConfigurationError,
  })
})

test('a server without TLS is refused where it is demanded', async (t) => {
  const other = await startTlsServer('server', { ssl: 'off' })
  try {
    const options = to('scramuser', { port: other.port })
    t.is(await isEncrypted(t, options), false)
    const error = await t.throwsAsync(connect({ ...options, ssl: 'require' }), {
      message: /does not support TLS/,
    })
    t.true((error as PostgresError).safeToRetry)
  } finally {
    await other.stop()
  }
})

test('a pool over TLS', async (t) => {
  const pool = await createPool({ ...to('scramuser', { ssl: { ca } }), maxSize: 4 })
  t.teardown(() => pool.close())
  const numbers = Array.from({ length: 500 }, (_, index) => index)
  t.deepEqual(await Promise.all(numbers.map((n) => pool.fetchVal('select $1::int4', [n]))), numbers)
  t.deepEqual(
    await Promise.all(numbers.map(() => pool.fetchVal(ENCRYPTED))),
    numbers.map(() => true),
  )
})

test.serial('large values go both ways, in both versions', async (t) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const c = await opened(t, to('scramuser', { ssl: { ca, maxVersion } }))
    const bytes = Buffer.alloc(100 << 20, 'oxpg is not to lose a byte of this. ')
    const row = await c.fetchRow('select $1::bytea as same, md5($1::bytea) as hash', [bytes])
    t.true(bytes.equals(row?.same as Buffer))
    const { createHash } = await import('node:crypto')
    t.is(row?.hash, createHash('md5').update(bytes).digest('hex'))
    const rows = await c.fetch("select n, repeat('x', n % 3000) as text from generate_series(1, 30000) n")
    t.is(rows.length, 30_000)
    t.true(rows.every(({ n, text }) => (text as string).length === (n as number) % 3000))
  }
})

// By itself: what goes over the proxy waits for this thread, and the driver for five seconds at most.
test.serial('cancel requests are encrypted as their session is', async (t) => {
  const firsts: Buffer[] = []
  const port = await between(t, server, () => {
    const index = firsts.push(Buffer.alloc(0)) - 1
    return {
      toServer: (bytes) => {
        firsts[index] = Buffer.concat([firsts[index]!, bytes])
        return bytes
      },
    }
  })
  const c = await opened(t, to('scramuser', { port, ssl: { ca } }))
  const watcher = await opened(t, to('scramuser', { ssl: { ca } }))
  // One that is not written yet needs no cancel.
  await c.prepare('select pg_sleep(60)')
  const running = 'select state from pg_stat_activity where pid = $1 and query like $2'
  for (const round of [1, 2]) {
    const controller = new AbortController()
    const sleeping = c.fetch('select pg_sleep(60)', [], { signal: controller.signal })
    const isAsleep = async (): Promise<boolean> =>
      (await watcher.fetchVal(running, [c.serverPid, 'select pg_sleep%'])) === 'active'
    await until(isAsleep, 'the query')
    controller.abort()
    await t.throwsAsync(sleeping, { any: true })
    t.is(await c.fetchVal('select $1::int', [round]), round)
  }
  t.true(firsts.length >= 3)
  for (const bytes of firsts) {
    t.is(bytes.readInt32BE(4), 80_877_103, 'each connection asks for TLS')
    t.false(bytes.includes(Buffer.from([0x04, 0xd2, 0x16, 0x2e])), 'no cancel request is in the clear')
  }
})

test('records that come in pieces, and many at once', async (t) => {
  const port = await between(t, server, () => ({ toClient: (bytes) => bytes }))
  const c = await opened(t, to('scramuser', { port, ssl: { ca } }))
  t.is((await c.fetch("select repeat('y', 100) from generate_series(1, 20000)")).length, 20_000)
})

test.serial('a connection that is cut anywhere ends what runs on it', async (t) => {
  // The handshake, the login, and a result of many records.
  for (const limit of [0, 1, 100, 1500, 2200, 2600, 3000, 10_000, 50_001, 500_000]) {
    const port = await between(t, server, () => {
      let passed = 0
      return {
        toClient: (bytes) => {
          const room = limit - passed
          passed += bytes.length
          return room <= 0 ? undefined : bytes.subarray(0, room)
        },
      }
    })
    const work = async (): Promise<void> => {
      const c = await connect(
        to('scramuser', { port, ssl: { ca, mode: 'require' }, connectTimeoutMs: 60_000 }),
      )
      try {
        await c.fetch("select repeat('z', 1000) from generate_series(1, 2000)")
      } finally {
        await c.terminate()
      }
    }
    await t.throwsAsync(work(), { instanceOf: PostgresError }, `cut after ${limit} bytes`)
  }
})

test('a record that is damaged ends the session', async (t) => {
  let isArmed = false
  const port = await between(t, server, () => ({
    toClient: (bytes) => {
      if (!isArmed) return bytes
      const changed = Buffer.from(bytes)
      changed[changed.length - 1]! ^= 1
      return changed
    },
  }))
  const c = await opened(t, to('scramuser', { port, ssl: { ca } }))
  t.is(await c.fetchVal('select 1'), 1)
  isArmed = true
  await t.throwsAsync(c.fetchVal('select 2'), { instanceOf: ConnectionFailureError, message: /damaged/ })
  t.true(c.isClosed)
})
