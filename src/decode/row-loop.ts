import { holdsBigInt, keepAside, keepBeside, writeBigIntsAsJson } from '../record'
import { MARK_NULL } from './mailbox-views'
import { defineColumn, type RowPlan, type RowReader, type RowReaders } from './row-plan'

/** The readers without generated code: for a shape's first rows, and where code generation is not allowed. */
export function loopReaders(plan: RowPlan): RowReaders {
  const width = plan.columns.length
  const readRow = plan.rowMode === 'array' ? arrayRow(plan) : objectRow(plan)
  return {
    readRows(views, firstCell, rowCount, text, into) {
      for (let k = 0; k < rowCount; k++) into.push(readRow(views, firstCell + k * width, text))
    },
    readRow,
  }
}

function arrayRow({ columns }: RowPlan): RowReader {
  return (views, firstCell, text) => {
    const row: unknown[] = []
    let cell = firstCell
    for (const { reader } of columns) {
      row.push(views.n[cell] === MARK_NULL ? null : reader.read(views, cell, text))
      cell++
    }
    return row
  }
}

function objectRow({ columns, prototype, rowMode, asideCount, layout }: RowPlan): RowReader {
  // A constructor rather than Object.create: V8 then knows how many properties to make room for.
  function BlankRow(): void {}
  BlankRow.prototype = prototype
  const Blank = BlankRow as unknown as new () => { [name: string]: unknown }
  const isRecord = rowMode === 'record'
  return (views, firstCell, text) => {
    const row = new Blank()
    const aside: unknown[] = []
    let hasBigInt = false
    let cell = firstCell - 1
    for (const { name, reader, mustDefine, asideSlot, bigInts } of columns) {
      cell++
      const value = views.n[cell] === MARK_NULL ? null : reader.read(views, cell, text)
      if (asideSlot >= 0) aside.push(value)
      else if (mustDefine) defineColumn(row, name, value)
      else row[name] = value
      if (bigInts !== 'none' && asideSlot < 0 && holdsBigInt(value)) hasBigInt = true
    }
    if (hasBigInt) writeBigIntsAsJson(row)
    if (isRecord) {
      if (asideCount > 0) keepAside(row, aside)
    } else if (layout !== undefined) keepBeside(row, layout, aside)
    return row
  }
}
