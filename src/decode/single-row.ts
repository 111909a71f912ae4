import { compiledReaders, LOOP_ROWS } from './row-compiler'
import { loopReaders } from './row-loop'
import type { RowPlan, RowReader } from './row-plan'

/** Reads rows one by one, as they are in composite values: the first by the loop, the others by compiled code. */
export function singleRowReader(plan: RowPlan): RowReader {
  let rowsLeft = LOOP_ROWS
  const readByLoop = loopReaders(plan).readRow
  let read: RowReader = (views, firstCell, text) => {
    if (rowsLeft-- === 0) {
      read = compiledReaders(plan)?.readRow ?? readByLoop
      return read(views, firstCell, text)
    }
    return readByLoop(views, firstCell, text)
  }
  return (views, firstCell, text) => read(views, firstCell, text)
}
