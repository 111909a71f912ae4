// Rows 30 and 36: what is larger than PostgreSQL takes, and how programs end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { outcomeOf, told } from './outcomes.mjs'

/** How a program ends that has asked a pool of one connection something, and then does this. */
const ENDS = {
  'the script ends': '',
  'process.exit(7) in mid-query':
    "driver.query('select pg_sleep(5)').catch(() => {}); setTimeout(() => process.exit(7), 50)",
  'a throw in mid-query':
    "driver.query('select pg_sleep(5)').catch(() => {}); setTimeout(() => { throw new Error('meant') }, 50)",
}
const END_LIMIT_MS = 15_000

async function endOf(name, url, what) {
  const drivers = JSON.stringify(new URL('drivers.mjs', import.meta.url).href)
  const code = `const { DRIVERS } = await import(${drivers})
    const driver = await DRIVERS[${JSON.stringify(name)}](${JSON.stringify(url)})
    await driver.query('select 1 as n')
    ${what}`
  const since = performance.now()
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'ignore' })
  const timer = setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS)
  const [exitCode, signal] = await once(child, 'exit')
  clearTimeout(timer)
  if (signal === 'SIGKILL') return `no end in ${END_LIMIT_MS / 1_000} s`
  const seconds = Math.round((performance.now() - since) / 1_000)
  return `${signal ?? `code ${exitCode}`}${seconds > 2 ? ` after ${seconds} s` : ''}`
}

/** @type {import('./scenarios.mjs').Scenario[]} */
export const PROGRAMS = [
  {
    number: '30',
    title: '65 536 parameters',
    async play({ open, url }) {
      const driver = await open(url, { max: 1 })
      await driver.query('select 1 as n')
      const list = Array.from({ length: 65_536 }, (_, n) => `($${n + 1}::int)`).join()
      const outcome = await outcomeOf(
        driver.query(`select count(*) from (values ${list}) v`, Array(65_536).fill(1)),
        20_000,
      )
      const text = 'value' in outcome ? `gives ${JSON.stringify(outcome.value[0])}` : told(outcome)
      return `${text}; afterwards ${told(await outcomeOf(driver.query('select 1 as n')))}`
    },
  },
  {
    number: '36',
    title: 'the end of a program with a pool of one connection, which it has used and does not close',
    async play({ name, url }) {
      const ends = []
      for (const [what, code] of Object.entries(ENDS)) ends.push(`${what}: ${await endOf(name, url, code)}`)
      return ends.join('; ')
    },
  },
]
