import { type Failure, InternalClientError } from '../errors/index'
import { Opcode, RECORD_WORDS, RecordKind, RecordWord } from '../types/boundary'
import { ConnectionTarget, type NotificationMessage, type SessionFacts } from './connection-target'
import type { Environment } from './environment'
import type { Description } from './queries'
import { type Request, thrown } from './request'
import { tellOpened } from './session-traces'

const NO_EXTRAS: readonly unknown[] = Object.freeze([])

/**
 * Takes what Rust has delivered. It never throws: what callbacks of the application throw goes to
 * `uncaughtException` afterwards, each by itself.
 */
export function deliver(
  environment: Environment,
  recordCount: number,
  given: readonly unknown[] | undefined,
): void {
  const extras = given ?? NO_EXTRAS
  for (let at = 0, end = recordCount * RECORD_WORDS; at < end; at += RECORD_WORDS) {
    try {
      take(environment, environment.mailbox.records, at, extras)
    } catch (error) {
      throwLater(error)
    }
  }
}

function take(environment: Environment, records: Int32Array, at: number, extras: readonly unknown[]): void {
  const kind = records[at + RecordWord.KIND]!
  const id = records[at + RecordWord.SLOT]!
  if (kind === RecordKind.CREDENTIALS) {
    environment.pools.get(id >>> 0)?.askCredentials(records[at + RecordWord.CREDENTIALS_OPENING]!)
    return
  }
  if (kind >= RecordKind.CLOSED) {
    if (kind === RecordKind.SERVED) {
      served(environment, id, records[at + RecordWord.SERVED_CONNECTION]!)
      return
    }
    const extra = extraAt(extras, records[at + RecordWord.EVENT_EXTRA]!)
    if (kind === RecordKind.POOLED) pooled(environment, records[at + RecordWord.POOLED_POOL]!, id, extra)
    else takeEvent(environment, kind, id, extra, records[at + RecordWord.CLOSED_REASON]!)
    return
  }
  const request = environment.slots.get(id)
  if (request === undefined) return
  switch (kind) {
    case RecordKind.ROWS:
      request.takeRows(
        records[at + RecordWord.ROWS_COUNT]!,
        records[at + RecordWord.ROWS_FIRST_CELL]!,
        records[at + RecordWord.ROWS_TEXT_MODE]!,
        records[at + RecordWord.ROWS_OWN_MEMORY]!,
        extras,
      )
      break
    case RecordKind.DONE: {
      const low = records[at + RecordWord.DONE_COUNT_LOW]! >>> 0
      const high = records[at + RecordWord.DONE_COUNT_HIGH]! >>> 0
      const rowCount = low + high * 4_294_967_296
      const tagText = extraAt(extras, records[at + RecordWord.DONE_TAG]!) as string | undefined
      request.freeSlot()
      request.target?.noteTransactionStatus(records[at + RecordWord.TRANSACTION_STATUS]!, request)
      if (tagText !== undefined) request.noteTag(tagText)
      request.complete(
        records[at + RecordWord.DONE_COMMAND]!,
        rowCount,
        tagText,
        records[at + RecordWord.DONE_SUSPENDED] === 1,
      )
      break
    }
    case RecordKind.FAILED:
      request.freeSlot()
      request.target?.noteTransactionStatus(records[at + RecordWord.TRANSACTION_STATUS]!, request)
      takeFailure(request, extras[records[at + RecordWord.FAILED_FAILURE]!] as Failure)
      break
    case RecordKind.DESCRIBED:
      request.takeDescription(
        extraAt(extras, records[at + RecordWord.DESCRIBED_DESCRIPTION]!) as Description | undefined,
        records[at + RecordWord.DESCRIBED_NEEDS_BIND] === 1,
        records[at + RecordWord.DESCRIBED_PART]!,
      )
      break
    case RecordKind.OPENED:
    case RecordKind.GRANTED: {
      const facts = extraAt(extras, records[at + RecordWord.OPENED_FACTS]!) as SessionFacts | undefined
      request.freeSlot()
      grant(environment, request, kind, records[at + RecordWord.OPENED_CONNECTION]!, facts)
      break
    }
    case RecordKind.DRAINED:
      request.takeDrained()
      break
  }
}

function takeFailure(request: Request, failure: Failure): void {
  if (failure.waitedForPool === true) request.target?.explainWait(failure)
  request.fail(failure)
}

/** A pool has a new connection. */
function pooled(environment: Environment, poolId: number, id: number, facts: unknown): void {
  const pool = environment.pools.get(poolId >>> 0)
  // It was terminated, and CLOSED follows.
  if (pool === undefined) return
  const connection = new ConnectionTarget(environment, id, facts as SessionFacts, pool)
  environment.connections.set(id, connection)
  pool.lastPlace = connection
  pool.onPooled?.(connection)
  tellOpened(connection)
}

/** A request to a pool is on its way to this connection. */
function served(environment: Environment, slot: number, id: number): void {
  const request = environment.slots.get(slot)
  if (request !== undefined) request.connection = environment.connections.get(id)
}

/** A session was opened, or a pool granted one, or the pool itself is open. */
function grant(
  environment: Environment,
  request: Request,
  kind: number,
  id: number,
  facts: SessionFacts | undefined,
): void {
  const { connections, outbox } = environment
  if (id < 0) {
    // A pool's id has bit 31 set.
    request.settle(undefined)
    return
  }
  let connection = connections.get(id)
  if (connection !== undefined) {
    // The pool has reset it since its last lease.
    connection.transactionStatus = 'I'
  } else if (facts !== undefined) {
    connection = new ConnectionTarget(environment, id, facts, undefined)
    connections.set(id, connection)
  }
  if (request.isSettled || connection === undefined) {
    // Nobody waits for it any more.
    outbox.command(kind === RecordKind.OPENED ? Opcode.TERMINATE : Opcode.RELEASE, 0, id, 0, 0, 0)
    request.settle(thrown(new InternalClientError('a connection of which nothing is known')))
    return
  }
  request.connection = connection
  request.settle(undefined)
}

/** What happens to a connection, not to a request. */
function takeEvent(environment: Environment, kind: number, id: number, extra: unknown, reason: number): void {
  const connection = environment.connections.get(id)
  if (connection === undefined) return
  switch (kind) {
    case RecordKind.CLOSED:
      environment.connections.delete(id)
      connection.noteClosed(extra as Failure | undefined, reason)
      break
    case RecordKind.NOTICE:
      connection.onNotice?.(extra as Record<string, string>)
      connection.pool?.onPooledNotice?.(connection, extra as Record<string, string>)
      break
    case RecordKind.NOTIFICATION:
      connection.onNotification?.(extra as NotificationMessage)
      break
    case RecordKind.PARAMETER: {
      const [name, value] = extra as [string, string]
      connection.parameters.set(name, value)
      connection.onParameter?.(name, value)
      break
    }
  }
}

function extraAt(extras: readonly unknown[], index: number): unknown {
  return index < 0 ? undefined : extras[index]
}

/** A microtask of its own, so that each error reaches `uncaughtException` whatever the others do. */
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
