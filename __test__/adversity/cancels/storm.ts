// Row 21: calls are aborted by the thousand. How many connections that costs is counted where the server is.
import { createPool } from 'oxpg'
import { FaultProxy } from '../../support/testkit.js'
import { nameOf, Row } from '../network/report.js'

const MAX_SIZE = 10
const PER_SECOND = 1_000
/**
 * Connections beside those of the pool: for each of the ten cancels at a time one, and one that its client has done with and
 * whose end the proxy has not seen.
 */
const BESIDE = 20
const EVERY_MS = 5
const LIMIT_MS = 60_000

/** Aborts so many calls a second, for so many seconds. */
export async function storm(seconds: number): Promise<Row> {
  const row = new Row(
    '21',
    'aborts without end',
    `${PER_SECOND} calls a second on a pool of ${MAX_SIZE}, each of which would take a minute and is aborted while it runs or waits, for ${seconds} s; the connections in front of the server are counted all the while`,
  )
  const proxy = await FaultProxy.open()
  const pool = await createPool(proxy.url, {
    minSize: MAX_SIZE,
    maxSize: MAX_SIZE,
    acquireTimeoutMs: LIMIT_MS,
  })
  const before = await proxy.counts()
  const calls = new Set<Promise<void>>()
  const reason = new Error('enough')
  const abortOne = (): void => {
    row.cases += 1
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), Math.random() * 20)
    const call = pool.fetchVal('select pg_sleep(60)', [], { signal: controller.signal }).then(
      () => row.fail('a call that takes a minute has ended'),
      (error: unknown) => row.check(error === reason, `an aborted call: ${nameOf(error)}: ${error}`),
    )
    calls.add(call)
    call.finally(() => calls.delete(call))
  }
  const started = performance.now()
  const counting = count(row, proxy, () => performance.now() - started > seconds * 1_000)
  for (let made = 0; made < PER_SECOND * seconds; ) {
    // A machine that has other things to do makes up for what it has missed.
    const due = Math.min(((performance.now() - started) / 1_000) * PER_SECOND, PER_SECOND * seconds)
    for (; made < due; made += 1) abortOne()
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
  }
  await counting
  await Promise.all(calls)
  const value = await pool.fetchVal('select 42', [], { timeoutMs: LIMIT_MS })
  row.check(value === 42, `the next call gave ${value}`)
  const { connections } = await proxy.counts()
  row.measure('{} connections for cancels', connections - before.connections)
  row.check(pool.stats.closed === 0, `connections were closed: ${JSON.stringify(pool.stats)}`)
  await pool.close({ timeoutMs: LIMIT_MS })
  await proxy.close()
  return row
}

/** What the server sees. */
async function count(row: Row, proxy: FaultProxy, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const { open } = await proxy.counts()
    row.measure('{} connections at once', open)
    row.check(open <= MAX_SIZE + BESIDE, `${open} connections at once`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
