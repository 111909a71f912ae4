import { ClientConfigurationError, TimeoutError } from './errors/index'
import type { Limit } from './limit'

/** A function of the application's that gives the password of a session. */
export type PasswordFunction = () => string | PromiseLike<string>

/**
 * Asks for the password of one session.
 *
 * @throws what the function throws; ClientConfigurationError when it gives something else; TimeoutError; the reason of
 * the limit's signal.
 */
export async function askForPassword(ask: PasswordFunction, limit: Limit): Promise<string> {
  return checkedPassword(await limit.hold(Promise.resolve(ask()), latePassword))
}

/** @throws ClientConfigurationError unless it is a string. */
export function checkedPassword(password: unknown): string {
  // Its value must not get into an error.
  if (typeof password === 'string') return password
  throw new ClientConfigurationError(
    `option 'password' must be a string or a function that gives one, not ${password === null ? 'null' : typeof password}`,
  )
}

function latePassword(timeoutMs: number): Error {
  return new TimeoutError(
    `the function of option 'password' gave none within the ${timeoutMs} ms of connectTimeoutMs`,
    { safeToRetry: true },
  )
}
