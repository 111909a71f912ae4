import type { ArrayDimension, ParameterSink } from '../encode/parameter-sink'
import { CellTag, PARAMETER_CELL_BYTES, PARAMETERS_BYTES } from '../types/boundary'
import { tooLong } from './parameters-length'

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
  /** What the extras of the command being written come to, at least: refused before anything is copied. */
  protected extraBytes = 0
  /** The memory is not that which Rust knows. */
  protected isMoved = true
  /** Bytes that the application may change were passed by reference: the flush must not wait for the tick's end. */
  protected hasBorrowedBytes = false
  private baseWords: Int32Array<ArrayBuffer>
  private baseHeap: TextBuffer

  constructor() {
    this.words = new Int32Array(BASE_BYTES / 4)
    this.floats = new Float64Array(this.words.buffer)
    this.longs = new BigInt64Array(this.words.buffer)
    this.heap = newHeap(BASE_BYTES)
    this.baseWords = this.words
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
      this.extra(CellTag.TEXT_EXTRA, value)
      return
    }
    const payload = this.cell(CellTag.TEXT, 0)
    const start = this.byteCount
    // UTF-8 has at most three bytes for a UTF-16 unit.
    if (start + length * 3 > this.heap.length) this.growHeap(length * 3)
    const count =
      length <= LONGEST_LOOP ? this.writeShort(value, length, start) : this.heap.utf8Write(value, start)
    this.words[payload] = start
    this.words[payload + 1] = count
    this.byteCount = start + count
  }

  bytes(value: Uint8Array): void {
    const length = value.length
    if (length > LONGEST_BYTES) {
      this.extra(CellTag.BYTES_EXTRA, value)
      // The caller may change it once control returns.
      this.hasBorrowedBytes = true
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

  array(dimensions: readonly ArrayDimension[], elementCount: number): void {
    const payload = this.cell(CellTag.ARRAY, dimensions.length)
    this.words[payload] = elementCount
    for (const dimension of dimensions) {
      const length = this.cell(CellTag.NULL, dimension.lowerBound)
      this.words[length] = dimension.length
    }
  }

  composite(count: number): void {
    this.cell(CellTag.COMPOSITE, count)
  }

  range(flags: number): void {
    this.cell(CellTag.RANGE, flags)
  }

  multirange(count: number): void {
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
    const words = new Int32Array(grownLength(this.words.length, this.position + count))
    words.set(this.words.subarray(0, this.position))
    this.useWords(words)
  }

  /** Takes the small memory again. Nothing must be written in the big one. */
  protected shrink(): void {
    if (this.words !== this.baseWords) this.useWords(this.baseWords)
    if (this.heap !== this.baseHeap) {
      this.heap = this.baseHeap
      this.isMoved = true
    }
  }

  /** Takes so many bytes for commands, and for the heap, in place of what was there. Nothing must be written. */
  protected useMemory(bytes: number): void {
    this.baseWords = new Int32Array(bytes / 4)
    this.baseHeap = newHeap(bytes)
    this.shrink()
  }

  private useWords(words: Int32Array<ArrayBuffer>): void {
    this.words = words
    this.floats = new Float64Array(words.buffer)
    this.longs = new BigInt64Array(words.buffer)
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

  private extra(tag: number, value: string | Uint8Array): void {
    this.extraBytes += value.length
    if (this.extraBytes > PARAMETERS_BYTES) throw tooLong()
    const payload = this.cell(tag, 0)
    this.extras ??= []
    this.words[payload] = this.extras.push(value) - 1
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
