import { leaveParent } from './native/parent'

export type { Attribute, Type } from './attributes'
export { connect } from './connect'
export type { ConnectOptions, Password } from './connect-options'
export { type CloseOptions, Connection, type ResetOptions } from './connection'
export type { ContextOptions, SettingValue } from './context-options'
export { createPool } from './create-pool'
export { Cursor, CursorFactory } from './cursor'
export type { ResultMapping, RowMode, TextParser } from './decode/mapping'
export type { TemporalNamespace } from './decode/temporal'
export * from './errors/public'
export type { ListenCallOptions, ListenOptions, PoolListenOptions } from './listen-options'
export {
  type AcquireTrace,
  type ConnectTrace,
  LoggedQuery,
  type LoggedQueryKind,
  type QueryLogger,
  type QueryTagValues,
  type ReleaseMessage,
  type ServerPlace,
} from './native/door'
export type {
  Notification,
  NotificationGap,
  NotificationHandler,
  PoolNotificationHandler,
} from './notification'
export { type DsnHost, type ParsedDsn, parseDsn } from './parse-dsn'
export { type AcquireOptions, Pool, type PoolStats } from './pool'
export { PoolConnection } from './pool-connection'
export { PoolContext } from './pool-context'
export type { PoolCloseReason, PoolSession, PoolSessionEnd } from './pool-events'
export type { PoolHook, PoolOptions } from './pool-options'
export { type ExplainOptions, PreparedStatement } from './prepared-statement'
export type * from './query-options'
export type { QueryResult } from './query-result'
export type * from './queryable'
export { Record, Row } from './record'
export { RowStream } from './row-stream'
export type { ServerVersion } from './server-version'
export { Sql, type SqlColumns, type SqlTag, sql } from './sql'
export type { Pem, SslOptions } from './ssl-option'
export { Subscription } from './subscription'
export { Transaction } from './transaction'
export type { IsolationLevel, TransactionCallback, TransactionOptions } from './transaction-options'
export type {
  BinaryTypeCodec,
  BuiltinTypeCodecOptions,
  CodecFormat,
  NamedTypeCodec,
  TextTypeCodec,
  TupleTypeCodec,
  TypeCodecOptions,
  TypeSchemaOptions,
} from './type-codecs'
export { BitString } from './types/bit-string'
export { Box, Circle, Line, LineSegment, Path, Polygon } from './types/geometry'
export { Interval, type IntervalFields } from './types/interval'
export { JsonValue, json } from './types/json'
export { Point, type PointLike } from './types/point'
export { Range, type RangeOptions } from './types/range'

leaveParent(module)
