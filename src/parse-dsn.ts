import { CONNECT_OPTIONS, type ConnectOptions, dsnAndOptions, rustConfig } from './connect-options'
import type { RowMode } from './decode/mapping'
import { errorFromFailure } from './errors/index'
import { explainConfig } from './native/door'
import type { Password } from './session-options'

/** A server that `connect` would try. */
export interface DsnHost {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  /** The address that is taken in place of looking the name up. */
  readonly hostaddr?: string
  /** The Unix socket itself. */
  readonly path?: string
}

/** What `connect` and `createPool` would use. Passwords are not among it. */
export interface ParsedDsn {
  /** In the order in which they are tried, if `load_balance_hosts` is not `'random'`. Usual Unix sockets, which are there when no host is named, are tried only if they exist. */
  readonly hosts: readonly DsnHost[]
  readonly user: string
  readonly database: string
  /** Whether there is a password; one of a password file counts if the file has a line for one of the hosts. */
  readonly hasPassword: boolean
  /** Milliseconds, 0 for no limit. */
  readonly connectTimeoutMs: number
  /** Server settings that the session starts with, by their names. */
  readonly serverSettings: Readonly<Record<string, string>>
  /**
   * Everything else that is said, by libpq's keywords (`sslmode`, `target_session_attrs` …) and as libpq would write it;
   * null for what is secret.
   */
  readonly keywords: Readonly<Record<string, string | null>>
  /**
   * Where the values come from, by their names here, by keyword, or as `serverSettings.` and the name: `option host`,
   * `dsn`, `service shop of /home/ann/.pg_service.conf`, `PGHOST`, `password file /home/ann/.pgpass` or `default`.
   */
  readonly sources: Readonly<Record<string, string>>
  /** What else there is to know, such as why a password file is not used. */
  readonly remarks: readonly string[]
}

/**
 * Says what `connect` and `createPool` would use with these arguments, and where each value comes from. The environment is
 * read, and so are the service file and the password file if they are used. Nothing is connected to.
 *
 * @param dsn As `connect` takes it.
 * @throws ClientConfigurationError, or UnsupportedClientFeatureError when it asks for what this driver does not do.
 */
export function parseDsn(dsn?: string | URL, options?: ConnectOptions<RowMode>): ParsedDsn
export function parseDsn(options?: ConnectOptions<RowMode>): ParsedDsn
export function parseDsn(
  first?: string | URL | ConnectOptions<RowMode>,
  second?: ConnectOptions<RowMode>,
): ParsedDsn {
  const { dsn, options } = dsnAndOptions('parseDsn', first, second, CONNECT_OPTIONS)
  // What a function would give is as good as any: neither is shown.
  const given = (option: Password | undefined) => (typeof option === 'function' ? 'given' : option)
  const shown = { ...options, password: given(options.password), oauthToken: given(options.oauthToken) }
  const explained = explainConfig(JSON.stringify(rustConfig(dsn, shown)))
  if (typeof explained === 'string') return JSON.parse(explained) as ParsedDsn
  throw errorFromFailure(explained)
}
