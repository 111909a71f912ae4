// What came of a call, and how it is told.
import { setTimeout as sleep } from 'node:timers/promises'

/** Who has not settled by then does not. */
export const PATIENCE_MS = 5_000

export function codeOf(error) {
  if (error === undefined || error === null) return `${error}`
  // That of an AbortError is a number of the DOM's.
  if (typeof error.code === 'string') return error.code
  return `${error.name ?? ''} ${error.message}`.trim()
}

/** What comes of a promise: `{ value }`, `{ error }` or `{}`. */
export async function outcomeOf(call, patienceMs = PATIENCE_MS) {
  const controller = new AbortController()
  const late = sleep(patienceMs, {}, { signal: controller.signal }).catch(() => ({}))
  const outcome = await Promise.race([
    (async () => call)().then(
      (value) => ({ value }),
      (error) => ({ error }),
    ),
    late,
  ])
  controller.abort()
  return outcome
}

export const told = (outcome) =>
  'error' in outcome ? `rejects: ${codeOf(outcome.error)}` : 'value' in outcome ? 'answered' : 'never settles'

/** `3 answered, 1 rejects: 57P01`. */
export function tally(outcomes) {
  const counts = new Map()
  for (const outcome of outcomes) counts.set(told(outcome), (counts.get(told(outcome)) ?? 0) + 1)
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ')
}

export const pidOf = async (target) => (await target.query('select pg_backend_pid() as pid'))[0].pid

export async function terminate(admin, pids) {
  await admin.fetch('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids])
  while (
    (await admin.fetchVal('select count(*)::int from pg_stat_activity where pid = any($1)', [pids])) > 0
  );
}
