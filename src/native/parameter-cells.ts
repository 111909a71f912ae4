import type { ArrayDimension, ParameterSink } from '../encode/parameter-sink'
import { RefusedValue } from '../encode/value-encoder'
import { byteCountOf, isUnsteady } from '../encode/view-bytes'
import { CellTag, PARAMETER_CELL_BYTES, PARAMETERS_BYTES } from '../types/boundary'
import { isWellFormed } from '../types/well-formed'
import { tooLong, tooMany } from './parameters-length'

/** Words of a cell: tag, aux, and a payload of 8 bytes. */
const CELL_WORDS = PARAMETER_CELL_BYTES / 4
/** Bytes of commands, and of the heap, that are there without growing. */
export const BASE_BYTES = 128 * 1024
/** Longer texts, in UTF-16 units, cross as strings of their own. */
const LONGEST_TEXT = 4_096
/** Longer byte strings cross as Buffers of their own. */
const LONGEST_BYTES = 4_096
/** Texts up to this length are written faster by a loop than by a call into the runtime, if they are ASCII. */
const LONGEST_LOOP = 16

/** A command's length is 24 bits of 8-byte units. */
export const LONGEST_COMMAND_WORDS = 0xff_ff_ff * 2
/** What is in front of a command has been handed over where it is longer than this. */
const MOST_WORDS = LONGEST_COMMAND_WORDS + BASE_BYTES / 4

const WELL_FORMED = 'text without halves of surrogate pairs'

export { CellTag }

/** A Buffer with its fast writer, which Node has but does not type. */
type TextBuffer = Buffer<ArrayBuffer> & { utf8Write(text: string, offset: number, length?: number): number }

/** The outbox's memory, and the cells of parameters that encoders write into it. */
export class ParameterCells implements ParameterSink {
  protected words: Int32Array<ArrayBuffer>
  protected floats: Float64Array
  protected longs: BigInt64Array
  /** Texts and byte strings. */
  protected heap: TextBuffer
  /** Words written. */
  protected position = 0
  /** Bytes of the heap written. */
  protected byteCount = 0
  /** Long texts and byte strings. */
  protected extras: (string | Uint8Array)[] | undefined
  /** The memory is not that which Rust knows. */
  protected isMoved = true
  /** A rough size of {@link extras}: UTF-16 units and bytes. */
  protected extraBytes = 0
  /** The same without the command that is being written. */
  protected extraBytesBefore = 0
  /** Bytes that the application may change were passed by reference: the flush must not wait for the tick's end. */
  hasBorrowedBytes = false
  /** The values that come next are parts of another. */
  protected isNested = false
  /** The first of the extras that are the application's memory. */
  private firstBorrowed = 0
  private base: CommandMemory
  private baseHeap: TextBuffer

  constructor() {
    this.base = commandMemory(BASE_BYTES / 4)
    this.words = this.base.words
    this.floats = this.base.floats
    this.longs = this.base.longs
    this.heap = newHeap(BASE_BYTES)
    this.baseHeap = this.heap
  }

  null(): void {
    this.cell(CellTag.NULL, 0)
  }

  bool(value: boolean): void {
    const payload = this.cell(CellTag.BOOL, 0)
    this.words[payload] = value ? 1 : 0
  }

  i32(value: number): void {
    const payload = this.cell(CellTag.I32, 0)
    // An Int32Array takes numbers modulo 2³², so an oid keeps its bits.
    this.words[payload] = value
  }

  i64(value: bigint): void {
    const payload = this.cell(CellTag.I64, 0)
    this.longs[payload >> 1] = value
  }

  i64Number(value: number): void {
    this.safeInteger(CellTag.I64, 0, value)
  }

  f64(value: number): void {
    const payload = this.cell(CellTag.F64, 0)
    this.floats[payload >> 1] = value
  }

  millis(value: number): void {
    const payload = this.cell(CellTag.MILLIS, 0)
    this.floats[payload >> 1] = value
  }

  text(value: string): void {
    const length = value.length
    if (length > LONGEST_TEXT) {
      if (!isWellFormed(value)) throw new RefusedValue(value, WELL_FORMED)
      this.extra(CellTag.TEXT_EXTRA, value, length)
      return
    }
    const payload = this.cell(CellTag.TEXT, 0)
    const start = this.byteCount
    // UTF-8 has at most three bytes for a UTF-16 unit.
    if (start + length * 3 > this.heap.length) this.growHeap(length * 3)
    const count =
      length <= LONGEST_LOOP ? this.writeShort(value, length, start) : this.heap.utf8Write(value, start)
    // As many bytes as units are ASCII.
    if (count !== length && !isWellFormed(value)) throw new RefusedValue(value, WELL_FORMED)
    this.words[payload] = start
    this.words[payload + 1] = count
    this.byteCount = start + count
  }

  bytes(value: Uint8Array): void {
    const length = byteCountOf(value)
    if (length > LONGEST_BYTES) {
      this.longBytes(value, length)
      return
    }
    const payload = this.cell(CellTag.BYTES, 0)
    const start = this.byteCount
    if (start + length > this.heap.length) this.growHeap(length)
    this.heap.set(value, start)
    this.words[payload] = start
    this.words[payload + 1] = length
    this.byteCount = start + length
  }

  takeBorrowedBytes(): void {
    const extras = this.extras!
    for (let index = this.firstBorrowed; index < extras.length; index++) {
      const extra = extras[index]!
      if (typeof extra !== 'string') extras[index] = new Uint8Array(extra)
    }
    this.hasBorrowedBytes = false
  }

  array(dimensions: readonly ArrayDimension[], elementCount: number): void {
    this.isNested = true
    const payload = this.cell(CellTag.ARRAY, dimensions.length)
    this.words[payload] = elementCount
    for (const dimension of dimensions) {
      const length = this.cell(CellTag.NULL, dimension.lowerBound)
      this.words[length] = dimension.length
    }
  }

  composite(count: number): void {
    this.isNested = true
    this.cell(CellTag.COMPOSITE, count)
  }

  range(flags: number): void {
    this.isNested = true
    this.cell(CellTag.RANGE, flags)
  }

  multirange(count: number): void {
    this.isNested = true
    this.cell(CellTag.MULTIRANGE, count)
  }

  interval(months: number, days: number, microseconds: number | bigint): void {
    if (typeof microseconds === 'number') this.safeInteger(CellTag.INTERVAL, months, microseconds)
    else {
      const payload = this.cell(CellTag.INTERVAL, months)
      this.longs[payload >> 1] = microseconds
    }
    this.i32(days)
  }

  doubles(flag: number, values: readonly number[]): void {
    const payload = this.cell(CellTag.DOUBLES, flag)
    this.words[payload] = values.length
    for (let index = 0; index < values.length; index++) this.f64(values[index]!)
  }

  hstore(pairCount: number): void {
    this.cell(CellTag.HSTORE, pairCount)
  }

  /** Makes room for so many more words of commands. */
  protected growWords(count: number): void {
    // One that is longer than a command can be is known to be before it has taken all memory.
    if (this.position > MOST_WORDS) throw tooMany()
    const memory = commandMemory(grownLength(this.words.length, this.position + count))
    memory.words.set(this.words.subarray(0, this.position))
    this.useCommandMemory(memory)
  }

  /** Takes the small memory again. Nothing must be written in the big one. */
  protected shrink(): void {
    if (this.words !== this.base.words) this.useCommandMemory(this.base)
    if (this.heap !== this.baseHeap) {
      this.heap = this.baseHeap
      this.isMoved = true
    }
  }

  /** Takes so many bytes for commands, and for the heap, in place of what was there. Nothing must be written. */
  protected useMemory(bytes: number): void {
    this.base = commandMemory(bytes / 4)
    this.baseHeap = newHeap(bytes)
    this.shrink()
  }

  /** Nothing here can fail: the three are views of one memory at any time. */
  private useCommandMemory({ words, floats, longs }: CommandMemory): void {
    this.words = words
    this.floats = floats
    this.longs = longs
    this.isMoved = true
  }

  private growHeap(count: number): void {
    const heap = newHeap(grownLength(this.heap.length, this.byteCount + count))
    heap.set(this.heap.subarray(0, this.byteCount))
    this.heap = heap
    this.isMoved = true
  }

  /** Starts a cell; gives the word where its payload belongs. */
  private cell(tag: number, aux: number): number {
    if (this.position + CELL_WORDS > this.words.length) this.growWords(CELL_WORDS)
    const at = this.position
    this.words[at] = tag
    this.words[at + 1] = aux
    this.position = at + CELL_WORDS
    return at + 2
  }

  private safeInteger(tag: number, aux: number, value: number): void {
    const payload = this.cell(tag, aux)
    this.words[payload] = value
    this.words[payload + 1] = Math.floor(value / 4_294_967_296)
  }

  private extra(tag: number, value: string | Uint8Array, size: number): void {
    // Refused before anything is copied.
    if (this.extraBytes + size - this.extraBytesBefore > PARAMETERS_BYTES) throw tooLong()
    const payload = this.cell(tag, 0)
    this.extras ??= []
    this.words[payload] = this.extras.push(value) - 1
    this.extraBytes += size
  }

  /**
   * By reference where that is safe: the flush comes before control returns to the caller, and before the application's
   * code runs for another parameter they are taken. Within a value that code may run at any part.
   */
  private longBytes(value: Uint8Array, length: number): void {
    const isTaken = this.isNested || isUnsteady(value)
    this.extra(CellTag.BYTES_EXTRA, isTaken ? new Uint8Array(value) : value, length)
    if (isTaken || this.hasBorrowedBytes) return
    this.firstBorrowed = this.extras!.length - 1
    this.hasBorrowedBytes = true
  }

  private writeShort(value: string, length: number, start: number): number {
    const heap = this.heap
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index)
      if (unit > 0x7f) return heap.utf8Write(value, start)
      heap[start + index] = unit
    }
    return length
  }
}

/** Memory for commands, as it is seen. */
interface CommandMemory {
  readonly words: Int32Array<ArrayBuffer>
  readonly floats: Float64Array
  readonly longs: BigInt64Array
}

function commandMemory(wordCount: number): CommandMemory {
  const words = new Int32Array(wordCount)
  return { words, floats: new Float64Array(words.buffer), longs: new BigInt64Array(words.buffer) }
}

/** Lengths double, so that a long command is copied a few times at most. */
function grownLength(length: number, needed: number): number {
  let grown = length * 2
  while (grown < needed) grown *= 2
  return grown
}

/** Never from Node's pool: the whole of it is Rust's to read. */
function newHeap(length: number): TextBuffer {
  return Buffer.from(new ArrayBuffer(length)) as TextBuffer
}
