import * as clientErrors from './client-errors'
import type { PostgresLogMessage } from './log-message'
import * as logMessages from './log-message'
import type { PostgresError, PostgresErrorFields } from './postgres-error'
import * as postgresErrors from './postgres-error'
import type { ServerMessageFields } from './server-message'
import * as sqlstates from './sqlstate'
import { FeatureNotSupportedError } from './sqlstate'

/** The plan of a prepared statement no longer fits the tables; preparing it anew helps. */
export class InvalidCachedStatementError extends FeatureNotSupportedError {}

type ErrorClass = new (message: string, fields?: PostgresErrorFields) => PostgresError
type LogMessageClass = new (message: string, fields?: ServerMessageFields) => PostgresLogMessage

const errorClasses = new Map<string, ErrorClass>()
const logMessageClasses = new Map<string, LogMessageClass>()

// The names come from the modules' exports and not from the classes, for a minifier renames those.
for (const module of [
  clientErrors,
  logMessages,
  postgresErrors,
  sqlstates,
  { InvalidCachedStatementError },
]) {
  for (const [name, value] of Object.entries(module)) {
    Object.defineProperty(value.prototype, 'name', { value: name, writable: true, configurable: true })
  }
}
for (const value of Object.values(sqlstates)) {
  if (value.prototype instanceof postgresErrors.PostgresError) {
    errorClasses.set(value.sqlstate, value as ErrorClass)
  } else {
    logMessageClasses.set(value.sqlstate, value as LogMessageClass)
  }
}

/** The class of an SQLSTATE; for an unknown one that of its class (`xx000`), else PostgresError. */
export function errorClassOf(sqlstate: string | undefined): ErrorClass {
  if (sqlstate === undefined || sqlstate === '') return postgresErrors.UnknownPostgresError
  return (
    errorClasses.get(sqlstate) ??
    errorClasses.get(`${sqlstate.slice(0, 2)}000`) ??
    postgresErrors.PostgresError
  )
}

/** The class of a notice: a warning is what the server calls one, and its SQLSTATE says which. */
export function logMessageClassOf(
  severity: string | undefined,
  sqlstate: string | undefined,
): LogMessageClass {
  if (severity !== 'WARNING') return logMessages.PostgresLogMessage
  return (
    logMessageClasses.get(sqlstate ?? '') ??
    logMessageClasses.get(`${sqlstate?.slice(0, 2)}000`) ??
    sqlstates.PostgresWarning
  )
}
