// Servers with TLS, for tests and for the comparison with psql: which certificate they have, and a user for each way of
// authentication.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PASSWORD, start } from './embedded-postgres.mjs'
import { ROOT } from './run.mjs'

export const CERTIFICATES = join(ROOT, '__test__/support/certificates')

const HOST_BASED_AUTHENTICATION = `\
local     all all       trust
hostssl   all tlsuser   127.0.0.1/32 scram-sha-256
hostnossl all plainuser 127.0.0.1/32 scram-sha-256
hostssl   all certuser  127.0.0.1/32 cert
hostssl   all bothuser  127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl   all eitheruser 127.0.0.1/32 cert
hostnossl all eitheruser 127.0.0.1/32 scram-sha-256
host      all trustuser 127.0.0.1/32 trust
host      all md5user   127.0.0.1/32 md5
host      all clearuser 127.0.0.1/32 password
host      all scramuser 127.0.0.1/32 scram-sha-256
host      all postgres  127.0.0.1/32 scram-sha-256
host      all marked    127.0.0.1/32 scram-sha-256
`

/** For servers with a validator of tokens, since the others would not start; it is what ann is let in by. */
const OAUTH = 'host all ann 127.0.0.1/32 oauth issuer="https://id.example" scope="db"\n'

const ROLES = ['tlsuser', 'certuser', 'bothuser', 'eitheruser', 'clearuser', 'scramuser']

/** The users, one for each line of pg_hba.conf; each has PASSWORD. */
export const USERS = [...ROLES, 'plainuser', 'trustuser', 'md5user', 'nobody']

const pem = (name) => readFileSync(join(CERTIFICATES, name), 'utf8')

/**
 * What a server with TLS is started with.
 *
 * @param {string} certificate a name of __test__/support/certificates, such as `server`
 * @param {Record<string, string>} [settings]
 */
export function withTls(certificate, settings = {}) {
  const isOAuth = settings.oauth_validator_libraries !== undefined
  return {
    settings: {
      ssl: 'on',
      ssl_cert_file: 'server.crt',
      ssl_key_file: 'server.key',
      ssl_ca_file: 'ca.crt',
      ...settings,
    },
    files: {
      'server.crt': pem(`${certificate}.crt`),
      'server.key': pem(`${certificate}.key`),
      'ca.crt': pem('ca.crt'),
    },
    hostBasedAuthentication: (isOAuth ? OAUTH : '') + HOST_BASED_AUTHENTICATION,
    sql: `set password_encryption = 'scram-sha-256';\n${[...ROLES, 'ann'].map((role) => `create role ${role} login password '${PASSWORD}';`).join('\n')}\n`,
  }
}

/**
 * Starts a server with TLS.
 *
 * @param {string} certificate a name of __test__/support/certificates, such as `server`
 * @param {Record<string, string>} [settings]
 */
export const startWithTls = (certificate, settings) => start(withTls(certificate, settings))
