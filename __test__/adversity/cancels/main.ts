// Plays rows 20 and 21 of docs/reliability.md against the server in OXPG_TEST_URL, and writes a line of JSON for each.
//   --full   100 000 races, and a minute of aborts; without it a part that takes seconds
//   --rows races,poolers,storm   some of them
import { parseArgs } from 'node:util'
import { type Row, watchProcess } from '../network/report.js'
import { racesOnConnections, racesThroughPool, racesThroughPoolers } from './races.js'
import { storm } from './storm.js'

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    rows: { type: 'string', default: 'races,poolers,storm' },
  },
})
const isFull = values.full
const ROWS: Record<string, () => Promise<Row[]>> = {
  races: async () => [
    await racesOnConnections(isFull ? 100_000 : 1_500),
    await racesThroughPool(isFull ? 100_000 : 1_500),
  ],
  poolers: () => racesThroughPoolers(isFull ? 100_000 : 1_500, process.env.OXPG_TEST_POOLER_URL),
  storm: async () => [await storm(isFull ? 60 : 2)],
}

async function main(): Promise<void> {
  const problems = watchProcess()
  for (const name of values.rows.split(',')) {
    const play = ROWS[name]
    if (play === undefined) throw new Error(`--rows: expected some of ${Object.keys(ROWS)}, got "${name}"`)
    const started = performance.now()
    const rows = await play()
    const seconds = (performance.now() - started) / 1000
    for (const row of rows) {
      row.failures.push(...problems.splice(0))
      console.log(JSON.stringify({ ...row, seconds, outcomes: Object.fromEntries(row.outcomes) }))
    }
  }
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
