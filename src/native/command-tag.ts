/** Command tags by their number in DONE records; shared with `crates/client`. */
const NAMES = [
  '',
  'SELECT',
  'INSERT 0',
  'UPDATE',
  'DELETE',
  'MERGE',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  '',
  'SET',
  'FETCH',
  'MOVE',
  'COPY',
]

/** Commands whose tag has no count. */
const COUNTLESS: readonly number[] = [0, 6, 7, 8, 9, 10]

/** The tag as the server writes it; empty for an empty query and for unknown commands. */
export function commandTag(command: number, rowCount: number): string {
  const name = NAMES[command]
  if (name === undefined) return ''
  return COUNTLESS.includes(command) ? name : `${name} ${rowCount}`
}
