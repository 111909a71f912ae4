import { closed, type RowSource, type SourceQuery, type Waits } from './row-source'
import type { Transaction } from './transaction'

/** The rows of a query in a context: those of a portal, in a transaction that is begun with its first rows. */
export class ContextSource implements RowSource {
  readonly #begin: (waits: Waits) => Promise<Transaction>
  readonly #query: SourceQuery
  #transaction: Transaction | undefined
  #rows: RowSource | undefined
  /** Ends the wait for a connection. */
  #giveUp: ((reason: Error) => void) | undefined
  #isClosed = false

  constructor(begin: (waits: Waits) => Promise<Transaction>, query: SourceQuery) {
    this.#begin = begin
    this.#query = query
  }

  async next(): Promise<readonly unknown[] | undefined> {
    if (this.#isClosed) return undefined
    this.#transaction ??= await this.#begin((giveUp) => {
      this.#giveUp = giveUp
    })
    this.#rows ??= this.#transaction._rowSource(this.#query)
    // Meanwhile somebody may have closed it.
    if (this.#isClosed) return this.#undo()
    let rows: readonly unknown[] | undefined
    try {
      rows = await this.#rows.next()
    } catch (error) {
      this.#isClosed = true
      await this.#undo()
      throw error
    }
    if (rows === undefined && !this.#isClosed) {
      this.#isClosed = true
      await this.#transaction.commit()
    }
    return rows
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#giveUp?.(closed())
    await this.#rows?.close()
    await this.#undo()
  }

  /** Why it is undone goes before what comes of that: the session may be gone. */
  async #undo(): Promise<undefined> {
    await this.#transaction?.rollback().catch(() => {})
  }
}
