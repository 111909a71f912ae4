import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import { errorFromFailure } from '../errors/index'
import type { ConnectionTarget } from './connection-target'
import { LoggedQuery, type LoggedQueryKind, type ServerPlace } from './logged-query'
import type { QueryLoggers } from './query-loggers'
import type { Request } from './request'

/** Every query of this thread, whatever it is made on. */
export const queryChannel: TracingChannel<unknown, LoggedQuery> = tracingChannel('oxpg:query')

/** How many connections and pools of this thread have query loggers. */
let logged = 0

/** A connection or pool has got its first query logger, or lost its last. */
export function countLogged(difference: 1 | -1): void {
  logged += difference
}

/** Whether anybody may want to know of a query. Asked once for each, and all that is done while nobody does. */
export function isObserved(): boolean {
  return logged > 0 || queryChannel.hasSubscribers
}

/** What is known of what a query is sent to. */
export interface ObservedTarget {
  /** Where it runs; of a pool where it did last. */
  place(): ServerPlace
  /** What it runs on; of a pool that is known later. */
  session(): ConnectionTarget | undefined
  /** The loggers of the connection, and of its pool. */
  queryLoggers(): readonly QueryLoggers[]
}

/**
 * Sends a query of which somebody may want to know: in the context that subscribers of `start` have bound stores to, so that
 * all that runs for it runs there.
 *
 * @throws what `send` throws.
 */
export function observe<R extends Request>(
  target: ObservedTarget,
  kind: LoggedQueryKind,
  text: string,
  params: readonly unknown[] | undefined,
  timeoutMs: number,
  send: () => R,
  statements?: readonly string[],
): R {
  const session = target.session()
  const record = new LoggedQuery(
    kind,
    text,
    params,
    timeoutMs,
    session === undefined,
    target.place(),
    statements,
  )
  if (session !== undefined) record._at(session)
  const loggers = target.queryLoggers()
  const { start, end } = queryChannel
  return start.runStores(record, () => {
    try {
      const request = send()
      if (session === undefined) request.tellConnection()
      request.settled = follow(request, record, loggers)
      end.publish(record)
      return request
    } catch (error) {
      // The caller is told by a promise as of any other error.
      end.publish(record)
      record.error = error
      tellOver(record, loggers)
      throw error
    }
  })
}

/**
 * Tells of the end, and is what the caller waits for from then on: so the error that is told has the caller's stack, and
 * is the one that he gets.
 */
async function follow(
  request: Request,
  record: LoggedQuery,
  loggers: readonly QueryLoggers[],
): Promise<void> {
  await request.settled
  const { connection, failure, leftAfter } = request
  if (connection !== undefined) record._at(connection)
  if (leftAfter !== undefined) {
    record.tag = ''
    record.rowCount = leftAfter
  } else if (failure === undefined) {
    record.tag = request.tag()
    // A portal that was left with more rows has no tag.
    record.rowCount = request.isSuspended ? request.rows.length : request.rowCount
  } else {
    failure.made ??= errorFromFailure(
      failure,
      record.kind === 'transaction' ? undefined : { query: record.query },
    )
    record.error = failure.made
  }
  tellOver(record, loggers)
}

/** Tells of the end. */
export function tellOver(record: LoggedQuery, loggers: readonly QueryLoggers[]): void {
  record._end()
  if ('error' in record) queryChannel.error.publish(record)
  queryChannel.asyncStart.publish(record)
  for (const some of loggers) some.tell(record)
  queryChannel.asyncEnd.publish(record)
}
