/**
 * One `exit` listener for all copies of the module in a thread: test runners and hot reload load it again and again.
 * What is kept on `process` is a function, for copies of `process` that test runners make keep functions as they are.
 */
const GOODBYES = Symbol.for('oxpg.exit')

/** Has `goodbye` called when the process exits; the result takes it back. */
type SayAtExit = (goodbye: () => void) => () => void

/** Has `goodbye`, which must not throw, called at `process.exit`; the result takes it back. */
export function sayAtExit(goodbye: () => void): () => void {
  const host = process as { [GOODBYES]?: SayAtExit }
  if (host[GOODBYES] === undefined) Object.defineProperty(process, GOODBYES, { value: listenOnce() })
  return host[GOODBYES]!(goodbye)
}

function listenOnce(): SayAtExit {
  const goodbyes = new Set<() => void>()
  process.on('exit', () => {
    for (const goodbye of goodbyes) goodbye()
  })
  return (goodbye) => {
    goodbyes.add(goodbye)
    return () => void goodbyes.delete(goodbye)
  }
}
