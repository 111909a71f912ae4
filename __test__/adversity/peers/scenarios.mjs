// What each driver is asked for, and how its outcome is told: rows of docs/reliability.md that any of them can run.
import { GIVING_UP } from './giving-up.mjs'
import { LOST_SESSIONS } from './lost-sessions.mjs'
import { POOLS } from './pools.mjs'
import { PROGRAMS } from './programs.mjs'
import { TRANSACTIONS } from './transactions.mjs'

/** @typedef {{ number: string, title: string, play(context: object): Promise<string> }} Scenario */

/** @type {Scenario[]} */
export const SCENARIOS = [...LOST_SESSIONS, ...TRANSACTIONS, ...POOLS, ...GIVING_UP, ...PROGRAMS].toSorted(
  (one, other) => Number(one.number) - Number(other.number),
)
