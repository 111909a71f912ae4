import { ContextNames } from './context-names'
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
  readonly names: ContextNames
  /** Their values, in the same order. */
  readonly values: readonly string[]
  readonly role: string | undefined
}

export const NO_CONTEXT: CheckedContext = { names: ContextNames.none(), values: [], role: undefined }

const KNOWN: ReadonlySet<string> = new Set(['settings', 'role'])
/** A statement takes no more parameters (manual, "Limits"). */
const MOST_SETTINGS = 1_000

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
  let { names } = base
  const values = base.values.slice()
  if (settings !== undefined) {
    // A Map or the like would have none.
    if (typeof settings !== 'object' || settings === null || !isPlain(settings)) {
      throw new ClientConfigurationError(
        `option 'settings' must be a plain object of settings by name, not ${describeArgument(settings)}`,
      )
    }
    for (const given of Object.keys(settings)) {
      const step = names.step(given)
      values[step.at] = textOf(given, settings[given])
      names = step.names
    }
  }
  if (names.length > MOST_SETTINGS) {
    throw new ClientConfigurationError(
      `option 'settings' must have at most ${MOST_SETTINGS} settings, not ${names.length}`,
    )
  }
  return { names, values, role: role ?? base.role }
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

/**
 * The statement that makes a context's settings until the end of the transaction that it is in; undefined when there are none.
 * Values are its parameters, so that it is one statement for all contexts with the same names.
 */
export function contextStatement({ names, values, role }: CheckedContext): ContextStatement | undefined {
  if (names.length === 0 && role === undefined) return undefined
  const { text, order } = names.settings(role !== undefined)
  const ordered = order === undefined ? values : order.map((at) => values[at]!)
  const { pathAt } = names
  if (role === undefined && pathAt < 0) return { text, values: ordered, names: '' }
  const path = pathAt < 0 ? undefined : values[pathAt]
  return {
    text,
    values: role === undefined ? ordered : [...ordered, role],
    names: JSON.stringify([path, role]),
  }
}
