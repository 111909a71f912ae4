// npm run tagged: an answer belongs to its question. Asks a driver tagged questions over a pool (statements that are
// prepared and that are new, in transactions, many at once, failing, cancelled, with limits that pass) and looks whether
// each answer and each error carries its own question's tag, whether what was acknowledged is stored, and whether all ends.
//
//   --driver oxpg|pg|postgres|bun   default oxpg; Bun comes from npm
//   --count 10000000                questions
//   --connections 10  --callers 100
//   --seed 1                        of what is asked; when things happen no seed can say
//   --stall-ms 60000                so long may a question wait, or the program say nothing, before that is a hang
//   --node path/to/node             which asks
//   --json                          one line, the result, in place of the report
//   --write                         puts the result into docs/reliability.md
//
// DATABASE_URL makes it use that server, where it makes a table and drops it; otherwise an embedded one is started. It ends
// with 1 when anything was wrong.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { installPeers } from '../bench/install-peers.mjs'
import { start } from './embedded-postgres.mjs'
import { DRIVERS } from './tagged/drivers/index.mjs'
import { TABLE } from './tagged/questions.mjs'
import { isRight, reportOf, writeRow } from './tagged/result.mjs'

const WATCH_MS = 500
const here = (path) => fileURLToPath(new URL(path, import.meta.url))

const { values } = parseArgs({
  options: {
    driver: { type: 'string', default: 'oxpg' },
    count: { type: 'string', default: '10000000' },
    connections: { type: 'string', default: '10' },
    callers: { type: 'string', default: '100' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 1e6)}` },
    'stall-ms': { type: 'string', default: '60000' },
    node: { type: 'string', default: process.execPath },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})
const { driver } = values
if (!DRIVERS.includes(driver)) throw new Error(`--driver: expected one of ${DRIVERS}, got "${driver}"`)
const numberOf = (name, least, most = 1e9) => {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= least && number <= most) return number
  throw new Error(`--${name}: expected a whole number from ${least} to ${most}, got "${values[name]}"`)
}
const settings = {
  driver,
  count: numberOf('count', 1),
  connections: numberOf('connections', 1),
  callers: numberOf('callers', 1),
  seed: numberOf('seed', 0),
}
const stallMs = numberOf('stall-ms', 1)

/** The program that loads the driver. */
function programOf() {
  if (driver !== 'bun') return values.node
  installPeers(['bun'])
  return here('../bench/node_modules/bun/bin/bun.exe')
}

/** Asks, in a process of its own: one that hangs in a loop could not watch itself. The last account of it. */
function ask(url) {
  const child = spawn(programOf(), [here('tagged/asking.mjs'), JSON.stringify({ ...settings, url })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    let last = { asked: 0, answered: 0, kinds: {}, problems: [], waiting: [], seconds: 0 }
    let heard = performance.now()
    const finish = (result) => {
      clearInterval(watch)
      child.removeAllListeners()
      child.kill('SIGKILL')
      resolve(result)
    }
    const watch = setInterval(() => {
      const { kind, tag, ageMs } = last.waiting[0] ?? { ageMs: 0 }
      const silentMs = performance.now() - heard
      if (ageMs > stallMs) finish({ ...last, hang: `${kind} ${tag} had no end` })
      else if (silentMs > stallMs)
        finish({ ...last, hang: `no turn of its loop for ${Math.round(silentMs)} ms` })
    }, WATCH_MS)
    createInterface({ input: child.stdout }).on('line', (line) => {
      heard = performance.now()
      last = JSON.parse(line)
      if (last.isDone) finish(last)
      else if (process.stderr.isTTY && !values.json)
        process.stderr.write(`\r${last.answered} of ${settings.count}`)
    })
    child.once('error', (error) => {
      clearInterval(watch)
      reject(error)
    })
    child.once('close', (code, signal) =>
      finish({ ...last, hang: `its process ended with ${signal ?? code}` }),
    )
  })
}

/** What is needed around it, by a driver that is not asked: the table, and the server's version. */
async function prepare(url) {
  const { Client } = createRequire(import.meta.url)('pg')
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query(`DROP TABLE IF EXISTS ${TABLE}; CREATE UNLOGGED TABLE ${TABLE} (tag int4, part int4)`)
  await client.query(`CREATE INDEX ON ${TABLE} (tag)`)
  const { rows } = await client.query('SHOW server_version')
  return {
    version: rows[0].server_version.split(' ')[0],
    clear: async () => {
      await client.query(`DROP TABLE ${TABLE}`)
      await client.end()
    },
  }
}

const server = process.env.DATABASE_URL === undefined ? await start() : undefined
try {
  const url = process.env.DATABASE_URL ?? server.url
  const around = await prepare(url)
  const result = { ...settings, postgresql: around.version, ...(await ask(url)) }
  await around.clear()
  if (process.stderr.isTTY && !values.json) process.stderr.write('\r')
  console.log(values.json ? JSON.stringify(result) : reportOf(result))
  if (values.write) writeRow(result)
  process.exitCode = isRight(result) ? 0 : 1
} finally {
  await server?.stop()
}
