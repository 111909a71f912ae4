import { errorClassOf, InvalidCachedStatementError, logMessageClassOf } from './by-sqlstate'
import {
  ClientConfigurationError,
  InterfaceError,
  InternalClientError,
  OutdatedSchemaCacheError,
  ProtocolError,
  TargetServerAttributeNotMatched,
  TimeoutError,
  UnsupportedClientFeatureError,
} from './client-errors'
import type { PostgresLogMessage } from './log-message'
import type { PoolHolder } from './pool-holder'
import { PostgresError, type PostgresErrorFields } from './postgres-error'
import { countInUnits, serverFieldsFromText } from './server-message'
import { ConnectionFailureError, DataError, QueryCanceledError } from './sqlstate'
import { isThrown } from './thrown-reason'
import { STALE_PLAN_ROUTINE } from './transient'

/** How a request failed, as data: what crosses from Rust, and what the native layer adds. */
export interface Failure {
  kind:
    | 'server'
    | 'connection'
    | 'protocol'
    | 'interface'
    | 'timeout'
    | 'target'
    | 'canceled'
    | 'data'
    | 'unsupported'
    | 'configuration'
    | 'internal'
    | 'outdated'
    | 'thrown'
  message: string
  sqlstate?: string
  /** The server's fields under the names that PostgresError has for them. */
  fields?: Record<string, string>
  /** Whether the request certainly took no effect. */
  safeToRetry: boolean
  /** The system's code, such as `ECONNREFUSED`. */
  causeCode?: string
  /** The failure behind this one. */
  cause?: Failure
  /** Of opening with several hosts or addresses: what each of them came to. */
  attempts?: Failure[]
  /** The parameter that does not fit, counted from 1. */
  parameter?: number
  /** The element of that parameter, an array, counted from 1. */
  element?: number
  /** The row of a batch, counted from 0. */
  row?: number
  /** It waited for a connection of a pool in vain. */
  waitedForPool?: boolean
  /** Who had them, as far as that is known. */
  holders?: readonly PoolHolder[]
  /** Of kind `thrown`: what the call rejects with. */
  error?: unknown
  /** The error that it stands for, where somebody else than the caller was told of it. */
  made?: unknown
}

/** What is known at the call and not in the failure. */
export interface FailureContext {
  /** The query's text, without its parameters. */
  query?: string | undefined
  /** Which statement of a batch it was. */
  statement?: number | undefined
}

/**
 * The error that a failure stands for. Called inside the public `async` method after its `await`, so that the stack
 * shows who called it.
 *
 * @returns Of a failure of kind `thrown` the thrown value itself.
 */
export function errorFromFailure(failure: Failure, context?: FailureContext): unknown {
  if (failure.made !== undefined) return failure.made
  if (failure.kind === 'thrown') return withCallersStack(failure.error)
  const error = makeError(failure, context)
  Error.captureStackTrace(error, errorFromFailure)
  if (failure.attempts !== undefined) {
    // As of an AggregateError: Node prints it, and JSON has it not.
    const value = failure.attempts.map((attempt) => errorFromFailure(attempt))
    Object.defineProperty(error, 'errors', { value, configurable: true, writable: true })
  }
  if (failure.holders !== undefined) {
    // The message names them.
    Object.defineProperty(error, 'holders', { value: failure.holders, configurable: true, writable: true })
  }
  return error
}

/** A notice of the server as the object that `onNotice` hooks get. */
export function logMessageFromFields(texts: Readonly<Record<string, string>>): PostgresLogMessage {
  return new (logMessageClassOf(texts.severity, texts.sqlstate))(
    texts.message ?? '',
    serverFieldsFromText(texts),
  )
}

function makeError(failure: Failure, context: FailureContext | undefined): Error {
  const { message, safeToRetry } = failure
  switch (failure.kind) {
    case 'protocol':
      return new ProtocolError(message, { safeToRetry })
    case 'interface':
      return new InterfaceError(message, { safeToRetry })
    case 'unsupported':
      return new UnsupportedClientFeatureError(message, { safeToRetry })
    case 'configuration':
      return new ClientConfigurationError(message, { safeToRetry })
    case 'timeout':
      return new TimeoutError(message, {
        safeToRetry,
        cause: failure.cause && errorFromFailure(failure.cause),
      })
    case 'target':
      return new TargetServerAttributeNotMatched(message, { safeToRetry })
    case 'internal':
      return new InternalClientError(message, { safeToRetry })
    case 'outdated': {
      const cause = failure.fields === undefined ? undefined : makePostgresError(failure, context)
      return new OutdatedSchemaCacheError(message, { safeToRetry, cause })
    }
    default:
      return makePostgresError(failure, context)
  }
}

function makePostgresError(failure: Failure, context: FailureContext | undefined): PostgresError {
  const fields: PostgresErrorFields = {
    ...(failure.fields === undefined ? undefined : serverFieldsFromText(failure.fields)),
    fromServer: failure.fields !== undefined,
    safeToRetry: failure.safeToRetry,
    query: context?.query,
  }
  if (failure.sqlstate !== undefined) fields.sqlstate = failure.sqlstate
  countInUnits(fields, 'position', context?.query)
  if (failure.causeCode !== undefined) fields.cause = systemError(failure.causeCode, failure.message)
  if (context?.statement !== undefined) fields.statement = context.statement
  else if (failure.row !== undefined) fields.row = failure.row
  if (failure.kind === 'data') {
    fields.parameter = failure.parameter
    fields.element = failure.element
    return new DataError(messageWithPosition(failure, context), fields)
  }
  return new (classOf(failure, fields))(failure.message, fields)
}

function classOf(failure: Failure, fields: PostgresErrorFields): ReturnType<typeof errorClassOf> {
  if (fields.sqlstate === undefined) {
    if (failure.kind === 'connection') return ConnectionFailureError
    if (failure.kind === 'canceled') return QueryCanceledError
  }
  if (fields.sqlstate === '0A000' && fields.routine === STALE_PLAN_ROUTINE) return InvalidCachedStatementError
  return errorClassOf(fields.sqlstate)
}

function messageWithPosition(
  { message, row, parameter, element }: Failure,
  context: FailureContext | undefined,
): string {
  const parts: string[] = []
  if (context?.statement !== undefined) parts.push(`statement ${context.statement}`)
  else if (row !== undefined) parts.push(`row ${row}`)
  if (parameter !== undefined) parts.push(`parameter $${parameter}`)
  if (element !== undefined) parts.push(`element ${element}`)
  return parts.length === 0 ? message : `${parts.join(', ')}: ${message}`
}

function systemError(code: string, message: string): Error {
  const error = Object.assign(new Error(`${code}: ${message}`), { code })
  // It stands for what the operating system said; where this object was made says nothing.
  error.stack = `${error.name}: ${error.message}`
  return error
}

/** An encoder may have run long after the call, where no caller is on the stack any more. */
function withCallersStack(thrown: unknown): unknown {
  if (!isThrown(thrown, PostgresError) && !isThrown(thrown, InterfaceError)) return thrown
  // A parser of the application may have thrown one that it has frozen.
  if (Object.isExtensible(thrown)) Error.captureStackTrace(thrown, errorFromFailure)
  return thrown
}
