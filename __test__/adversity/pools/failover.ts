// Row 14: a primary goes away, in each of its manners, or is switched over to its standby, which is promoted; under a pool
// for sessions that write.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Connection,
  connect,
  PostgresError,
  parseDsn,
  ReadOnlySQLTransactionError,
  TargetServerAttributeNotMatched,
  TimeoutError,
} from 'oxpg'
import { until } from '../../support/server.js'
import { nameOf, Row } from '../network/report.js'
import { Callers, WRITTEN } from './callers.js'
import { type Ending, type Server, startPair } from './clusters.js'
import { hasNone, type NamedPool, openPool, pidsOf, wellAfterwards } from './sessions.js'

/** So many calls have to be done before each change, and again afterwards. */
const ENOUGH = 100
const RECOVERY_MS = 2_000

/** How the primary ends: `planned` has it refuse to write first, as whoever switches over does. */
type Change = Ending | 'planned'
/** What the pool asks of its sessions. */
type Wanted = 'read-write' | 'primary'

/** A primary and its standby, and what the sessions of both know of them. */
interface Pair {
  primary: Server
  standby: Server
  /** Both, always in the same order. */
  readonly dsn: string
}

/** The changes of each round; behind the last of them the old primary is no more. */
const COURSES: readonly (readonly Change[])[] = [
  ['planned', 'killed'],
  ['fast', 'planned', 'immediate'],
  ['planned', 'fast', 'killed'],
  ['fast', 'planned', 'fast', 'planned', 'immediate'],
]

export async function failover(rounds: number, downMs: number): Promise<Row[]> {
  const row = new Row('14', 'failover from a primary to its standby')
  for (let round = 0; round < rounds; round += 1) {
    const course = COURSES[round % COURSES.length]!
    await playCourse(course, round % 2 === 0 ? 'read-write' : 'primary', downMs, row)
  }
  row.detail = `the primary is stopped fast or immediately, killed, or switched over (it refuses to write, is stopped, and comes back as the standby of the other), ${downMs / 1000} s until its standby is promoted, up to ${Math.max(...COURSES.map(({ length }) => length))} times in a row, under ${Callers.count} callers (inserts, transactions, executeMany, leases, scripts) on a pool of 6 for sessions that write and under one that is idle: errors are transient, each session that gives 25006 is replaced, what was done is stored once, what is safeToRetry is not, and the pool writes to the new primary by itself`
  return [row]
}

async function playCourse(
  course: readonly Change[],
  wanted: Wanted,
  downMs: number,
  row: Row,
): Promise<void> {
  const { primary, standby } = await startPair()
  const { username, password, pathname } = new URL(primary.url)
  const hosts = [primary, standby].map(({ host, port }) => `${host}:${port}`)
  const pair: Pair = {
    primary,
    standby,
    dsn: `postgres://${username}:${password}@${hosts}${pathname}`,
  }
  row.check(parseDsn(pair.dsn).hosts.length === 2, `the hosts of ${hosts}`)
  const setUp = await connect(primary.url)
  await setUp.execute(WRITTEN)
  await setUp.close()
  const open = await openPool({ maxSize: 6, targetSessionAttrs: wanted }, pair.dsn)
  const idle = await openPool({ minSize: 3, maxSize: 3, targetSessionAttrs: wanted }, pair.dsn)
  let isFenced = false
  const callers = new Callers(open.pool, row, `for ${wanted}, ${course}`, (error) =>
    error instanceof ReadOnlySQLTransactionError ? isFenced : isMapped(error),
  )
  try {
    for (const [index, change] of course.entries()) {
      const what = `for ${wanted}, ${course.slice(0, index + 1)}`
      row.cases += 1
      await callers.enough(ENOUGH, 'calls that are done')
      await hasItsPlaces(pair, row, what)
      if (change === 'planned') {
        isFenced = true
        await fence(pair.primary, [open, idle], row, what)
      }
      await pair.primary.end(change === 'planned' ? 'fast' : change)
      await until(async () => hasNone(open.pool), `${what}: the end of the sessions`)
      await isAway(pair, row, what)
      await sleep(downMs)
      const before = callers.done
      const admin = await connect(pair.standby.url)
      row.check((await admin.fetchVal('select pg_promote()')) === true, `${what}: it is not promoted`)
      const back = performance.now()
      isFenced = false
      await until(async () => callers.done > before, `${what}: the recovery`)
      row.measure('recovery {} ms', performance.now() - back, RECOVERY_MS)
      await callers.enough(ENOUGH, 'calls that are done afterwards')
      await writesAgain(idle, row, what)
      ;[pair.primary, pair.standby] = [pair.standby, pair.primary]
      if (index < course.length - 1) {
        await comeBack(pair, admin)
        await isElsewhere(pair, [open, idle], row, what)
      }
      await admin.close()
    }
    await callers.end()
    const admin = await connect(pair.primary.url)
    await callers.judge(admin)
    for (const one of [open, idle]) await wellAfterwards(one, admin, row, `for ${wanted}, ${course}`)
    const alone = await connect(pair.dsn, { targetSessionAttrs: 'prefer-standby' })
    row.check(
      (await alone.fetchVal('select pg_is_in_recovery()')) === false,
      'prefer-standby takes what there is',
    )
    await Promise.all([alone.close(), admin.close()])
  } finally {
    callers.stop()
    open.pool.terminate()
    idle.pool.terminate()
    await Promise.all([primary.stop(), standby.stop()])
  }
}

/** Whether it says that there is no server that writes. */
const isMapped = (error: unknown): boolean =>
  error instanceof TimeoutError ||
  (error instanceof TargetServerAttributeNotMatched && error.isTransient && error.safeToRetry) ||
  (error instanceof PostgresError && error.isTransient && /^(08|57P)/.test(error.sqlstate ?? ''))

/** Whoever asks for a standby, or for the primary, has it, in whatever order they are named. */
async function hasItsPlaces({ dsn }: Pair, row: Row, what: string): Promise<void> {
  for (const [targetSessionAttrs, isInRecovery] of [
    ['prefer-standby', true],
    ['standby', true],
    ['read-only', true],
    ['primary', false],
    ['read-write', false],
  ] as const) {
    const c = await connect(dsn, { targetSessionAttrs })
    const found = await c.fetchVal('select pg_is_in_recovery()')
    row.check(found === isInRecovery, `${what}: ${targetSessionAttrs} gives a server in recovery: ${found}`)
    await c.close()
  }
}

/** Has a primary refuse to write, until none of the sessions that have met with it is there any more. */
async function fence(primary: Server, [busy, idle]: NamedPool[], row: Row, what: string): Promise<void> {
  const admin = await connect(primary.url)
  const before = await pidsOf(admin, busy!.name)
  const spared = await pidsOf(admin, idle!.name)
  await admin.execute('alter system set default_transaction_read_only = on')
  await admin.execute('select pg_reload_conf()')
  await until(
    async () => !(await pidsOf(admin, busy!.name)).some((pid) => before.includes(pid)),
    `${what}: the end of the sessions that only read`,
  )
  row.count('sessions that were replaced')
  // Who was told of nothing keeps its sessions.
  const left = await pidsOf(admin, idle!.name)
  row.check(
    spared.length > 0 && spared.every((pid) => left.includes(pid)),
    `${what}: idle sessions have ended`,
  )
  await admin.close()
}

/** While the primary is away and its standby only reads. */
async function isAway({ dsn }: Pair, row: Row, what: string): Promise<void> {
  const error = await connect(dsn, { targetSessionAttrs: 'read-write' }).then(
    () => undefined,
    (reason: unknown) => reason as TargetServerAttributeNotMatched,
  )
  const is = error instanceof TargetServerAttributeNotMatched && error.isTransient
  row.check(is, `${what}: while it is away ${nameOf(error)}`)
  const errors = error?.errors ?? []
  const says = errors.map((one) => (one.cause as NodeJS.ErrnoException)?.code ?? one.message)
  const isTold = says.includes('ECONNREFUSED') && says.some((text) => /the session is read-only/.test(text))
  row.check(errors.length === 2 && isTold, `${what}: while it is away ${says}`)
}

/** A pool that nobody has asked for anything meanwhile; its last attempt may have found no server. */
async function writesAgain({ pool }: NamedPool, row: Row, what: string): Promise<void> {
  await until(
    async () =>
      (await pool.execute('create temp table if not exists mine ()').catch((error: unknown) => {
        row.check(isMapped(error), `${what}: an idle pool: ${nameOf(error)}`)
      })) === 'CREATE TABLE',
    `${what}: an idle pool writes`,
  )
}

/** The old primary becomes the standby of the new one, and confirms its commits. */
async function comeBack({ primary, standby }: Pair, admin: Connection): Promise<void> {
  standby.follow(primary)
  await standby.restart()
  await admin.execute("alter system set synchronous_standby_names = '*'")
  await admin.execute('select pg_reload_conf()')
  const setting = "select current_setting('synchronous_standby_names')"
  await until(async () => (await admin.fetchVal(setting)) === '*', 'the setting')
  // The process that has the others wait for the standby looks at its settings before it does this; it may have begun with
  // the first before it was told of them.
  for (let time = 0; time < 2; time += 1) await admin.execute('checkpoint')
  const lsn = await admin.fetchVal<string>('select pg_current_wal_lsn()::text')
  const confirmed =
    "select count(*)::int from pg_stat_replication where sync_state = 'sync' and flush_lsn >= $1"
  await until(async () => (await admin.fetchVal(confirmed, [lsn])) === 1, 'the standby')
}

/** No session of a pool that writes is on the standby. */
async function isElsewhere({ standby }: Pair, pools: NamedPool[], row: Row, what: string): Promise<void> {
  const admin = await connect(standby.url)
  for (const { name } of pools) {
    const pids = await pidsOf(admin, name)
    row.check(pids.length === 0, `${what}: ${pids.length} sessions on the standby`)
  }
  await admin.close()
}
