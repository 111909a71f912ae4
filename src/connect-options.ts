import { userInfo } from 'node:os'
import { MAPPING_OPTIONS } from './call-arguments'
import { DEFAULT_PLAN, planFor, type ResultMapping, type RowMode } from './decode/mapping'
import { ClientConfigurationError } from './errors/index'
import { abortSignal, checkOptions, durationMs, wholeNumber } from './options'
import { CallDefaults } from './send'
import type { NamedTypeCodec } from './type-codecs'
import { describeArgument } from './types/describe-value'

/** The password, or a function that gives it. */
export type Password = string | (() => string | PromiseLike<string>)

/**
 * Where to connect, as whom, and how. Options win over the DSN, which wins over the environment (`PGHOST` …), as in
 * libpq. The result mapping and `rowMode` are the defaults of the calls made on the connection.
 */
export interface ConnectOptions extends ResultMapping {
  /** A name, an address, or the folder of a Unix socket; several are tried in order. */
  host?: string | readonly string[] | undefined
  /** One for all hosts, or one for each. Default 5432. */
  port?: number | readonly number[] | undefined
  /** Default: the name of the system's user. */
  user?: string | undefined
  /** A function is called when a connection is made, or once when a pool is. */
  password?: Password | undefined
  /** Default: the user's name. */
  database?: string | undefined
  /** The password file. Default `~/.pgpass`. */
  passfile?: string | undefined
  /** What the server's statistics call the application. */
  applicationName?: string | undefined
  /** Settings of the session, such as `{ search_path: 'app' }`. */
  serverSettings?: Readonly<Record<string, string>> | undefined
  /** `sslmode` of libpq; false is `'disable'`, true `'verify-full'`. */
  ssl?: boolean | 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full' | undefined
  /** Authentication methods that the server may ask for, as in libpq's `require_auth`. */
  requireAuth?: string | undefined
  /** As in libpq's `target_session_attrs`. Default `'any'`. */
  targetSessionAttrs?:
    | 'any'
    | 'read-write'
    | 'read-only'
    | 'primary'
    | 'standby'
    | 'prefer-standby'
    | undefined
  /** As in libpq's `load_balance_hosts`. Default `'disable'`. */
  loadBalanceHosts?: 'disable' | 'random' | undefined
  /** Milliseconds for all of connecting, name look-up and authentication included; 0 for no limit. Default 60 000. */
  connectTimeoutMs?: number | undefined
  /** Milliseconds for each call that does not say otherwise; 0, the default, for no limit. */
  commandTimeoutMs?: number | undefined
  /** Prepared statements that a connection keeps; 0 for none. Default 100. */
  statementCacheSize?: number | undefined
  /** What rows are. Default `'record'`. */
  rowMode?: RowMode | undefined
  /**
   * Codecs of the application's for types, as `setTypeCodec` and `setBuiltinTypeCodec` take them. Of a pool they hold for
   * all its connections. Their types are looked up when the connection, or the pool, is opened.
   */
  typeCodecs?: readonly NamedTypeCodec[] | undefined
  /** Aborts connecting. */
  signal?: AbortSignal | undefined
}

/** How to connect, ready for Rust. */
export interface ConnectPlan {
  /** `{ dsn, options, environment }`. It may hold a password. */
  readonly configJson: string
  readonly defaults: CallDefaults
  readonly signal: AbortSignal | undefined
}

/** Options that Rust reads; it checks what is in them. */
const SESSION_OPTIONS = [
  'host',
  'port',
  'user',
  'database',
  'passfile',
  'applicationName',
  'serverSettings',
  'ssl',
  'requireAuth',
  'targetSessionAttrs',
  'loadBalanceHosts',
] as const

/** Names of the options of `connect`. */
export const CONNECT_OPTIONS: ReadonlySet<string> = new Set([
  ...SESSION_OPTIONS,
  ...MAPPING_OPTIONS,
  'password',
  'connectTimeoutMs',
  'commandTimeoutMs',
  'statementCacheSize',
  'rowMode',
  'typeCodecs',
  'signal',
])

/** Variables besides `PG…` that say who the user is and where his files are. */
const HOME_VARIABLES = ['HOME', 'APPDATA', 'USER', 'LOGNAME', 'USERNAME']

const MAX_STATEMENT_CACHE_SIZE = 65_535

/** Sorts out the arguments of `connect` and `createPool`: both may be left out, and the first may be the options. */
export function dsnAndOptions<O extends object>(
  where: string,
  first: string | O | undefined,
  second: O | undefined,
  known: ReadonlySet<string>,
): { dsn: string | undefined; options: O } {
  let dsn: string | undefined
  let options = second
  if (typeof first === 'string') dsn = first
  else if (first !== undefined && second === undefined) options = first
  else if (first !== undefined) {
    throw new ClientConfigurationError(
      `${where}: expected a DSN before the options, not ${describeArgument(first)}`,
    )
  }
  if (options === undefined) return { dsn, options: {} as O }
  checkOptions(options, known, where)
  return { dsn, options }
}

/**
 * Checks the options that both `connect` and `createPool` have, and asks for the password.
 *
 * @throws ClientConfigurationError
 */
export async function connectPlan(dsn: string | undefined, options: ConnectOptions): Promise<ConnectPlan> {
  const session: { [name: string]: unknown } = {}
  for (const name of SESSION_OPTIONS) if (options[name] !== undefined) session[name] = options[name]
  if (options.connectTimeoutMs !== undefined) {
    session.connectTimeoutMs = durationMs('connectTimeoutMs', options.connectTimeoutMs)
  }
  checkServerSettings(options.serverSettings)
  const commandTimeoutMs =
    options.commandTimeoutMs === undefined ? 0 : durationMs('commandTimeoutMs', options.commandTimeoutMs)
  if (options.statementCacheSize !== undefined) {
    const size = wholeNumber('statementCacheSize', options.statementCacheSize, 0, MAX_STATEMENT_CACHE_SIZE)
    session.statementCacheSize = size
  }
  const signal = options.signal === undefined ? undefined : abortSignal(options.signal)
  const defaults = new CallDefaults(planFor(DEFAULT_PLAN, options), commandTimeoutMs)
  if (options.password !== undefined) session.password = await passwordOf(options.password)
  const configJson = JSON.stringify({ dsn: dsn ?? null, options: session, environment: environment() })
  return { configJson, defaults, signal }
}

async function passwordOf(password: unknown): Promise<string> {
  const text: unknown = typeof password === 'function' ? await password() : password
  // Its value must not get into an error.
  if (typeof text === 'string') return text
  throw new ClientConfigurationError(
    `option 'password' must be a string or a function that gives one, not ${text === null ? 'null' : typeof text}`,
  )
}

function checkServerSettings(settings: unknown): void {
  if (settings === undefined) return
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new ClientConfigurationError(
      `option 'serverSettings' must be an object of strings, not ${describeArgument(settings)}`,
    )
  }
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value !== 'string') {
      throw new ClientConfigurationError(
        `option 'serverSettings': ${describeArgument(name)} must be a string, not ${describeArgument(value)}`,
      )
    }
  }
}

function environment(): { [name: string]: string } {
  const variables: { [name: string]: string } = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && (name.startsWith('PG') || HOME_VARIABLES.includes(name)))
      variables[name] = value
  }
  if (variables.USER === undefined) {
    const user = systemUser()
    if (user !== undefined) variables.USER = user
  }
  return variables
}

function systemUser(): string | undefined {
  try {
    return userInfo().username
  } catch {
    // The process's user id may be one without a name.
    return undefined
  }
}
