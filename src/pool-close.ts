import type { PoolStats } from './native/door'
import { describeHolders, type PoolLeases } from './pool-leases'

/** How long `close` waits in silence, as asyncpg, where it has no limit. */
const SILENCE_MS = 60_000

/**
 * Waits for the end of a pool that closes, and warns once when that takes long.
 *
 * @param timeoutMs The limit of the closing, 0 for none: with one there is an error in place of a warning.
 * @param stats Gives the pool's figures.
 */
export async function waitForClose(
  closed: Promise<void>,
  timeoutMs: number,
  leases: PoolLeases,
  stats: () => PoolStats,
): Promise<void> {
  const timer =
    timeoutMs === 0 ? setTimeout(() => warnOfWaiting(leases, stats()), SILENCE_MS).unref() : undefined
  try {
    await closed
  } finally {
    clearTimeout(timer)
  }
}

function warnOfWaiting(leases: PoolLeases, { inUse }: PoolStats): void {
  const holders = leases.holders()
  const uses = inUse === 1 ? '1 connection is in use' : `${inUse} connections are in use`
  const named = describeHolders(holders)
  const stacks = holders.flatMap(({ serverPid, stack }) =>
    stack === undefined ? [] : [`server pid ${serverPid}:\n${stack}`],
  )
  process.emitWarning(
    `close() of a pool has waited for ${SILENCE_MS / 1_000} s: ${uses}${named === '' ? '' : `; ${named}`}; close({ timeoutMs }) has a limit`,
    {
      type: 'OxpgWarning',
      code: 'OXPG_CLOSE_WAITS',
      ...(stacks.length === 0 ? {} : { detail: stacks.join('\n') }),
    },
  )
}
