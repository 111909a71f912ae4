import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { connection } from '../support/server.js'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

// One test at a time: each looks at the heap of the whole process.

/** Bytes of V8's heap and of the memory outside it that its values hold, after everything unreachable is gone. */
function heldBytes(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test.serial('one kept string of each of 100 000 point queries holds at most 200 bytes', async (t) => {
  const c = await connection(t)
  const count = 100_000
  const kept: string[] = []
  const query = "select 'kept value number ' || $1::int as s, repeat('x', 200) as t"
  for (let warmUp = 0; warmUp < 100; warmUp += 1) await c.fetchRow(query, [warmUp])
  const before = heldBytes()
  for (let start = 0; start < count; start += 1000) {
    const rows = Array.from({ length: 1000 }, (_, n) => c.fetchRow<{ s: string }>(query, [start + n]))
    for (const row of await Promise.all(rows)) kept.push(row?.s ?? '')
  }
  const held = (heldBytes() - before) / count
  t.is(kept[count - 1], `kept value number ${count - 1}`)
  t.true(held <= 200, `${held.toFixed(0)} bytes are held for each`)
})

test.serial('one kept string of each of 200 large results does not hold the results', async (t) => {
  const c = await connection(t)
  const query = "select 'value ' || n as s from generate_series(1, 10000) n"
  const kept: string[] = []
  await c.fetch(query)
  const before = heldBytes()
  for (let n = 0; n < 200; n += 1) {
    const rows = await c.fetch<{ s: string }>(query)
    kept.push(rows[n]?.s ?? '')
  }
  const held = (heldBytes() - before) / kept.length
  t.is(kept.length, 200)
  // A kept substring holds its segment, which is at most 64 KiB of a result that has about 110.
  t.true(held <= 70_000, `${held.toFixed(0)} bytes are held for each`)
})

test.serial('connections that come and go leave nothing behind', async (t) => {
  const { connect } = await import('oxpg')
  const { url } = await import('../support/server.js')
  const round = async () => {
    for (let n = 0; n < 50; n += 1) {
      const c = await connect(url)
      await c.fetch('select $1::int', [n])
      await c.close()
    }
  }
  await round()
  const [before, rssBefore] = [heldBytes(), process.memoryUsage.rss()]
  await round()
  await round()
  t.true(heldBytes() - before < 400_000, `${heldBytes() - before} bytes of heap are left`)
  t.true(process.memoryUsage.rss() - rssBefore < 30_000_000, 'the process grew')
})
