import { describeArgument } from './describe-value'

/** For an argument of a kind that is not taken. */
export function wrongKind(argument: string, expected: string, value: unknown): TypeError {
  return new TypeError(messageOf(argument, expected, value))
}

/** For an argument of the right kind that is beyond what PostgreSQL's type holds. */
export function outOfRange(argument: string, expected: string, value: unknown): RangeError {
  return new RangeError(messageOf(argument, expected, value))
}

function messageOf(argument: string, expected: string, value: unknown): string {
  return `${argument}: expected ${expected}, but got ${describeArgument(value)}`
}
