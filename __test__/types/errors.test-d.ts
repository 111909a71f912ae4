// The error classes: hierarchy and fields.
import { expectTypeOf } from 'expect-type'
import {
  ClientConfigurationError,
  DataError,
  type IntegrityConstraintViolationError,
  InterfaceError,
  InternalClientError,
  PostgresError,
  ProtocolError,
  type TimeoutError,
  UniqueViolationError,
  UnsupportedClientFeatureError,
} from 'oxpg'

expectTypeOf<UniqueViolationError>().toExtend<IntegrityConstraintViolationError>()
expectTypeOf<IntegrityConstraintViolationError>().toExtend<PostgresError>()
expectTypeOf<DataError>().toExtend<PostgresError>()
expectTypeOf<PostgresError>().toExtend<Error>()
expectTypeOf<ClientConfigurationError>().toExtend<InterfaceError>()
expectTypeOf<UnsupportedClientFeatureError>().toExtend<InterfaceError>()
expectTypeOf<ProtocolError>().toExtend<InternalClientError>()
expectTypeOf<TimeoutError>().toExtend<Error>()

try {
  throw new Error()
} catch (error) {
  if (error instanceof UniqueViolationError) {
    expectTypeOf(error.sqlstate).toBeString()
    expectTypeOf(error.constraintName).toEqualTypeOf<string | undefined>()
    expectTypeOf(error.isTransient).toEqualTypeOf<boolean>()
    expectTypeOf(error.safeToRetry).toEqualTypeOf<boolean>()
  }
}

// They are values as well, to be used with instanceof.
for (const kind of [
  PostgresError,
  DataError,
  InterfaceError,
  InternalClientError,
  ProtocolError,
  ClientConfigurationError,
  UnsupportedClientFeatureError,
]) {
  expectTypeOf(kind).toExtend<abstract new (...values: never[]) => Error>()
}
