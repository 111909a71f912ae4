import { AsyncLocalStorage } from 'node:async_hooks'
import type { ConnectionTarget } from './connection-target'
import { LoggedQuery } from './logged-query'
import { isObserved, queryChannel, tellOver } from './observation'
import type { QueryLoggers } from './query-loggers'
import type { Request } from './request'

/**
 * A query whose requests, one after the other, whoever made it looks after: such as one whose rows are fetched in parts. It is told
 * of once, from its first request to its end.
 */
export class ObservedQuery {
  private readonly record: LoggedQuery
  private readonly loggers: readonly QueryLoggers[]
  private readonly target: ConnectionTarget
  /** Runs in the stores that subscribers of `start` have bound. */
  private readonly here: <R>(work: () => R) => R
  private isStarted = false
  private isOver = false
  /** A request is not answered: its outcome goes before the end of its transaction. */
  private isRunning = false
  private hasTransactionEnded = false
  private rowCount = 0

  private constructor(target: ConnectionTarget, record: LoggedQuery) {
    this.target = target
    this.record = record
    this.loggers = target.queryLoggers()
    record._at(target)
    this.here = queryChannel.start.runStores(record, () => AsyncLocalStorage.snapshot())
  }

  /** One that begins; undefined where nobody may want to know. */
  static begin(
    target: ConnectionTarget,
    text: string,
    params: readonly unknown[] | undefined,
    timeoutMs: number,
  ): ObservedQuery | undefined {
    if (!isObserved()) return undefined
    return new ObservedQuery(target, new LoggedQuery('query', text, params, timeoutMs, false, target.place()))
  }

  /** It ends with the transaction that is open, unless it has ended before. */
  endWithTransaction(): void {
    this.target.transactionEndings.add(this.whenTransactionEnds)
  }

  /** Sends a request of it; {@link answered} or {@link fail} follows. */
  send<R extends Request>(send: () => R): R {
    this.isRunning = true
    try {
      return this.here(send)
    } catch (error) {
      if (!this.isStarted) queryChannel.end.publish(this.record)
      this.isStarted = true
      this.fail(error)
      throw error
    } finally {
      if (!this.isStarted) queryChannel.end.publish(this.record)
      this.isStarted = true
    }
  }

  /** A request has given so many rows; it was the last one, or more follow. */
  answered(request: Request, rowCount: number, isLast: boolean): void {
    this.isRunning = false
    this.rowCount += rowCount
    if (!isLast) {
      if (this.hasTransactionEnded) this.leave()
      return
    }
    // The server counts the rows of the last request alone.
    const tag = request.tag().replace(/\d+$/, `${this.rowCount}`)
    this.end(tag)
  }

  /** It has failed, and nobody has asked for what it was to give. */
  stop(): void {
    this.isRunning = false
    if (this.hasTransactionEnded) this.leave()
  }

  /** Its caller gets this. */
  fail(error: unknown): void {
    if (this.isOver) return
    this.record.error = error
    this.over()
  }

  /**
   * Nobody wants the rest of its rows, or there is no transaction any more to fetch them in.
   *
   * @param rowCount How many rows the request that is not answered has given.
   */
  leave(rowCount = 0): void {
    this.rowCount += rowCount
    this.end('')
  }

  private readonly whenTransactionEnds = (): void => {
    this.hasTransactionEnded = true
    if (!this.isRunning) this.leave()
  }

  private end(tag: string): void {
    if (this.isOver) return
    this.record.tag = tag
    this.record.rowCount = this.rowCount
    this.over()
  }

  private over(): void {
    this.isOver = true
    this.target.transactionEndings.delete(this.whenTransactionEnds)
    this.here(() => tellOver(this.record, this.loggers))
  }
}
