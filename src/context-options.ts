import { ClientConfigurationError } from './errors/index'
import type { ContextStatement } from './native/door'
import { checkOptions } from './options'
import { describeArgument } from './types/describe-value'
import { isPlain } from './types/plain-object'
import { isStorable } from './types/well-formed'

/** A setting's value, as text: `true` is `on`, and `false` is `off`. */
export type SettingValue = string | number | boolean

/** What the calls in a context have in common. */
export interface ContextOptions {
  /**
   * Settings by their names, such as `app.tenant` or `statement_timeout`. They hold for each call, or each transaction, and
   * are read by `current_setting` (PostgreSQL manual, "System Administration Functions").
   */
  settings?: Readonly<Record<string, SettingValue>> | undefined
  /** The role that executes them, as SET LOCAL ROLE has it. The login role has to be a member of it. */
  role?: string | undefined
}

/** A context after its check. */
export interface CheckedContext {
  /** Names of settings in lower case, each once. */
  readonly names: readonly string[]
  /** Their values, in the same order. */
  readonly values: readonly string[]
  readonly role: string | undefined
}

export const NO_CONTEXT: CheckedContext = { names: [], values: [], role: undefined }

const KNOWN: ReadonlySet<string> = new Set(['settings', 'role'])
/** PostgreSQL's own, and those of extensions and applications with a dot (guc.c, valid_custom_variable_name). */
const SETTING_NAME = /^[a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)*$/i
/** A statement takes no more parameters (manual, "Limits"). */
const MOST_SETTINGS = 1_000

/** Names, and lists of them, that are remembered: contexts are made anew for each request, and their names are always the same. */
const MOST_REMEMBERED = 1_000

/** Settings that are not the application's to make, and why. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['role', "is option 'role' of the context"],
  ['session_authorization', "cannot be undone by who has made it: use option 'role'"],
  ['client_encoding', 'is always UTF8 in this driver'],
])

/**
 * Lays options over a context.
 *
 * @throws ClientConfigurationError that names the setting.
 */
export function checkContext(options: ContextOptions, base: CheckedContext): CheckedContext {
  checkOptions(options, KNOWN, 'options of the context')
  const { settings, role } = options
  if (role !== undefined && (typeof role !== 'string' || role === '' || !isStorable(role))) {
    throw new ClientConfigurationError(
      `option 'role' must be the name of a role, not ${describeArgument(role)}`,
    )
  }
  const names = base.names.slice()
  const values = base.values.slice()
  if (settings !== undefined) {
    // A Map or the like would have none.
    if (typeof settings !== 'object' || settings === null || !isPlain(settings)) {
      throw new ClientConfigurationError(
        `option 'settings' must be a plain object of settings by name, not ${describeArgument(settings)}`,
      )
    }
    for (const given of Object.keys(settings)) {
      const name = checkedNames.get(given) ?? checkName(given)
      const value = textOf(given, settings[given])
      const at = names.indexOf(name)
      if (at < 0) {
        names.push(name)
        values.push(value)
      } else values[at] = value
    }
  }
  if (names.length > MOST_SETTINGS) {
    throw new ClientConfigurationError(
      `option 'settings' must have at most ${MOST_SETTINGS} settings, not ${names.length}`,
    )
  }
  return { names, values, role: role ?? base.role }
}

/** Names that have been found to be right, as they were given, with what they are. */
const checkedNames = new Map<string, string>()

/** PostgreSQL's names of settings are the same in any case. */
function checkName(name: string): string {
  const lower = name.toLowerCase()
  const refused = REFUSED.get(lower)
  if (refused !== undefined) throw new ClientConfigurationError(`option 'settings': ${lower} ${refused}`)
  if (SETTING_NAME.test(name)) {
    remember(checkedNames, name, lower)
    return lower
  }
  throw new ClientConfigurationError(
    `option 'settings': ${describeArgument(name)} is no name of a setting, such as 'statement_timeout' or 'app.tenant'`,
  )
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string' && isStorable(value)) return value
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (typeof value === 'number' && Number.isFinite(value)) return `${value}`
  throw new ClientConfigurationError(
    `option 'settings': ${name} must be a string without NUL characters and halves of surrogate pairs, a finite number or a boolean, not ` +
      describeArgument(value),
  )
}

/** The statement that contexts with the same names have in common. */
interface Settings {
  readonly text: string
  /** The position of each parameter's value among those of the context, in the order of the parameters. */
  readonly order: readonly number[]
}

/** By the names of settings in the order in which they were given; those of contexts with a role apart. */
const withoutRole = new Map<string, Settings>()
const withRole = new Map<string, Settings>()

/**
 * The statement that makes a context's settings until the end of the transaction that it is in; undefined when there are none.
 * Values are its parameters, so that it is one statement for all contexts with the same names.
 */
export function contextStatement({ names, values, role }: CheckedContext): ContextStatement | undefined {
  if (names.length === 0 && role === undefined) return undefined
  const known = role === undefined ? withoutRole : withRole
  const key = names.join()
  let made = known.get(key)
  if (made === undefined) {
    made = settingsOf(names, role !== undefined)
    remember(known, key, made)
  }
  const ordered = made.order.map((at) => values[at]!)
  const path = names.indexOf('search_path')
  if (role === undefined && path < 0) return { text: made.text, values: ordered, names: '' }
  if (role !== undefined) ordered.push(role)
  return { text: made.text, values: ordered, names: JSON.stringify([values[path], role]) }
}

function settingsOf(names: readonly string[], hasRole: boolean): Settings {
  const sorted = names.map((name, at) => ({ name, at })).sort((a, b) => (a.name < b.name ? -1 : 1))
  // Last: it may not be allowed to make the others.
  const all = [...sorted.map(({ name }) => name), ...(hasRole ? ['role'] : [])]
  const calls = all.map((name, index) => `pg_catalog.set_config('${name}', $${index + 1}, true)`)
  return { text: `select ${calls.join(', ')}`, order: sorted.map(({ at }) => at) }
}

function remember<V>(all: Map<string, V>, key: string, value: V): void {
  if (all.size === MOST_REMEMBERED) all.clear()
  all.set(key, value)
}
