// Row 8: a reader that pauses in the middle of a large result, and one that reads millions of rows.
import { setTimeout as pause } from 'node:timers/promises'
import type { Connection } from 'oxpg'
import { until } from '../../support/server.js'
import { Row } from '../network/report.js'
import { Memory } from './memory.js'
import { session } from './where.js'

const PROMISED_MIB = 64
/** Beyond that it is not a matter of the garbage collector's mood. */
const MOST_MIB = 160
const WAITS = "select count(*)::int from pg_stat_activity where pid = $1 and wait_event = 'ClientWrite'"
const ROW_BYTES = 64 * 1024

/** A reader that pauses in a result of so many MiB. */
export async function paused(mebibytes: number, pauseMs: number): Promise<Row[]> {
  const row = new Row('8', 'a reader that pauses in the middle of a stream')
  const count = (mebibytes * 2 ** 20) / ROW_BYTES
  const [c, other] = [await session(), await session()]
  const text = `select i, repeat('x', ${ROW_BYTES}) as x from generate_series(1, $1::int) i`
  for await (const _ of c.stream(text, [100]));
  const memory = new Memory()
  let rows = 0
  for await (const { x } of c.stream<{ x: string }>(text, [count])) {
    row.check(x.length === ROW_BYTES, 'a row that is not whole')
    if (++rows !== Math.floor(count / 2)) continue
    row.cases += 1
    await until(async () => (await other.fetchVal(WAITS, [c.serverPid])) === 1, 'the server waits')
    const end = performance.now() + pauseMs
    const cpu = process.cpuUsage()
    while (performance.now() < end) {
      const asked = performance.now()
      await other.fetchVal('select 1')
      row.measure('{} ms for a query on another connection', performance.now() - asked)
      await pause(50)
    }
    const { user, system } = process.cpuUsage(cpu)
    row.measure('{} % of a processor while it pauses', (100 * (user + system)) / 1000 / pauseMs)
    row.check((await other.fetchVal(WAITS, [c.serverPid])) === 1, 'the server does not wait any more')
  }
  const mib = memory.end()
  row.check(rows === count, `${rows} of ${count} rows`)
  row.measure('RSS {} MiB above the beginning', mib, PROMISED_MIB)
  row.check(mib < MOST_MIB, `RSS ${mib} MiB above the beginning`)
  row.check((await c.fetchVal('select 1')) === 1, 'the connection is of no more use')
  row.detail = `${mebibytes} MiB in rows of 64 KiB, of which half is read at once, and the rest after ${pauseMs / 1000} s: meanwhile the server waits for its socket, and another connection of the process asks every 50 ms`
  await Promise.all([c.close(), other.close()])
  return [row]
}

/** So many rows, one after the other. */
export async function long(count: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const [how, read] of Object.entries(WAYS)) {
    const row = new Row('8', `a stream of many rows, ${how}`)
    const c = await session()
    const text = "select i, i * 2 as twice, 'name ' || i as name from generate_series(1, $1::int) i"
    await read(c, text, 10_000)
    const memory = new Memory()
    const started = performance.now()
    row.check((await read(c, text, count)) === count, 'not all rows have come')
    const seconds = (performance.now() - started) / 1000
    const mib = memory.end()
    row.cases += 1
    row.measure('RSS {} MiB above the beginning', mib, PROMISED_MIB)
    row.check(mib < MOST_MIB, `RSS ${mib} MiB above the beginning`)
    row.detail = `${count} rows of two integers and a text, ${Math.round(count / seconds / 1000)} 000 a second`
    await c.close()
    rows.push(row)
  }
  return rows
}

type Read = (c: Connection, text: string, count: number) => Promise<number>

const WAYS: Readonly<Record<string, Read>> = {
  'row by row': async (c, text, count) => {
    let rows = 0
    for await (const _ of c.stream(text, [count])) rows++
    return rows
  },
  'in parts': async (c, text, count) => {
    let rows = 0
    for await (const part of c.stream(text, [count]).batches()) rows += part.length
    return rows
  },
  'inside a transaction': (c, text, count) =>
    c.transaction(async (tx) => {
      let rows = 0
      for await (const _ of tx.stream(text, [count])) rows++
      return rows
    }),
}
