// Row 41: a server that is stopped and started again while notifications flow.
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/server.js'
import { Row } from '../network/report.js'
import { startServer } from './clusters.js'
import { openPool } from './sessions.js'

const CHANNEL = 'numbers'
/** So many have to arrive before the server ends, and again afterwards. */
const ENOUGH = 200

export async function listening(rounds: number): Promise<Row[]> {
  const row = new Row('41', 'a server that ends while notifications flow')
  const server = await startServer()
  const { pool } = await openPool({ maxSize: 2 }, server.url)
  /** What came, in order; undefined for a gap. */
  const heard: (number | undefined)[] = []
  const subscription = await pool.listen(CHANNEL)
  const reading = (async () => {
    for await (const { payload } of subscription) {
      heard.push(payload === undefined ? undefined : Number(payload))
    }
  })()
  const sent: number[] = []
  let isOver = false
  const sending = (async () => {
    for (let number = 1; !isOver; number += 1) {
      await pool.notify(CHANNEL, `${number}`).then(
        () => sent.push(number),
        () => sleep(10),
      )
    }
  })()
  for (let round = 0; round < rounds; round += 1) {
    for (const ending of ['fast', 'immediate', 'killed'] as const) {
      row.cases += 1
      const gaps = heard.filter((item) => item === undefined).length
      const enough = (from: number) => until(async () => heard.length >= from + ENOUGH, `${ending}: messages`)
      await enough(heard.length)
      await server.end(ending)
      await server.restart()
      await until(async () => heard.filter((item) => item === undefined).length > gaps, `${ending}: the gap`)
      await enough(heard.length)
    }
  }
  isOver = true
  await sending
  const last = sent.at(-1)!
  await until(async () => heard.at(-1) === last, 'the last message')
  await pool.close()
  await reading
  await server.stop()
  const numbers = heard.filter((item) => item !== undefined)
  row.check(
    numbers.every((number, index) => index === 0 || number > numbers[index - 1]!),
    'messages came twice or out of order',
  )
  const missing = new Set(sent)
  for (const [index, item] of heard.entries()) {
    if (item !== undefined) missing.delete(item)
    else {
      const before = heard[index - 1] ?? 0
      const after = heard.slice(index).find((next) => next !== undefined) ?? Number.POSITIVE_INFINITY
      for (const number of missing) if (number > before && number < after) missing.delete(number)
    }
  }
  row.check(missing.size === 0, `lost without a gap: ${[...missing].slice(0, 10)}`)
  row.detail = `fast, immediately, and killed, under a subscription of pool.listen that is iterated over while numbers are sent one after the other: each arrives once and in order, or lies in a gap that is told`
  return [row]
}
