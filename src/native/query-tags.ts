import { InterfaceError } from '../errors/index'
import { describeArgument } from '../types/describe-value'

/**
 * What queries are tagged with, by key: a value that is always the same, or a function that is asked for each query and may
 * give none.
 */
export type QueryTagValues = Readonly<Record<string, string | (() => string | undefined)>>

/**
 * The comment behind a query's text, in the format of sqlcommenter (https://google.github.io/sqlcommenter/spec/): keys in order,
 * all percent-encoded that could end the comment or a value.
 */
export class QueryTags {
  readonly #constant: readonly (readonly [key: string, value: string])[]
  readonly #functions: readonly (readonly [key: string, value: () => unknown])[]
  readonly #fixed: string

  /** @param values checked */
  constructor(values: QueryTagValues) {
    const entries = Object.entries(values)
    this.#constant = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    this.#functions = entries.filter(
      (entry): entry is [string, () => string] => typeof entry[1] === 'function',
    )
    this.#fixed = commentOf(this.#constant)
  }

  /** A text with what is always the same: no call makes another text of it. */
  fixed(text: string): string {
    return tagged(text, this.#fixed)
  }

  /**
   * A text with all that there is now; undefined where no function gives a value.
   *
   * @throws what a function throws, and InterfaceError where it gives something else than text.
   */
  changing(text: string): string | undefined {
    if (this.#functions.length === 0) return undefined
    const given: [string, string][] = []
    for (const [key, ask] of this.#functions) {
      const value = ask()
      if (value === undefined) continue
      if (typeof value !== 'string') {
        throw new InterfaceError(
          `the function of option queryTags.${key} must give a string or undefined, not ${describeArgument(value)}`,
        )
      }
      given.push([key, value])
    }
    return given.length === 0 ? undefined : tagged(text, commentOf([...this.#constant, ...given]))
  }
}

function tagged(text: string, comment: string): string {
  if (comment === '') return text
  // A comment that goes to the end of the line could swallow it.
  return text.includes('--') ? `${text}\n${comment}` : `${text} ${comment}`
}

function commentOf(tags: readonly (readonly [key: string, value: string])[]): string {
  if (tags.length === 0) return ''
  const parts = tags.map(([key, value]) => `${encoded(key)}='${encoded(value)}'`)
  return `/*${parts.sort().join(',')}*/`
}

/** Quotes and asterisks as well, which `encodeURIComponent` leaves; half of a surrogate pair is a replacement character. */
function encoded(text: string): string {
  const wellFormed = Buffer.from(text).toString()
  return encodeURIComponent(wellFormed).replace(
    /['*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
