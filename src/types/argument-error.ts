import { inspect } from 'node:util'

/** The longest description of a value in an error's message. */
const MAX_LENGTH = 60

/** For an argument of a kind that is not taken. */
export function wrongKind(argument: string, expected: string, value: unknown): TypeError {
  return new TypeError(messageOf(argument, expected, value))
}

/** For an argument of the right kind that is beyond what PostgreSQL's type holds. */
export function outOfRange(argument: string, expected: string, value: unknown): RangeError {
  return new RangeError(messageOf(argument, expected, value))
}

/** A value as an error's message shows it, on one line. */
export function shown(value: unknown): string {
  const text = inspect(value, {
    depth: 0,
    breakLength: Number.POSITIVE_INFINITY,
    maxStringLength: MAX_LENGTH,
  })
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH - 1)}…`
}

function messageOf(argument: string, expected: string, value: unknown): string {
  return `${argument}: expected ${expected}, but got ${shown(value)}`
}
