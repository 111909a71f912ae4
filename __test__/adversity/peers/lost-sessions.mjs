// Rows 10 to 13: sessions that end, and servers that are stopped and started again.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectSocket, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, outcomeOf, pidOf, tally, terminate, told } from './outcomes.mjs'

/** Three sessions, which are idle. */
async function threeIdle(open, url, options) {
  const driver = await open(url, { max: 3, ...options })
  const leases = await Promise.all([1, 2, 3].map(() => driver.acquire()))
  const pids = await Promise.all(leases.map(pidOf))
  for (const lease of leases) await lease.release()
  return { driver, pids }
}

const threeMore = async (driver) =>
  tally(await Promise.all([1, 2, 3].map((n) => outcomeOf(driver.query('select $1::int as n', [n])))))

/** Endings of the server, and what the callers of a pool hear until it is back. */
async function restart({ open, url, server }, how) {
  const driver = await open(url, { max: 4 })
  let isOver = false
  let done = 0
  const errors = new Map()
  let unsettled = 0
  const caller = async () => {
    while (!isOver) {
      const outcome = await outcomeOf(driver.query('select 1 as n'))
      if ('value' in outcome) done += 1
      else if ('error' in outcome) {
        errors.set(codeOf(outcome.error), (errors.get(codeOf(outcome.error)) ?? 0) + 1)
        await sleep(20)
      } else {
        unsettled += 1
        return
      }
    }
  }
  const callers = Array.from({ length: 8 }, caller)
  while (done < 50) await sleep(5)
  await server('end', how)
  await sleep(1_000)
  const before = done
  await server('restart')
  const start = performance.now()
  while (done === before && performance.now() - start < 30_000) await sleep(1)
  const recoveryMs = Math.round(performance.now() - start)
  isOver = true
  await Promise.all(callers)
  const recovered = done > before ? `serves again after ${recoveryMs} ms` : 'does not serve again within 30 s'
  const lost = unsettled > 0 ? `; ${unsettled} of 8 callers were never answered` : ''
  return `${recovered}; errors: ${[...errors.keys()].toSorted().join(', ') || 'none'}${lost}`
}

/** @type {import('./scenarios.mjs').Scenario[]} */
export const LOST_SESSIONS = [
  {
    number: '10',
    title: 'three idle sessions are terminated, then three queries; nobody listens for errors',
    async play({ open, url, admin }) {
      const { driver, pids } = await threeIdle(open, url, { isDeaf: true })
      await terminate(admin, pids)
      return threeMore(driver)
    },
  },
  {
    number: '10',
    title: 'the same while the loop stands still, with a listener for errors',
    async play({ open, url }) {
      const { driver, pids } = await threeIdle(open, url)
      const program = `
        import { connect } from 'oxpg'
        const c = await connect(${JSON.stringify(url)})
        await c.fetch('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [[${pids}]])
        while (await c.fetchVal('select count(*) from pg_stat_activity where pid = any($1)', [[${pids}]]) > 0);
        await c.close()`
      execFileSync(process.execPath, ['--input-type=module', '-e', program])
      return threeMore(driver)
    },
  },
  {
    number: '11',
    title: 'a session is terminated in mid-query; one connection, four queries behind',
    async play({ open, url, admin }) {
      const driver = await open(url, { max: 1 })
      const pid = await pidOf(driver)
      const head = outcomeOf(driver.query('select pg_sleep(60)'))
      const behind = [1, 2, 3, 4].map((n) => outcomeOf(driver.query('select $1::int as n', [n])))
      const sleeping = "select count(*)::int from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'"
      while ((await admin.fetchVal(sleeping, [pid])) === 0);
      await admin.fetch('select pg_terminate_backend($1)', [pid])
      return `the running one ${told(await head)}; of those behind it ${tally(await Promise.all(behind))}`
    },
  },
  ...['fast', 'immediate', 'killed'].map((how) => ({
    number: '12',
    title: `the server is ${how === 'killed' ? 'killed' : `stopped (${how})`} and is back after a second, 8 callers on 4 connections`,
    play: (context) => restart(context, how),
  })),
  {
    number: '13',
    title: '2 000 queries wait on 10 connections while each attempt is reset, for 5 s',
    async play({ open, url }) {
      const { hostname, port } = new URL(url)
      let isAway = false
      let attempts = 0
      const sockets = new Set()
      const proxy = createServer((front) => {
        front.on('error', () => {})
        if (isAway) {
          attempts += 1
          front.resetAndDestroy()
          return
        }
        const back = connectSocket(Number(port), hostname)
        back.on('error', () => {})
        for (const socket of [front, back]) sockets.add(socket)
        front.pipe(back).pipe(front)
      })
      proxy.listen(0, '127.0.0.1')
      await once(proxy, 'listening')
      const through = Object.assign(new URL(url), { hostname: '127.0.0.1', port: proxy.address().port })
      const driver = await open(through.href, { max: 10 })
      await Promise.all(Array.from({ length: 10 }, () => driver.query('select 1 as n')))
      isAway = true
      for (const socket of sockets) socket.resetAndDestroy()
      const calls = Array.from({ length: 2_000 }, (_, n) =>
        outcomeOf(driver.query('select $1::int as n', [n]), 20_000),
      )
      await sleep(5_000)
      isAway = false
      return `${attempts} attempts; ${tally(await Promise.all(calls))}`
    },
  },
]
