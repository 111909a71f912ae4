// Plays rows 1 to 7 of docs/reliability.md against the server in OXPG_TEST_URL and writes a line of JSON for each.
//   --full   every byte; without it a part that takes seconds
//   --rows cuts,pieces,…   some of them
import { parseArgs } from 'node:util'
import { addresses, stalls } from './connecting.js'
import { cuts } from './cuts.js'
import { pieces } from './pieces.js'
import { type Row, watchProcess } from './report.js'
import { silence } from './silence.js'

const { values } = parseArgs({
  options: { full: { type: 'boolean', default: false }, rows: { type: 'string' } },
})
const isFull = values.full
/** Odd, so that places of many kinds are met. */
const ROWS: Record<string, () => Promise<Row[]>> = {
  cuts: () => cuts(isFull ? 1 : 61),
  pieces: () => pieces(isFull ? 50 : 5),
  silence: () => silence(isFull ? 5 : 1),
  stalls: () => stalls(isFull ? 1 : 29),
  addresses: () => addresses(isFull),
}

async function main(): Promise<void> {
  const problems = watchProcess()
  for (const name of values.rows?.split(',') ?? Object.keys(ROWS)) {
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
  // Nothing is open any more that would keep the process alive.
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
