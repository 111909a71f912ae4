import { parametersOf, signalOf, textOf, timeoutOf } from './call-arguments'
import type { RowMode } from './decode/mapping'
import { errorFromFailure, InterfaceError, PostgresError } from './errors/index'
import { ConnectionTarget, type GroupRequest, sharingOf, takenNow } from './native/door'
import type { QueryMethods } from './query-methods'
import type { BatchStatement, FetchOptions, Parameters } from './query-options'
import { statementOptions } from './send'
import type { Transaction } from './transaction'
import { describeArgument } from './types/describe-value'

/** A statement of a batch after its check. */
export interface CheckedStatement {
  readonly text: string
  readonly params: Parameters | undefined
}

/** @throws InterfaceError that names the statement. */
export function checkStatements(statements: readonly BatchStatement[]): CheckedStatement[] {
  if (!Array.isArray(statements)) {
    throw new InterfaceError(
      `batch: expected an array of statements, each a query or [query, params], not ${describeArgument(statements)}`,
    )
  }
  return Array.from(statements, checkStatement)
}

function checkStatement(statement: BatchStatement, index: number): CheckedStatement {
  try {
    const isPair = Array.isArray(statement)
    if (isPair && (statement.length < 1 || statement.length > 2)) {
      throw new InterfaceError(`expected a query or [query, params], not an array of ${statement.length}`)
    }
    const [query, params] = isPair ? statement : [statement, undefined]
    const text = textOf(query)
    // It may have to wait for its turn behind those before it.
    const checked = { text, params: takenNow(parametersOf(query, params)) }
    const { hasControl, isCopy } = sharingOf(text)
    if (hasControl) {
      throw new InterfaceError(
        `${firstWord(text)} cannot be in a batch, which is all of one transaction; transaction() gives savepoints`,
      )
    }
    if (isCopy) throw new InterfaceError('COPY cannot be in a batch')
    return checked
  } catch (error) {
    throw inStatement(index, error)
  }
}

function firstWord(text: string): string {
  return (/[a-z]+/i.exec(text.replace(/--.*|\/\*[\s\S]*?\*\//g, ' '))?.[0] ?? text).toUpperCase()
}

/** Names the statement in what is wrong with it. */
function inStatement(index: number, error: unknown): unknown {
  if (error instanceof InterfaceError && Object.isExtensible(error))
    error.message = `statement ${index} of the batch: ${error.message}`
  return ofStatement(index, error)
}

/** The same in no words. */
function ofStatement(index: number, error: unknown): unknown {
  if (!(error instanceof InterfaceError) && !(error instanceof PostgresError)) return error
  return Object.isExtensible(error) ? Object.assign(error, { statement: index }) : error
}

/** Executes statements in order, atomically, and gives the rows of each. */
export async function runBatch<M extends RowMode>(
  host: QueryMethods<M>,
  statements: readonly CheckedStatement[],
  options: FetchOptions<RowMode> | undefined,
): Promise<unknown[][]> {
  const arePlain = statements.every(({ text }) => sharingOf(text).isPlain)
  if (!arePlain) refuseThrough(host, statements)
  if (arePlain && !host._target().isSimple) {
    const request = sendBatch(host, statements, options)
    await request.settled
    const { failure } = request
    if (failure === undefined) return request.parts.map((part) => part.rows)
    const { row: index, ...rest } = failure
    // A statement behind the first could not be parsed before that was executed: perhaps it depends on what that does. Nothing
    // has been executed, and in a transaction of their own they are parsed one after the other.
    const isTooEarly = failure.kind === 'server' && failure.safeToRetry && index !== undefined && index > 0
    if (!isTooEarly || isInTransaction(host)) {
      // There are too many rows, of which all were made.
      if (failure.kind === 'interface' && !failure.safeToRetry)
        throw inStatement(request.reading, errorFromFailure(failure))
      const error = errorFromFailure(rest, {
        query: index === undefined ? undefined : statements[index]!.text,
        statement: index,
      })
      throw index === undefined || failure.kind !== 'thrown' ? error : ofStatement(index, error)
    }
  }
  const timeoutMs = timeoutOf(options, host._defaults.commandTimeoutMs)
  return host.transaction((transaction) => oneByOne(transaction, statements, options), {
    timeoutMs: timeoutMs === 0 ? undefined : timeoutMs,
    signal: signalOf(options),
  })
}

/** What would do nothing through a pool, such as LISTEN. */
function refuseThrough<M extends RowMode>(
  host: QueryMethods<M>,
  statements: readonly CheckedStatement[],
): void {
  const target = host._target()
  for (const [index, { text }] of statements.entries()) {
    const refusal = target.refusalOf(text)
    if (refusal !== undefined) throw inStatement(index, errorFromFailure(refusal))
  }
}

function sendBatch<M extends RowMode>(
  host: QueryMethods<M>,
  statements: readonly CheckedStatement[],
  options: FetchOptions<RowMode> | undefined,
): GroupRequest {
  const given = statementOptions(host._defaults.rows, options)
  const parts = statements.map(({ text, params }) => ({ text, params, options: given }))
  return host._target().group(parts, given)
}

function isInTransaction<M extends RowMode>(host: QueryMethods<M>): boolean {
  const target = host._target()
  return target instanceof ConnectionTarget && target.transactionStatus !== 'I'
}

/** In a transaction, or in a savepoint: pipelined, each under a Sync of its own. */
async function oneByOne<M extends RowMode>(
  transaction: Transaction<M>,
  statements: readonly CheckedStatement[],
  options: FetchOptions<RowMode> | undefined,
): Promise<unknown[][]> {
  const rest =
    options === undefined ? undefined : ({ ...options, timeoutMs: 0, signal: undefined } as FetchOptions<M>)
  const calls = statements.map(({ text, params }) => transaction.fetch(text, params, rest))
  const outcomes = await Promise.allSettled(calls)
  return outcomes.map((outcome, index) => {
    if (outcome.status === 'rejected') throw inStatement(index, outcome.reason)
    return outcome.value
  })
}
