import { ClientConfigurationError } from './errors/index'
import { describeArgument } from './types/describe-value'

/** PostgreSQL's own, and those of extensions and applications with a dot (guc.c, valid_custom_variable_name). */
const SETTING_NAME = /^[a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)*$/i

/** Settings that are not the application's to make, and why. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['role', "is option 'role' of the context"],
  ['session_authorization', "cannot be undone by who has made it: use option 'role'"],
  ['client_encoding', 'is always UTF8 in this driver'],
])

/** How many are remembered: contexts are made anew for each request, and their names are always the same. */
const MOST_REMEMBERED = 1_000

let remembered = 0
/** What was remembered in an earlier one is forgotten. */
let generation = 0

/** The statement that makes the settings of all contexts with the same names. */
interface SettingsText {
  readonly text: string
  /** The position of each parameter's value among those of the context; undefined where it is the same for all. */
  readonly order: readonly number[] | undefined
}

/** What a name leads to: itself among these, and at which position it is. */
interface Step {
  readonly names: ContextNames
  readonly at: number
}

/** The names of a context's settings, each once, in the order in which they were given: one object for all with the same. */
export class ContextNames {
  readonly length: number
  /** Of `search_path`; -1 when it is not among them. */
  readonly pathAt: number
  readonly #before: ContextNames | undefined
  readonly #last: string
  /** By the next name, as it is given. */
  readonly #steps = new Map<string, Step>()
  #generation = generation
  #withoutRole: SettingsText | undefined
  #withRole: SettingsText | undefined

  private constructor(before: ContextNames | undefined, last: string) {
    this.#before = before
    this.#last = last
    this.length = before === undefined ? 0 : before.length + 1
    this.pathAt = last === 'search_path' ? this.length - 1 : (before?.pathAt ?? -1)
  }

  static none(): ContextNames {
    return new ContextNames(undefined, '')
  }

  /**
   * These and one more, unless it is one of them.
   *
   * @param given Its name, in any case.
   * @throws ClientConfigurationError when it is none.
   */
  step(given: string): Step {
    if (this.#generation !== generation) {
      this.#steps.clear()
      this.#generation = generation
    }
    return this.#steps.get(given) ?? this.#make(given)
  }

  /** In lower case. */
  list(): string[] {
    const names: string[] = []
    for (let at: ContextNames = this; at.#before !== undefined; at = at.#before) names.push(at.#last)
    return names.reverse()
  }

  settings(hasRole: boolean): SettingsText {
    if (hasRole) {
      this.#withRole ??= settingsOf(this.list(), true)
      return this.#withRole
    }
    this.#withoutRole ??= settingsOf(this.list(), false)
    return this.#withoutRole
  }

  #make(given: string): Step {
    const name = checkName(given)
    const at = this.#indexOf(name)
    const step = at < 0 ? { names: new ContextNames(this, name), at: this.length } : { names: this, at }
    if (remembered === MOST_REMEMBERED) {
      remembered = 0
      generation++
      this.#steps.clear()
      this.#generation = generation
    }
    remembered++
    this.#steps.set(given, step)
    return step
  }

  #indexOf(name: string): number {
    for (let at: ContextNames | undefined = this; at !== undefined; at = at.#before) {
      if (at.#last === name) return at.length - 1
    }
    return -1
  }
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

function settingsOf(names: readonly string[], hasRole: boolean): SettingsText {
  const sorted = names.map((name, at) => ({ name, at })).sort((a, b) => (a.name < b.name ? -1 : 1))
  // Last: it may not be allowed to make the others.
  const all = [...sorted.map(({ name }) => name), ...(hasRole ? ['role'] : [])]
  const calls = all.map((name, index) => `pg_catalog.set_config('${name}', $${index + 1}, true)`)
  const isSame = sorted.every(({ at }, index) => at === index)
  return { text: `select ${calls.join(', ')}`, order: isSame ? undefined : sorted.map(({ at }) => at) }
}
