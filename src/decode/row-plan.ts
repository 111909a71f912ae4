import { layoutOfNames, needsLayout, type RowLayout, rowPrototype } from '../record'
import type { CellViews } from './mailbox-views'
import type { RowMode } from './mapping'
import type { ColumnReader, TextContext } from './readers/column-reader'

/** Reads rows and appends them to `into`: the work of a shape. */
export type RowsReader = (
  views: CellViews,
  firstCell: number,
  rowCount: number,
  text: TextContext,
  into: unknown[],
) => void

/** Reads one row from its first cell. */
export type RowReader = (views: CellViews, firstCell: number, text: TextContext) => unknown

/** Both, whose rows are alike. */
export interface RowReaders {
  readonly readRows: RowsReader
  readonly readRow: RowReader
}

/** One column of a row to be made. */
export interface PlannedColumn {
  readonly name: string
  readonly reader: ColumnReader
  /**
   * Whether the property has to be defined: an assignment to `__proto__`, to an integer (positions have getters on the
   * prototype), or to anything else that is inherited, could do something else than make an own property.
   */
  readonly mustDefine: boolean
  /** The slot among the values kept aside, because a later column has the same name; else −1. */
  readonly asideSlot: number
  /** In plain rows: where to look for bigints, which make the row write its JSON itself. */
  readonly bigInts: 'none' | 'value' | 'value or array'
}

/** What the loop and the compiler make rows from. */
export interface RowPlan {
  readonly rowMode: RowMode
  readonly columns: readonly PlannedColumn[]
  /** The prototype of rows in row mode 'record'; `Object.prototype` in the others. */
  readonly prototype: object
  /** How many values of a row are kept aside. */
  readonly asideCount: number
  /** Of plain rows whose properties do not say what the columns are: kept beside each. */
  readonly layout: RowLayout | undefined
}

const INTEGER_NAME = /^(?:0|[1-9][0-9]*)$/

/** The plan of rows, or of composite values, with these columns. */
export function planRows(
  names: readonly string[],
  readers: readonly ColumnReader[],
  rowMode: RowMode,
): RowPlan {
  const layout: RowLayout = layoutOfNames(names)
  const integerColumns = names.filter((_, index) => readers[index]?.mayBeBigInt === true)
  const isPlain = rowMode === 'object'
  // A column of that name is there already.
  const writesJson = isPlain && !names.includes('toJSON')
  const prototype = rowMode === 'record' ? rowPrototype(layout, integerColumns) : Object.prototype
  return {
    rowMode,
    prototype,
    asideCount: layout.asideSlots?.filter((slot) => slot >= 0).length ?? 0,
    layout: isPlain && needsLayout(layout) ? layout : undefined,
    columns: names.map((name, index) => ({
      name,
      reader: readers[index]!,
      mustDefine: name in prototype || INTEGER_NAME.test(name),
      asideSlot: layout.asideSlots?.[index] ?? -1,
      bigInts: writesJson ? bigIntsOf(readers[index]!) : 'none',
    })),
  }
}

function bigIntsOf({ mayBeBigInt, mayBeArray }: ColumnReader): PlannedColumn['bigInts'] {
  if (mayBeBigInt !== true) return 'none'
  return mayBeArray === true ? 'value or array' : 'value'
}

/** Makes an own property as an assignment would, whatever the prototype has under the name. */
export function defineColumn(row: object, name: string, value: unknown): void {
  Object.defineProperty(row, name, { value, writable: true, enumerable: true, configurable: true })
}
