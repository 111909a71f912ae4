// Whether what everything is made of is as it was.
import type { Row } from '../network/report.js'

const PARTS = [Object, Array, Function, String, Number, Promise, Error, Buffer, Uint8Array, Map].map(
  ({ prototype }) => prototype as object,
)
const snapshot = (): string =>
  PARTS.map((prototype) => Reflect.ownKeys(prototype).map(String).sort().join()).join('\n')
const BEFORE = snapshot()

/** No built-in prototype has more, or less, than when the process began. */
export function nothingIsPolluted(row: Row, what: string): void {
  row.check(snapshot() === BEFORE, `${what}: a prototype has changed`)
}
