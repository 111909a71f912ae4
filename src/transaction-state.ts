import { InterfaceError } from './errors/index'
import { operationOf } from './native/door'

/** How far a transaction is; `over` when one around it has ended. */
export type TransactionState =
  | 'new'
  | 'starting'
  | 'started'
  | 'ending'
  | 'committed'
  | 'rolled back'
  | 'prepared'
  | 'failed'
  | 'over'

const REASONS: { readonly [state in TransactionState]: string } = {
  new: 'the transaction has not been started',
  starting: 'the transaction is being started',
  started: 'the transaction is already started',
  ending: 'the transaction is being ended',
  committed: 'the transaction is already committed',
  'rolled back': 'the transaction is already rolled back',
  prepared: 'the transaction is already prepared',
  failed: 'the transaction has failed',
  over: 'the transaction around this one is over',
}

/** A query such as COMMIT or ROLLBACK ended a transaction behind its back; its text, if that is known. */
export function endedByQuery(text: string | undefined): InterfaceError {
  const command = text === undefined ? '' : endingCommandOf(text)
  const message = `${ENDED_BY_QUERY} (${command === '' ? 'COMMIT, ROLLBACK or the like' : command}), ${HOW_TO_END}`
  return new InterfaceError(message, { safeToRetry: false })
}

const ENDING: ReadonlySet<string> = new Set(['COMMIT', 'END', 'ROLLBACK', 'ABORT', 'PREPARE'])

/** The first command of a text that ends a transaction, as far as that can be seen, or else the first of all. */
function endingCommandOf(text: string): string {
  for (const part of text.split(';')) {
    const command = operationOf(part)
    if (!ENDING.has(command) || /^rollback\s+(?:\w+\s+)?to\b/i.test(part.trim())) continue
    return command === 'PREPARE' ? 'PREPARE TRANSACTION' : command
  }
  return operationOf(text)
}

/** What was begun with settings and a role is not ended, nor divided, by a query. */
export function endsContext(): InterfaceError {
  return new InterfaceError(
    'a query in a context cannot begin or end a transaction, since what came behind that would be executed without the ' +
      'settings: call transaction() or begin()',
  )
}

/** A callback did not wait for so many of its calls: what they come to, nobody would know before the COMMIT. */
export function leftUnanswered(count: number): InterfaceError {
  const calls = count === 1 ? 'a call of its was' : `${count} of its calls were`
  return new InterfaceError(
    `the callback returned before ${calls} answered, so all was rolled back: what belongs to the transaction is awaited in it`,
  )
}

/** Whether an error says so. */
export function saysEndedByQuery(error: unknown): boolean {
  return error instanceof InterfaceError && error.message.startsWith(ENDED_BY_QUERY)
}

const ENDED_BY_QUERY = 'the transaction was ended by a query'
const HOW_TO_END =
  'and what came after that was not part of it: ' +
  'a callback commits by returning and rolls back by throwing; one that was begun by hand has commit() and rollback()'

/** What is wrong when a transaction in this state is asked to do `what`. */
export function wrongState(state: TransactionState, what: string): InterfaceError {
  return new InterfaceError(`cannot ${what}: ${REASONS[state]}`)
}
