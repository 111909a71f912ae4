import type { PoolHolder } from './pool-holder'

/** What an error of the driver can be given beside its message. */
export interface ClientErrorFields {
  /** Whether the request certainly took no effect. */
  safeToRetry?: boolean | undefined
  /** The error behind this one. */
  cause?: unknown
}

abstract class ClientError extends Error {
  /** Whether the same request may well succeed when it is made again. */
  readonly isTransient: boolean
  /** Whether the request certainly took no effect, so that making it again cannot do it twice. */
  readonly safeToRetry: boolean
  /** Of opening a session with several hosts or addresses: what each of them came to, in the order of the attempts. */
  declare readonly errors: readonly Error[] | undefined

  constructor(message: string, isTransient: boolean, safeToRetry: boolean, cause: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.isTransient = isTransient
    this.safeToRetry = safeToRetry
  }
}

/** The API was misused, or something was asked of an object that can no longer do it. */
export class InterfaceError extends ClientError {
  constructor(message: string, fields: ClientErrorFields = {}) {
    super(message, false, fields.safeToRetry ?? true, fields.cause)
  }
}

/** An option, the DSN, an environment variable or a configuration file is wrong. */
export class ClientConfigurationError extends InterfaceError {}

/** Something was asked for that this driver cannot do, or not with the options that it was given. */
export class UnsupportedClientFeatureError extends InterfaceError {}

/** The server cannot do what was asked for. */
export class UnsupportedServerFeatureError extends InterfaceError {}

/** The driver or the server broke the rules. */
export class InternalClientError extends ClientError {
  constructor(message: string, fields: ClientErrorFields = {}) {
    super(message, false, fields.safeToRetry ?? false, fields.cause)
  }
}

/** The server sent what the protocol does not allow. */
export class ProtocolError extends InternalClientError {}

/** The driver's knowledge of the database's types is out of date. */
export class OutdatedSchemaCacheError extends InternalClientError {
  /** What was known has been dropped: the next try looks it up. */
  override readonly isTransient: boolean = true
}

/** No server is what `targetSessionAttrs` asks for. */
export class TargetServerAttributeNotMatched extends InternalClientError {
  /** A failover may be under way. */
  override readonly isTransient: boolean = true
}

/** A time limit passed: `timeoutMs`, `commandTimeoutMs`, `acquireTimeoutMs` or `connectTimeoutMs`. */
export class TimeoutError extends ClientError {
  /** Of waiting for a connection of a pool: who has some, by a lease or as a hook, the longest first. */
  declare readonly holders: readonly PoolHolder[] | undefined

  constructor(message: string, fields: ClientErrorFields = {}) {
    super(message, true, fields.safeToRetry ?? false, fields.cause)
  }
}
