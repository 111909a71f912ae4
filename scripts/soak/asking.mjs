// The program that is soaked: `asking.mjs '{"url":…,"callers":…,"connections":…,"seed":…}'`, with --expose-gc. It asks tagged
// questions (scripts/tagged/exchanges.mjs) until its input ends, and writes a line of JSON every second.
import { createPool } from 'oxpg'
import { randomOf } from '../random.mjs'
import { askersOf } from '../tagged/drivers/oxpg.mjs'
import { exchangesOf } from '../tagged/exchanges.mjs'
import { SoakAccount } from './account.mjs'

const TELL_MS = 1_000
/** How often the loop is held up, and for how long. */
const BLOCK_EVERY_MS = 3_000
const BLOCK_MS = 150

const { url, callers, connections, seed } = JSON.parse(process.argv[2])
const account = new SoakAccount()
process.on('uncaughtException', (error) => account.uncaught(error))
process.on('unhandledRejection', (error) => account.uncaught(error))
process.stdout.on('error', () => process.exit(1))

let isOver = false
process.stdin.resume().once('end', () => {
  isOver = true
})

const pool = await createPool(url, {
  maxSize: connections,
  commandTimeoutMs: 3_000,
  acquireTimeoutMs: 5_000,
  connectTimeoutMs: 5_000,
})
const tell = (more) => {
  const { size, inUse, waiting } = pool.stats
  process.stdout.write(
    `${JSON.stringify({ ...account.report(), hit: account.hit, pool: { size, inUse, waiting }, ...more })}\n`,
  )
}
const telling = setInterval(() => {
  globalThis.gc()
  tell({ rss: process.memoryUsage.rss() })
}, TELL_MS)
const blocking = setInterval(() => {
  const end = performance.now() + BLOCK_MS
  while (performance.now() < end);
}, BLOCK_EVERY_MS)

const driver = askersOf(pool)
const exchange = exchangesOf(driver)
async function caller(number) {
  const setting = { account, driver, random: randomOf(seed * callers + number) }
  while (!isOver) {
    const { hit } = account
    await exchange(setting)
    // While the server is down every question ends at once.
    if (account.hit > hit) await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
await Promise.all(
  Array.from({ length: callers }, (_, number) => caller(number).catch((error) => account.uncaught(error))),
)
clearInterval(blocking)
clearInterval(telling)
await pool.close({ timeoutMs: 10_000 }).catch((error) => account.uncaught(error))
tell({ isDone: true })
