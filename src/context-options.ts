import { ClientConfigurationError } from './errors/index'
import type { ContextStatement } from './native/door'
import { checkOptions } from './options'
import { describeArgument } from './types/describe-value'

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
  readonly settings: ReadonlyMap<string, string>
  readonly role: string | undefined
}

export const NO_CONTEXT: CheckedContext = { settings: new Map(), role: undefined }

const KNOWN: ReadonlySet<string> = new Set(['settings', 'role'])
/** PostgreSQL's own, and those of extensions and applications with a dot (guc.c, valid_custom_variable_name). */
const SETTING_NAME = /^[a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)*$/i
/** A statement takes no more parameters (manual, "Limits"). */
const MOST_SETTINGS = 1_000

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
  if (role !== undefined && (typeof role !== 'string' || role === '' || role.includes('\0'))) {
    throw new ClientConfigurationError(
      `option 'role' must be the name of a role, not ${describeArgument(role)}`,
    )
  }
  const merged = new Map(base.settings)
  if (settings !== undefined) {
    if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
      throw new ClientConfigurationError(
        `option 'settings' must be an object of settings by name, not ${describeArgument(settings)}`,
      )
    }
    for (const [name, value] of Object.entries(settings)) merged.set(checkName(name), textOf(name, value))
  }
  if (merged.size > MOST_SETTINGS) {
    throw new ClientConfigurationError(
      `option 'settings' must have at most ${MOST_SETTINGS} settings, not ${merged.size}`,
    )
  }
  return { settings: merged, role: role ?? base.role }
}

/** PostgreSQL's names of settings are the same in any case. */
function checkName(name: string): string {
  const lower = name.toLowerCase()
  const refused = REFUSED.get(lower)
  if (refused !== undefined) throw new ClientConfigurationError(`option 'settings': ${lower} ${refused}`)
  if (SETTING_NAME.test(name)) return lower
  throw new ClientConfigurationError(
    `option 'settings': ${describeArgument(name)} is no name of a setting, such as 'statement_timeout' or 'app.tenant'`,
  )
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string' && !value.includes('\0')) return value
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (typeof value === 'number' && Number.isFinite(value)) return `${value}`
  throw new ClientConfigurationError(
    `option 'settings': ${name} must be a string without NUL characters, a finite number or a boolean, not ` +
      describeArgument(value),
  )
}

/**
 * The statement that makes a context's settings until the end of the transaction that it is in; undefined when there are none.
 * Values are its parameters, so that it is one statement for all contexts with the same names.
 */
export function contextStatement({ settings, role }: CheckedContext): ContextStatement | undefined {
  const names = [...settings.keys()].sort()
  const values = names.map((name) => settings.get(name)!)
  if (role !== undefined) {
    // Last: it may not be allowed to make the others.
    names.push('role')
    values.push(role)
  }
  if (names.length === 0) return undefined
  const calls = names.map((name, index) => `pg_catalog.set_config('${name}', $${index + 1}, true)`)
  const path = settings.get('search_path')
  const meaning = path === undefined && role === undefined ? '' : JSON.stringify([path, role])
  return { text: `select ${calls.join(', ')}`, values, names: meaning }
}
