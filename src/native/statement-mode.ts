import { InterfaceError, UnsupportedClientFeatureError } from '../errors/index'
import { describeArgument } from '../types/describe-value'

/** How queries are sent: option `statementMode`. */
export type StatementMode = 'cache' | 'unnamed' | 'simple'

const MODE = "statementMode 'simple'"
const INSTEAD =
  "with statementMode 'unnamed' there are, and only what lies between and knows no other protocol needs 'simple'"

/** What a call with parameters says where the protocol has none; putting them into the text would be injection. */
export function parametersRefused(count: number): Error {
  return new UnsupportedClientFeatureError(
    `argument params: expected none, or an empty array, with ${MODE}, and got ${count} of them: the simple query protocol ` +
      `has no parameters, and values are never written into a query's text here; ${INSTEAD}`,
    { safeToRetry: true },
  )
}

/** What a call says that needs Parse. `call`: its name. */
export function callRefused(call: string): Error {
  return new UnsupportedClientFeatureError(
    `${call} needs the extended query protocol, which ${MODE} does not use; ${INSTEAD}`,
    { safeToRetry: true },
  )
}

const BACKSLASH = /\\/

/**
 * A literal of the driver's own. In an escape string a backslash means the same whatever
 * `standard_conforming_strings` says.
 *
 * @throws InterfaceError for a text with a NUL character, which no query can carry.
 */
export function literal(text: string): string {
  if (text.includes('\0')) throw new InterfaceError(`${describeArgument(text)} has a NUL character in it`)
  const quoted = text.replaceAll("'", "''")
  return BACKSLASH.test(quoted) ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`
}
