import { CommandNumber } from '../types/boundary'

/** What the tag of each command starts with. */
const NAMES = {
  [CommandNumber.OTHER]: '',
  [CommandNumber.SELECT]: 'SELECT',
  [CommandNumber.INSERT]: 'INSERT 0',
  [CommandNumber.UPDATE]: 'UPDATE',
  [CommandNumber.DELETE]: 'DELETE',
  [CommandNumber.MERGE]: 'MERGE',
  [CommandNumber.BEGIN]: 'BEGIN',
  [CommandNumber.COMMIT]: 'COMMIT',
  [CommandNumber.ROLLBACK]: 'ROLLBACK',
  [CommandNumber.EMPTY]: '',
  [CommandNumber.SET]: 'SET',
  [CommandNumber.FETCH]: 'FETCH',
  [CommandNumber.MOVE]: 'MOVE',
  [CommandNumber.COPY]: 'COPY',
} satisfies Record<(typeof CommandNumber)[keyof typeof CommandNumber], string>

/** Commands whose tag has no count. */
const COUNTLESS: readonly number[] = [
  CommandNumber.OTHER,
  CommandNumber.BEGIN,
  CommandNumber.COMMIT,
  CommandNumber.ROLLBACK,
  CommandNumber.EMPTY,
  CommandNumber.SET,
]

/** The tag as the server writes it; empty for an empty query and for unknown commands. */
export function commandTag(command: number, rowCount: number): string {
  const name = (NAMES as Readonly<Record<number, string>>)[command]
  if (name === undefined) return ''
  return COUNTLESS.includes(command) ? name : `${name} ${rowCount}`
}
