import { checkParametersRow } from './call-arguments'
import { type BatchRequest, ConnectionTarget, type Occupancy } from './native/door'
import type { Parameters, ParametersList } from './query-options'

/** Rows, and bytes of parameters, that go out before the batch is asked whether it takes more. */
const CHUNK_ROWS = 1_000
const CHUNK_BYTES = 256 * 1024

const FED = 'executeMany or fetchMany, whose asynchronous iterable is not at its end'

/**
 * Sends rows of parameters to a batch, no faster than the connection takes them, ends it and waits until it has
 * settled. Stops as soon as the batch fails; what is wrong with it, its `failure` says.
 *
 * @throws what the iterable throws, and InterfaceError or DataError about a row; the batch has been taken back then.
 */
export async function feed(batch: BatchRequest, list: ParametersList): Promise<void> {
  try {
    if (Symbol.iterator in list) await feedRows(batch, list)
    else await occupying(batch, () => feedAsyncRows(batch, list))
    // A result parser threw, of which the server knows nothing: it would keep the rows that it has.
    if (batch.failure !== undefined) batch.abort()
    batch.end()
  } catch (error) {
    // A call to abort it could fail as the one before did, where the stack ends: it does not after this.
    await undefined
    batch.abort()
    await batch.settled
    throw error
  }
  await batch.settled
}

/** A connection belongs to the batch while the source runs: see {@link Occupancy}. */
function occupying(batch: BatchRequest, run: () => Promise<void>): Promise<void> {
  const { target } = batch
  if (!(target instanceof ConnectionTarget)) return run()
  return target.occupancy.occupy({ description: FED, abort: () => batch.abort() }, run)
}

// Apart from the asynchronous one: `for await` would wait a tick for each row of an array.
async function feedRows(batch: BatchRequest, rows: Iterable<Parameters>): Promise<void> {
  const chunk = new Chunk(batch)
  let hasFailed = false
  try {
    for (const row of rows) {
      if (!chunk.push(row)) continue
      await batch.flushed()
      hasFailed = batch.failure !== undefined
      if (hasFailed) return
    }
  } catch (error) {
    // What the source's `return` throws is not why the batch has ended.
    if (!hasFailed) throw error
  }
}

/** A batch that fails (at its time limit, say) does not wait for a source that is slow or stuck. */
async function feedAsyncRows(batch: BatchRequest, rows: AsyncIterable<Parameters>): Promise<void> {
  const chunk = new Chunk(batch)
  const iterator = rows[Symbol.asyncIterator]()
  let stopWaiting: ((value: undefined) => void) | undefined
  batch.settled.then(() => stopWaiting?.(undefined))
  for (;;) {
    if (batch.isSettled || batch.failure !== undefined) {
      closeSource(iterator)
      return
    }
    const next = iterator.next()
    const result = await new Promise<IteratorResult<Parameters> | undefined>((resolve, reject) => {
      stopWaiting = resolve
      Promise.resolve(next).then(resolve, reject)
    })
    if (batch.isSettled || result === undefined) {
      closeSource(iterator)
      return
    }
    if (result.done) return
    let isFull: boolean
    try {
      isFull = chunk.push(result.value)
    } catch (error) {
      closeSource(iterator)
      throw error
    }
    if (isFull) await batch.flushed()
  }
}

/**
 * Not awaited: a source that is stuck in its `next` does not come back from its `return` either. What that throws is not
 * why the batch has ended.
 */
function closeSource(iterator: AsyncIterator<Parameters>): void {
  try {
    Promise.resolve(iterator.return?.()).catch(() => {})
  } catch {}
}

/** Counts what has been pushed. */
class Chunk {
  readonly #batch: BatchRequest
  #row = 0
  #rows = 0
  #bytes = 0

  constructor(batch: BatchRequest) {
    this.#batch = batch
  }

  /** Returns whether it is time to wait for the connection. */
  push(row: Parameters): boolean {
    checkParametersRow(row, this.#row++)
    this.#bytes += this.#batch.push(row)
    if (++this.#rows < CHUNK_ROWS && this.#bytes < CHUNK_BYTES) return false
    this.#rows = 0
    this.#bytes = 0
    return true
  }
}
