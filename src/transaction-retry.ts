import { setTimeout as sleep } from 'node:timers/promises'
import { DeadlockDetectedError, PostgresError, SerializationError } from './errors/index'
import { isThrown } from './errors/thrown-reason'

/** SQLSTATEs with which PostgreSQL refuses a transaction that may well succeed when it is repeated. */
const REPEATABLE: ReadonlySet<string | undefined> = new Set([
  SerializationError.sqlstate,
  DeadlockDetectedError.sqlstate,
])

/** The longest pause before the first repetition; it doubles with each, up to the limit. */
const PAUSE_MS = 5
const MAX_PAUSE_MS = 500

/** Whether a transaction that failed so may succeed when all of it is done again. */
export function isRepeatable(error: unknown): boolean {
  return isThrown(error, PostgresError) && error.fromServer && REPEATABLE.has(error.sqlstate)
}

/** Transactions that hinder each other should not meet again at once. */
export async function pauseAfter(attempt: number): Promise<void> {
  await sleep(Math.random() * Math.min(MAX_PAUSE_MS, PAUSE_MS * 2 ** attempt))
}
