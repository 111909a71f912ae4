// Plays rows of docs/reliability.md and writes a line of JSON for each: what the programs of network/ and pools/ do.
import { parseArgs } from 'node:util'
import { url } from '../support/server.js'
import { Row, watchProcess } from './network/report.js'
import { Secrets } from './network/secrets.js'
import { SECRET } from './network/where.js'

const { values } = parseArgs({
  options: { full: { type: 'boolean', default: false }, rows: { type: 'string' } },
})

/** `--full`: everything; without it a part that takes seconds. */
export const isFull = values.full

/**
 * Plays those rows that `--rows` names, or all, and looks for the password of their sessions meanwhile.
 *
 * @param secrets the row that tells of the password
 */
export function playRows(rows: Readonly<Record<string, () => Promise<Row[]>>>, secrets: Row): void {
  play(rows, secrets).catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
}

async function play(rows: Readonly<Record<string, () => Promise<Row[]>>>, row: Row): Promise<void> {
  const problems = watchProcess()
  const secrets = new Secrets(row, SECRET, new URL(url).username)
  Row.look = (value, what) => secrets.look(value, what)
  // It has been read. What a report says of the environment is none of the driver's doing.
  delete process.env.OXPG_TEST_URL
  const what = row.detail
  for (const name of values.rows?.split(',') ?? Object.keys(rows)) {
    const playOne = rows[name]
    if (playOne === undefined) throw new Error(`--rows: expected some of ${Object.keys(rows)}, got "${name}"`)
    const started = performance.now()
    const played = await playOne()
    secrets.lookAtReport(`the row ${name}`)
    const seconds = (performance.now() - started) / 1000
    for (const one of played) {
      one.failures.push(...problems.splice(0))
      tell(one, seconds)
    }
  }
  row.detail = `${what}; and process.report, ${row.outcomes.get('reports')} times`
  tell(row, 0)
  // Nothing is open any more that would keep the process alive.
}

function tell(row: Row, seconds: number): void {
  console.log(JSON.stringify({ ...row, seconds, outcomes: Object.fromEntries(row.outcomes) }))
}
