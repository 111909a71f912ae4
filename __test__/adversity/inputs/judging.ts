// What a call comes to, whether it throws at once or later, and whether its error is one that can be understood.
import { InterfaceError, InternalClientError, PostgresError, TimeoutError } from 'oxpg'

export type Outcome = { value: unknown } | { error: unknown }

export async function outcomeOf(call: () => unknown): Promise<Outcome> {
  try {
    return { value: await call() }
  } catch (error) {
    return { error }
  }
}

const LONGEST = 2_000

/** What is wrong with an error, if something is: it must be the driver's, say something, and nothing that cannot be shown. */
export function isClear(error: unknown): string | undefined {
  const isOurs =
    error instanceof InterfaceError || error instanceof PostgresError || error instanceof TimeoutError
  if (!isOurs) {
    const name = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return `the error is not the driver's: ${name}${error instanceof InternalClientError ? ' (internal)' : ''}`
  }
  const { message } = error
  // A server quotes what it does not understand.
  const isQuoted = error instanceof PostgresError && error.fromServer
  if (message === '' || (message.length > LONGEST && !isQuoted))
    return `a message of ${message.length} characters`
  if (message.includes('\0')) return `NUL in the message ${JSON.stringify(message)}`
  if (!(message as string & { isWellFormed(): boolean }).isWellFormed())
    return `half of a surrogate pair in the message ${JSON.stringify(message)}`
  return undefined
}
