// Has work in flight, and drains on SIGTERM, as a server does that is deployed anew.
//
//   node drain.cjs STATE END     URL in OXPG_TEST_URL
const { connect, createPool } = require('oxpg')

const [, , state, end] = process.argv
const url = process.env.OXPG_TEST_URL
const SECONDS = 0.3

/** What is in flight when the signal comes; each gives what it must come to. */
const WORK = {
  idle: () => [],
  queries: (pool) => [1, 2, 3, 4, 5, 6].map((id) => [pool.fetchVal('select $1::int from pg_sleep($2)', [id, SECONDS]), id]),
  transaction: (pool) => [
    [
      pool.transaction(async (tx) => {
        await tx.execute('create temp table drained (id int) on commit drop')
        await tx.fetchVal('select pg_sleep($1)', [SECONDS])
        await tx.execute('insert into drained values (1)')
        return tx.fetchVal('select count(*)::int from drained')
      }),
      1,
    ],
  ],
  lease: (pool) => [
    [
      pool.use(async (lease) => {
        await lease.execute("set application_name to 'drained'; begin")
        await lease.fetchVal('select pg_sleep($1)', [SECONDS])
        return lease.fetchVal('select 2')
      }),
      2,
    ],
  ],
  executeMany: (pool) => [
    [pool.executeMany('select pg_sleep($1)', Array.from({ length: 10 }, () => [SECONDS / 10])), 10],
  ],
  waiting: (pool) => Array.from({ length: 8 }, (_, id) => [
    pool.use((lease) => lease.fetchVal('select $1::int from pg_sleep($2)', [id, SECONDS / 4])), id,
  ]),
}

/** How it ends. */
const ENDS = {
  close: (pool) => pool.close(),
  'close with a limit': (pool) => pool.close({ timeoutMs: 30_000 }),
  // Nobody closes anything: the process ends when its work has.
  exit: async (_, work) => {
    await Promise.allSettled(work.map(([call]) => call))
    process.exit()
  },
}

async function main() {
  const applicationName = `drain-${state}-${end}-${process.pid}`.slice(0, 63)
  const pool = await createPool(url, { applicationName, minSize: 2, maxSize: 4 })
  const c = await connect(url, { applicationName })
  const work = WORK[state](pool)
  // A rejection is looked at below.
  for (const [call] of work) call.catch(() => {})
  // A server has something else that keeps it alive.
  const alive = setInterval(() => {}, 60_000)
  process.once('SIGTERM', async () => {
    clearInterval(alive)
    try {
      // Whoever waited is served as well.
      const ending = ENDS[end](pool, work)
      const begun = await Promise.allSettled(work.map(([call]) => call))
      for (const [index, outcome] of begun.entries()) {
        if (outcome.value !== work[index][1]) throw new Error(`call ${index}: ${outcome.reason ?? outcome.value}`)
      }
      await ending
      await c.close()
    } catch (error) {
      console.error(error)
      process.exitCode = 9
    }
  })
  // It is told when the work is at the server.
  const running = work.length === 0 ? 0 : 1
  const active = "select count(*)::int from pg_stat_activity where application_name in ($1, 'drained') and wait_event = 'PgSleep'"
  while ((await c.fetchVal(active, [applicationName])) < running);
  // An attempt that is under way when the pool is closed is cut, which the server sees: none is.
  while (pool.stats.opening > 0) await c.fetchVal('select 1')
  const query = "select pid from pg_stat_activity where application_name in ($1, 'drained')"
  const pids = await c.fetch(query, [applicationName])
  process.send(
    pids.map(({ pid }) => pid),
    () => process.disconnect(),
  )
}

main().catch((error) => {
  console.error(error)
  process.exit(8)
})
