import { Mark, TextMode } from '../types/boundary'

/**
 * Typed views of memory that holds row cells: the mailbox, or the memory of one huge row.
 * A cell is 8 bytes; `docs/internals/boundary.md` says what is in it.
 */
export interface CellViews {
  /** Cells as 32-bit words, signed: cell p has the words 2p and 2p+1. */
  readonly i: Int32Array
  /** Cells as 32-bit words, unsigned. */
  readonly u: Uint32Array
  /** Cells as doubles. */
  readonly f: Float64Array
  /** Cells as 64-bit integers. */
  readonly b: BigInt64Array
  /** One mark per cell: {@link MARK_VALUE}, {@link MARK_NULL} or {@link MARK_EXTRA}. */
  readonly n: Uint8Array
  /** Bytes of text (direct mode) and bytea. */
  readonly t: Buffer
}

/** The cell holds a value. */
export const MARK_VALUE = Mark.VALUE
/** The cell is NULL. */
export const MARK_NULL = Mark.NULL
/** The value is `extras[u[2p]]`. */
export const MARK_EXTRA = Mark.EXTRA

/** Text mode of a segment whose ranges are offsets into `t` and whose bytes are all ASCII. */
export const TEXT_DIRECT_ASCII = TextMode.DIRECT_ASCII
/** Text mode of a segment whose ranges are offsets into `t`, in UTF-8. Modes from 0 on are indexes in extras. */
export const TEXT_DIRECT_UTF8 = TextMode.DIRECT_UTF8
