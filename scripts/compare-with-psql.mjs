// Opens the same DSN with psql and with oxpg, in many combinations of sslmode, user, password, host, roots, channel
// binding, client certificate and home folder, on servers with different certificates, and compares what comes of it:
// whether there is a session, and whether it is encrypted. Prints `skipped: …` where psql is missing.
//
// node scripts/compare-with-psql.mjs [combinations per server] [seed]
import { execFile, execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PASSWORD } from './embedded-postgres.mjs'
import { ROOT } from './run.mjs'
import { CERTIFICATES, startWithTls, USERS } from './tls-servers.mjs'

const run = promisify(execFile)
const PSQL = process.env.PSQL ?? 'psql'
const SERVERS = [
  'server',
  'server-chain',
  'server-other-name',
  'server-cn-only',
  'server-v1',
  'server-self-signed',
  'server-expired',
  'server-revoked',
  'server-client-only',
  'server-below-leaf',
  'server-sha384',
  undefined,
]
const ENCRYPTED = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'

function combinations(folder) {
  const file = (name) => join(folder, name)
  return {
    sslmode: ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', undefined],
    user: USERS,
    password: [PASSWORD, PASSWORD, PASSWORD, 'wrong', undefined],
    host: ['localhost', '127.0.0.1', 'localhost', '127.0.0.1', '127.0.0.1', '(socket)'],
    sslrootcert: [
      undefined,
      file('ca.crt'),
      file('ca.crt'),
      file('other-ca.crt'),
      file('same-name-ca.crt'),
      file('server-self-signed.crt'),
      file('intermediate.crt'),
      file('garbage'),
      file('missing'),
    ],
    channel_binding: [undefined, 'disable', 'prefer', 'require'],
    certificate: [
      {},
      { sslcert: file('client.crt'), sslkey: file('client.key') },
      { sslcert: file('client-rsa.crt'), sslkey: file('client-rsa-aes256.key'), sslpassword: 'opensesame' },
      { sslcert: file('client.crt'), sslkey: file('client-pkcs8-encrypted.key'), sslpassword: 'opensesame' },
      { sslcert: file('client.crt'), sslkey: file('client-pkcs8-encrypted.key'), sslpassword: 'wrong' },
      { sslcert: file('client-unknown.crt'), sslkey: file('client-unknown.key') },
      { sslcert: file('client.crt'), sslkey: file('client-rsa.key') },
      { sslcert: file('client.crt'), sslkey: file('missing') },
      { sslcert: file('client.crt'), sslkey: file('open.key') },
      { sslcert: file('missing'), sslkey: file('missing') },
      { sslcert: file('garbage'), sslkey: file('client.key') },
    ],
    more: [
      {},
      {},
      {},
      { sslcrl: file('revoked.crl') },
      { sslcrl: file('missing') },
      { ssl_max_protocol_version: 'TLSv1.2' },
      { ssl_min_protocol_version: 'TLSv1.3' },
      { sslsni: '0' },
    ],
    home: ['empty', 'empty', 'empty', 'roots', 'all'],
  }
}

/** mulberry32 */
function randomFrom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function pick(dimensions, random) {
  const chosen = {}
  for (const [name, values] of Object.entries(dimensions)) {
    // Most of the rarer things are as they are by default, so that not everything fails.
    const isDefault =
      ['certificate', 'more', 'sslrootcert', 'channel_binding', 'password'].includes(name) && random() < 0.6
    chosen[name] = isDefault ? values[0] : values[Math.floor(random() * values.length)]
  }
  return chosen
}

function dsnOf({ host, home: _, certificate, more, ...rest }, server) {
  const values = {
    host: host === '(socket)' ? server.socketDirectory : host,
    port: server.port,
    dbname: 'postgres',
    ...rest,
    ...certificate,
    ...more,
  }
  const quote = (value) => `'${String(value).replaceAll(/['\\]/g, '\\$&')}'`
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${quote(value)}`)
    .join(' ')
}

async function psql(dsn, env) {
  try {
    const { stdout } = await run(PSQL, ['-XAtwq', '-d', dsn, '-c', ENCRYPTED], { env, timeout: 20_000 })
    return { outcome: stdout.trim() === 't' ? 'encrypted' : 'plain', text: '' }
  } catch (error) {
    return { outcome: 'refused', text: (error.stderr || error.message).trim() }
  }
}

async function oxpg({ connect }, dsn, env) {
  process.env.HOME = env.HOME
  try {
    const connection = await connect(dsn)
    try {
      const isEncrypted = await connection.fetchVal(ENCRYPTED)
      return { outcome: isEncrypted ? 'encrypted' : 'plain', text: '' }
    } finally {
      await connection.close()
    }
  } catch (error) {
    return { outcome: 'refused', text: `${error.name}: ${error.message}` }
  }
}

function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'oxpg-compare-'))
  const copy = (name, target = name) => {
    copyFileSync(join(CERTIFICATES, name), join(folder, target))
    chmodSync(join(folder, target), 0o600)
  }
  for (const name of [
    'ca.crt',
    'other-ca.crt',
    'same-name-ca.crt',
    'server-self-signed.crt',
    'intermediate.crt',
    'client.crt',
    'client.key',
    'client-rsa.crt',
    'client-rsa.key',
    'client-rsa-aes256.key',
    'client-pkcs8-encrypted.key',
    'client-unknown.crt',
    'client-unknown.key',
    'revoked.crl',
  ]) {
    copy(name)
  }
  copy('client.key', 'open.key')
  chmodSync(join(folder, 'open.key'), 0o644)
  writeFileSync(join(folder, 'garbage'), 'no certificate\n')
  for (const home of ['empty', 'roots', 'all'])
    mkdirSync(join(folder, home, '.postgresql'), { recursive: true })
  copy('ca.crt', 'roots/.postgresql/root.crt')
  copy('ca.crt', 'all/.postgresql/root.crt')
  copy('client.crt', 'all/.postgresql/postgresql.crt')
  copy('client.key', 'all/.postgresql/postgresql.key')
  return folder
}

const count = Number(process.argv[2] ?? 60)
const seed = Number(process.argv[3] ?? 1)
try {
  execFileSync(PSQL, ['--version'])
} catch {
  console.log('skipped: psql is not installed')
  process.exit(0)
}
for (const name of Object.keys(process.env)) if (name.startsWith('PG')) delete process.env[name]
const oxpgModule = createRequire(join(ROOT, 'package.json'))('./dist/index.js')
const folder = makeFolder()
let differences = 0
let total = 0
const tally = {}
try {
  for (const [index, certificate] of SERVERS.entries()) {
    const random = randomFrom(1000 * seed + index)
    const server = await (certificate === undefined
      ? startWithTls('server', { ssl: 'off' })
      : startWithTls(certificate))
    try {
      for (let i = 0; i < count; i++) {
        const chosen = pick(combinations(folder), random)
        const dsn = dsnOf(chosen, server)
        const env = { PATH: process.env.PATH, HOME: join(folder, chosen.home), LC_ALL: 'C' }
        const [theirs, ours] = [await psql(dsn, env), await oxpg(oxpgModule, dsn, env)]
        total++
        tally[theirs.outcome] = (tally[theirs.outcome] ?? 0) + 1
        if (theirs.outcome === ours.outcome) continue
        differences++
        console.log(`${certificate ?? 'no TLS'}, home ${chosen.home}: ${dsn.replaceAll(`${folder}/`, '')}`)
        console.log(`  psql: ${theirs.outcome} ${theirs.text.replaceAll('\n', '\n    ')}`)
        console.log(`  oxpg: ${ours.outcome} ${ours.text}`)
      }
    } finally {
      await server.stop()
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${total} combinations, ${differences} differences; psql: ${JSON.stringify(tally)}`)
process.exitCode = differences === 0 ? 0 : 1
