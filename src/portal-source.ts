import {
  errorFromFailure,
  type Failure,
  InterfaceError,
  InvalidCursorNameError,
  NoActiveSQLTransactionError,
} from './errors/index'
import type { ConnectionTarget, Portal, Request } from './native/door'
import type { RowSource, SourceHost, SourceQuery } from './row-source'

/** Connections and transactions, for what needs a transaction. */
export interface PortalHost extends SourceHost {
  /** @internal Whether a transaction is open, or on its way. */
  readonly _hasTransaction: boolean
  /**
   * @internal The same for a portal that is open: a savepoint's end leaves it where it is (manual, "ROLLBACK TO SAVEPOINT"), so
   * that its next rows can be fetched beside one.
   */
  _targetOfPortal(): ConnectionTarget
}

/** How many rows each part has. */
export interface PartSize {
  readonly rows: number
  /** A part of so many rows had so many bytes, and is not the last. */
  note(rows: number, bytes: number): void
}

/** Always so many. */
export const fixedSize = (rows: number): PartSize => ({ rows, note: () => {} })

/** About what a part has in bytes where its rows are not wider than that. */
const PART_BYTES = 128 * 1024
const FIRST_ROWS = 16
const MOST_ROWS = 10_000

/** As many as have a certain size together. */
export class SizeByBytes implements PartSize {
  rows = FIRST_ROWS

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

  /** How many transactions had ended on its connection when it was opened. */
  #endedBefore = 0

  private constructor(host: PortalHost, query: SourceQuery, target: ConnectionTarget) {
    this.#host = host
    this.#query = query
    this.#target = target
    this.#portal = target.portal()
  }

  /** Opens one, with its first rows if `maxRows` says how many. */
  static async open(
    host: PortalHost,
    query: SourceQuery,
    maxRows: number,
  ): Promise<{ portal: OpenPortal; request: Request }> {
    // The target's own refusals go first, such as that of a connection that is closed.
    const target = host._target()
    if (!host._hasTransaction) throw outsideTransaction()
    const portal = new OpenPortal(host, query, target)
    const request = portal.#portal.open(query.text, query.params, { ...query.options, maxRows })
    await portal.#settled(request)
    portal.#endedBefore = target.transactionsEnded
    // It was ended by a query, or never begun by one.
    if (!portal.isExhausted && target.transactionStatus === 'I') throw outsideTransaction()
    return { portal, request }
  }

  /** Its next rows, of which the request's `rowCount` gives the bytes where there are more. */
  async fetch(maxRows: number): Promise<Request> {
    this.#refuse()
    const request = this.#portal.fetch({ ...this.#query.options, maxRows })
    await this.#settled(request)
    return request
  }

  /** Past its next rows; gives how many there were. */
  async move(count: number): Promise<number> {
    this.#refuse()
    const { options, text } = this.#query
    const request = this.#portal.move({ ...options, maxRows: count, maxResultBytes: 0 })
    await request.settled
    if (request.failure !== undefined) throw this.#errorOf(request.failure, text)
    if (request.rowCount < count) this.isExhausted = true
    return request.rowCount
  }

  /** A step of the application's has begun; see `CallGroup`. */
  stepBegun(): (() => void) | undefined {
    return this.#query.options.group?.begun()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    if (!this.#target.isClosed) this.#portal.close()
  }

  #refuse(): void {
    if (this.isClosed) throw new InterfaceError('the cursor is closed')
    if (this.#host._targetOfPortal() !== this.#target)
      throw new InterfaceError('the cursor is of another connection')
    if (this.#target.transactionsEnded !== this.#endedBefore) throw transactionEnded()
  }

  /** The end of its transaction may have been on its way. */
  #errorOf(failure: Failure, query: string): unknown {
    const error = errorFromFailure(failure, { query })
    return error instanceof InvalidCursorNameError ? transactionEnded(error) : error
  }

  async #settled(request: Request): Promise<void> {
    await request.settled
    if (request.failure !== undefined) {
      // A portal that has failed is of no use.
      this.close()
      throw this.#errorOf(request.failure, this.#query.text)
    }
    if (!request.isSuspended) this.isExhausted = true
  }
}

/** The rows of a portal, between whose parts other queries of its transaction can be made. */
export class PortalSource implements RowSource {
  readonly #host: PortalHost
  readonly #query: SourceQuery
  readonly #size: PartSize
  #portal: OpenPortal | undefined
  #isClosed = false
  /** Says that nobody waits for the next rows any more. */
  #answered: (() => void) | undefined

  constructor(host: PortalHost, query: SourceQuery, size: PartSize) {
    this.#host = host
    this.#query = query
    this.#size = size
  }

  async next(): Promise<readonly unknown[] | undefined> {
    if (this.#isClosed || this.#portal?.isExhausted) return undefined
    this.#answered = this.#query.options.group?.begun()
    try {
      return await this.#next()
    } finally {
      this.#answered?.()
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#answered?.()
    if (this.#portal !== undefined && !this.#portal.isExhausted) this.#portal.close()
  }

  async #next(): Promise<readonly unknown[] | undefined> {
    const asked = this.#size.rows
    let request: Request
    if (this.#portal === undefined) {
      const opened = await OpenPortal.open(this.#host, this.#query, asked)
      this.#portal = opened.portal
      request = opened.request
    } else request = await this.#portal.fetch(asked)
    // Meanwhile somebody may have closed it.
    if (this.#isClosed) this.#portal.close()
    if (request.isSuspended) this.#size.note(asked, request.rowCount)
    return request.rows.length === 0 ? undefined : request.rows
  }
}

function transactionEnded(cause?: unknown): Error {
  return new InterfaceError(
    'the transaction has ended in which the cursor or stream was opened, and its rows with it',
    { cause },
  )
}

function outsideTransaction(): Error {
  return new NoActiveSQLTransactionError(
    'a cursor needs a transaction, as PostgreSQL closes it at the end of that: open it inside transaction() or begin(); ' +
      'stream() reads a result of any size without one',
    { safeToRetry: true },
  )
}
