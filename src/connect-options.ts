import { userInfo } from 'node:os'
import { type CredentialFunctions, sortCredentials } from './credentials'
import { DEFAULT_PLAN, planFor, type RowMode } from './decode/mapping'
import { ClientConfigurationError } from './errors/index'
import { QueryTags } from './native/door'
import { checkOptions, checkWellFormed } from './options'
import { checkNetPermission } from './permission'
import { CallDefaults } from './send'
import { CONNECT_OPTION_TABLE, type ConnectOptions } from './session-options'
import { describeArgument } from './types/describe-value'

export { CONNECT_OPTIONS, type ConnectOptions, type Password } from './session-options'

/** A configuration as Rust reads it, in JSON. */
export interface Config {
  readonly dsn: string | null
  readonly options: { readonly [name: string]: unknown }
  readonly environment: { readonly [name: string]: string }
}

/** How to connect, ready for Rust. */
export interface ConnectPlan {
  /** `{ dsn, options, environment }`. It may hold a password. */
  readonly config: Config
  /** Give what each session is opened with, if there are such functions. */
  readonly credentials: CredentialFunctions | undefined
  readonly defaults: CallDefaults
  /** Queries are sent by the simple protocol. */
  readonly isSimple: boolean
  /** What queries are tagged with. */
  readonly tags: QueryTags | undefined
  readonly signal: AbortSignal | undefined
}

/** Variables besides `PG…` that say who the user is and where his files are. */
const HOME_VARIABLES = ['HOME', 'APPDATA', 'USER', 'LOGNAME', 'USERNAME', 'SSLKEYLOGFILE']

/** The system's name of the process's user, by the user's id: looking it up may ask a directory service. */
let known: { readonly id: number | undefined; readonly name: string | undefined } | undefined

/** Sorts out the arguments of `connect` and `createPool`: both may be left out, and the first may be the options. */
export function dsnAndOptions<O extends object>(
  where: string,
  first: string | URL | O | undefined,
  second: O | undefined,
  known: ReadonlySet<string>,
): { dsn: string | undefined; options: O } {
  let dsn: string | undefined
  let options = second
  if (typeof first === 'string') dsn = first
  else if (first instanceof URL) dsn = first.href
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
 * Checks the options that both `connect` and `createPool` have.
 *
 * @throws ClientConfigurationError; an Error like that of `node:net` when Node's permission model forbids the network.
 */
export function connectPlan(dsn: string | undefined, options: ConnectOptions<RowMode>): ConnectPlan {
  checkNetPermission()
  const { forRust, forFace, credentials } = checkedOptions(options)
  const { commandTimeoutMs = 0, maxResultBytes, queryTags, signal } = forFace
  const defaults = new CallDefaults(planFor(DEFAULT_PLAN, options), commandTimeoutMs, maxResultBytes)
  const isSimple = options.statementMode === 'simple'
  const tags = queryTags === undefined ? undefined : new QueryTags(queryTags)
  return { config: configOf(dsn, forRust), credentials, defaults, isSimple, tags, signal }
}

/**
 * The part of the options that Rust reads, checked, with the environment.
 *
 * @throws ClientConfigurationError
 */
export function rustConfig(dsn: string | undefined, options: ConnectOptions<RowMode>): Config {
  return configOf(dsn, checkedOptions(options).forRust)
}

function configOf(dsn: string | undefined, forRust: { [name: string]: unknown }): Config {
  checkWellFormed('dsn', dsn)
  return { dsn: dsn ?? null, options: forRust, environment: environment() }
}

/** The options that are given, sorted by who reads them. */
function checkedOptions(options: ConnectOptions<RowMode>): {
  forRust: { [name: string]: unknown }
  forFace: Pick<ConnectOptions, 'commandTimeoutMs' | 'maxResultBytes' | 'queryTags' | 'signal'>
  credentials: CredentialFunctions | undefined
} {
  const forRust: { [name: string]: unknown } = {}
  const forFace: { [name: string]: unknown } = {}
  for (const { name, isForRust, check } of CONNECT_OPTION_TABLE) {
    const value = options[name]
    if (value === undefined) continue
    if (isForRust) checkWellFormed(`option ${name}`, value)
    const sorted = isForRust ? forRust : forFace
    sorted[name] = check === undefined ? value : check(name, value)
  }
  const { values, functions } = sortCredentials(options)
  Object.assign(forRust, values)
  return { forRust, forFace, credentials: functions }
}

function environment(): { [name: string]: string } {
  const variables: { [name: string]: string } = {}
  // Each value is a call to the system: only those are read that are wanted.
  for (const name of Object.keys(process.env)) {
    const value = name.startsWith('PG') || HOME_VARIABLES.includes(name) ? process.env[name] : undefined
    if (value !== undefined) variables[name] = value
  }
  // As in libpq the user is who the system says it is, and not who the environment says.
  const user = systemUser()
  if (user !== undefined) variables.USER = user
  return variables
}

function systemUser(): string | undefined {
  const id = process.geteuid?.()
  if (known === undefined || known.id !== id) known = { id, name: nameOfUser() }
  return known.name
}

function nameOfUser(): string | undefined {
  try {
    return userInfo().username
  } catch {
    // The process's user id may be one without a name.
    return undefined
  }
}
