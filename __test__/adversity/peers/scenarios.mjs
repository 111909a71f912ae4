// What each driver is asked for, and how its outcome is told: rows of docs/reliability.md that any of them can run.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectSocket, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Who has not settled by then does not. */
const PATIENCE_MS = 5_000

function codeOf(error) {
  if (error === undefined || error === null) return `${error}`
  // That of an AbortError is a number of the DOM's.
  if (typeof error.code === 'string') return error.code
  return `${error.name ?? ''} ${error.message}`.trim()
}

/** What comes of a promise: `{ value }`, `{ error }` or `{}`. */
async function outcomeOf(call, patienceMs = PATIENCE_MS) {
  const controller = new AbortController()
  const late = sleep(patienceMs, {}, { signal: controller.signal }).catch(() => ({}))
  const outcome = await Promise.race([
    (async () => call)().then(
      (value) => ({ value }),
      (error) => ({ error }),
    ),
    late,
  ])
  controller.abort()
  return outcome
}

const told = (outcome) =>
  'error' in outcome ? `rejects: ${codeOf(outcome.error)}` : 'value' in outcome ? 'answered' : 'never settles'

/** `3 answered, 1 rejects: 57P01`. */
function tally(outcomes) {
  const counts = new Map()
  for (const outcome of outcomes) counts.set(told(outcome), (counts.get(told(outcome)) ?? 0) + 1)
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ')
}

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

const pidOf = async (target) => (await target.query('select pg_backend_pid() as pid'))[0].pid

async function terminate(admin, pids) {
  await admin.fetch('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids])
  while (
    (await admin.fetchVal('select count(*)::int from pg_stat_activity where pid = any($1)', [pids])) > 0
  );
}

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

/** @type {{ number: string, title: string, play(context: object): Promise<string> }[]} */
export const SCENARIOS = [
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
