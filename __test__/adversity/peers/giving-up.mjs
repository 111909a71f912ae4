// Rows 20 and 21: queries that are given up.
import { setTimeout as sleep } from 'node:timers/promises'
import { outcomeOf, tally } from './outcomes.mjs'

/** @type {import('./scenarios.mjs').Scenario[]} */
export const GIVING_UP = [
  {
    number: '20',
    title:
      '2 000 statements of a millisecond on 4 connections, each given up at about its end, and another one behind each',
    async play({ open, url }) {
      const driver = await open(url, { max: 4 })
      if (driver.start === undefined) return 'has no means to give a query up'
      await Promise.all(Array.from({ length: 8 }, () => driver.query('select 1 as n from pg_sleep(0.05)')))
      const outcomes = []
      const ask = async (n) => {
        const { rows, giveUp } = driver.start('select $1::int as n from pg_sleep(0.001)', [n])
        rows.catch(() => {})
        const delayMs = Math.random() * 2
        const since = performance.now()
        while (performance.now() - since < delayMs) await new Promise(setImmediate)
        giveUp()
        const [row] = await driver.query('select $1::int as n', [n])
        if (row.n !== n) throw new Error(`the answer ${row.n}`)
      }
      for (let n = 0; n < 2_000; n += 8) {
        outcomes.push(
          ...(await Promise.all(Array.from({ length: 8 }, (_, lane) => outcomeOf(ask(n + lane))))),
        )
        if (outcomes.some((outcome) => !('value' in outcome || 'error' in outcome))) break
      }
      return `of those behind ${tally(outcomes)}`
    },
  },
  {
    number: '21',
    title: '500 queries of a minute on 4 connections, all given up after 200 ms, then a query',
    async play({ open, url, admin }) {
      const driver = await open(url, { max: 4 })
      if (driver.start === undefined) return 'has no means to give a query up'
      await driver.query('select 1 as n')
      const started = Array.from({ length: 500 }, () => driver.start('select pg_sleep(60)'))
      const ends = started.map(({ rows }) => outcomeOf(rows))
      await sleep(200)
      for (const { giveUp } of started) giveUp()
      const after = outcomeOf(driver.query('select 1 as n'), 10_000)
      const left =
        "select count(*)::int from pg_stat_activity where query like 'select pg_sleep(60)%' and state = 'active'"
      const told = tally(await Promise.all(ends))
      return `${told}; the query behind ${tally([await after]).slice(2)}; ${await admin.fetchVal(left)} still run`
    },
  },
]
