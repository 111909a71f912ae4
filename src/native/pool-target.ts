import type { Failure, PoolHolder } from '../errors/index'
import { Opcode } from '../types/boundary'
import type { ConnectionTarget } from './connection-target'
import { type ContextStatement, ContextTarget } from './context-target'
import type { Environment } from './environment'
import type { PoolStats } from './load'
import { NOWHERE, type ServerPlace } from './logged-query'
import { statsOfEnded } from './pool-stats'
import { POOL_QUERIES, Queries } from './queries'
import { abortedRequest, type Request } from './request'
import type { RequestOptions } from './request-options'
import { Target } from './target'

/** Meanings of names (roles, search paths) of which a pool remembers statements. */
const MOST_NAMES = 100

/** What a session is opened with, where it is not the configuration's. */
export interface Credentials {
  readonly password?: string
  readonly oauthToken?: string
}

/** Who is told of each pool that has ended, with its last figures. */
const endings = new Set<(pool: PoolTarget) => void>()

/** Calls back with each pool of this thread that ends, until what it gives is called. It must not throw. */
export function onPoolEnd(tell: (pool: PoolTarget) => void): () => void {
  endings.add(tell)
  return () => void endings.delete(tell)
}

/** A pool of connections. */
export class PoolTarget extends Target {
  /** What is known of statements in contexts in which names mean something else. */
  private readonly byNames = new Map<string, Queries>()
  private lastStats: PoolStats | undefined = undefined
  /** Called for each new session when the pool was opened so; {@link answerCredentials} or {@link refuseCredentials} follows. */
  onCredentials: ((opening: number) => void) | undefined = undefined

  /** POOLED: it has a new connection. */
  onPooled: ((connection: ConnectionTarget) => void) | undefined = undefined
  /** A connection's NoticeResponse, by its fields. */
  onPooledNotice: ((connection: ConnectionTarget, fields: Record<string, string>) => void) | undefined =
    undefined
  /** A connection is gone; `reason` is one of `CloseReason`, −1 when the pool did not close it. */
  onPooledClosed:
    | ((connection: ConnectionTarget, failure: Failure | undefined, reason: number) => void)
    | undefined = undefined
  /** It was closed or terminated. */
  isForgotten = false
  /** Where its latest session is. */
  lastPlace: ServerPlace = NOWHERE
  /** Gives who has leased its connections, and the same in words. */
  onWaitInVain: (() => { readonly holders: readonly PoolHolder[]; readonly text: string }) | undefined =
    undefined
  /** What that gave in this turn: many may wait in vain at once. */
  private held: { readonly holders: readonly PoolHolder[]; readonly text: string } | undefined = undefined

  constructor(environment: Environment, id: number) {
    super(environment, id, new Queries(environment.native, POOL_QUERIES))
  }

  /** Its connections that are open, as far as JavaScript has heard. */
  connections(): ConnectionTarget[] {
    return [...this.environment.connections.values()].filter((connection) => connection.isOf(this))
  }

  override explainWait(failure: Failure): void {
    if (this.held === undefined) {
      this.held = this.onWaitInVain?.()
      queueMicrotask(() => {
        this.held = undefined
      })
    }
    if (this.held === undefined) return
    failure.holders = this.held.holders
    if (this.held.text !== '') failure.message += `; ${this.held.text}`
  }

  override place(): ServerPlace {
    return this.lastPlace
  }

  override session(): undefined {}

  /** Leases a connection alone; the request's `connection` when it has settled well. */
  acquire(options: RequestOptions): Request {
    const { signal } = options
    if (signal?.aborted) return abortedRequest(this.environment, this, signal)
    return this.commanded(this.request(), Opcode.ACQUIRE, 0, 0, options)
  }

  /** CREDENTIALS: a session that is being opened needs one. */
  askCredentials(opening: number): void {
    if (this.onCredentials === undefined)
      this.refuseCredentials(opening, 'nobody gives a password or a token', false)
    else this.onCredentials(opening)
  }

  /** `remainingMs` is what is left of `connectTimeoutMs`, 0 for no limit. */
  answerCredentials(opening: number, { password, oauthToken }: Credentials, remainingMs: number): void {
    this.environment.outbox.flush()
    this.environment.native.answerCredentials(opening, password, oauthToken, remainingMs)
  }

  /** There is none, and the session is not opened. */
  refuseCredentials(opening: number, why: string, isLate: boolean): void {
    this.environment.outbox.flush()
    this.environment.native.refuseCredentials(opening, why, isLate)
  }

  /** The same pool, with a statement in front of each of its queries. */
  inContext(context: ContextStatement): ContextTarget {
    return new ContextTarget(this.environment, this, this.queriesOf(context.names), context)
  }

  /** What is known of statements where names mean this; the latest used last. */
  private queriesOf(names: string): Queries {
    if (names === '') return this.queries
    const known = this.byNames.get(names) ?? new Queries(this.environment.native, POOL_QUERIES)
    this.byNames.delete(names)
    this.byNames.set(names, known)
    if (this.byNames.size > MOST_NAMES) {
      const [oldest, queries] = this.byNames.entries().next().value!
      this.byNames.delete(oldest)
      queries.close()
    }
    return known
  }

  /** Why a query is not sent through a pool, where nothing would come of it. Rust refuses those by itself that it gets. */
  override refusalOf(text: string): Failure | undefined {
    return this.environment.native.refusalThroughPool(text) ?? undefined
  }

  /** The counters now; of a pool that is gone the last ones, with nothing open. */
  stats(): PoolStats {
    const { environment, id, lastStats } = this
    // Calls of this tick count as well.
    environment.outbox.flush()
    const stats = environment.native.poolStats(id)
    if (stats === null || stats === undefined) {
      return statsOfEnded(lastStats)
    }
    this.lastStats = stats
    return stats
  }

  /**
   * Connections older than this call are closed, those in use when they come back, and what is known of statements is
   * forgotten.
   */
  expire(): void {
    this.environment.outbox.flush()
    this.environment.native.expirePool(this.id)
    this.environment.native.reloadTypes(this.id)
    this.queries.forgetAll()
    for (const queries of this.byNames.values()) queries.forgetAll()
  }

  override close(timeoutMs: number): Request {
    const request = super.close(timeoutMs)
    request.settled.then(() => {
      // Who waited has been served meanwhile: these are the last ones.
      this.stats()
      this.forget()
    })
    return request
  }

  override terminate(): void {
    this.stats()
    super.terminate()
    for (const connection of this.connections()) {
      connection.isClosed = true
      connection.isPoolTerminated = true
    }
    this.forget()
  }

  private forget(): void {
    if (!this.isForgotten) for (const tell of endings) tell(this)
    this.isForgotten = true
    this.environment.pools.delete(this.id)
    this.queries.close()
    for (const queries of this.byNames.values()) queries.close()
    this.byNames.clear()
    this.closeTypes()
    this.logBy(undefined)
  }
}
