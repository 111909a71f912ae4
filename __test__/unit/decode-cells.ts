import type { CellViews } from '../../src/decode/mailbox-views'
import { DEFAULT_PLAN, planFor, type ResultOptions } from '../../src/decode/mapping'
import { readerFor } from '../../src/decode/readers/index'
import { planRows, type RowPlan } from '../../src/decode/row-plan'
import type { ColumnDescription } from '../../src/decode/shape'
import { ARRAY_BIT, TypeCode } from '../../src/types/type-code'
import type { TypeNode } from '../../src/types/type-node'

/** What a cell is to hold: null, the family's value, or a block. */
export type WireValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | WireArray
  | WireInterval
  | WireDoubles
  | WirePairs
  | WireAttributes
  | WireRecord
  | WireRange
  | WireRanges

export interface WireArray {
  readonly lengths: readonly number[]
  readonly lowerBounds?: readonly number[]
  readonly elements: readonly WireValue[]
}

export interface WireInterval {
  readonly months: number
  readonly days: number
  readonly micros: bigint
}

/** A geometric value. */
export interface WireDoubles {
  readonly doubles: readonly number[]
  readonly isClosed?: boolean
}

/** An hstore. */
export interface WirePairs {
  readonly pairs: readonly (readonly [key: string, value: string | null])[]
}

/** A composite value, whose type says what the attributes are. */
export interface WireAttributes {
  readonly attributes: readonly WireValue[]
}

/** An anonymous record. */
export interface WireRecord {
  readonly types: readonly WireType[]
  readonly values: readonly WireValue[]
}

export interface WireRange {
  /** PostgreSQL's. */
  readonly flags: number
  readonly lower?: WireValue
  readonly upper?: WireValue
}

/** A multirange. */
export interface WireRanges {
  readonly ranges: readonly WireRange[]
}

/** A type code, or the type that has one. */
export type WireType = number | TypeNode

export const codeOf = (type: WireType): number => (typeof type === 'number' ? type : type.code)

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

  row(types: readonly WireType[], values: readonly WireValue[]): void {
    values.forEach((value, index) => {
      this.#write(this.#nextCell++, types[index]!, value)
    })
  }

  #write(cell: number, type: WireType, value: WireValue): void {
    const { i, u, f, b, n } = this.views
    const code = codeOf(type)
    if (value === null) {
      n[cell] = 1
    } else if (typeof value === 'boolean') {
      i[2 * cell] = value ? 1 : 0
    } else if (typeof value === 'bigint') {
      b[cell] = BigInt.asIntN(64, value)
    } else if (typeof value === 'number') {
      if (code === TypeCode.FLOAT4 || code === TypeCode.FLOAT8) f[cell] = value
      else if (code === TypeCode.OID) u[2 * cell] = value
      else i[2 * cell] = value
    } else if (typeof value === 'string') {
      this.#range(cell, value, () => this.#text(value))
    } else if (Buffer.isBuffer(value)) {
      this.#range(cell, value, () => this.#bytes(value))
    } else {
      u[2 * cell] = this.#block(type, value as Exclude<WireValue, null | boolean | Buffer>)
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

  #block(type: WireType, value: Exclude<WireValue, null | boolean | Buffer>): number {
    if (typeof value !== 'object') throw new TypeError('not a block')
    if ('lengths' in value) return this.#array(elementOf(type), value)
    if ('attributes' in value) {
      const { attributes } = value
      const fields = (type as Extract<TypeNode, { kind: 'composite' }>).fields
      return this.#cells(
        attributes.length,
        fields.map((field) => field.type),
        attributes,
      )
    }
    if ('ranges' in value) {
      const { range } = type as Extract<TypeNode, { kind: 'multirange' }>
      const types = value.ranges.map(() => range)
      return this.#cells(1 + value.ranges.length, types, value.ranges, value.ranges.length)
    }
    if ('flags' in value) {
      const { subtype } = type as Extract<TypeNode, { kind: 'range' }>
      return this.#cells(3, [subtype, subtype], [value.lower ?? null, value.upper ?? null], value.flags)
    }
    if ('pairs' in value) {
      const texts = value.pairs.flat()
      const types = texts.map(() => TypeCode.TEXT)
      return this.#cells(1 + texts.length, types, texts, value.pairs.length)
    }
    if ('doubles' in value) {
      const { doubles, isClosed } = value
      const types = doubles.map(() => TypeCode.FLOAT8)
      const head = this.#cells(1 + doubles.length, types, doubles, doubles.length)
      this.views.u[2 * head + 1] = isClosed === true ? 1 : 0
      return head
    }
    if ('months' in value) {
      const head = this.#cells(2, [TypeCode.INT8], [value.micros], value.months)
      this.views.i[2 * head + 1] = value.days
      return head
    }
    return this.#record(value)
  }

  /** A block of cells, the values last; before them, if there is room, a cell whose low word is `first`. */
  #cells(count: number, types: readonly WireType[], values: readonly WireValue[], first = 0): number {
    this.#nextBlock -= count
    const head = this.#nextBlock
    const at = head + count - values.length
    if (at > head) this.views.i[2 * head] = first
    values.forEach((value, k) => {
      this.#write(at + k, types[k]!, value)
    })
    return head
  }

  #record({ types, values }: WireRecord): number {
    const { u, n } = this.views
    const head = this.#cells(1 + 2 * values.length, types, values, values.length)
    u[2 * head] = values.length
    types.forEach((type, k) => {
      const cell = head + 1 + k
      if (typeof type !== 'number') n[cell] = 2
      u[2 * cell] = typeof type === 'number' ? type : this.extras.push(type) - 1
    })
    return head
  }

  #array(element: WireType, array: WireArray): number {
    const { i, u } = this.views
    const dimensions = array.lengths.length
    const { elements } = array
    const types = elements.map(() => element)
    const head = this.#cells(1 + dimensions + elements.length, types, elements, dimensions)
    u[2 * head] = dimensions
    u[2 * head + 1] = array.lowerBounds?.some((bound) => bound !== 1) ? 1 : 0
    array.lengths.forEach((length, d) => {
      u[2 * (head + 1 + d)] = length
      i[2 * (head + 1 + d) + 1] = array.lowerBounds?.[d] ?? 1
    })
    return head
  }
}

function elementOf(type: WireType): WireType {
  if (typeof type === 'number') return type & ~ARRAY_BIT
  return type.kind === 'array' ? type.element : type.code & ~ARRAY_BIT
}

/** The plan of rows with these columns. */
export function planOf(
  names: readonly string[],
  types: readonly WireType[],
  options: ResultOptions = {},
): RowPlan {
  const plan = planFor(DEFAULT_PLAN, options)
  const readers = columnsOf(names, types).map((column) => readerFor(column, plan))
  return planRows(names, readers, plan.rowMode)
}

/** Columns with these names and types; all else is as of computed columns. */
export function columnsOf(names: readonly string[], types: readonly WireType[]): ColumnDescription[] {
  return names.map((name, index) => {
    const type = types[index]!
    return {
      name,
      code: codeOf(type),
      typeOid: 0,
      typeName: '',
      tableOid: 0,
      attributeNumber: 0,
      typeModifier: -1,
      ...(typeof type === 'number' ? {} : { type }),
    }
  })
}
