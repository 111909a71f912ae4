// Rows 18 and 22 to 27: who gets which connection of a pool, when, and as what.
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, outcomeOf, PATIENCE_MS, tally, told } from './outcomes.mjs'

/** What is left on a session, and how it shows. */
const LEFT = {
  'an open transaction': [
    "begin; set local application_name to 'inside'",
    "select case current_setting('application_name') when 'inside' then 'left' else 'clean' end as found",
  ],
  'a failed transaction': ['begin; select 1/0', "select 'clean' as found"],
  SET: [
    'set search_path to nowhere',
    "select case current_setting('search_path') when 'nowhere' then 'left' else 'clean' end as found",
  ],
  ROLE: [
    'set role pg_monitor',
    "select case current_user when 'pg_monitor' then 'left' else 'clean' end as found",
  ],
  LISTEN: [
    'listen somebody',
    "select case (select count(*) from pg_listening_channels()) when 0 then 'clean' else 'left' end as found",
  ],
  'an advisory lock': [
    'select pg_advisory_lock(1)',
    "select case (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) when 0 then 'clean' else 'left' end as found",
  ],
  'a temporary table': [
    'create temp table left_behind (id int)',
    "select case when to_regclass('pg_temp.left_behind') is null then 'clean' else 'left' end as found",
  ],
  'a cursor': [
    'declare left_open cursor with hold for select 1',
    "select case (select count(*) from pg_cursors where name = 'left_open') when 0 then 'clean' else 'left' end as found",
  ],
}

/** @type {import('./scenarios.mjs').Scenario[]} */
export const POOLS = [
  {
    number: '18',
    title: 'what the next user of a released connection finds',
    async play({ open, url }) {
      const found = []
      for (const [left, [script, question]] of Object.entries(LEFT)) {
        const driver = await open(url, { max: 1 })
        const lease = await driver.acquire()
        for (const statement of script.split(';')) await outcomeOf(lease.query(statement))
        await lease.release()
        const next = await outcomeOf(driver.acquire())
        const outcome = 'value' in next ? await outcomeOf(next.value.query(question)) : next
        const state = 'value' in outcome ? outcome.value[0].found : told(outcome)
        if (state !== 'clean') found.push(state === 'left' ? left : `${left} (${state})`)
      }
      return found.length === 0 ? 'a clean session' : `left are ${found.join(', ')}`
    },
  },
  {
    number: '22',
    title: 'a query on the pool inside a transaction of its only connection',
    async play({ open, url }) {
      const driver = await open(url, { max: 1 })
      const start = performance.now()
      const outcome = await outcomeOf(driver.transaction(() => driver.query('select 1 as n')))
      const ms = Math.round(performance.now() - start)
      return 'error' in outcome
        ? `rejects after ${ms} ms: ${codeOf(outcome.error)}`
        : `${told(outcome)} (${PATIENCE_MS / 1000} s)`
    },
  },
  {
    number: '23',
    title: '1 000 callers on 50 connections, ten times each: acquire, 5 ms, release',
    async play({ open, url }) {
      const driver = await open(url, { max: 50 })
      let asked = 0
      let served = 0
      let overtaken = 0
      const waits = []
      const caller = async () => {
        for (let round = 0; round < 10; round += 1) {
          const number = asked
          asked += 1
          const start = performance.now()
          const lease = await driver.acquire()
          if (number !== served) overtaken += 1
          served += 1
          if (round > 1) waits.push(performance.now() - start)
          await lease.query('select pg_sleep(0.005)')
          await lease.release()
        }
      }
      await Promise.all(Array.from({ length: 1_000 }, caller))
      waits.sort((a, b) => a - b)
      const at = (share) => waits[Math.floor(share * (waits.length - 1))]
      return `${overtaken} of ${asked} out of turn; p99 of the waiting ${(at(0.99) / at(0.5)).toFixed(2)} times its p50`
    },
  },
  {
    number: '24',
    title: 'a limit of 500 ms for waiting, while the only connection is in use',
    async play({ open, url, name }) {
      if (name === 'postgres.js') return 'has no such limit'
      const driver = await open(url, { max: 1, waitMs: 500 })
      const lease = await driver.acquire()
      const waiter = await outcomeOf(driver.acquire())
      await lease.release()
      return `the waiter ${told(waiter)}; afterwards ${told(await outcomeOf(driver.query('select 1 as n')))}`
    },
  },
  {
    number: '25',
    title: 'a connection is released twice, then two users ask the pool of one',
    async play({ open, url }) {
      const driver = await open(url, { max: 1 })
      const lease = await driver.acquire()
      await lease.release()
      const again = await outcomeOf((async () => lease.release())())
      const first = await driver.acquire()
      const second = await outcomeOf(driver.acquire(), 1_000)
      const after = await outcomeOf(lease.query('select 1 as n'), 1_000)
      await first.release()
      const shares = 'value' in second ? 'both have it at once' : 'the second waits'
      const use = 'value' in after ? "runs, on another user's session" : told(after)
      return `the second release ${'error' in again ? `throws: ${codeOf(again.error)}` : 'does nothing that shows'}; ${shares}; a query on what was released ${use}`
    },
  },
  {
    number: '26',
    title: 'a lifetime of 1 s, and a query of 3 s on each of 4 connections',
    async play({ open, url }) {
      const driver = await open(url, { max: 4, lifetimeMs: 1_000 })
      const calls = Array.from({ length: 4 }, () => outcomeOf(driver.query('select pg_sleep(3)'), 30_000))
      return tally(await Promise.all(calls))
    },
  },
  {
    number: '27',
    title: 'close() while four queries run and four wait, on 4 connections',
    async play({ open, url }) {
      const driver = await open(url, { max: 4 })
      await Promise.all([1, 2, 3, 4].map(() => driver.query('select pg_sleep(0.05)')))
      const calls = Array.from({ length: 8 }, () => outcomeOf(driver.query('select pg_sleep(0.5)')))
      await sleep(100)
      const closing = outcomeOf(driver.close())
      return `${tally(await Promise.all(calls))}; close ${told(await closing).replace('answered', 'ends')}`
    },
  },
]
