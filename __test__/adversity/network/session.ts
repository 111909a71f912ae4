// A session that does a bit of everything, and what must have become of it whatever the network did.
import { type Connection, connect, type Pool, PostgresError } from 'oxpg'
import { uniqueName, url } from '../../support/server.js'
import { nameOf, type Row } from './report.js'

/** Longer than anything here takes: whatever gets so far hangs. */
export const COMMAND_TIMEOUT_MS = 10_000

/** SQLSTATEs of sessions that are lost: class 08, and what a server that shuts down says. */
const LOST = /^(08|57P)/
/** The number of rows that a step stores, all or none. */
const STORED = { many: 3, transaction: 2, single: 1 } as const

/** A step that stores rows, and how it ended. */
interface Stored {
  id: number
  step: keyof typeof STORED
  outcome: 'done' | 'not done' | 'unknown'
}

/** The table that the sessions of one run store in. */
export class Ledger {
  readonly table = uniqueName('adversity')
  readonly #steps: Stored[] = []

  constructor(readonly admin: Connection) {}

  static async open(): Promise<Ledger> {
    const ledger = new Ledger(await connect(url))
    await ledger.admin.execute(`create table ${ledger.table} (id int not null, step text not null)`)
    return ledger
  }

  note(id: number, step: keyof typeof STORED, result: PromiseSettledResult<unknown>): void {
    const isSafe = result.status === 'rejected' && (result.reason as PostgresError).safeToRetry === true
    const outcome = result.status === 'fulfilled' ? 'done' : isSafe ? 'not done' : 'unknown'
    this.#steps.push({ id, step, outcome })
  }

  /** What was said to be stored is, once; what was said to be safe to repeat is not; nothing is half there. */
  async settle(row: Row): Promise<void> {
    const rows = await this.admin.fetch<{ id: number; step: string; n: number }>(
      `select id, step, count(*)::int as n from ${this.table} group by id, step`,
    )
    const found = new Map(rows.map(({ id, step, n }) => [`${id} ${step}`, n]))
    for (const { id, step, outcome } of this.#steps) {
      const n = found.get(`${id} ${step}`) ?? 0
      const all = STORED[step]
      const holds = outcome === 'done' ? n === all : n === 0 || (outcome === 'unknown' && n === all)
      row.check(holds, `case ${id}, ${step}: ${outcome}, and ${n} of ${all} rows are there`)
    }
    await this.admin.execute(`drop table ${this.table}`)
    await this.admin.close()
  }
}

/** What a session does: its steps, each of which settles by itself. */
export async function playSession(
  target: Connection | Pool,
  id: number,
  ledger: Ledger,
  row: Row,
  isAtOnce: boolean,
): Promise<void> {
  const { table } = ledger
  const token = `case-${id}`
  const notices: string[] = []
  const isConnection = 'onNotice' in target
  if (isConnection) target.onNotice((notice) => notices.push(notice.message))
  const store = `insert into ${table} values ($1, $2)`
  const steps: [name: string, run: () => Promise<unknown>, judge: (value: unknown) => boolean][] = [
    [
      'pipeline',
      () => Promise.all([1, 2, 3].map((n) => target.fetchVal('select $1::text', [`${token}-${n}`]))),
      (value) => String(value) === `${token}-1,${token}-2,${token}-3`,
    ],
    ['single', () => target.execute(store, [id, 'single']), (value) => value === 'INSERT 0 1'],
    [
      'many',
      () =>
        target.executeMany(
          store,
          Array.from({ length: STORED.many }, () => [id, 'many']),
        ),
      (value) => value === STORED.many,
    ],
    [
      'transaction',
      () =>
        target.transaction(async (tx) => {
          await tx.execute(store, [id, 'transaction'])
          await tx.execute(store, [id, 'transaction'])
          return tx.fetchVal('select $1::int', [id])
        }),
      (value) => value === id,
    ],
    [
      'notice',
      () => target.execute(`do $$ begin raise notice '${token}'; end $$`),
      (value) => value === 'DO',
    ],
    ['error', () => target.fetchVal('select $1::int / 0', [id]), () => false],
    ['last', () => target.fetchVal('select $1::int', [id]), (value) => value === id],
  ]
  const play = async ([name, run, judge]: (typeof steps)[number]): Promise<void> => {
    const what = `case ${id}, ${name}`
    // Each call has the command's time, and may wait for the others' before.
    const result = await row.settled(run(), COMMAND_TIMEOUT_MS * (isAtOnce ? steps.length : 1), what)
    if (name in STORED) ledger.note(id, name as keyof typeof STORED, result)
    if (result.status === 'fulfilled') {
      row.check(judge(result.value), `${what}: another's answer: ${JSON.stringify(result.value)}`)
      return
    }
    const error = result.reason as PostgresError
    row.count(nameOf(error))
    if (name === 'error' && error.sqlstate === '22012') return
    const isLost = error instanceof PostgresError && LOST.test(error.sqlstate ?? '')
    row.check(isLost, `${what}: ${nameOf(error)}: ${error.message}`)
  }
  // What a connection is asked while it has a transaction is a part of that transaction.
  const isShared = ([name]: (typeof steps)[number]): boolean => !isConnection || name !== 'transaction'
  const together = isAtOnce ? steps.filter(isShared) : []
  await Promise.all(together.map(play))
  for (const step of steps) if (!together.includes(step)) await play(step)
  row.check(notices.length <= 1 && notices.every((text) => text === token), `case ${id}: notices ${notices}`)
}

/** What was played on, when all is over: a pool counts as the server does, and is ended; a connection closes. */
export async function endOfTarget(
  target: Pool | Connection,
  applicationName: string,
  admin: Connection,
  row: Row,
  what: string,
  limitMs: number,
): Promise<void> {
  if ('acquire' in target) {
    await countersAgree(target, applicationName, admin, row)
    target.terminate()
    return
  }
  const closed = await row.settled(target.close(), limitMs, `${what}: close`)
  row.check(closed.status === 'fulfilled' && target.isClosed, `${what}: close`)
}

/** The counters of a pool and what the server counts are one within a short time. */
export async function countersAgree(pool: Pool, name: string, admin: Connection, row: Row): Promise<void> {
  const sessions = 'select count(*)::int from pg_stat_activity where application_name = $1'
  const end = performance.now() + 5_000
  let there: number | null
  do {
    there = await admin.fetchVal<number>(sessions, [name])
    if (there === pool.stats.size && pool.stats.opening === 0) return
  } while (performance.now() < end)
  row.fail(`${name}: the pool has ${JSON.stringify(pool.stats)}, the server ${there} sessions`)
}
