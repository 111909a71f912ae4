import type { CellViews } from '../decode/mailbox-views'

const CELL_COUNT = 65_536
const TEXT_BYTES = 512 * 1024
const RECORD_COUNT = 4_096

/** Words of a record. */
export const RECORD_WORDS = 8

/** Kinds of records, word 0; shared with `crates/node/src/mailbox.rs`. */
export const RecordKind = {
  ROWS: 1,
  DESCRIBED: 2,
  DONE: 3,
  FAILED: 4,
  OPENED: 5,
  GRANTED: 6,
  DRAINED: 7,
  CLOSED: 8,
  NOTICE: 9,
  NOTIFICATION: 10,
  PARAMETER: 11,
} as const

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

  constructor(cellCount = CELL_COUNT, textBytes = TEXT_BYTES, recordCount = RECORD_COUNT) {
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
