// Row 40: a large result, and the loop meanwhile.
import { Row } from '../network/report.js'
import { loopDelayWhile } from './memory.js'
import { session } from './where.js'

const PROMISED_MS = 50

/** A result of so many MiB, all at once and as a stream. */
export async function large(mebibytes: number): Promise<Row[]> {
  const count = mebibytes * 1_024
  const text = `select i, repeat('x', 1000) as x from generate_series(1, $1::int) i`
  const rows: Row[] = []
  for (const how of ['fetch', 'stream'] as const) {
    const row = new Row('40', `a result of ${mebibytes} MiB, by ${how}`)
    const c = await session()
    await c.fetch(text, [1_000])
    row.cases += 1
    const delayMs = await loopDelayWhile(async () => {
      let seen = 0
      if (how === 'fetch') seen = (await c.fetch(text, [count])).length
      else for await (const _ of c.stream(text, [count])) seen++
      row.check(seen === count, `${seen} of ${count} rows`)
    })
    row.measure('the loop {} ms late (p99)', delayMs, PROMISED_MS)
    row.detail = `${count} rows of a kilobyte; how late the loop comes round meanwhile`
    await c.close()
    rows.push(row)
  }
  return rows
}
