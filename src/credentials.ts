import { ClientConfigurationError, TimeoutError } from './errors/index'
import type { Limit } from './limit'
import type { Credentials } from './native/pool-target'
import { checkWellFormed } from './options'
import type { Password } from './session-options'

/** A function of the application's that gives the password or the token of a session. */
export type CredentialFunction = () => string | PromiseLike<string>

/** The options that may be functions. */
const CREDENTIALS = ['password', 'oauthToken'] as const

type CredentialName = (typeof CREDENTIALS)[number]

/** The functions of the options that are functions. */
export type CredentialFunctions = { readonly [name in CredentialName]?: CredentialFunction }

/** Sorts the options that may be functions: the functions, and the values, which are checked. */
export function sortCredentials(options: { readonly [name in CredentialName]?: Password | undefined }): {
  readonly values: Credentials
  readonly functions: CredentialFunctions | undefined
} {
  const values: { [name: string]: string } = {}
  const functions: { [name: string]: CredentialFunction } = {}
  for (const name of CREDENTIALS) {
    const given = options[name]
    if (typeof given === 'function') functions[name] = given
    else if (given !== undefined) values[name] = checkedCredential(name, given)
  }
  return { values, functions: Object.keys(functions).length === 0 ? undefined : functions }
}

/**
 * Asks for what one session is opened with.
 *
 * @throws what a function throws; ClientConfigurationError when it gives something else; TimeoutError; the reason of
 * the limit's signal.
 */
export async function askForCredentials(functions: CredentialFunctions, limit: Limit): Promise<Credentials> {
  const ask = async (name: CredentialName) => {
    const given = await limit.hold(Promise.resolve(functions[name]!()), (timeoutMs) => late(name, timeoutMs))
    return [name, checkedCredential(name, given)] as const
  }
  const wanted = CREDENTIALS.filter((name) => functions[name] !== undefined)
  return Object.fromEntries(await Promise.all(wanted.map(ask)))
}

/** @throws ClientConfigurationError unless it is a string. */
function checkedCredential(name: string, given: unknown): string {
  // Its value must not get into an error.
  if (typeof given === 'string') {
    checkWellFormed(`option '${name}'`, given)
    return given
  }
  throw new ClientConfigurationError(
    `option '${name}' must be a string or a function that gives one, not ${given === null ? 'null' : typeof given}`,
  )
}

function late(name: string, timeoutMs: number): Error {
  return new TimeoutError(
    `the function of option '${name}' gave none within the ${timeoutMs} ms of connectTimeoutMs`,
    { safeToRetry: true },
  )
}
