// OAUTHBEARER against PostgreSQL 18, whose tokens a validator of ours checks.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { inspect } from 'node:util'
import test from 'ava'
import {
  ClientConfigurationError,
  connect,
  createPool,
  InvalidAuthorizationSpecificationError,
  type PoolOptions,
  type SslOptions,
} from 'oxpg'
import { pem, startTlsServer, type TlsServer } from '../support/tls-server.js'

let server: TlsServer
const folder = mkdtempSync(join(tmpdir(), 'oxpg-oauth-'))

test.before(async () => {
  // The server runs as another user.
  chmodSync(folder, 0o755)
  const validator = join(folder, 'validator.so')
  const asLibrary =
    process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-fPIC']
  execFileSync('cc', [...asLibrary, '-o', validator, resolve('__test__/support/oauth-validator.c')])
  server = await startTlsServer('server', { oauth_validator_libraries: validator })
})
test.after.always(async () => {
  await server?.stop()
  rmSync(folder, { recursive: true })
})

function as(user: string, more: PoolOptions): PoolOptions {
  return {
    host: 'localhost',
    port: server.port,
    user,
    database: 'postgres',
    ssl: { ca: pem('ca.crt') },
    ...more,
  }
}

const ROLE = 'select current_user::text'

test('a token takes the place of a password', async (t) => {
  const given = await connect(as('ann', { oauthToken: 'token-of-ann' }))
  t.is(await given.fetchVal(ROLE), 'ann')
  t.is(await given.fetchVal('select system_user'), 'oauth:ann')
  await given.close()
  const asked = await connect(as('ann', { oauthToken: async () => 'token-of-ann', requireAuth: 'oauth' }))
  t.is(await asked.fetchVal(ROLE), 'ann')
  await asked.close()
})

test('a pool asks for the token of each new session', async (t) => {
  let count = 0
  const oauthToken = () => {
    count += 1
    return count < 3 ? 'token-of-ann' : 'expired'
  }
  const pool = await createPool(as('ann', { oauthToken, minSize: 2, maxSize: 3, acquireTimeoutMs: 60_000 }))
  t.teardown(async () => pool.terminate())
  t.is(count, 2)
  const leases = await Promise.all([pool.acquire(), pool.acquire()])
  await t.throwsAsync(pool.acquire({ timeoutMs: 2000 }))
  t.true(count > 2)
  for (const lease of leases) t.is(await lease.fetchVal(ROLE), 'ann')
})

test('a token that is not taken is refused by the server, which says what it takes', async (t) => {
  const error = await t.throwsAsync(connect(as('ann', { oauthToken: 'token-of-bob' })), {
    instanceOf: InvalidAuthorizationSpecificationError,
    message: /OAuth bearer authentication failed/,
  })
  t.regex(
    error?.hint ?? '',
    /scope db of the issuer described at https:\/\/id\.example\/\.well-known\/openid-configuration/,
  )
})

test('a token is sent to nobody whose name TLS has not verified, and never in place of a password', async (t) => {
  const message = /OAuth token.*verify-full/
  const unverified: SslOptions = { ca: pem('ca.crt'), rejectUnauthorized: false }
  for (const ssl of ['require', 'prefer', 'disable', unverified] as const) {
    const connecting = connect(as('ann', { oauthToken: 'token-of-ann', ssl }))
    await t.throwsAsync(connecting, { instanceOf: ClientConfigurationError, message }, inspect(ssl))
  }
  await t.throwsAsync(connect(as('ann', { password: 'secret' })), {
    instanceOf: ClientConfigurationError,
    message: /expected the option oauthToken/,
  })
  await t.throwsAsync(connect(as('clearuser', { oauthToken: 'token-of-clearuser' })), {
    instanceOf: ClientConfigurationError,
    message: /asks for a password/,
  })
})

test('what is no token is refused without being shown', async (t) => {
  const error = await t.throwsAsync(connect(as('ann', { oauthToken: () => 'Bearer hush hush' })), {
    instanceOf: ClientConfigurationError,
    message: /option oauthToken: expected a bearer token/,
  })
  t.notRegex(error?.message ?? '', /hush/)
})
