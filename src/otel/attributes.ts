import type { Attributes } from '@opentelemetry/api'
import { type LoggedQuery, PostgresError, type ServerPlace } from '../index'
import { sanitize } from './sanitize'

// Semantic conventions for PostgreSQL client operations, https://opentelemetry.io/docs/specs/semconv/db/postgresql/

/** Where something runs, as far as that is known. */
export function placeOf({ host, port, database }: Omit<ServerPlace, 'user'>): Attributes {
  const attributes: Attributes = { 'db.system.name': 'postgresql' }
  if (database !== undefined) attributes['db.namespace'] = database
  if (host !== undefined) attributes['server.address'] = host
  if (port !== undefined) attributes['server.port'] = port
  return attributes
}

/** What a query is. A script has several operations: none is named. Those of a batch are where they are all the same. */
export function operationOf(query: LoggedQuery): Attributes {
  const name = operationName(query)
  return name === '' ? {} : { 'db.operation.name': name }
}

/** Of how many statements a batch is; one alone is none. */
export function sizeOf({ statements }: LoggedQuery): Attributes {
  return isBatch(statements) ? { 'db.operation.batch.size': statements.length } : {}
}

const isBatch = (statements: readonly string[] | undefined): statements is readonly string[] =>
  statements !== undefined && statements.length > 1

function operationName({ kind, operation, statements, _operations: all }: LoggedQuery): string {
  if (kind === 'script') return ''
  if (!isBatch(statements)) return operation
  return operation !== '' && all.every((each) => each === operation) ? `BATCH ${operation}` : 'BATCH'
}

/** A text whose values are parameters has none in it; of others the literals are left out. */
export function textOf({ kind, query, params }: LoggedQuery): string {
  const isParameterized =
    (params !== undefined && params.length > 0) || kind === 'batch' || kind === 'prepare'
  return isParameterized || kind === 'transaction' ? query : sanitize(query)
}

/** `{operation} {target}`, of which the target is the database, or else the server. */
export function nameOf(query: LoggedQuery): string {
  const { database, host, port } = query
  const target = database ?? (host === undefined ? undefined : `${host}:${port}`)
  const name = [operationName(query), target ?? ''].filter((part) => part !== '').join(' ')
  return name === '' ? 'postgresql' : name
}

/** What became of something: nothing to say where it has gone well. */
export function outcomeOf(told: { readonly error?: unknown }): Attributes {
  if (!('error' in told)) return {}
  const { error } = told
  const sqlstate = error instanceof PostgresError && error.fromServer ? error.sqlstate : undefined
  const type = sqlstate ?? (error instanceof Error ? error.name : typeof error)
  return { 'error.type': type, ...(sqlstate === undefined ? {} : { 'db.response.status_code': sqlstate }) }
}

/** The name of a pool: pools of the same database of the same server count as one. */
export function poolNameOf({ host, port, database }: Omit<ServerPlace, 'user'>): string {
  return host === undefined ? 'oxpg' : `${host}:${port}/${database}`
}
