// Row 35: the password of the sessions of all rows is looked for in everything that a program could show of them.
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import type { Row } from './report.js'

/** A report takes a while: one for so many things that were looked at. */
const REPORT_EVERY = 250

/** What would give a password away. */
export function formsOf(secret: string, user: string): Map<string, string> {
  return new Map([
    ['as it is', secret],
    ['in a URL', encodeURIComponent(secret)],
    ['in base64', Buffer.from(secret).toString('base64').replaceAll('=', '')],
    ['in hexadecimal', Buffer.from(secret).toString('hex')],
    ["as MD5's stored hash", createHash('md5').update(`${secret}${user}`).digest('hex')],
  ])
}

const asJson = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    // A bigint, or a circle.
    return ''
  }
}

/** All texts that a program would show of a value. */
function textsOf(value: unknown): string[] {
  const stack = value instanceof Error ? String(value.stack) : ''
  return [String(value), stack, asJson(value), inspect(value, { depth: 8, showHidden: true, getters: true })]
}

/** Looks for one password, wherever it is told to. */
export class Secrets {
  readonly #forms: Map<string, string>
  #looked = 0

  constructor(
    readonly row: Row,
    secret: string,
    user: string,
  ) {
    this.#forms = formsOf(secret, user)
  }

  /** An error, a connection, a pool: whatever can be printed. */
  look(value: unknown, what: string): void {
    this.#looked += 1
    this.#lookAt(textsOf(value), what)
    if (this.#looked % REPORT_EVERY === 0) this.lookAtReport(what)
  }

  /** What `process.report` writes, while this is going on. */
  lookAtReport(what: string): void {
    this.#lookAt([JSON.stringify(process.report.getReport())], `process.report in ${what}`)
    this.row.count('reports')
  }

  #lookAt(texts: string[], what: string): void {
    this.row.cases += 1
    for (const [form, text] of this.#forms) {
      // What is found is not printed once more.
      if (texts.some((one) => one.includes(text))) this.row.fail(`${what}: the password is there ${form}`)
    }
  }
}
