import { ClientConfigurationError } from './errors/index'
import { describeArgument } from './types/describe-value'

/** Text in PEM. */
export type Pem = string | Uint8Array

/** TLS in the manner of `node:tls`. Nothing but what is said here is used: no files of libpq's are looked for. */
export interface SslOptions {
  /** `sslmode` of libpq. Default `'verify-full'`, or `'require'` when `rejectUnauthorized` is false. */
  mode?: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full' | undefined
  /** Certificates of the authorities that are trusted, in PEM. Default: Node's, `NODE_EXTRA_CA_CERTS` included. */
  ca?: Pem | readonly Pem[] | undefined
  /** The client's certificate, and those between it and its authority's, in PEM. */
  cert?: Pem | undefined
  /** The private key of `cert`, in PEM. */
  key?: Pem | undefined
  /** The password of an encrypted `key`. */
  passphrase?: string | undefined
  /** What the server is called in its certificate, and by SNI, where that is not the host. */
  servername?: string | undefined
  /** False trusts any server, so that others can read and change everything. Default true. */
  rejectUnauthorized?: boolean | undefined
  /** Default `'TLSv1.2'`. */
  minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** Default `'TLSv1.3'`. */
  maxVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** Certificate revocation lists, in PEM. With any, each certificate must have one of its issuer's. */
  crl?: Pem | readonly Pem[] | undefined
}

/** Options of `node:tls` that cannot be had, and what is there instead. */
const HINTS: { readonly [name: string]: string } = {
  checkServerIdentity:
    "the server is verified before JavaScript hears of it; expected 'servername', or mode 'verify-ca' to check no name",
  pfx: "expected 'cert' and 'key' in PEM",
  ciphers: 'those that are safe are chosen from',
  secureProtocol: "expected 'minVersion' and 'maxVersion'",
  host: "expected the option 'host' of the connection",
}

const PEM_OPTIONS = ['ca', 'cert', 'key', 'crl']

/**
 * What Rust reads of the option `ssl`: as it is, with texts for bytes.
 *
 * @throws ClientConfigurationError
 */
export function sslOption(name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value) || value instanceof Uint8Array) throw unexpected(name, 'an object', value)
  const texts: { [option: string]: unknown } = {}
  for (const [option, given] of Object.entries(value)) {
    if (given === undefined) continue
    const where = `${name}.${option}`
    const hint = Object.hasOwn(HINTS, option) ? HINTS[option] : undefined
    if (hint !== undefined) throw new ClientConfigurationError(`option '${where}' is not supported: ${hint}`)
    texts[option] = PEM_OPTIONS.includes(option) ? pemText(where, given) : given
  }
  return texts
}

function pemText(where: string, value: unknown): unknown {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
  if (Array.isArray(value) && !where.endsWith('.cert') && !where.endsWith('.key')) {
    return value.map((item) => pemText(where, Array.isArray(item) ? undefined : item))
  }
  // What it is may be a secret: its type alone is told.
  throw new ClientConfigurationError(
    `option '${where}' must be a string or a Buffer in PEM, not ${value === null ? 'null' : typeof value}`,
  )
}

function unexpected(name: string, what: string, value: unknown): ClientConfigurationError {
  return new ClientConfigurationError(`option '${name}' must be ${what}, not ${describeArgument(value)}`)
}
