// Run by frozen.test.ts: opens a pool, freezes itself, and goes on within the same turn when it is woken.
import { createPool, type Pool } from 'oxpg'

const [url, table, way] = process.argv.slice(2) as [string, string, 'shared' | 'alone' | 'leased']

/** None of these may be repeated once it was sent. */
const WAYS: { readonly [way: string]: (pool: Pool, n: number) => Promise<unknown> } = {
  shared: (p, n) => p.execute(`insert into ${table} values ($1)`, [n]),
  alone: (p, n) => p.execute(`select 1; insert into ${table} values (${n})`),
  leased: (p, n) => p.use((c) => c.execute(`select 1; insert into ${table} values (${n})`)),
}

async function main(): Promise<void> {
  const pool = await createPool(url, { minSize: 3, maxSize: 3 })
  const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])
  await Promise.all(leases.map((lease) => lease.release()))
  await new Promise((sent) => process.send!({ pids: leases.map((lease) => lease.serverPid) }, sent))
  process.kill(process.pid, 'SIGSTOP')
  // Nobody has looked at a socket since.
  const calls = Array.from({ length: 20 }, (_, n) => WAYS[way]!(pool, n))
  const outcomes = await Promise.allSettled(calls)
  const failures = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [String((outcome.reason as Error).stack)] : [],
  )
  await new Promise((sent) => process.send!({ failures, opened: pool.stats.opened }, sent))
  pool.terminate()
  process.disconnect()
}

void main()
