import { environmentNow } from './environment'

/** Texts of which it is remembered. */
const REMEMBERED = 1_000

const PLAIN = 1
const CONTROL = 2
const COPY = 4

/** What a text is where statements share a transaction of the driver's. */
export interface Sharing {
  /** One statement that may share a Sync with others, such as a SELECT or INSERT. */
  readonly isPlain: boolean
  /** It has a statement that begins, ends or divides a transaction. */
  readonly hasControl: boolean
  readonly isCopy: boolean
}

const UNKNOWN: Sharing = { isPlain: false, hasControl: false, isCopy: false }

const remembered = new Map<string, Sharing>()

export function sharingOf(text: string): Sharing {
  let sharing = remembered.get(text)
  if (sharing === undefined) {
    const native = environmentNow()?.native
    // Nothing is open: whatever the text is for says so.
    if (native === undefined) return UNKNOWN
    const bits = native.sharingOf(text)
    sharing = {
      isPlain: (bits & PLAIN) !== 0,
      hasControl: (bits & CONTROL) !== 0,
      isCopy: (bits & COPY) !== 0,
    }
    if (remembered.size >= REMEMBERED) remembered.clear()
    remembered.set(text, sharing)
  }
  return sharing
}
