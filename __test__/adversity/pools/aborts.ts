// Row 19: a caller gives up at each of its awaits, and the next one finds a clean session.
import { connect, type Pool, type Transaction, TransactionResolutionUnknownError } from 'oxpg'
import { uniqueName, url } from '../../support/server.js'
import { nameOf, Row } from '../network/report.js'
import { isClean, stateOf } from './cleanliness.js'
import { ALL_THE_TIME_MS, openPool, said, wellAfterwards } from './sessions.js'

/** When, of an await, its caller gives up. */
const MOMENTS: Record<string, (abort: () => void) => Promise<void> | void> = {
  'before it is sent': (abort) => abort(),
  'in the same tick': (abort) => void queueMicrotask(abort),
  'a tick later': (abort) => void process.nextTick(abort),
  'a turn of the loop later': (abort) => void setImmediate(abort),
  'some turns later': (abort) => {
    let turns = 4
    const turn = (): void => {
      turns -= 1
      if (turns === 0) abort()
      else setImmediate(turn)
    }
    setImmediate(turn)
  },
}

/** A guard that gives up at its `target`th await. */
class Giver {
  readonly controller = new AbortController()
  #awaits = 0

  constructor(
    readonly target: number,
    readonly moment: string,
  ) {}

  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** Awaits something; if it is the one, the caller gives up meanwhile. */
  async at<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#awaits += 1
    if (this.#awaits !== this.target) return call(this.signal)
    const abort = (): void => this.controller.abort(new Error('given up'))
    if (this.moment === 'before it is sent') {
      abort()
      return call(this.signal)
    }
    const calling = call(this.signal)
    await MOMENTS[this.moment]!(abort)
    return calling
  }
}

const store = (tx: Transaction, giver: Giver, table: string, id: number): Promise<string> =>
  giver.at((signal) => tx.execute(`insert into ${table} values ($1)`, [id], { signal }))

/** The body of a transaction, with something of each kind to be given up. */
async function body(tx: Transaction, giver: Giver, table: string, id: number): Promise<void> {
  await store(tx, giver, table, id)
  await giver.at((signal) => tx.execute("set local work_mem to '1MB'", undefined, { signal }))
  await giver.at((signal) => tx.fetchVal('select pg_sleep(0.002)', [], { signal }))
  await giver.at((signal) =>
    tx.transaction(async (inner) => void (await store(inner, giver, table, id)), { signal }),
  )
  await giver.at((signal) => tx.executeMany(`insert into ${table} values ($1)`, [[id], [id]], { signal }))
  await giver.at((signal) => tx.prepare('select $1::int', { signal }))
  await store(tx, giver, table, id)
}
/** How many rows it stores, and how many awaits it has. */
const ROWS = 5
const AWAITS = 8

/** What has the body in it. */
const WHOLES: Record<string, (pool: Pool, giver: Giver, table: string, id: number) => Promise<void>> = {
  'pool.transaction': (pool, giver, table, id) =>
    giver.at((signal) => pool.transaction((tx) => body(tx, giver, table, id), { signal })),
  'pool.begin': async (pool, giver, table, id) => {
    await using tx = await giver.at((signal) => pool.begin({ signal }))
    await body(tx, giver, table, id)
    await giver.at(() => tx.commit())
  },
  'acquire and transaction': async (pool, giver, table, id) => {
    await using lease = await giver.at((signal) => pool.acquire({ signal }))
    await giver.at((signal) => lease.execute("set search_path to public, 'left'", undefined, { signal }))
    await giver.at((signal) => lease.fetchVal('select pg_advisory_lock(11)', [], { signal }))
    await giver.at((signal) => lease.transaction((tx) => body(tx, giver, table, id), { signal }))
  },
  'BEGIN by hand': async (pool, giver, table, id) => {
    await pool.use(async (lease) => {
      await giver.at((signal) => lease.execute('begin', undefined, { signal }))
      for (let n = 0; n < ROWS; n += 1) {
        await giver.at((signal) => lease.execute(`insert into ${table} values ($1)`, [id], { signal }))
      }
      await giver.at((signal) => lease.execute('commit', undefined, { signal }))
    })
  },
}
/** More than any of them has. */
const MOST_AWAITS = AWAITS + 4

export async function aborts(rounds: number): Promise<Row[]> {
  const row = new Row('19', 'callers who give up at each of their awaits')
  const admin = await connect(url)
  const table = uniqueName('aborts')
  await admin.execute(`create table ${table} (id int not null)`)
  const open = await openPool({ minSize: 1, maxSize: 1 })
  const fresh = await open.pool.use(stateOf)
  const done = new Set<number>()
  const unsure = new Set<number>()
  let id = 0
  for (let round = 0; round < rounds; round += 1) {
    for (const [whole, play] of Object.entries(WHOLES)) {
      for (let target = 1; target <= MOST_AWAITS; target += 1) {
        for (const moment of Object.keys(MOMENTS)) {
          id += 1
          row.cases += 1
          const what = `case ${id} (${whole}, await ${target}, ${moment})`
          const giver = new Giver(target, moment)
          const outcome = await row.settled(play(open.pool, giver, table, id), ALL_THE_TIME_MS, what)
          if (outcome.status === 'fulfilled') done.add(id)
          else {
            row.count(nameOf(outcome.reason))
            const isOurs = outcome.reason === giver.signal.reason
            // One that waited for its COMMIT only, or fell into another's failure, says which.
            row.check(isOurs || giver.signal.aborted, `${what}: ${said(outcome)}`)
            // Its COMMIT was on its way: nobody knows, and it is all or nothing.
            const isUnknown = outcome.reason instanceof TransactionResolutionUnknownError
            if (whole === 'BEGIN by hand' || isUnknown) unsure.add(id)
          }
          await row.settled(isClean(open.pool, fresh, row, what), ALL_THE_TIME_MS, `${what}: the next user`)
        }
      }
    }
  }
  const rows = await admin.fetch<{ id: number; n: number }>(
    `select id, count(*)::int as n from ${table} group by id`,
  )
  const stored = new Map(rows.map(({ id: one, n }) => [one, n]))
  for (let one = 1; one <= id; one += 1) {
    const n = stored.get(one) ?? 0
    const holds = done.has(one) ? n === ROWS : n === 0 || (unsure.has(one) && n === ROWS)
    row.check(holds, `case ${one}: ${done.has(one) ? 'done' : 'given up'}, ${n} of ${ROWS} rows are stored`)
  }
  await wellAfterwards(open, admin, row, 'afterwards')
  open.pool.terminate()
  await admin.execute(`drop table ${table}`)
  await admin.close()
  row.detail = `a transaction of ${ROWS} rows with a savepoint, executeMany, prepare and a query that takes its time, by ${Object.keys(WHOLES).join(', ')}; at each of up to ${MOST_AWAITS} awaits ${Object.keys(MOMENTS).join(', ')}: all of it is stored or nothing, and the next user of the same pool of one finds a clean session`
  return [row]
}
