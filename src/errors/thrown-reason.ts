import { types } from 'node:util'
import { describeValue } from '../types/describe-value'

/** What an error says that a function of the application's threw; anything can be thrown, and none of it is run. */
export function thrownReason(functionName: string, error: unknown): string {
  if (types.isNativeError(error) || error instanceof Error) {
    const message = Object.getOwnPropertyDescriptor(error, 'message')?.value as unknown
    if (typeof message === 'string' && message !== '') return message
  }
  return `${functionName} threw ${describeValue(error)}`
}
