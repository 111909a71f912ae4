import { type Channel, channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { ConnectionTarget } from './connection-target'
import { NOWHERE, nowMs, type ServerPlace } from './logged-query'

/** What is told of a session, as far as it is known. */
interface SessionTrace {
  host: string | undefined
  port: number | undefined
  database: string | undefined
  user: string | undefined
  /** The process id of the server's backend, once there is one. */
  serverPid: number | undefined
  /** Milliseconds from the beginning to the end, once it has ended. */
  elapsedMs: number | undefined
  /** What it has failed with. Not there when it has gone well. */
  error?: unknown
}

/** The context object of the channel `oxpg:connect`: a session is opened. */
export interface ConnectTrace extends SessionTrace {
  /**
   * Whether a pool opens it. A pool does so on its own: all of the channel's events come at once then, when it is open, and
   * `elapsedMs` says how long that has taken.
   */
  readonly isPooled: boolean
}

/** The context object of the channel `oxpg:pool:acquire`: somebody wants a connection of a pool for himself. */
export interface AcquireTrace extends SessionTrace {
  /** The method of the pool; `'query'` stands for one that makes a single query and needs a lease for that. */
  readonly call: 'acquire' | 'use' | 'transaction' | 'begin' | 'query'
  /** Milliseconds that it may take, hooks included; 0 for no limit. */
  readonly timeoutMs: number
}

/** The message of the channel `oxpg:pool:release`: a lease of the application's is over. */
export interface ReleaseMessage extends ServerPlace {
  readonly call: AcquireTrace['call']
  readonly serverPid: number
  /** Milliseconds for which it was held. */
  readonly heldMs: number
}

/** Sessions that are opened. */
export const connectChannel: TracingChannel<unknown, ConnectTrace> = tracingChannel('oxpg:connect')
/** Leases that are taken. */
export const acquireChannel: TracingChannel<unknown, AcquireTrace> = tracingChannel('oxpg:pool:acquire')
/** Leases that are over. */
export const releaseChannel: Channel = channel('oxpg:pool:release')

const placed = ({ host, port, database, user }: ServerPlace) => ({ host, port, database, user })

/** Tells of what is known at its beginning. */
export function sessionTrace(place: ServerPlace = NOWHERE) {
  return { ...placed(place), serverPid: undefined, elapsedMs: undefined }
}

/** Runs `work`, which gives a session, and tells of its beginning and its end. */
export function traced<C extends SessionTrace, T>(
  told: TracingChannel<unknown, C>,
  trace: C,
  work: () => Promise<T>,
  sessionOf: (result: T) => ConnectionTarget,
): Promise<T> {
  const since = nowMs()
  return told.start.runStores(trace, async () => {
    try {
      let running: Promise<T>
      try {
        running = work()
      } finally {
        told.end.publish(trace)
      }
      const result = await running
      const session = sessionOf(result)
      Object.assign(trace, placed(session), { serverPid: session.backendPid })
      return result
    } catch (error) {
      trace.error = error
      throw error
    } finally {
      trace.elapsedMs = nowMs() - since
      if ('error' in trace) told.error.publish(trace)
      told.asyncStart.publish(trace)
      told.asyncEnd.publish(trace)
    }
  })
}

/** A pool has opened a session. */
export function tellOpened(session: ConnectionTarget): void {
  if (!connectChannel.hasSubscribers) return
  const { start, end, asyncStart, asyncEnd } = connectChannel
  const trace: ConnectTrace = {
    isPooled: true,
    ...placed(session),
    serverPid: session.backendPid,
    elapsedMs: session.openingMs,
  }
  for (const each of [start, end, asyncStart, asyncEnd]) each.publish(trace)
}
