import type { TypeNode } from '../types/type-node'
import { type CellViews, TEXT_DIRECT_ASCII } from './mailbox-views'
import type { CompleteResultMapping, ResultPlan } from './mapping'
import type { TextContext } from './readers/column-reader'
import { readerFor } from './readers/index'
import { compiledReaders, LOOP_ROWS } from './row-compiler'
import { loopReaders } from './row-loop'
import { planRows, type RowPlan, type RowReaders } from './row-plan'

/** A column of a result, as the server describes it. */
export interface ColumnDescription {
  name: string
  typeOid: number
  typeName: string
  /** The table's OID, or 0 when the column is not one of a table. */
  tableOid: number
  /** The column's number in its table, or 0. */
  attributeNumber: number
  typeModifier: number
  /** The type code: how values cross the boundary. */
  code: number
  /** The type, unless it is a built-in one without parts. */
  type?: TypeNode | undefined
}

/** Makes rows of cells; one for all results with the same column names, types and plan. */
export interface Shape {
  readonly columnCount: number
  /**
   * Reads rows and appends them to `into`.
   *
   * The first rows of a shape are read by a loop; from its second reading on, or past 64 rows, by code compiled for it.
   *
   * @param views The memory that holds the cells: the mailbox, or that of one huge row.
   * @param firstCell Index of the first row's first cell.
   * @param textMode How text ranges are read: −1 direct ASCII, −2 direct UTF-8, else the index in `extras` of the
   * segment's string.
   * @param mapping Whose parsers are used; by default those of the plan that the shape was first made for.
   * @throws what a parser of the application throws, and DataError for a value that cannot be what is asked for or
   * that a codec refuses; the rows read before it stay in `into`.
   */
  readRows(
    views: CellViews,
    firstCell: number,
    rowCount: number,
    textMode: number,
    extras: readonly unknown[],
    into: unknown[],
    mapping?: CompleteResultMapping,
  ): void
  /** The same for one row, which is given back. */
  readRow(
    views: CellViews,
    firstCell: number,
    textMode: number,
    extras: readonly unknown[],
    mapping?: CompleteResultMapping,
  ): unknown
}

/** Shapes that are kept. */
const CACHE_SIZE = 1000

class RowShape implements Shape {
  readonly columnCount: number
  readonly #plan: RowPlan
  readonly #mapping: CompleteResultMapping
  #readers: RowReaders
  #mayCompile = true
  /** Rows read so far, until the decision to compile. */
  #rowsRead = 0

  constructor(columns: readonly ColumnDescription[], plan: ResultPlan) {
    this.columnCount = columns.length
    this.#mapping = plan.mapping
    this.#plan = planRows(
      columns.map((column) => column.name),
      columns.map((column) => readerFor(column, plan)),
      plan.rowMode,
    )
    this.#readers = loopReaders(this.#plan)
  }

  readRows(
    views: CellViews,
    firstCell: number,
    rowCount: number,
    textMode: number,
    extras: readonly unknown[],
    into: unknown[],
    mapping: CompleteResultMapping = this.#mapping,
  ): void {
    if (this.#mayCompile) this.#considerCompiling(rowCount)
    this.#readers.readRows(views, firstCell, rowCount, contextOf(textMode, extras, mapping), into)
  }

  readRow(
    views: CellViews,
    firstCell: number,
    textMode: number,
    extras: readonly unknown[],
    mapping: CompleteResultMapping = this.#mapping,
  ): unknown {
    if (this.#mayCompile) this.#considerCompiling(1)
    return this.#readers.readRow(views, firstCell, contextOf(textMode, extras, mapping))
  }

  /** The first few rows are read by the loop: many shapes are used only once. */
  #considerCompiling(rowCount: number): void {
    const isFirst = this.#rowsRead === 0
    this.#rowsRead += rowCount
    if (isFirst && rowCount <= LOOP_ROWS) return
    this.#mayCompile = false
    this.#readers = compiledReaders(this.#plan) ?? this.#readers
  }
}

function contextOf(
  textMode: number,
  extras: readonly unknown[],
  mapping: CompleteResultMapping,
): TextContext {
  return {
    shared: textMode >= 0 ? (extras[textMode] as string) : null,
    isAscii: textMode === TEXT_DIRECT_ASCII,
    extras,
    mapping,
  }
}

/** All shapes, the least recently used first. */
const shapes = new Map<string, RowShape>()

/** The shape last used with an array of columns; descriptions keep theirs, so that no key has to be made. */
const latest = new WeakMap<readonly ColumnDescription[], { planKey: string; shape: Shape }>()

/**
 * The shape of a result's rows. Shapes are shared by all results with the same names, types and plan; asking again
 * with the same array of columns is cheap.
 */
export function shapeOf(columns: readonly ColumnDescription[], plan: ResultPlan): Shape {
  const known = latest.get(columns)
  if (known !== undefined && known.planKey === plan.key) return known.shape
  const shape = cachedShape(columns, plan)
  latest.set(columns, { planKey: plan.key, shape })
  return shape
}

function cachedShape(columns: readonly ColumnDescription[], plan: ResultPlan): RowShape {
  const names = columns.map((column) => column.name)
  const types = columns.map(({ code, type }) => (type === undefined ? code : `t${type.id}`))
  const key = `${plan.key} ${types.join(' ')} ${JSON.stringify(names)}`
  let shape = shapes.get(key)
  if (shape !== undefined) {
    shapes.delete(key)
  } else {
    shape = new RowShape(columns, plan)
    if (shapes.size >= CACHE_SIZE) {
      for (const oldest of shapes.keys()) {
        shapes.delete(oldest)
        break
      }
    }
  }
  shapes.set(key, shape)
  return shape
}
