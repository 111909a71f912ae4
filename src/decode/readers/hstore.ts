import { MARK_NULL } from '../mailbox-views'
import { calledReader } from './column-reader'
import { readText } from './text'

/** hstore: an object without prototype, so that every key, `__proto__` too, is a plain own property. */
export const hstoreReader = calledReader((views, cell, text) => {
  const block = views.u[2 * cell]!
  const pairs: { [key: string]: string | null } = Object.create(null)
  const end = block + 1 + 2 * views.u[2 * block]!
  for (let key = block + 1; key < end; key += 2) {
    const value = key + 1
    pairs[readText(views, key, text)] = views.n[value] === MARK_NULL ? null : readText(views, value, text)
  }
  return pairs
})
