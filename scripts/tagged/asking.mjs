// The program that asks a driver, under Node or Bun: `asking.mjs '{"driver":…,"url":…,"count":…,…}'`. It writes a line of
// JSON every half second, the account as it is, and the last of them when all is done. scripts/tagged.mjs watches it.
import { randomOf } from '../random.mjs'
import { Account } from './account.mjs'
import { openDriver } from './drivers/index.mjs'
import { exchangesOf } from './exchanges.mjs'
import { TABLE } from './questions.mjs'

const TELL_MS = 500
/** Tags that are compared at a time. */
const STRIDE = 100_000

const { driver: name, url, count, connections, callers, seed } = JSON.parse(process.argv[2])
const account = new Account()
process.on('uncaughtException', (error) => account.uncaught(error))
process.on('unhandledRejection', (error) => account.uncaught(error))
// Nobody watches any more.
process.stdout.on('error', () => process.exit(1))

const isBun = process.versions.bun !== undefined
const runtime = isBun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`
/** What is known of the driver once it is open. */
let known = {}

const started = performance.now()
const tell = (more) => {
  const seconds = (performance.now() - started) / 1000
  process.stdout.write(`${JSON.stringify({ ...account.report(), runtime, ...known, seconds, ...more })}\n`)
}
const timer = setInterval(() => tell({}), TELL_MS)

/** Something that is no question, but must come to its end as well. */
async function phase(what, work) {
  account.started(what, 0)
  const result = await work
  account.settled(0)
  return result
}

async function storedRows(driver) {
  const stored = []
  const sql = `SELECT tag, count(*)::int4 AS count FROM ${TABLE} WHERE tag >= $1::int4 AND tag < $2::int4 GROUP BY tag`
  const end = account.nextTag()
  for (let from = 0; from < end; from += STRIDE) {
    for (const row of await driver.pool.prepared(sql, [from, from + STRIDE])) stored.push(row)
  }
  return stored
}

const driver = await phase('opening', openDriver(name, { url, connections }))
known = { version: driver.version, missing: driver.missing }
const exchange = exchangesOf(driver)
async function caller(number) {
  const setting = { account, driver, random: randomOf(seed * callers + number) }
  while (account.asked < count) await exchange(setting)
}
await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)))
const asking = (performance.now() - started) / 1000
account.compare(await phase('comparing', storedRows(driver)))
await phase('closing', driver.close())
clearInterval(timer)
tell({ isDone: true, seconds: asking })
