import { types } from 'node:util'
import { describeValue } from '../types/describe-value'

/**
 * Whether something that was thrown is of a class. Anything can be thrown: a proxy whose answer would be the
 * application's code running, or failing, is of none.
 */
export function isThrown<T>(error: unknown, type: abstract new (...args: never[]) => T): error is T {
  try {
    return !types.isProxy(error) && error instanceof type
  } catch {
    return false
  }
}

/** The message that an error has by itself; undefined where there is none. No code of the error is run. */
export function thrownMessage(error: unknown): string | undefined {
  if (!types.isNativeError(error) && !isThrown(error, Error)) return undefined
  const message = Object.getOwnPropertyDescriptor(error, 'message')?.value as unknown
  return typeof message === 'string' && message !== '' ? message : undefined
}

/** What an error says that a function of the application's threw; anything can be thrown, and none of it is run. */
export function thrownReason(functionName: string, error: unknown): string {
  return thrownMessage(error) ?? `${functionName} threw ${describeValue(error)}`
}
