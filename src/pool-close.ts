import type { PoolStats } from './native/door'
import { describeHolders, type PoolLeases } from './pool-leases'

/** How long `close` waits in silence, as asyncpg. */
const SILENCE_MS = 60_000

/**
 * Waits for the end of a pool that closes, and warns once when that takes long.
 *
 * @param stats Gives the pool's figures.
 */
export async function waitForClose(
  closed: Promise<void>,
  leases: PoolLeases,
  stats: () => PoolStats,
): Promise<void> {
  const timer = setTimeout(() => warnOfWaiting(leases, stats()), SILENCE_MS)
  timer.unref()
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
