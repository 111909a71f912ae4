export { InvalidCachedStatementError } from './by-sqlstate'
export {
  ClientConfigurationError,
  type ClientErrorFields,
  InterfaceError,
  InternalClientError,
  OutdatedSchemaCacheError,
  ProtocolError,
  TargetServerAttributeNotMatched,
  TimeoutError,
  UnsupportedClientFeatureError,
  UnsupportedServerFeatureError,
} from './client-errors'
export { PostgresLogMessage } from './log-message'
export type { PoolHolder } from './pool-holder'
export {
  FatalPostgresError,
  PostgresError,
  type PostgresErrorFields,
  UnknownPostgresError,
} from './postgres-error'
export type { ServerMessageFields } from './server-message'
export * from './sqlstate'
