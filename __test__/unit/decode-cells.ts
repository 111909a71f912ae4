import type { CellViews } from '../../src/decode/mailbox-views'
import type { ColumnDescription } from '../../src/decode/shape'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'

/** What a cell is to hold: null, the family's value, or an array block. */
export type WireValue = null | boolean | number | bigint | string | Buffer | WireArray

export interface WireArray {
  readonly lengths: readonly number[]
  readonly lowerBounds?: readonly number[]
  readonly elements: readonly WireValue[]
}

export type TextStyle = 'ascii' | 'utf8' | 'shared'

/** Memory filled as Rust fills the mailbox (docs/internals/boundary.md). */
export class Cells {
  readonly views: CellViews
  readonly extras: unknown[] = []
  readonly #style: TextStyle
  readonly #asideFrom: number
  #nextCell = 0
  #nextBlock: number
  #textEnd = 0
  #bytesStart: number
  #shared = ''

  /** @param asideFrom Text and bytes of this length and longer are kept aside. */
  constructor(style: TextStyle, asideFrom = Number.POSITIVE_INFINITY, cellCount = 65_536) {
    const cells = new ArrayBuffer(cellCount * 8)
    this.views = {
      i: new Int32Array(cells),
      u: new Uint32Array(cells),
      f: new Float64Array(cells),
      b: new BigInt64Array(cells),
      n: new Uint8Array(cellCount),
      t: Buffer.alloc(512 * 1024),
    }
    this.#style = style
    this.#asideFrom = asideFrom
    this.#nextBlock = cellCount
    this.#bytesStart = this.views.t.length
  }

  get nextCell(): number {
    return this.#nextCell
  }

  /** The text mode of what was written; closes the segment. */
  textMode(): number {
    if (this.#style === 'shared') return this.extras.push(this.#shared) - 1
    return this.#style === 'ascii' ? -1 : -2
  }

  row(codes: readonly number[], values: readonly WireValue[]): void {
    values.forEach((value, index) => {
      this.#write(this.#nextCell++, codes[index]!, value)
    })
  }

  #write(cell: number, code: number, value: WireValue): void {
    const { i, u, f, b, n } = this.views
    if (value === null) {
      n[cell] = 1
    } else if ((code & ARRAY_BIT) !== 0) {
      u[2 * cell] = this.#block(code & ~ARRAY_BIT, value as WireArray)
    } else if (typeof value === 'boolean') {
      i[2 * cell] = value ? 1 : 0
    } else if (typeof value === 'bigint') {
      b[cell] = value
    } else if (typeof value === 'number') {
      if (code === TypeCode.FLOAT4 || code === TypeCode.FLOAT8) f[cell] = value
      else if (code === TypeCode.OID) u[2 * cell] = value
      else i[2 * cell] = value
    } else if (typeof value === 'string') {
      this.#range(cell, value, () => this.#text(value))
    } else {
      this.#range(cell, value as Buffer, () => this.#bytes(value as Buffer))
    }
  }

  #range(cell: number, value: string | Buffer, place: () => [number, number]): void {
    const { u, n } = this.views
    if (value.length >= this.#asideFrom) {
      n[cell] = 2
      u[2 * cell] = this.extras.push(value) - 1
      return
    }
    const [start, end] = place()
    u[2 * cell] = start
    u[2 * cell + 1] = end
  }

  #text(value: string): [number, number] {
    if (this.#style === 'shared') {
      const start = this.#shared.length
      this.#shared += value
      return [start, this.#shared.length]
    }
    const start = this.#textEnd
    this.#textEnd += this.views.t.write(value, start, this.#style === 'ascii' ? 'latin1' : 'utf8')
    return [start, this.#textEnd]
  }

  #bytes(value: Buffer): [number, number] {
    this.#bytesStart -= value.length
    value.copy(this.views.t, this.#bytesStart)
    return [this.#bytesStart, this.#bytesStart + value.length]
  }

  #block(element: number, array: WireArray): number {
    const { i, u } = this.views
    const dimensions = array.lengths.length
    this.#nextBlock -= 1 + dimensions + array.elements.length
    const head = this.#nextBlock
    u[2 * head] = dimensions
    u[2 * head + 1] = array.lowerBounds?.some((bound) => bound !== 1) ? 1 : 0
    array.lengths.forEach((length, d) => {
      u[2 * (head + 1 + d)] = length
      i[2 * (head + 1 + d) + 1] = array.lowerBounds?.[d] ?? 1
    })
    array.elements.forEach((value, k) => {
      this.#write(head + 1 + dimensions + k, element, value)
    })
    return head
  }
}

/** Columns with these names and codes; all else is as of computed columns. */
export function columnsOf(names: readonly string[], codes: readonly number[]): ColumnDescription[] {
  return names.map((name, index) => ({
    name,
    code: codes[index]!,
    typeOid: 0,
    typeName: '',
    tableOid: 0,
    attributeNumber: 0,
    typeModifier: -1,
  }))
}
