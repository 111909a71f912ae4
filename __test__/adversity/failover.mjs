// A primary is killed while a pool writes to it, and its standby promoted: the pool serves again by itself, and what it
// was told is written is there.
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster } from '../../scripts/clusters.mjs'

const { connect, createPool, parseDsn, TargetServerAttributeNotMatched } = createRequire(import.meta.url)(
  'oxpg',
)

const LIMIT_MS = 60_000
const WRITERS = 8

const failures = []
let passed = 0

function check(what, isTrue, found) {
  if (isTrue) passed += 1
  else failures.push(`${what}: ${found}`)
}

/** Asks again until the answer is true. */
async function until(what, ask) {
  const end = Date.now() + LIMIT_MS
  while (!(await ask())) {
    if (Date.now() > end) throw new Error(`${what} did not happen within ${LIMIT_MS} ms`)
    await sleep(5)
  }
}

/** Writes one number after the other until it is told to stop; a number whose call failed is not written again. */
async function write(pool, first, state) {
  for (let number = first; !state.isOver; number += WRITERS) {
    try {
      await pool.execute('insert into written values ($1)', [number])
      state.acknowledged.push(number)
    } catch (error) {
      state.errors.push(error)
    }
  }
}

const { primary, standby } = await startCluster({ hasStandby: true })
const login = { user: primary.user, password: primary.password, database: primary.database }
const both = { ...login, host: [primary.host, standby.host], port: [primary.port, standby.port] }
const ofStandby = { ...login, host: standby.host, port: standby.port }
const pool = await createPool({ ...both, targetSessionAttrs: 'read-write', maxSize: 4 })
try {
  await pool.execute('create table written (number int primary key)')
  check('parseDsn shows both hosts', parseDsn(both).hosts.length === 2, JSON.stringify(parseDsn(both).hosts))

  const reader = await connect({ ...both, targetSessionAttrs: 'prefer-standby' })
  check(
    'prefer-standby reads from the standby',
    await reader.fetchVal('select pg_is_in_recovery()'),
    'the primary',
  )
  await reader.close()
  const writer = await connect({
    ...both,
    host: [...both.host].reverse(),
    port: [...both.port].reverse(),
    targetSessionAttrs: 'primary',
  })
  check(
    'primary passes the standby by',
    !(await writer.fetchVal('select pg_is_in_recovery()')),
    'the standby',
  )
  await writer.close()

  const state = { isOver: false, acknowledged: [], errors: [] }
  const writing = Array.from({ length: WRITERS }, (_, index) => write(pool, index, state))
  await until('a number of writes', async () => state.acknowledged.length >= 200)
  process.kill(primary.pid, 'SIGKILL')
  await until('the end of the sessions', async () => state.errors.length > 0)

  const outage = await connect({ ...both, targetSessionAttrs: 'read-write' }).then(
    () => undefined,
    (error) => error,
  )
  check(
    'the outage is a TargetServerAttributeNotMatched',
    outage instanceof TargetServerAttributeNotMatched,
    outage,
  )
  check('it is transient', outage?.isTransient === true, outage)
  const [refused, readOnly] = outage?.errors ?? []
  check('one host refuses', refused?.cause?.code === 'ECONNREFUSED', refused)
  check('the other only reads', /the session is read-only/.test(readOnly?.message), readOnly)

  const admin = await connect(ofStandby)
  await admin.fetchVal('select pg_promote()')
  const before = state.acknowledged.length
  await until('the pool writes again', async () => state.acknowledged.length >= before + 200)
  state.isOver = true
  await Promise.all(writing)
  check(
    'every error of a call was transient',
    state.errors.every((error) => error.isTransient),
    state.errors.find((error) => !error.isTransient),
  )
  const there = new Set((await admin.fetch('select number from written')).map(({ number }) => number))
  const lost = state.acknowledged.filter((number) => !there.has(number))
  check(
    'what was acknowledged is there',
    lost.length === 0,
    `${lost.length} of ${state.acknowledged.length} are lost`,
  )
  check(
    'the pool is on the new primary',
    (await pool.fetchVal("select current_setting('port')")) === String(standby.port),
    'elsewhere',
  )
  const alone = await connect({ ...both, targetSessionAttrs: 'prefer-standby' })
  check(
    'prefer-standby takes what there is',
    !(await alone.fetchVal('select pg_is_in_recovery()')),
    'a standby',
  )
  await alone.close()
  await admin.close()
} catch (error) {
  failures.push(error.stack)
} finally {
  pool.terminate()
  await Promise.all([primary.stop(), standby.stop()])
}

for (const failure of failures) console.log(failure)
console.log(`failover: ${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
