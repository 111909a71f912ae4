import type { CellViews } from '../decode/mailbox-views'
import { MAILBOX_BYTES, MAILBOX_CELLS, MAILBOX_RECORDS, RECORD_WORDS, RecordKind } from '../types/boundary'

export { RECORD_WORDS, RecordKind }

/** The memory that Rust writes rows and records into; one per environment, alive as long as Rust knows it. */
export class Mailbox implements CellViews {
  /** Of environments that were let go: nothing arrives there any more. */
  static readonly EMPTY = new Mailbox(0, 0, 0)

  readonly i: Int32Array
  readonly u: Uint32Array
  readonly f: Float64Array
  readonly b: BigInt64Array
  readonly n: Uint8Array
  readonly t: Buffer
  /** {@link RECORD_WORDS} words a record. */
  readonly records: Int32Array

  constructor(cellCount = MAILBOX_CELLS, textBytes = MAILBOX_BYTES, recordCount = MAILBOX_RECORDS) {
    const cells = new ArrayBuffer(cellCount * 8)
    this.i = new Int32Array(cells)
    this.u = new Uint32Array(cells)
    this.f = new Float64Array(cells)
    this.b = new BigInt64Array(cells)
    this.n = new Uint8Array(cellCount)
    // Never from Node's pool, which is shared with the application's own buffers.
    this.t = Buffer.from(new ArrayBuffer(textBytes))
    this.records = new Int32Array(recordCount * RECORD_WORDS)
  }
}

/** A row that did not fit the mailbox, as it comes in a delivery's extras. */
export interface OwnMemoryRow {
  readonly cells: ArrayBuffer
  readonly marks: ArrayBuffer
  readonly bytes: ArrayBuffer
  /** The row's long values; its text is direct. */
  readonly extras: readonly unknown[]
  readonly isAscii: boolean
}

/** Views of a row that has memory of its own. */
export function viewsOf(row: OwnMemoryRow): CellViews {
  return {
    i: new Int32Array(row.cells),
    u: new Uint32Array(row.cells),
    f: new Float64Array(row.cells),
    b: new BigInt64Array(row.cells),
    n: new Uint8Array(row.marks),
    t: Buffer.from(row.bytes),
  }
}
