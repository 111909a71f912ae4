import { InterfaceError } from './errors/index'
import { notByNew } from './other-drivers'
import { PartIterator, RowIterator } from './row-iterator'
import type { RowSource } from './row-source'

/**
 * The rows of a query, read no faster than they are wanted, in bounded memory: what `stream` gives. It is read once, by
 * `for await`, `Readable.from`, `ReadableStream.from` or `pipeline`. The query is sent when the first row is asked for, and
 * cancelled when the reading ends before its end.
 *
 * @typeParam R A row.
 */
export class RowStream<R> implements AsyncIterable<R, undefined, undefined>, AsyncDisposable {
  readonly #source: RowSource
  #reader: PartIterator<R> | RowIterator<R> | undefined

  /** @internal */
  constructor(source: RowSource) {
    if (source === undefined) throw notByNew(new.target)
    this.#source = source
  }

  /**
   * The rows, one by one.
   *
   * @throws InterfaceError when it is read already.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<R, undefined, undefined> {
    return this.#readBy(new RowIterator<R>(this.#source))
  }

  /**
   * The rows in the parts in which they come, for readers that take many at once: at least one row each, otherwise as many as
   * it happens to be.
   *
   * @throws InterfaceError when it is read already.
   */
  batches(): AsyncIterableIterator<R[], undefined, undefined> {
    return this.#readBy(new PartIterator<R>(this.#source))
  }

  /** Ends it, whoever reads it; what runs for it is cancelled. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader ??= new PartIterator<R>(this.#source)
    await this.#reader.return()
  }

  #readBy<I extends PartIterator<R> | RowIterator<R>>(reader: I): I {
    if (this.#reader !== undefined) {
      throw new InterfaceError('a stream is read once: for its rows again, call stream() again')
    }
    this.#reader = reader
    return reader
  }
}
