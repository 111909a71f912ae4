// Plays the rows of docs/reliability.md that are about the network and about servers, against the server in OXPG_TEST_URL,
// and writes a line of JSON for each.
//   --full   every byte; without it a part that takes seconds
//   --rows cuts,pieces,…   some of them
import { parseArgs } from 'node:util'
import { url } from '../../support/server.js'
import { capture } from './capture.js'
import { addresses, stalls } from './connecting.js'
import { cuts } from './cuts.js'
import { hostile } from './hostile.js'
import { pieces } from './pieces.js'
import { Row, watchProcess } from './report.js'
import { Secrets } from './secrets.js'
import { silence } from './silence.js'
import { endless, scram } from './unproven.js'
import { isTls, SECRET } from './where.js'

const { values } = parseArgs({
  options: { full: { type: 'boolean', default: false }, rows: { type: 'string' } },
})
const isFull = values.full
/** Odd, so that places of many kinds are met. */
const ROWS: Record<string, () => Promise<Row[]>> = {
  // Over TLS there are twice as many bytes.
  cuts: () => cuts(isFull ? 1 : isTls ? 83 : 61, isTls),
  pieces: () => pieces(isFull ? 50 : isTls ? 1 : 5),
  silence: () => silence(isFull ? 5 : 1),
  stalls: () => stalls(isFull ? 1 : isTls ? 211 : 29),
  addresses: () => addresses(isFull),
  hostile: () => hostile(isFull ? 1 : 13),
  endless: () => endless(isFull ? 5 : 1),
  scram: () => scram(isFull ? 5 : 1),
  // Of both kinds in itself.
  capture: async () => (isTls ? [] : capture()),
}

async function main(): Promise<void> {
  const problems = watchProcess()
  const secrets = new Secrets(
    new Row('35', 'the password of all these sessions, in what a program can show'),
    SECRET,
    new URL(url).username,
  )
  Row.look = (value, what) => secrets.look(value, what)
  // It has been read. What a report says of the environment is none of the driver's doing.
  delete process.env.OXPG_TEST_URL
  for (const name of values.rows?.split(',') ?? Object.keys(ROWS)) {
    const play = ROWS[name]
    if (play === undefined) throw new Error(`--rows: expected some of ${Object.keys(ROWS)}, got "${name}"`)
    const started = performance.now()
    const rows = await play()
    secrets.lookAtReport(`the row ${name}`)
    const seconds = (performance.now() - started) / 1000
    for (const row of rows) {
      row.failures.push(...problems.splice(0))
      tell(row, seconds)
    }
  }
  secrets.row.detail = `each error, connection and pool of the rows above, as String, stack, JSON and util.inspect show it, hidden properties and getters included; and process.report, ${secrets.row.outcomes.get('reports')} times`
  tell(secrets.row, 0)
  // Nothing is open any more that would keep the process alive.
}

function tell(row: Row, seconds: number): void {
  console.log(JSON.stringify({ ...row, seconds, outcomes: Object.fromEntries(row.outcomes) }))
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
