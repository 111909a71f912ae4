import { MARK_EXTRA } from '../mailbox-views'
import { calledReader } from './column-reader'
import { extraAt } from './text'

/** bytea: a copy, as the mailbox is written again after the delivery. */
export const byteaReader = calledReader((views, cell, text) => {
  const start = views.u[2 * cell]!
  if (views.n[cell] === MARK_EXTRA) return extraAt(text, start)
  return Buffer.from(views.t.subarray(start, views.u[2 * cell + 1]))
})
