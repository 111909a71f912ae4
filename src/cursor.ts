import { AsyncResource } from 'node:async_hooks'
import { InterfaceError } from './errors/index'
import { wholeNumber } from './options'
import { notByNew } from './other-drivers'
import { fixedSize, OpenPortal, type PortalHost, PortalSource } from './portal-source'
import { RowIterator } from './row-iterator'
import { readHere, type SourceQuery } from './row-source'

/** More than PostgreSQL counts in one step. */
const MOST_ROWS = 2_147_483_647

/**
 * A query whose rows are fetched in parts, inside a transaction: what `cursor` gives. Either iterate over it, or
 * {@link CursorFactory.open open} it; once. Other queries of the transaction, and other cursors, may be used in between.
 *
 * @typeParam R A row.
 */
export class CursorFactory<R> implements AsyncIterable<R, undefined, undefined> {
  readonly #host: PortalHost
  readonly #query: SourceQuery
  readonly #prefetch: number
  /** Where it was made, as `AsyncLocalStorage` has it. */
  readonly #here = new AsyncResource('OXPG_CURSOR', { requireManualDestroy: true })
  #isUsed = false

  /** @internal */
  constructor(host: PortalHost, query: SourceQuery, prefetch: number) {
    if (host === undefined || query === undefined) throw notByNew(new.target)
    this.#host = host
    this.#query = query
    this.#prefetch = prefetch
  }

  /**
   * The rows, `prefetch` of which are fetched at a time. Leaving the loop closes the cursor.
   *
   * @throws InterfaceError when it is used already. The iteration throws NoActiveSQLTransactionError where no transaction is
   * open.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<R, undefined, undefined> {
    this.#use()
    const source = new PortalSource(this.#host, this.#query, fixedSize(this.#prefetch))
    return new RowIterator<R>(this.#here.runInAsyncScope(readHere, undefined, source))
  }

  /**
   * Opens it, to be fetched from step by step. Nothing is executed yet.
   *
   * @throws InterfaceError when it is used already.
   * @throws NoActiveSQLTransactionError where no transaction is open.
   */
  async open(): Promise<Cursor<R>> {
    this.#use()
    const answered = this.#query.options.group?.begun()
    try {
      return new Cursor<R>(await OpenPortal.open(this.#host, this.#query))
    } finally {
      answered?.()
    }
  }

  #use(): void {
    if (this.#isUsed)
      throw new InterfaceError('a cursor is used once: for its rows again, call cursor() again')
    this.#isUsed = true
  }
}

/**
 * An open cursor. It lives as long as its transaction. Steps that do not wait for each other are made in their order.
 *
 * @typeParam R A row.
 */
export class Cursor<R> implements AsyncDisposable {
  readonly #portal: OpenPortal
  #before: Promise<unknown> = Promise.resolve()

  /** @internal */
  constructor(portal: OpenPortal) {
    if (portal === undefined) throw notByNew(new.target)
    this.#portal = portal
  }

  /**
   * The next rows, `count` at most; none at the end.
   *
   * @throws InterfaceError when it is closed, or its transaction has ended.
   */
  async fetch(count: number): Promise<R[]> {
    const maxRows = wholeNumber('count', count, 1, MOST_ROWS)
    return this.#step(() => this.#fetch(maxRows))
  }

  /** The next row, or null at the end. Errors as of `fetch`. */
  async fetchRow(): Promise<R | null> {
    const rows = await this.#step(() => this.#fetch(1))
    return rows[0] ?? null
  }

  /**
   * Goes past the next rows, `count` at most. Errors as of `fetch`.
   *
   * @returns How many rows there were.
   */
  async forward(count: number): Promise<number> {
    const rows = wholeNumber('count', count, 1, MOST_ROWS)
    return this.#step(() => this.#forward(rows))
  }

  /** Closes it, once the steps before have ended. Closing again does nothing. */
  async close(): Promise<void> {
    await this.#inTurn(async () => this.#portal.close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #fetch(maxRows: number): Promise<R[]> {
    const portal = this.#portal
    if (portal.isExhausted && !portal.isClosed) return []
    const request = await portal.fetch(maxRows)
    return request.rows as R[]
  }

  async #forward(count: number): Promise<number> {
    const portal = this.#portal
    return portal.isExhausted && !portal.isClosed ? 0 : portal.move(count)
  }

  async #step<T>(step: () => Promise<T>): Promise<T> {
    const answered = this.#portal.stepBegun()
    try {
      return await this.#inTurn(step)
    } finally {
      answered?.()
    }
  }

  async #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#before.then(step)
    this.#before = turn.catch(() => {})
    return await turn
  }
}
