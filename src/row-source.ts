import { AsyncResource } from 'node:async_hooks'
import { errorFromFailure, InterfaceError } from './errors/index'
import { Limit } from './limit'
import {
  type ConnectionTarget,
  type Occupant,
  type Request,
  type StatementOptions,
  StreamRequest,
} from './native/door'
import type { Parameters } from './query-options'

/** A query whose rows come in parts. */
export interface SourceQuery {
  readonly text: string
  readonly params: Parameters | undefined
  /** For each part: its time limit and so on. */
  readonly options: StatementOptions
}

/** Where the rows of a stream or cursor come from, a part at a time. Nothing is sent before the first is asked for. */
export interface RowSource {
  /**
   * The next rows, at least one; undefined at the end. It is not called again before it has settled, nor after its end.
   *
   * @throws why there are no more.
   */
  next(): Promise<readonly unknown[] | undefined>
  /** Nobody wants more. A `next` that is under way ends soon. Closing again does nothing. */
  close(): Promise<void>
}

/** Connections and transactions, for what is sent piece by piece. */
export interface SourceHost {
  /**
   * @internal
   * @throws when it can be used no more.
   */
  _target(): ConnectionTarget
}

/**
 * The same rows, read where this is called, as `AsyncLocalStorage` has it, whoever asks for them: parsers and codecs run in the
 * context of the call, and a pool's connection is acquired there.
 */
export function readHere(source: RowSource): RowSource {
  const here = new AsyncResource('OXPG_ROWS', { requireManualDestroy: true })
  return {
    next: () => here.runInAsyncScope(source.next, source),
    close: () => here.runInAsyncScope(source.close, source),
  }
}

const forgotten = new FinalizationRegistry<StreamRequest>((request) => request.forgotten())

/** The rows of a query that has its connection for itself, read from it no faster than they are wanted. */
export class StreamSource implements RowSource {
  readonly #host: SourceHost
  readonly #query: SourceQuery
  #request: StreamRequest | Request | undefined
  #isClosed = false

  constructor(host: SourceHost, query: SourceQuery) {
    this.#host = host
    this.#query = query
  }

  /** Fulfilled when it is over, if it has begun. */
  get over(): Promise<void> | undefined {
    return this.#request?.settled
  }

  async next(): Promise<readonly unknown[] | undefined> {
    if (this.#isClosed) return undefined
    this.#request ??= this.#start()
    const request = this.#request
    for (;;) {
      const rows = request instanceof StreamRequest ? request.take() : request.rows
      if (rows.length > 0) return rows
      if (request.isSettled) break
      await changeOf(request as StreamRequest, this.#query.options.timeoutMs)
    }
    if (this.#isClosed || request.failure === undefined) return undefined
    throw errorFromFailure(request.failure, { query: this.#query.text })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    // Any other has ended before it began.
    if (this.#request instanceof StreamRequest) this.#request.leave(closed())
  }

  #start(): StreamRequest | Request {
    const { text, params, options } = this.#query
    const target = this.#host._target()
    // Each wait has its own time.
    const request = target.stream(text, params, { ...options, timeoutMs: 0 })
    if (!(request instanceof StreamRequest)) return request
    forgotten.register(this, request)
    void target.occupancy.occupy(occupantOf(request), () => request.settled)
    return request
  }
}

/** Waits until there are more rows or the request has settled, but no longer than it may. */
export async function changeOf(request: StreamRequest, timeoutMs: number): Promise<void> {
  if (timeoutMs === 0) return await request.change()
  const stop = new Limit(timeoutMs).onEnd(() => {
    const message = `the next rows did not come within ${timeoutMs} ms`
    request.endBy({ kind: 'timeout', message, safeToRetry: false })
  })
  try {
    await request.change()
  } finally {
    stop()
  }
}

/** Apart from its source, which it must not know: the reader may have forgotten it. */
function occupantOf(request: StreamRequest): Occupant {
  return {
    isOver: () => request.isSettled,
    description:
      'a stream that is not at its end: read it to the end, leave its loop, or use another connection',
    abort: () =>
      request.giveUp(
        new InterfaceError(
          'the stream has ended: its connection was released, or its transaction rolled back',
        ),
      ),
  }
}

/** What is leased for a stream, and given back when the server has said all, whether or not its reader asks for more. */
export interface Lease {
  readonly source: StreamSource
  readonly handBack: () => Promise<void>
}

/** Takes what ends the wait for a connection, for a reason. */
export type Waits = (giveUp: (reason: Error) => void) => void

/** A stream on a connection that is leased for it at its first part. */
export class LeasedSource implements RowSource {
  readonly #lease: (waits: Waits) => Promise<Lease>
  #leased: Lease | undefined
  /** Ends the wait for a connection. */
  #giveUp: ((reason: Error) => void) | undefined
  #isWatched = false
  #isClosed = false

  constructor(lease: (waits: Waits) => Promise<Lease>) {
    this.#lease = lease
  }

  async next(): Promise<readonly unknown[] | undefined> {
    if (this.#isClosed) return undefined
    this.#leased ??= await this.#lease((giveUp) => {
      this.#giveUp = giveUp
    })
    const { source } = this.#leased
    // Meanwhile somebody may have closed it.
    if (this.#isClosed) await source.close()
    let rows: readonly unknown[] | undefined
    try {
      const next = source.next()
      if (!this.#isWatched) this.#watch(this.#leased)
      rows = await next
    } catch (error) {
      await this.#handBack()
      throw error
    }
    if (rows === undefined) await this.#handBack()
    return rows
  }

  /** What it reads must not know it, nor what is leased: both may be forgotten, and that is noticed. */
  #watch(leased: Lease): void {
    this.#isWatched = true
    const known = new WeakRef(leased)
    void leased.source.over?.then(() => known.deref()?.handBack())
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#giveUp?.(closed())
    await this.#leased?.source.close()
    await this.#handBack()
  }

  async #handBack(): Promise<void> {
    await this.#leased?.handBack()
  }
}

/** Why what was begun for a stream ends with it. */
export function closed(): Error {
  return new InterfaceError('the stream was closed')
}
