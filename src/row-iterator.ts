import type { RowSource } from './row-source'

const DONE: IteratorReturnResult<undefined> = Object.freeze({ value: undefined, done: true })

/** The parts of a source, one after the other. Calls of `next` that do not wait for each other are served in their order. */
export class PartIterator<R> implements AsyncIterableIterator<R[], undefined, undefined> {
  readonly #source: RowSource
  #isOver = false
  /** What the next part waits for. */
  #before: Promise<unknown> | undefined
  /** Ends a wait when the source is closed meanwhile. */
  #end: (() => void) | undefined

  constructor(source: RowSource) {
    this.#source = source
  }

  /** No part comes any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  next(): Promise<IteratorResult<R[], undefined>> {
    const before = this.#before
    const part = before === undefined ? this.#part() : before.then(() => this.#part())
    const settled: Promise<unknown> = part.then(
      () => this.#forget(settled),
      () => this.#forget(settled),
    )
    this.#before = settled
    return part
  }

  /** Ends it: what runs for it is cancelled. */
  async return(): Promise<IteratorResult<R[], undefined>> {
    if (!this.#isOver) {
      this.#isOver = true
      this.#end?.()
      await this.#source.close()
    }
    return DONE
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #part(): Promise<IteratorResult<R[], undefined>> {
    if (this.#isOver) return DONE
    const ended = new Promise<undefined>((resolve) => {
      this.#end = () => resolve(undefined)
    })
    const next = this.#source.next()
    try {
      const rows = (await Promise.race([next, ended])) as R[] | undefined
      if (rows !== undefined && !this.#isOver) return { value: rows, done: false }
      next.catch(() => {})
    } catch (error) {
      if (!this.#isOver) {
        this.#isOver = true
        throw error
      }
    } finally {
      this.#end = undefined
    }
    this.#isOver = true
    return DONE
  }

  #forget(settled: Promise<unknown>): void {
    if (this.#before === settled) this.#before = undefined
  }
}

/** The rows of a source, one after the other. Those that are here cost no wait. */
export class RowIterator<R> implements AsyncIterableIterator<R, undefined, undefined> {
  readonly #parts: PartIterator<R>
  #rows: R[] = []
  #position = 0
  #before: Promise<unknown> | undefined

  constructor(source: RowSource) {
    this.#parts = new PartIterator(source)
  }

  next(): Promise<IteratorResult<R, undefined>> {
    if (this.#before === undefined && this.#position < this.#rows.length) {
      return Promise.resolve({ value: this.#rows[this.#position++]!, done: false })
    }
    const before = this.#before
    const row = before === undefined ? this.#row() : before.then(() => this.#row())
    const settled: Promise<unknown> = row.then(
      () => this.#forget(settled),
      () => this.#forget(settled),
    )
    this.#before = settled
    return row
  }

  async return(): Promise<IteratorResult<R, undefined>> {
    this.#rows = []
    this.#position = 0
    await this.#parts.return()
    return DONE
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #row(): Promise<IteratorResult<R, undefined>> {
    if (this.#position >= this.#rows.length) {
      this.#rows = []
      this.#position = 0
      const part = await this.#parts.next()
      if (part.done) return DONE
      this.#rows = part.value
    }
    return { value: this.#rows[this.#position++]!, done: false }
  }

  #forget(settled: Promise<unknown>): void {
    if (this.#before === settled) this.#before = undefined
  }
}
