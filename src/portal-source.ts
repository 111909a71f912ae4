import {
  errorFromFailure,
  type Failure,
  InterfaceError,
  InvalidCursorNameError,
  NoActiveSQLTransactionError,
} from './errors/index'
import { type ConnectionTarget, ObservedQuery, type Portal, type Request, StreamRequest } from './native/door'
import { changeOf, type RowSource, type SourceHost, type SourceQuery } from './row-source'
import type { Scope } from './transaction-scope'

/** Connections and transactions, for what needs a transaction. */
export interface PortalHost extends SourceHost {
  /** @internal Whether a transaction is open, or on its way. */
  readonly _hasTransaction: boolean
  /**
   * @internal The same for a portal that has been executed: a savepoint's end leaves it where it is (manual, "ROLLBACK TO
   * SAVEPOINT"), so that its next rows can be fetched beside one.
   */
  _targetOfPortal(): ConnectionTarget
  /** @internal Where its transactions start. */
  readonly _scope: Scope
}

/** How many rows each part has. */
export interface PartSize {
  readonly rows: number
  /** The next part is asked for while the last rows of one are looked at. */
  readonly isAhead: boolean
  /** A part of so many rows had so many bytes, and is not the last. */
  note(rows: number, bytes: number): void
}

/** Always so many. */
export const fixedSize = (rows: number): PartSize => ({ rows, isAhead: false, note: () => {} })

/** About what a part has in bytes where its rows are not wider than that. */
const PART_BYTES = 128 * 1024
const FIRST_ROWS = 16
/** A query beside it reads the rest of a part into memory, however large rows become in it: these are not too many. */
const MOST_ROWS = 256

/** As many as have a certain size together. */
export class SizeByBytes implements PartSize {
  rows = FIRST_ROWS
  readonly isAhead = true

  note(rows: number, bytes: number): void {
    const wanted = Math.round((PART_BYTES * rows) / Math.max(bytes, 1))
    this.rows = Math.max(1, Math.min(wanted, rows * 16, MOST_ROWS))
  }
}

/** An open portal, whose transaction is looked after. */
export class OpenPortal {
  /** There are no more rows. */
  isExhausted = false
  isClosed = false
  readonly #host: PortalHost
  readonly #query: SourceQuery
  readonly #portal: Portal
  readonly #target: ConnectionTarget

  /** The innermost savepoint when it was opened, whose rollback ends it. */
  readonly #scope: Scope
  /** How many transactions had ended on its connection when it was opened. */
  #endedBefore = 0
  /** A step of it was sent: what it does, as by INSERT … RETURNING, it does in its first one. */
  #isExecuted = false
  #isBegun = false
  /** What became of the last request, if not what it should. */
  #error: unknown
  /** It is told of as one query; otherwise each step is. */
  readonly #isWhole: boolean
  /** Of all of it, if anybody may want to know. */
  #observed: ObservedQuery | undefined

  private constructor(host: PortalHost, query: SourceQuery, target: ConnectionTarget, isWhole: boolean) {
    this.#host = host
    this.#query = query
    this.#target = target
    this.#isWhole = isWhole
    this.#scope = host._scope.innermost
    this.#portal = target.portal()
  }

  /** Opens one, of which no row is asked for yet. Whoever observes is told of each of its steps. */
  static async open(host: PortalHost, query: SourceQuery): Promise<OpenPortal> {
    const { portal, request } = OpenPortal.#begin(host, query, 0, query.options.timeoutMs, false)
    await portal.settle(request)
    return portal
  }

  /** Sends what opens one, with its first rows. Whoever observes is told of one query. {@link settle} follows. */
  static begin(
    host: PortalHost,
    query: SourceQuery,
    maxRows: number,
  ): { portal: OpenPortal; request: Request } {
    return OpenPortal.#begin(host, query, maxRows, 0, true)
  }

  static #begin(
    host: PortalHost,
    query: SourceQuery,
    maxRows: number,
    timeoutMs: number,
    isWhole: boolean,
  ): { portal: OpenPortal; request: Request } {
    // The target's own refusals go first, such as that of a connection that is closed.
    const target = host._target()
    if (!host._hasTransaction) throw outsideTransaction()
    const portal = new OpenPortal(host, query, target, isWhole)
    portal.#isExecuted = maxRows > 0
    const request = portal.#send(() =>
      portal.#portal.open(query.text, query.params, { ...query.options, maxRows, timeoutMs }),
    )
    return { portal, request }
  }

  /** Its next rows. */
  async fetch(maxRows: number): Promise<Request> {
    const request = this.step(maxRows, this.#query.options.timeoutMs)
    await this.settle(request)
    return request
  }

  /**
   * Asks for its next rows; the request's `rowCount` gives their bytes where there are more. {@link settle} follows.
   *
   * @param isAhead Nobody waits for them yet: what becomes of them is nobody's before {@link settle}.
   */
  step(maxRows: number, timeoutMs: number, isAhead = false): Request {
    if (isAhead) this.#expectOpen()
    else this.#refuse()
    return this.#send(() => this.#portal.fetch({ ...this.#query.options, maxRows, timeoutMs }), isAhead)
  }

  /** What comes of it is noted when it comes, whenever it is looked at. */
  #send(send: () => Request, isAhead = false): Request {
    const observed = this.#observed ?? this.#observe()
    const isFirst = !this.#isBegun
    this.#isBegun = true
    const request = observed === undefined ? send() : observed.send(send)
    void request.settled.then(() => this.#note(request, isFirst, isAhead, observed))
    return request
  }

  #note(request: Request, isFirst: boolean, isAhead: boolean, observed: ObservedQuery | undefined): void {
    const { failure } = request
    const { transactionsEnded, transactionStatus } = this.#target
    if (isFirst) this.#endedBefore = transactionsEnded
    if (failure !== undefined) this.#error = this.#errorOf(failure, this.#query.text)
    else {
      this.isExhausted ||= !request.isSuspended
      // It was ended by a query, or never begun by one.
      if (isFirst && !this.isExhausted && transactionStatus === 'I') this.#error = outsideTransaction()
    }
    if (observed === undefined) return
    if (this.#error !== undefined) {
      if (isAhead) observed.stop()
      else observed.fail(this.#error)
    } else {
      const rows = request instanceof StreamRequest ? request.received : request.rows.length
      observed.answered(request, rows, this.isExhausted || !this.#isWhole)
      if (isFirst && this.#isWhole && !this.isExhausted) observed.endWithTransaction()
    }
  }

  /** Past its next rows; gives how many there were. */
  async move(count: number): Promise<number> {
    this.#refuse()
    const { options, text } = this.#query
    const observed = this.#observe()
    const send = () => this.#portal.move({ ...options, maxRows: count, maxResultBytes: 0 })
    const request = observed === undefined ? send() : observed.send(send)
    await request.settled
    if (request.failure !== undefined) {
      const error = this.#errorOf(request.failure, text)
      observed?.fail(error)
      throw error
    }
    observed?.answered(request, request.rowCount, true)
    if (request.rowCount < count) this.isExhausted = true
    return request.rowCount
  }

  /** A step of the application's has begun; see `CallGroup`. */
  stepBegun(): (() => void) | undefined {
    return this.#query.options.group?.begun()
  }

  /** @param inFlight What opens it, perhaps: until that is answered there may be nothing to be closed. */
  close(inFlight?: Request): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#observed?.leave(inFlight instanceof StreamRequest && !inFlight.isSettled ? inFlight.received : 0)
    this.#close()
    void inFlight?.settled.then(() => this.#close())
  }

  #close(): void {
    if (!this.#target.isClosed) this.#portal.close()
  }

  /** What is told from here on, of all or of a step. */
  #observe(): ObservedQuery | undefined {
    // Somebody may have begun to listen meanwhile: of the rest alone he is told nothing.
    if (this.#isWhole && this.#isBegun) return undefined
    const { text, params, options } = this.#query
    const observed = ObservedQuery.begin(this.#target, text, params, options.timeoutMs)
    if (this.#isWhole) this.#observed = observed
    return observed
  }

  #refuse(): void {
    try {
      this.#expectOpen()
    } catch (error) {
      this.#observed?.fail(error)
      throw error
    }
  }

  #expectOpen(): void {
    if (this.isClosed) throw new InterfaceError('the cursor is closed')
    const target = this.#isExecuted ? this.#host._targetOfPortal() : this.#host._target()
    if (target !== this.#target) throw new InterfaceError('the cursor is of another connection')
    if (this.#scope.isUndoneWithin) throw savepointUndone()
    if (this.#target.transactionsEnded !== this.#endedBefore) throw transactionEnded()
    this.#isExecuted = true
  }

  /** The end of its transaction may have been on its way. */
  #errorOf(failure: Failure, query: string): unknown {
    const error = errorFromFailure(failure, { query })
    return error instanceof InvalidCursorNameError ? transactionEnded(error) : error
  }

  /**
   * Waits for the end of what opens it, or of a step.
   *
   * @throws what became of it otherwise.
   */
  async settle(request: Request): Promise<void> {
    await request.settled
    if (this.#error === undefined) return
    this.#observed?.fail(this.#error)
    // A portal that has failed is of no use.
    if (request.failure !== undefined) this.close()
    throw this.#error
  }
}

/**
 * The rows of a portal, between whose parts other queries of its transaction can be made. A part is read no faster than it is
 * wanted, unless such a query waits behind it.
 */
export class PortalSource implements RowSource {
  readonly #host: PortalHost
  readonly #query: SourceQuery
  readonly #size: PartSize
  #portal: OpenPortal | undefined
  /** The part that is read, of so many rows at most. */
  #part: { readonly request: Request; readonly rows: number } | undefined
  #isClosed = false
  /** Says that nobody waits for the next rows any more. */
  #answered: (() => void) | undefined

  constructor(host: PortalHost, query: SourceQuery, size: PartSize) {
    this.#host = host
    this.#query = query
    this.#size = size
  }

  async next(): Promise<readonly unknown[] | undefined> {
    if (this.#isClosed) return undefined
    this.#answered = this.#query.options.group?.begun()
    try {
      return await this.#next()
    } finally {
      this.#answered?.()
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#answered?.()
    const portal = this.#portal
    if (portal === undefined) return
    const request = this.#part?.request
    if (request instanceof StreamRequest) request.drop()
    if (!portal.isExhausted) portal.close(request)
  }

  async #next(): Promise<readonly unknown[] | undefined> {
    while (!this.#isClosed) {
      if (this.#part === undefined) {
        if (this.#portal?.isExhausted) return undefined
        this.#part = this.#ask()
      }
      const { request, rows: asked } = this.#part
      const rows = request instanceof StreamRequest ? request.take() : []
      if (rows.length > 0) {
        if (request.isSettled && this.#size.isAhead) this.#askAhead(request, asked)
        return rows
      }
      if (request.isSettled) {
        this.#part = undefined
        await this.#portal!.settle(request)
        if (request.isSuspended) this.#size.note(asked, request.rowCount)
      } else await changeOf(request as StreamRequest, this.#query.options.timeoutMs)
    }
    return undefined
  }

  /** The server makes the next part while the last rows of this one are looked at. */
  #askAhead(request: Request, asked: number): void {
    if (request.failure !== undefined || !request.isSuspended || this.#query.options.maxResultBytes > 0)
      return
    this.#size.note(asked, request.rowCount)
    try {
      this.#part = this.#ask(true)
    } catch {
      // It is said when they are asked for.
    }
  }

  /** Asks for the next part. Each wait for some of it has its own time. */
  #ask(isAhead = false): { request: Request; rows: number } {
    const { rows } = this.#size
    let request: Request
    if (this.#portal === undefined) {
      const begun = OpenPortal.begin(this.#host, this.#query, rows)
      this.#portal = begun.portal
      request = begun.request
    } else request = this.#portal.step(rows, 0, isAhead)
    // With a limit of its own it is as large as that at most.
    if (request instanceof StreamRequest && this.#query.options.maxResultBytes === 0) request.allow()
    return { request, rows }
  }
}

function transactionEnded(cause?: unknown): Error {
  return new InterfaceError(
    'the transaction has ended in which the cursor or stream was opened, and its rows with it',
    { cause },
  )
}

/** To ask for more would fail the transaction around it. */
function savepointUndone(): Error {
  return new InterfaceError(
    'the savepoint has been rolled back in which the cursor or stream was opened, and its rows with it',
  )
}

function outsideTransaction(): Error {
  return new NoActiveSQLTransactionError(
    'a cursor needs a transaction, as PostgreSQL closes it at the end of that: open it inside transaction() or begin(); ' +
      'stream() reads a result of any size without one',
    { safeToRetry: true },
  )
}
