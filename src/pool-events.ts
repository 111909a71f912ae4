import { errorFromFailure, type Failure, logMessageFromFields, type PostgresLogMessage } from './errors/index'
import { Listeners } from './listeners'
import type { ConnectionTarget, PoolTarget } from './native/door'
import { parseServerVersion, type ServerVersion } from './server-version'
import { CloseReason } from './types/boundary'

/** A session of a pool, as its listeners are told of it: one object for as long as the session lives. */
export interface PoolSession {
  /** The process id of the server's backend. */
  readonly serverPid: number
  readonly serverVersion: ServerVersion
}

/**
 * Why a session of a pool has ended: it was idle for `maxInactiveConnectionLifetimeMs`, it was older than `maxLifetimeMs`,
 * it had served `maxQueries`, `expireConnections()` was called, its server only reads and the pool is one for writing, what
 * a lease had left behind could not be undone, the pool was closed, or terminated, which is also what `close({ timeoutMs })`
 * does with what is still in use at its time; `'lost'` when the server or the network
 * has ended it, and `'terminated'` when the application or a hook's failure did.
 */
export type PoolCloseReason =
  | 'inactive'
  | 'maxLifetime'
  | 'maxQueries'
  | 'expired'
  | 'readOnly'
  | 'resetFailed'
  | 'poolClosed'
  | 'poolTerminated'
  | 'lost'
  | 'terminated'

/** How a session of a pool has ended. */
export interface PoolSessionEnd {
  readonly reason: PoolCloseReason
  /** What the server or the network has ended it with; undefined when that was the pool or the application. */
  readonly error: Error | undefined
}

const REASONS: { readonly [number: number]: PoolCloseReason } = {
  [CloseReason.INACTIVE]: 'inactive',
  [CloseReason.MAX_LIFETIME]: 'maxLifetime',
  [CloseReason.MAX_QUERIES]: 'maxQueries',
  [CloseReason.EXPIRED]: 'expired',
  [CloseReason.UNFIT]: 'readOnly',
  [CloseReason.RESET_FAILED]: 'resetFailed',
  [CloseReason.POOL_CLOSED]: 'poolClosed',
  [CloseReason.POOL_TERMINATED]: 'poolTerminated',
}

/** Who listens to what happens to the sessions of a pool. */
export class PoolEvents {
  readonly #target: PoolTarget
  readonly #sessions = new WeakMap<ConnectionTarget, PoolSession>()
  readonly #notices = new Listeners<[PostgresLogMessage, PoolSession]>()
  readonly #connects = new Listeners<[PoolSession]>()
  readonly #closes = new Listeners<[PoolSession, PoolSessionEnd]>()

  constructor(target: PoolTarget) {
    this.#target = target
    target.onPooled = (connection) => {
      if (this.#connects.size > 0) this.#connects.call(this.#sessionOf(connection))
      if (this.#notices.size > 0) this.#tellStartup(connection)
    }
    target.onPooledNotice = (connection, fields) => {
      if (this.#notices.size > 0)
        this.#notices.call(logMessageFromFields(fields), this.#sessionOf(connection))
    }
  }

  /** A session is over; `reason` is the pool's, −1 when it has not ended it. */
  ended(connection: ConnectionTarget, failure: Failure | undefined, reason: number): void {
    if (this.#closes.size === 0) return
    const error = failure === undefined ? undefined : (errorFromFailure(failure) as Error)
    const why = REASONS[reason] ?? (failure === undefined ? 'terminated' : 'lost')
    this.#closes.call(this.#sessionOf(connection), { reason: why, error })
  }

  onNotice(listener: (message: PostgresLogMessage, session: PoolSession) => void): () => void {
    const remove = this.#notices.add(listener)
    this.#forOpen((connection) => this.#tellStartup(connection))
    return remove
  }

  onConnect(listener: (session: PoolSession) => void): () => void {
    const own = new Listeners<[PoolSession]>()
    const removeOwn = own.add(listener)
    this.#forOpen((connection) => own.call(this.#sessionOf(connection)))
    const remove = this.#connects.add(listener)
    return () => {
      removeOwn()
      remove()
    }
  }

  onClose(listener: (session: PoolSession, end: PoolSessionEnd) => void): () => void {
    return this.#closes.add(listener)
  }

  /** Not before the caller has what he is given. */
  #forOpen(tell: (connection: ConnectionTarget) => void): void {
    const open = this.#target.connections()
    if (open.length > 0) queueMicrotask(() => open.forEach(tell))
  }

  #tellStartup(connection: ConnectionTarget): void {
    const { startupNotices } = connection
    connection.startupNotices = []
    for (const fields of startupNotices) {
      this.#notices.call(logMessageFromFields(fields), this.#sessionOf(connection))
    }
  }

  #sessionOf(connection: ConnectionTarget): PoolSession {
    let session = this.#sessions.get(connection)
    if (session === undefined) {
      const serverVersion = parseServerVersion(connection.parameters.get('server_version') ?? '')
      session = Object.freeze({ serverPid: connection.backendPid, serverVersion })
      this.#sessions.set(connection, session)
    }
    return session
  }
}
