// Rows 1 and 2: FIN or RST after each byte of a session, in either direction.
import { type Connection, connect, createPool, type Pool, PostgresError } from 'oxpg'
import { url } from '../../support/server.js'
import { FaultProxy } from '../../support/testkit.js'
import { nameOf, places, Row, spread } from './report.js'
import { COMMAND_TIMEOUT_MS, countersAgree, Ledger, playSession } from './session.js'
import { isTls } from './where.js'

const LANES = 6
const TARGETS = ['connection', 'pool'] as const
/** Each target, one after the other and all at once. */
const KINDS = 2 * TARGETS.length
/** By how much a session may be shorter than another: by its end, and by how its messages meet. */
const LAST_BYTES = 150

interface Case {
  id: number
  effect: 'fin' | 'rst'
  direction: 'toServer' | 'toClient'
  after: number
  target: (typeof TARGETS)[number]
  isAtOnce: boolean
  /** Whether the session may be over before: what it is asked next may be what is cut. */
  isLast: boolean
}

interface Lane {
  proxy: FaultProxy
  admin: Connection
}

/** How many bytes a session of each kind has when nothing happens to it. */
async function lengths(target: Case['target'], isAtOnce: boolean, ledger: Ledger, row: Row) {
  const proxy = await FaultProxy.open()
  const session = target === 'pool' ? await createPool(proxy.url, { maxSize: 1 }) : await connect(proxy.url)
  await playSession(session, 0, ledger, row, isAtOnce)
  await session.close()
  const { toServer, toClient } = await proxy.event({ event: 'closed', connection: 1 })
  await proxy.close()
  return { toServer, toClient }
}

/** `isInTurn`: each place is met by one of the kinds of sessions, which take turns, and not by all. */
export async function cuts(stride: number, isInTurn: boolean): Promise<Row[]> {
  const rows = {
    fin: new Row('1', 'the end of the stream (FIN) after a byte of a session'),
    rst: new Row('2', 'a reset (RST) after a byte of a session'),
  }
  const measured = new Row('1', '')
  const cases: Case[] = []
  const ledgers = { fin: await Ledger.open(), rst: await Ledger.open() }
  let id = 0
  let kind = -1
  let bytes = ''
  for (const target of TARGETS) {
    for (const isAtOnce of [false, true]) {
      kind += 1
      const ledger = await Ledger.open()
      const ends = await lengths(target, isAtOnce, ledger, measured)
      await ledger.settle(measured)
      bytes = `${ends.toServer} bytes to the server, ${ends.toClient} to the client`
      for (const effect of ['fin', 'rst'] as const) {
        for (const direction of ['toServer', 'toClient'] as const) {
          const first = isInTurn ? kind * stride : 0
          for (const after of places(ends[direction], isInTurn ? KINDS * stride : stride, first)) {
            id += 1
            const isLast = ends[direction] - after < LAST_BYTES
            cases.push({ id, effect, direction, after, target, isAtOnce, isLast })
          }
        }
      }
    }
  }
  const lanes: Lane[] = []
  for (let lane = 0; lane < LANES; lane += 1) {
    lanes.push({
      proxy: await FaultProxy.open(),
      admin: await connect(url),
    })
  }
  await spread(cases, LANES, (item, lane) =>
    play(item, lanes[lane]!, ledgers[item.effect], rows[item.effect]),
  )
  for (const effect of ['fin', 'rst'] as const) {
    const row = rows[effect]
    await ledgers[effect].settle(row)
    row.failures.push(...measured.failures)
    row.detail = `every ${stride === 1 ? '' : `${stride}th `}byte of startup with ${isTls ? 'TLS and ' : ''}SCRAM, pipelined prepared queries, insert, executeMany, transaction, notice and error (${bytes}), both directions, on a connection and through a pool, one after the other and all at once${isInTurn ? ': each byte in one of these four, in turn' : ''}`
  }
  for (const { proxy, admin } of lanes) {
    await admin.close()
    await proxy.close()
  }
  return Object.values(rows)
}

async function play(item: Case, lane: Lane, ledger: Ledger, row: Row): Promise<void> {
  const { id, effect, direction, after, target, isAtOnce } = item
  const what = `case ${id} (${effect} ${direction} after ${after}, ${target}${isAtOnce ? ', at once' : ''})`
  const failed = row.failures.length
  row.cases += 1
  await lane.proxy.plan({ [direction]: { fault: { at: { after }, effect } } }, 1)
  const name = `adversity-${process.pid}-${id}`
  const options = {
    applicationName: name,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    connectTimeoutMs: COMMAND_TIMEOUT_MS,
  }
  if (target === 'pool') {
    const pool = await createPool(lane.proxy.url, { ...options, minSize: 0, maxSize: 1 })
    await playSession(pool, id, ledger, row, isAtOnce)
    await afterwards(pool, name, lane.admin, row, what, item.isLast)
    pool.terminate()
  } else {
    const opened = await row.settled(connect(lane.proxy.url, options), COMMAND_TIMEOUT_MS, `${what}: connect`)
    if (opened.status === 'fulfilled') {
      await playSession(opened.value, id, ledger, row, isAtOnce)
      const c = opened.value
      // It is either usable or says that it is not.
      const next = await row.settled(c.fetchVal('select $1::int', [id]), COMMAND_TIMEOUT_MS, `${what}: next`)
      row.check(
        (next.status === 'fulfilled') === !c.isClosed,
        `${what}: isClosed is ${c.isClosed}, ${next.status}`,
      )
      c.terminate()
    } else {
      const error = opened.reason as PostgresError
      row.count(`connect: ${nameOf(error)}`)
      const isLost =
        error instanceof PostgresError && (error.sqlstate ?? '').startsWith('08') && error.safeToRetry
      row.check(isLost, `${what}: connect: ${nameOf(error)}: ${error.message}`)
    }
  }
  // Which it was, beside what failed; others fail meanwhile.
  if (row.failures.slice(failed).some((failure) => failure.includes(`case ${id},`)))
    row.failures.push(`row ${row.number}: … in ${what}`)
}

async function afterwards(
  pool: Pool,
  name: string,
  admin: Connection,
  row: Row,
  what: string,
  mayBeCut: boolean,
): Promise<void> {
  let next = await row.next(pool.fetchVal('select 42'), `${what}: the next query`)
  if (mayBeCut && next.status === 'rejected' && (next.reason as PostgresError).isTransient)
    next = await row.next(pool.fetchVal('select 42'), `${what}: the query after the next`)
  const value = next.status === 'fulfilled' ? next.value : nameOf(next.reason)
  row.check(value === 42, `${what}: the next query gives ${value}`)
  await countersAgree(pool, name, admin, row)
}
