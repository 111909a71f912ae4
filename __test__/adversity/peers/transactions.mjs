// Rows 16, 17 and 19: transactions whose session dies, that run side by side, and whose callers leave. What has run where, the
// server tells by what is stored.
import { setTimeout as sleep } from 'node:timers/promises'
import { outcomeOf, pidOf, tally, terminate, told } from './outcomes.mjs'

/** Each row is one statement, with the session and the transaction that have executed it. */
const STATEMENTS = `
  drop table if exists statements;
  create table statements (work int not null, step int not null, pid int not null default pg_backend_pid(),
    xid xid8 not null default pg_current_xact_id())`
const INSERT = 'insert into statements (work, step) values ($1, $2)'
const LATER = 5

/** A transaction on one of three connections dies, on which six others wait for theirs, and its program goes on. */
async function death({ open, url, admin }, isBusy) {
  const driver = await open(url, { max: 3 })
  await admin.execute(STATEMENTS)
  let isOver = false
  const beside = [1, 2, 3, 4, 5, 6].map(async () => {
    while (!isOver) await outcomeOf(driver.query('select 1 as n'))
  })
  const later = []
  // A driver may give the transaction up before its program is at its end.
  let program
  const goOn = async (query) => {
    const pid = await pidOf({ query })
    await query(INSERT, [0, 0])
    const running = isBusy ? outcomeOf(query('select pg_sleep(60)')) : undefined
    const sleeping = "select count(*)::int from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'"
    while (isBusy && (await admin.fetchVal(sleeping, [pid])) === 0);
    await terminate(admin, [pid])
    await running
    // It has something else to do before.
    await sleep(200)
    for (let step = 1; step <= LATER; step += 1) later.push(await outcomeOf(query(INSERT, [0, step])))
  }
  const work = driver.transaction((query) => {
    program = goOn(query)
    return program
  })
  const end = await outcomeOf(work, 60_000)
  await outcomeOf(program, 60_000)
  isOver = true
  await Promise.all(beside)
  const stored = await admin.fetchVal('select count(*)::int from statements')
  return `the ${LATER} statements behind it: ${tally(later)}; the transaction ${told(end).replace('answered', 'is reported as done')}; ${stored} of them have run elsewhere`
}

/** What is thrown out of a transaction, and is no failure. */
const MEANT = 'meant'
const KINDS = ['all is done', 'its program throws', 'a statement fails', 'its program does not wait']
const AT_ONCE = 8
const WORKS = 400

/** One transaction, whose statements are not awaited one by one, in one of four ways. */
function together(driver, work) {
  const kind = work % KINDS.length
  return driver.transaction(async (query) => {
    const steps = Array.from({ length: AT_ONCE }, (_, step) =>
      kind === 2 && step === 2 ? query('select 1/0 as n') : query(INSERT, [work, step]),
    )
    if (kind === 3) {
      for (const step of steps) step.catch(() => {})
      throw new Error(MEANT)
    }
    await Promise.all(steps)
    if (kind === 1) throw new Error(MEANT)
  })
}

async function sideBySide({ open, url, admin }) {
  const driver = await open(url, { max: 4 })
  await admin.execute(STATEMENTS)
  const outcomes = []
  for (let first = 0; first < WORKS; first += 20) {
    const works = Array.from({ length: 20 }, (_, index) => first + index)
    outcomes.push(
      ...(await Promise.all([
        ...works.map((work) => outcomeOf(together(driver, work), 20_000)),
        ...works.map((work) => outcomeOf(driver.query(INSERT, [work + 10_000, 0]), 20_000)),
      ])),
    )
    if (outcomes.some((outcome) => !('value' in outcome || 'error' in outcome))) break
  }
  // Those that nobody has waited for may still run.
  await sleep(500)
  const count = (text) => admin.fetchVal(`select count(*)::int from (${text}) found`)
  const torn = await count(
    'select work from statements where work < 10000 group by work having count(distinct xid) > 1',
  )
  const mixed = await count('select xid from statements group by xid having count(distinct work) > 1')
  const left = await count(`select 1 from statements where work < 10000 and work % ${KINDS.length} <> 0`)
  const short = await count(
    `select work from statements where work < 10000 and work % ${KINDS.length} = 0 group by work having count(*) <> ${AT_ONCE}`,
  )
  const hung = outcomes.filter((outcome) => !('value' in outcome || 'error' in outcome)).length
  return `${torn} transactions in pieces, ${mixed} with statements of others; of what was rolled back ${left} statements are stored; ${short} of those that were committed are not whole; ${hung} never settle`
}

const ROUNDS = 300

async function leaving({ open, url, admin }) {
  const driver = await open(url, { max: 1 })
  await admin.execute(STATEMENTS)
  const [nextOnes, found] = [[], new Map()]
  const note = (what) => found.set(what, (found.get(what) ?? 0) + 1)
  for (let work = 0; work < ROUNDS; work += 1) {
    const { done, leave } = driver.begun(async (query) => {
      await query("set local application_name to 'inside'")
      for (let step = 0; step < 3; step += 1) await query(INSERT, [work, step])
      await query('select pg_sleep(0.002)')
    })
    const end = outcomeOf(done)
    await sleep(Math.random() * 8)
    leave()
    const next = await outcomeOf(
      driver.query(`select current_setting('application_name') as name, $1::int as work`, [work]),
    )
    nextOnes.push(next)
    if ('value' in next) {
      const [row] = next.value
      note(
        row.name === 'inside'
          ? 'the transaction of who left'
          : row.work === work
            ? 'a clean session'
            : "another's answer",
      )
    }
    if (told(await end) === 'never settles') note('who left waits for ever')
    if (!('value' in next || 'error' in next)) break
  }
  const parts = await admin.fetchVal(
    'select count(*)::int from (select work from statements group by work having count(*) <> 3) parts',
  )
  const shown = [...found].map(([what, count]) => `${count} times ${what}`).join(', ')
  return `the next call: ${tally(nextOnes)}; it finds ${shown || 'nothing'}; ${parts} of the transactions are stored in part`
}

/** @type {import('./scenarios.mjs').Scenario[]} */
export const TRANSACTIONS = [
  {
    number: '16',
    title: `the session of a transaction ends between two statements, on one of three connections for which six others wait, and its program goes on with ${LATER} more`,
    play: (context) => death(context, false),
  },
  {
    number: '16',
    title: 'the same in the middle of a statement',
    play: (context) => death(context, true),
  },
  {
    number: '17',
    title: `${WORKS} transactions, 20 at once on 4 connections, each of ${AT_ONCE} statements at once, beside as many single ones; of four transactions one is committed, one throws, one has a statement that fails, and one throws without waiting for its statements`,
    play: sideBySide,
  },
  {
    number: '19',
    title: `${ROUNDS} transactions on one connection, each of which its caller leaves after up to 8 ms (by a signal, a cancel, or by waiting for it no more), and a call behind each`,
    play: leaving,
  },
]
