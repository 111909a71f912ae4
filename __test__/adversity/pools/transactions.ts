// Rows 15 to 17: a connection that is cut after COMMIT, a session that dies inside a transaction, and transactions side by
// side at every pipeline depth.
import { readFile } from 'node:fs/promises'
import {
  type Connection,
  connect,
  type Pool,
  type PostgresError,
  type Transaction,
  TransactionResolutionUnknownError,
} from 'oxpg'
import { uniqueName, until, url } from '../../support/server.js'
import { FaultProxy } from '../../support/testkit.js'
import { nameOf, Row, spread } from '../network/report.js'
import { startServer } from './clusters.js'
import { ALL_THE_TIME_MS, type NamedPool, openPool, said, wellAfterwards } from './sessions.js'

const LANES = 4

/** Ways to commit what one statement stores. `began` counts how often the work was begun. */
const COMMITS: Record<string, (pool: Pool, insert: string, began: () => void) => Promise<unknown>> = {
  'transaction of the pool': (pool, insert, began) =>
    pool.transaction(
      async (tx) => {
        began()
        await tx.execute(insert)
      },
      { retry: 3 },
    ),
  'begin of the pool': async (pool, insert, began) => {
    const tx = await pool.begin()
    began()
    await tx.execute(insert)
    await tx.commit()
  },
  'transaction of a lease': (pool, insert, began) =>
    pool.use((lease) =>
      lease.transaction(
        async (tx) => {
          began()
          await tx.transaction((inner) => inner.execute(insert))
        },
        { retry: 3 },
      ),
    ),
  'COMMIT by hand': (pool, insert, began) =>
    pool.use(async (lease) => {
      began()
      await lease.execute(`begin; ${insert}`)
      await lease.execute('COMMIT')
    }),
}

interface Cut {
  id: number
  commit: string
  /** Behind which bytes: the command's, or those of its answer. */
  direction: 'toServer' | 'toClient'
  effect: 'rst' | 'fin'
}

/** Row 15. */
export async function commits(rounds: number): Promise<Row[]> {
  const row = new Row('15', 'a connection that is cut when COMMIT has been sent')
  const cases: Cut[] = []
  for (let round = 0; round < rounds; round += 1) {
    for (const commit of Object.keys(COMMITS)) {
      for (const direction of ['toServer', 'toClient'] as const) {
        for (const effect of ['rst', 'fin'] as const)
          cases.push({ id: cases.length, commit, direction, effect })
      }
    }
  }
  const admin = await connect(url)
  const table = uniqueName('committed')
  await admin.execute(`create table ${table} (id int not null)`)
  await spread(cases, LANES, (item) => playCut(item, table, admin, row))
  await admin.execute(`drop table ${table}`)
  await admin.close()
  row.detail = `${Object.keys(COMMITS).join(', ')}; cut behind COMMIT on its way, or in front of its answer, by RST and FIN: TransactionResolutionUnknownError without safeToRetry, the work was begun once, also with retry, and is stored once or not at all`
  return [row]
}

async function playCut(
  { id, commit, direction, effect }: Cut,
  table: string,
  admin: Connection,
  row: Row,
): Promise<void> {
  const what = `case ${id} (${commit}, ${effect} ${direction})`
  row.cases += 1
  const proxy = await FaultProxy.open()
  const fault = {
    at: { marker: { text: 'COMMIT', passed: direction === 'toServer' ? undefined : 0 } },
    effect,
  }
  await proxy.plan({ [direction]: { fault } }, 1)
  const named = await openPool({ minSize: 1, maxSize: 1 }, proxy.url)
  let begun = 0
  const work = COMMITS[commit]!(named.pool, `insert into ${table} values (${id})`, () => {
    begun += 1
  })
  const outcome = await row.settled(work, ALL_THE_TIME_MS, what)
  const error = outcome.status === 'rejected' ? (outcome.reason as PostgresError) : undefined
  row.check(
    error instanceof TransactionResolutionUnknownError && !error.safeToRetry,
    `${what}: ${said(outcome)}`,
  )
  row.check(begun === 1, `${what}: begun ${begun} times`)
  await wellAfterwards(named, admin, row, what)
  const stored = await admin.fetchVal<number>(`select count(*)::int from ${table} where id = $1`, [id])
  row.check(stored! <= 1, `${what}: stored ${stored} times`)
  // Its answer had come as far as the proxy.
  if (direction === 'toClient')
    row.check(stored === 1, `${what}: it was committed, and is stored ${stored} times`)
  row.count(stored === 1 ? 'committed' : 'not committed')
  named.pool.terminate()
  await proxy.close()
}

/** Transactions; `inside` is called in them. */
const TRANSACTIONS: Record<
  string,
  (pool: Pool, inside: (tx: Transaction) => Promise<void>) => Promise<unknown>
> = {
  'a callback': (pool, inside) => pool.transaction(inside, { retry: 3 }),
  'a callback in a savepoint': (pool, inside) =>
    pool.transaction((tx) => tx.transaction(inside), { retry: 3 }),
  'begin by hand': async (pool, inside) => {
    const tx = await pool.begin()
    await inside(tx)
    await tx.commit()
  },
  'a callback on a lease': (pool, inside) => pool.use((lease) => lease.transaction(inside)),
  'the pool itself, joining a callback': (pool, inside) =>
    pool.transaction(() => inside(pool as unknown as Transaction)),
}

interface Death {
  id: number
  transaction: string
  /** Whether a statement runs when the session dies. */
  isBusy: boolean
}

/** Statements of one transaction, and how each is asked. */
const STATEMENTS: ((tx: Transaction, text: string) => Promise<unknown>)[] = [
  (tx, text) => tx.execute(text),
  (tx, text) => tx.fetch(`${text} returning id`),
  (tx, text) => tx.executeMany(text.replace(/\((\d+)\)/, '($1::int + 0 * $1)'), [[1]]),
  (tx, text) => tx.execute(`select 1; ${text}`),
  (tx, text) => tx.transaction((inner) => inner.execute(text)),
]

/** Row 16: on a server of its own, whose log says which process was sent what. */
export async function deaths(rounds: number): Promise<Row[]> {
  const row = new Row('16', 'a session that dies inside a transaction')
  const server = await startServer({ log_statement: 'all', log_line_prefix: '%p|' })
  const admin = await connect(server.url)
  await admin.execute('create table lost (id int not null)')
  const cases: Death[] = []
  for (let round = 0; round < rounds; round += 1) {
    for (const transaction of Object.keys(TRANSACTIONS)) {
      for (const isBusy of [false, true]) cases.push({ id: cases.length, transaction, isBusy })
    }
  }
  const pids = new Map<number, number>()
  await spread(cases, LANES, (item) => playDeath(item, server.url, admin, pids, row))
  const stored = await admin.fetchVal('select count(*)::int from lost')
  row.check(stored === 0, `${stored} rows are stored`)
  await admin.close()
  const found = new Set<number>()
  for (const line of (await readFile(server.logFile, 'utf8')).split('\n')) {
    const [, pid, id] = /^(\d+)\|.*of case (\d+)\b/.exec(line) ?? []
    if (pid === undefined) continue
    found.add(Number(id))
    const own = pids.get(Number(id))
    if (Number(pid) !== own) {
      row.fail(`case ${id}: process ${pid} was sent a statement of the transaction on ${own}: ${line}`)
    }
  }
  row.check(found.size === cases.length, `the log tells of ${found.size} cases of ${cases.length}`)
  await server.stop()
  row.detail = `${Object.keys(TRANSACTIONS).join(', ')}, on a pool of 3 whose other sessions are busy; the backend is terminated between statements or in one, and ${STATEMENTS.length} more are asked: all reject, so does the transaction, nothing is stored, and by the server's log no other process was sent any of them`
  return [row]
}

async function playDeath(
  { id, transaction, isBusy }: Death,
  server: string,
  admin: Connection,
  pids: Map<number, number>,
  row: Row,
): Promise<void> {
  const what = `case ${id} (${transaction}${isBusy ? ', in a statement' : ''})`
  row.cases += 1
  const named = await openPool(
    { minSize: 3, maxSize: 3, ambientTransactions: transaction.includes('itself') },
    server,
  )
  const { pool } = named
  let isOver = false
  const beside = (async () => {
    while (!isOver) await pool.fetchVal('select 1')
  })()
  const work = TRANSACTIONS[transaction]!(pool, async (tx) => {
    const pid = await tx.fetchVal<number>('select pg_backend_pid()')
    pids.set(id, pid!)
    await tx.execute(`insert /* of case ${id} */ into lost values (1)`)
    const end = admin.fetch('select pg_terminate_backend($1)', [pid])
    if (isBusy) {
      const running = await row.settled(
        tx.fetch('select pg_sleep(60)'),
        ALL_THE_TIME_MS,
        `${what}: the statement`,
      )
      row.check(running.status === 'rejected', `${what}: the statement that was hit: ${said(running)}`)
    }
    await end
    const gone = 'select count(*)::int from pg_stat_activity where pid = $1'
    await until(async () => (await admin.fetchVal(gone, [pid])) === 0, `${what}: the end`)
    for (const [index, ask] of STATEMENTS.entries()) {
      const later = ask(tx, `insert /* of case ${id} */ into lost values (${index})`)
      const outcome = await row.settled(later, ALL_THE_TIME_MS, `${what}, ${index} later`)
      row.check(outcome.status === 'rejected', `${what}, ${index} later: ${said(outcome)}`)
      if (outcome.status === 'rejected') row.count(nameOf(outcome.reason))
    }
  })
  const outcome = await row.settled(work, ALL_THE_TIME_MS, what)
  row.check(outcome.status === 'rejected', `${what}: ${said(outcome)}`)
  isOver = true
  await row.settled(beside, ALL_THE_TIME_MS, `${what}: queries beside it`)
  await wellAfterwards(named, admin, row, what)
  await pool.close()
}

const DEPTHS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]

/** Row 17. */
export async function besides(rounds: number): Promise<Row[]> {
  const row = new Row('17', 'transactions side by side at every pipeline depth')
  const admin = await connect(url)
  const table = uniqueName('besides')
  await admin.execute(
    `create table ${table} (work int not null, step int not null, xid xid8 not null default pg_current_xact_id(), pid int not null default pg_backend_pid())`,
  )
  for (let round = 0; round < rounds; round += 1) {
    for (const depth of DEPTHS) {
      const named = await openPool({ minSize: 4, maxSize: 4 })
      const first = (round * DEPTHS.length + DEPTHS.indexOf(depth)) * 1_000
      await playBesides(named, first, depth, table, row)
      await wellAfterwards(named, admin, row, `depth ${depth}`)
      await named.pool.close()
    }
  }
  const bad = await admin.fetch<{ work: number }>(
    `select work from ${table} group by work having count(distinct xid) > 1 or count(distinct pid) > 1`,
  )
  row.check(bad.length === 0, `in more than one transaction: ${bad.map(({ work }) => work)}`)
  const shared = await admin.fetch<{ xid: string }>(
    `select xid::text from ${table} group by xid having count(distinct work) > 1`,
  )
  row.check(shared.length === 0, `${shared.length} transactions with statements of others`)
  await admin.execute(`drop table ${table}`)
  await admin.close()
  row.detail = `24 transactions at a time on a pool of 4, each ${DEPTHS.join(', ')} statements without awaiting one, of which a third rolls back and a third has a savepoint that is undone, beside queries on the pool: each transaction has one xid and one process, all of what was committed, nothing of what was not, and nothing of anybody else`
  return [row]
}

async function playBesides(
  { pool }: NamedPool,
  first: number,
  depth: number,
  table: string,
  row: Row,
): Promise<void> {
  const insert = `insert into ${table} (work, step) values ($1, $2)`
  const works = Array.from({ length: 24 }, (_, index) => first + index)
  const one = async (work: number): Promise<number> => {
    row.cases += 1
    const kind = work % 3
    const run = pool.transaction(async (tx) => {
      const steps = Array.from({ length: depth }, (_, step) => tx.execute(insert, [work, step]))
      if (kind === 1) {
        const undone = tx.transaction(async (inner) => {
          await inner.execute(insert, [work, -1])
          throw new Error('undone')
        })
        await undone.catch(() => {})
      }
      await Promise.all(steps)
      if (kind === 2) throw new Error('rolled back')
    })
    const outcome = await row.settled(run, ALL_THE_TIME_MS, `depth ${depth}, ${work}`)
    const isMeant =
      (outcome.status === 'rejected' ? outcome.reason?.message : '') === (kind === 2 ? 'rolled back' : '')
    row.check(isMeant, `depth ${depth}, ${work}: ${said(outcome)}`)
    return kind === 2 ? 0 : depth
  }
  // Each of those is a transaction of its own.
  const single = async (work: number): Promise<number> => {
    await pool.execute(insert, [work, 0])
    return 1
  }
  const expected = await Promise.all([...works.map(one), ...works.map((work) => single(work + 500))])
  for (const [index, count] of expected.entries()) {
    const work = index < works.length ? works[index]! : works[index - works.length]! + 500
    const stored = await pool.fetchVal<number>(`select count(*)::int from ${table} where work = $1`, [work])
    row.check(stored === count, `depth ${depth}, ${work}: ${stored} in place of ${count} are stored`)
  }
}
