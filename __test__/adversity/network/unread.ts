// Row 9: a server that stops reading in the middle of what is large, for good, for a while, or until it closes.
import {
  type Connection,
  connect,
  createPool,
  type Pool,
  type PoolConnection,
  PostgresError,
  TimeoutError,
} from 'oxpg'
import { uniqueName, url } from '../../support/server.js'
import { FaultProxy } from '../../support/testkit.js'
import { nameOf, Row, spread } from './report.js'
import { endOfTarget } from './session.js'

/** Each case keeps what it sends in memory, and so do those between. */
const LANES = 6
const MIB = 2 ** 20
/** More than all buffers between a client and its server take. */
const LARGE_BYTES = 16 * MIB
const PIECES = 64
const TIMEOUT_MS = 1_000
/** More than anything takes. */
const ALL_THE_TIME_MS = 20_000

const LARGE = Buffer.alloc(LARGE_BYTES, 'x')
const HALF = LARGE.subarray(0, LARGE_BYTES / 2)
const PIECE = LARGE.subarray(0, LARGE_BYTES / PIECES)
const TEXT = LARGE.toString('latin1')

/** Something that stores `rows` rows of this number, all or none. */
interface Asked {
  id: number
  rows: number
  answer: Promise<unknown>
  /** What it gives. */
  gives: unknown
}

/** The statement that stores a number and how long a value is. */
const insert = (table: string): string =>
  `insert into ${table} select $1::int, octet_length($2::bytea) returning id`

const pieces = (id: number): [number, Buffer][] =>
  Array.from({ length: PIECES }, (): [number, Buffer] => [id, PIECE])

/** What is asked of a connection or pool. */
const CALLS: Record<string, (target: Connection | Pool, table: string, id: number) => Asked[]> = {
  'a parameter': (target, table, id) => [
    { id, rows: 1, gives: id, answer: target.fetchVal(insert(table), [id, LARGE]) },
  ],
  'a text': (target, table, id) => [
    {
      id,
      rows: 1,
      gives: id,
      answer: target.fetchVal(`insert into ${table} select ${id}, length('${TEXT}') returning id`),
    },
  ],
  'a script': (target, table, id) => [
    {
      id,
      rows: 1,
      gives: 'INSERT 0 1',
      answer: target.execute(`select 1; insert into ${table} select ${id}, length('${TEXT}')`),
    },
  ],
  executeMany: (target, table, id) => [
    { id, rows: PIECES, gives: PIECES, answer: target.executeMany(insert(table), pieces(id)) },
  ],
  'executeMany of an iterator': (target, table, id) => [
    {
      id,
      rows: PIECES,
      gives: PIECES,
      answer: target.executeMany(
        insert(table),
        (async function* () {
          yield* pieces(id)
        })(),
      ),
    },
  ],
  fetchMany: (target, table, id) => [
    {
      id,
      rows: PIECES,
      gives: PIECES,
      answer: target.fetchMany(insert(table), pieces(id)).then((rows) => rows.length),
    },
  ],
  'a batch': (target, table, id) => [
    {
      id,
      rows: 2,
      gives: 2,
      answer: target
        .batch([
          [insert(table), [id, HALF]],
          [insert(table), [id, HALF]],
        ])
        .then((answers) => answers.flat().length),
    },
  ],
  'a pipeline': (target, table, id) =>
    pieces(id).map(([, piece], index) => ({
      id: id + index,
      rows: 1,
      gives: id + index,
      answer: target.fetchVal(insert(table), [id + index, piece]),
    })),
  'a transaction': (target, table, id) => [
    {
      id,
      rows: 2,
      gives: 'both',
      answer: target.transaction(async (tx) => {
        await tx.execute(insert(table), [id, PIECE])
        await tx.execute(insert(table), [id, LARGE])
        return 'both'
      }),
    },
  ],
  'a stream': (target, table, id) => [
    {
      id,
      rows: 1,
      gives: 1,
      answer: (async () => {
        let rows = 0
        for await (const _ of target.stream(insert(table), [id, LARGE])) rows += 1
        return rows
      })(),
    },
  ],
}

/** What becomes of the server: it reads nothing any more, and then this. */
const ENDS = ['for good', 'again', 'fin', 'rst', 'terminated'] as const

interface Case {
  id: number
  call: string
  target: 'connection' | 'pool' | 'lease'
  end: (typeof ENDS)[number]
  /** Behind so many bytes of the session. */
  place: number
}

export async function unread(places: readonly number[], isFull: boolean): Promise<Row[]> {
  const row = new Row('9', 'a server that stops reading in the middle of what is large')
  const cases: Case[] = []
  for (const place of places) {
    for (const end of ENDS) {
      for (const [index, target] of (['connection', 'pool', 'lease'] as const).entries()) {
        // In part each call has one of them.
        for (const call of Object.keys(CALLS).filter((_, place) => isFull || place % 3 === index)) {
          // Each has numbers of its own.
          cases.push({ id: cases.length * PIECES, call, target, end, place })
        }
      }
    }
  }
  const admin = await connect(url)
  const table = uniqueName('unread')
  await admin.execute(`create table ${table} (id int not null, length int not null)`)
  await spread(cases, LANES, (item) => play(item, table, admin, row))
  await bothAtOnce(row)
  await admin.execute(`drop table ${table}`)
  await admin.close()
  const calls = Object.keys(CALLS).join(', ')
  row.detail = `${LARGE_BYTES / MIB} MiB as ${calls}; on a connection, through a pool and on a connection of a pool. Behind ${places.map((place) => place / 1024).join(', ')} KiB the server reads no more: for good (all settle at their deadline), until it reads again (all is answered), until its end or a reset of the stream, or until its session is terminated (an error at once, or done elsewhere). What was answered is stored, what was not is not or says that this is unknown, another connection goes on meanwhile. And answers as large as the questions, in one pipeline. COPY is not there yet`
  return [row]
}

/** Whether it says that the session is lost. */
const isLost = (error: unknown): boolean =>
  error instanceof PostgresError && /^(08|57P01)/.test(error.sqlstate ?? '')

async function play(
  { id, call, target, end, place }: Case,
  table: string,
  admin: Connection,
  row: Row,
): Promise<void> {
  const what = `case ${id} (${call} on a ${target}, ${end} behind ${place})`
  row.cases += 1
  const proxy = await FaultProxy.open()
  const isForGood = end === 'for good'
  // What is held would keep the server's session, also when the client has gone.
  const effect = isForGood ? 'stall' : 'hold'
  await proxy.plan({ toServer: { fault: { at: { after: place }, effect } } }, 1)
  const applicationName = `adversity-unread-${process.pid}-${id}`
  const options = { applicationName, ...(isForGood ? { commandTimeoutMs: TIMEOUT_MS } : {}) }
  const pool =
    target === 'connection' ? undefined : await createPool(proxy.url, { ...options, minSize: 1, maxSize: 1 })
  const lease: PoolConnection | undefined = target === 'lease' ? await pool!.acquire() : undefined
  const asked = lease ?? pool ?? (await connect(proxy.url, options))
  const pid = await asked.fetchVal<number>('select pg_backend_pid()', [], { timeoutMs: ALL_THE_TIME_MS })
  const calls = CALLS[call]!(asked, table, id)
  // In the middle of a transaction the statement has its time, and then the ROLLBACK.
  const deadlineMs = isForGood ? (call === 'a transaction' ? 2 : 1) * TIMEOUT_MS : ALL_THE_TIME_MS
  const asking = calls.map(({ answer, id: number }) =>
    row.settled(answer, deadlineMs, `${what}, number ${number}`),
  )
  await proxy.event({ event: 'fault', effect })
  const beside = await row.settled(
    admin.fetchVal('select 42'),
    ALL_THE_TIME_MS,
    `${what}: another connection`,
  )
  row.check(beside.status === 'fulfilled' && beside.value === 42, `${what}: another connection`)
  const since = performance.now()
  if (end === 'again') await proxy.release()
  else if (end === 'terminated') await admin.fetch('select pg_terminate_backend($1)', [pid])
  else if (end !== 'for good') await proxy.change(end)
  const outcomes = await Promise.all(asking)
  if (!isForGood && end !== 'again') row.measure('settled {} ms after the end', performance.now() - since)
  const stored = await admin.fetch<{ id: number; n: number }>(
    `select id, count(*)::int as n from ${table} where id between $1 and $1 + ${PIECES - 1} group by id`,
    [id],
  )
  const count = new Map(stored.map((one) => [one.id, one.n]))
  for (const [index, outcome] of outcomes.entries()) {
    const { id: number, rows, gives } = calls[index]!
    const n = count.get(number) ?? 0
    const which = `${what}, number ${number}`
    if (outcome.status === 'fulfilled') {
      row.count(`answered, ${end}`)
      row.check(outcome.value === gives, `${which}: gives ${JSON.stringify(outcome.value)}`)
      row.check(n === rows, `${which}: answered, and ${n} of ${rows} are stored`)
      continue
    }
    const error = outcome.reason as PostgresError
    row.count(`${nameOf(error)}, ${end}`)
    const isMeant = isForGood ? isLate(error) : isLost(error)
    row.check(isMeant && end !== 'again', `${which}: ${nameOf(error)}: ${error.message}`)
    row.check(
      n === 0 || (n === rows && !error.safeToRetry),
      `${which}: failed, and ${n} of ${rows} are stored`,
    )
  }
  if (isForGood) row.check(outcomes.at(-1)!.status === 'rejected', `${what}: it was answered`)
  if (lease !== undefined) {
    const released = await row.settled(
      lease.release().catch(() => {}),
      ALL_THE_TIME_MS,
      `${what}: release`,
    )
    row.check(released.status === 'fulfilled', `${what}: release`)
  }
  if (pool !== undefined || end === 'again') {
    const next = await row.next(
      (pool ?? asked).fetchVal('select $1::int', [id], { timeoutMs: ALL_THE_TIME_MS }),
      `${what}: the next query`,
    )
    row.check(
      next.status === 'fulfilled' && next.value === id,
      `${what}: the next query: ${next.status === 'fulfilled' ? next.value : nameOf(next.reason)}`,
    )
  }
  await endOfTarget(pool ?? (asked as Connection), applicationName, admin, row, what, ALL_THE_TIME_MS)
  await proxy.close()
}

/** The limit of the call; of a transaction whose ROLLBACK found none either, or whose COMMIT has no answer, as its cause. */
const isLate = (error: PostgresError): boolean =>
  error instanceof TimeoutError || error.cause instanceof TimeoutError

/** Both ends have more to say than the other one and the buffers between can take at once: who only wrote would wait for ever. */
async function bothAtOnce(row: Row): Promise<void> {
  const c = await connect(url)
  const ways: Record<string, () => Promise<number[]>> = {
    'a pipeline': () =>
      Promise.all(
        Array.from(
          { length: 8 },
          async () => (await c.fetchVal<Buffer>('select $1::bytea', [LARGE]))!.length,
        ),
      ),
    fetchMany: async () =>
      (await c.fetchMany<{ x: Buffer }>('select $1::bytea as x', Array(8).fill([LARGE]))).map(
        ({ x }) => x.length,
      ),
    batch: async () => {
      const answers = await c.batch(Array(8).fill(['select $1::bytea as x', [LARGE]]))
      return answers.flat().map((answer) => (answer as unknown as { x: Buffer }).x.length)
    },
  }
  for (const [how, ask] of Object.entries(ways)) {
    row.cases += 1
    const outcome = await row.settled(ask(), ALL_THE_TIME_MS, `both at once, ${how}`)
    const isWhole =
      outcome.status === 'fulfilled' &&
      outcome.value.length === 8 &&
      outcome.value.every((length) => length === LARGE_BYTES)
    row.check(isWhole, `both at once, ${how}: ${outcome.status === 'rejected' ? nameOf(outcome.reason) : ''}`)
  }
  await c.close()
}
