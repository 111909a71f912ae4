import { inspect } from 'node:util'
import test from 'ava'
import * as errors from '../../src/errors/index'
import {
  ConnectionFailureError,
  DataError,
  errorFromFailure,
  type Failure,
  InterfaceError,
  InvalidCachedStatementError,
  logMessageFromFields,
  PostgresError,
  PostgresLogMessage,
  PostgresWarning,
  ProtocolError,
  QueryCanceledError,
  TimeoutError,
  TransactionResolutionUnknownError,
  UniqueViolationError,
  UnknownPostgresError,
} from '../../src/errors/index'
import * as sqlstates from '../../src/errors/sqlstate'

function server(sqlstate: string, fields: Record<string, string> = {}): Failure {
  return {
    kind: 'server',
    message: 'no',
    sqlstate,
    fields: { severity: 'ERROR', ...fields },
    safeToRetry: true,
  }
}

test('there is a class for each of the 262 SQLSTATEs, with its own name', (t) => {
  const classes = Object.entries(sqlstates)
  t.is(classes.length, 262)
  t.is(new Set(classes.map(([, value]) => value.sqlstate)).size, 262)
  for (const [name, value] of classes) t.is((value.prototype as { name?: string }).name, name)
})

test('the hierarchy is that of the SQLSTATE classes', (t) => {
  const error = errorFromFailure(server('28P01'))
  t.true(error instanceof errors.InvalidPasswordError)
  t.true(error instanceof errors.InvalidAuthorizationSpecificationError)
  t.true(error instanceof PostgresError)
  t.true(error instanceof Error)
})

test('positions count UTF-16 units, from 1', (t) => {
  const at = (query: string | undefined, position: string): number | undefined =>
    (errorFromFailure(server('42601', { position }), { query }) as PostgresError).position
  t.is(at('select x', '8'), 8)
  const query = "select '🐘é🐘' from nowhere"
  const [left, right] = [query.indexOf('nowhere') + 1, [...query].indexOf('n', 9) + 1]
  t.is(left, right + 2)
  t.is(at(query, String(right)), left)
  t.is(query.slice(left - 1), 'nowhere')
  t.is(at(query, '9'), 9)
  t.is(at(query, '10'), 11)
  t.is(at('🐘', '2'), 3, 'at the end of input')
  t.is(at('🐘', '5'), 6, 'past it, whatever that means')
  t.is(at('\ud800x', '2'), 2, 'half a pair crosses as one character')
  t.is(at(undefined, '9'), 9)
  const internal = server('42601', { internalQuery: "select '🐘', x", internalPosition: '13' })
  t.is((errorFromFailure(internal) as PostgresError).internalPosition, 14)
  t.is(logMessageFromFields({ internalQuery: '🐘 x', internalPosition: '3' }).internalPosition, 4)
})

test("the server's fields are on the error, its numbers as numbers, and nothing else is", (t) => {
  const fields = {
    detail: 'Key (id)=(1) already exists.',
    hint: 'Try another.',
    position: '15',
    internalPosition: '3',
    internalQuery: 'select 2',
    where: 'PL/pgSQL function f()',
    schemaName: 'public',
    tableName: 'things',
    columnName: 'id',
    dataTypeName: 'int4',
    constraintName: 'things_pkey',
    file: 'nbtinsert.c',
    line: '666',
    routine: '_bt_check_unique',
  }
  const error = errorFromFailure(server('23505', fields), { query: 'insert' }) as UniqueViolationError
  t.true(error instanceof UniqueViolationError)
  t.like(error, { ...fields, position: 15, internalPosition: 3, line: 666, severity: 'ERROR' })
  t.like(error, {
    message: 'no',
    name: 'UniqueViolationError',
    sqlstate: '23505',
    code: '23505',
    query: 'insert',
  })
  t.true(error.fromServer)
  t.true(error.safeToRetry)
  t.deepEqual(Object.keys(errorFromFailure(server('23505')) as object).sort(), [
    'fromServer',
    'safeToRetry',
    'severity',
    'sqlstate',
  ])
})

test('queries are kept from what prints and serialises errors', (t) => {
  const error = errorFromFailure(server('23505'), { query: "alter role a password 'hush'" })
  t.notRegex(inspect(error), /hush/)
  t.notRegex(JSON.stringify(error), /hush/)
})

test('an unknown SQLSTATE has the class of its first two characters, or the base class', (t) => {
  t.is((errorFromFailure(server('22XYZ')) as Error).constructor, DataError)
  t.is((errorFromFailure(server('22XYZ')) as PostgresError).sqlstate, '22XYZ')
  t.is((errorFromFailure(server('Z1234')) as Error).constructor, PostgresError)
  t.is((errorFromFailure(server('')) as Error).constructor, UnknownPostgresError)
  // Class 01 holds warnings, which are no errors, but a function may raise one as an error.
  t.is((errorFromFailure(server('01004')) as Error).constructor, PostgresError)
})

test('a stale plan is known by SQLSTATE and routine', (t) => {
  const stale = errorFromFailure(server('0A000', { routine: 'RevalidateCachedQuery' })) as PostgresError
  t.true(stale instanceof InvalidCachedStatementError)
  t.true(stale.isTransient)
  const other = errorFromFailure(server('0A000', { routine: 'other' })) as PostgresError
  t.false(other instanceof InvalidCachedStatementError)
  t.false(other.isTransient)
})

test('what PgBouncer says of the moment is transient, and what PostgreSQL says of the protocol is not', (t) => {
  const told = (message: string, fields: Record<string, string> = {}) =>
    (errorFromFailure({ ...server('08P01', fields), message }) as PostgresError).isTransient
  t.true(told('query_wait_timeout'))
  t.true(told('server conn crashed?'))
  t.true(told('no more connections allowed (max_client_conn)'))
  t.false(told('unsupported startup parameter: x'))
  t.false(told('query_wait_timeout', { routine: 'SocketBackend' }))
})

test('isTransient says what is worth trying again', (t) => {
  const isTransient = (sqlstate: string) => (errorFromFailure(server(sqlstate)) as PostgresError).isTransient
  for (const sqlstate of ['40001', '40P01', '08006', '53300', '55P03', '57P01', '57P03', '26000']) {
    t.true(isTransient(sqlstate), sqlstate)
  }
  for (const sqlstate of ['23505', '42601', '22012', '57014', '08P01', '28P01'])
    t.false(isTransient(sqlstate), sqlstate)
})

test('each kind of failure has its class', (t) => {
  const make = (kind: Failure['kind'], more: Partial<Failure> = {}): unknown =>
    errorFromFailure({ kind, message: 'm', safeToRetry: false, ...more })
  t.true(make('connection') instanceof ConnectionFailureError)
  t.true(make('connection', { sqlstate: '08007' }) instanceof TransactionResolutionUnknownError)
  t.true(make('canceled') instanceof QueryCanceledError)
  t.true(make('protocol') instanceof ProtocolError)
  t.true(make('protocol') instanceof errors.InternalClientError)
  t.true(make('interface') instanceof InterfaceError)
  t.true(make('unsupported') instanceof errors.UnsupportedClientFeatureError)
  t.true(make('configuration') instanceof errors.ClientConfigurationError)
  t.true(make('configuration') instanceof InterfaceError)
  t.true(make('timeout') instanceof TimeoutError)
  t.true(make('internal') instanceof errors.InternalClientError)
  t.true(make('timeout', { safeToRetry: true }) instanceof TimeoutError)
  t.true((make('timeout', { safeToRetry: true }) as TimeoutError).safeToRetry)
  t.is((make('timeout') as Error).name, 'TimeoutError')
})

test("the system's error is the cause", (t) => {
  const message = 'connect ECONNREFUSED 127.0.0.1:5432'
  const failure: Failure = { kind: 'connection', message, causeCode: 'ECONNREFUSED', safeToRetry: true }
  const error = errorFromFailure(failure) as PostgresError
  t.is((error.cause as { code: string }).code, 'ECONNREFUSED')
  t.false(error.fromServer)
})

test('a value that does not fit is named with its row, parameter and element', (t) => {
  const failure: Failure = {
    kind: 'data',
    message: 'invalid input',
    safeToRetry: true,
    parameter: 2,
    element: 3,
    row: 0,
  }
  const error = errorFromFailure(failure) as DataError
  t.true(error instanceof DataError)
  t.is(error.message, 'row 0, parameter $2, element 3: invalid input')
  t.like(error, { parameter: 2, element: 3, row: 0, sqlstate: '22000', fromServer: false })
})

test('what was thrown comes out as it is', (t) => {
  const reason = { any: 'thing' }
  t.is(errorFromFailure({ kind: 'thrown', message: '', safeToRetry: false, error: reason }), reason)
})

test("the stack shows the caller's await, also of an error that was made elsewhere", async (t) => {
  const elsewhere = new DataError('made in a callback')
  async function method(failure: Failure): Promise<void> {
    await new Promise(setImmediate)
    throw errorFromFailure(failure)
  }
  async function theCaller(failure: Failure): Promise<void> {
    await method(failure)
  }
  const thrown: Failure = { kind: 'thrown', message: '', safeToRetry: false, error: elsewhere }
  for (const failure of [server('23505'), thrown]) {
    const error = await t.throwsAsync(theCaller(failure))
    t.regex(error!.stack!, /theCaller/)
    t.notRegex(error!.stack!, /errorFromFailure/)
  }
})

test('errors of the driver can be made with a message alone', (t) => {
  const data = new DataError('bad', { detail: 'd', hint: 'h' })
  t.like(data, { message: 'bad', detail: 'd', hint: 'h', sqlstate: '22000', fromServer: false })
  t.like(new InterfaceError('misused'), { name: 'InterfaceError', isTransient: false, safeToRetry: true })
})

test('notices are objects of their SQLSTATE class, and no errors', (t) => {
  const fields = { severity: 'WARNING', sqlstate: '01007', message: 'no privileges were granted', line: '12' }
  const message = logMessageFromFields(fields)
  t.true(message instanceof PostgresWarning)
  t.is((message as { name?: string }).name, 'PrivilegeNotGranted')
  t.like(message, { severity: 'WARNING', message: 'no privileges were granted', line: 12, code: '01007' })
  t.false((message as unknown) instanceof Error)
  const notice = logMessageFromFields({ severity: 'NOTICE', sqlstate: '00000', message: 'hello' })
  t.is(notice.constructor, PostgresLogMessage)
})
