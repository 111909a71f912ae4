// Makes the driver panic in one place, while connections and pools are busy with everything, and looks at what becomes of
// all calls.
//
//   OXPG_NATIVE_PATH=an addon with the feature failpoints  node panic.cjs PLACE SKIP TIMES [worker]    URL in OXPG_TEST_URL
const { createRequire } = require('node:module')
const { setTimeout: sleep } = require('node:timers/promises')
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads')
const oxpg = require('oxpg')

const addon = createRequire(__filename)(process.env.OXPG_NATIVE_PATH)
const url = process.env.OXPG_TEST_URL
const LIMIT_MS = 20_000
const [place, skip, times, where] = isMainThread ? process.argv.slice(2) : workerData

const problems = []
let rejected = 0

/** Every call settles; what it gives is its own. */
async function settle(what, call, wanted) {
  let timer
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, LIMIT_MS, 'late')
  })
  const outcome = await Promise.race([Promise.allSettled([call]), late])
  clearTimeout(timer)
  if (outcome === 'late') {
    problems.push(`${what}: not settled within ${LIMIT_MS} ms`)
    return undefined
  }
  const [{ status, value, reason }] = outcome
  if (status === 'rejected') {
    rejected += 1
    if (!(reason instanceof Error)) problems.push(`${what}: rejected with ${reason}`)
    return undefined
  }
  if (wanted !== undefined && value !== wanted) problems.push(`${what}: ${JSON.stringify(value)} in place of ${wanted}`)
  return value
}

/** All kinds of calls at once, for a while. */
async function work({ pool, c }) {
  const query = 'select $1::int'
  const calls = []
  const add = (what, call, wanted) => calls.push(settle(what, call, wanted))
  for (let round = 0; round < 4; round += 1) {
    for (const [name, target] of [['pool', pool], ['connection', c]]) {
      for (let n = 0; n < 4; n += 1) add(`${name}: a query`, target.fetchVal(query, [n]), n)
      // Cold: each text is new.
      add(`${name}: a new query`, target.fetchVal(`select $1::int + ${round}`, [n1(round)]), 2 * round + 1)
      add(`${name}: rows`, target.fetch('select n, repeat($1, 50) from generate_series(1, 2000) n', ['x']).then((rows) => rows.length), 2000)
      add(`${name}: a script`, target.execute('select 1; select 2'), 'SELECT 1')
      add(`${name}: executeMany`, target.executeMany(query, [[1], [2], [3]]), 3)
      add(`${name}: a transaction`, target.transaction((tx) => tx.fetchVal(query, [7])), 7)
      add(`${name}: one that is given up`, target.fetchVal('select pg_sleep(5)', [], { timeoutMs: 30 }))
      add(`${name}: an error`, target.fetchVal('select 1 / $1::int', [0]))
    }
    add('a lease', pool.use((lease) => lease.fetchVal(query, [8])), 8)
    add('a waiter', pool.acquire({ timeoutMs: 20 }).then((lease) => lease.release()))
    add('another connection', oxpg.connect(url).then((other) => other.close()))
    add('another pool', oxpg.createPool(url, { minSize: 1 }).then((other) => other.close()))
    await sleep(5)
  }
  await Promise.all(calls)
  // These run when they are given up, so that they are cancelled.
  const giveUp = (target) => target.fetchVal('select pg_sleep(5)', [], { timeoutMs: 50 })
  for (let round = 0; round < 4; round += 1)
    await Promise.all([settle('a cancel on the pool', giveUp(pool)), settle('a cancel', giveUp(c))])
}
const n1 = (round) => round + 1

async function play() {
  const applicationName = `panic-${process.pid}`
  // The rare time of its life in which something has to be done is often.
  const pool = await oxpg.createPool(url, { minSize: 1, maxSize: 3, applicationName, maxInactiveConnectionLifetimeMs: 30 })
  const c = await oxpg.connect(url)
  // A queue of other places in front of it.
  addon.armFailpoint(place, Number(skip), Number(times))
  await work({ pool, c })
  addon.armFailpoint(place, 0, 0)
  // What was hit is over; the pool serves, and both sides count the same.
  const next = await settle('the next query of the pool', pool.fetchVal('select 42'), 42)
  if (next !== 42) problems.push('the pool is of no use any more')
  await settle('all of the pool', Promise.all([1, 2, 3].map(() => pool.acquire())).then((all) => Promise.all(all.map((one) => one.release()))))
  const onConnection = await settle('the next query of the connection', c.fetchVal('select 43'))
  if ((onConnection === 43) === c.isClosed) problems.push(`the connection gives ${onConnection}, isClosed is ${c.isClosed}`)
  const admin = await oxpg.connect(url)
  const sessions = 'select count(*)::int from pg_stat_activity where application_name = $1'
  const end = Date.now() + LIMIT_MS
  for (;;) {
    const there = await admin.fetchVal(sessions, [applicationName])
    if (there === pool.stats.size && pool.stats.opening === 0 && pool.stats.waiting === 0) break
    if (Date.now() > end) {
      problems.push(`the server has ${there} sessions, the pool ${JSON.stringify(pool.stats)}`)
      break
    }
  }
  await settle('close of the pool', pool.close())
  await settle('close of the connection', c.close())
  await settle('close of another', admin.close())
  return { hits: addon.failpointHits(place), rejected, problems }
}

/** What a worker leaves open is taken down with it. */
async function playWorker() {
  const c = await oxpg.connect(url)
  const worker = new Worker(__filename, { workerData: [place, skip, times, 'inside'] })
  await new Promise((resolve) => worker.once('message', resolve))
  addon.armFailpoint(place, Number(skip), Number(times))
  await settle('the end of the worker', worker.terminate())
  addon.armFailpoint(place, 0, 0)
  await settle('a query beside it', c.fetchVal('select 44'), 44)
  await settle('close of the connection', c.close())
  return { hits: addon.failpointHits(place), rejected, problems }
}

async function stayOpen() {
  const pool = await oxpg.createPool(url, { minSize: 3 })
  await oxpg.connect(url)
  pool.fetchVal('select pg_sleep(30)').catch(() => {})
  parentPort.postMessage('open')
}

for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (error) => problems.push(`${event}: ${error?.stack ?? error}`))

if (where === 'inside') void stayOpen()
else
  (where === 'worker' ? playWorker() : play()).then(
    (result) => console.log(JSON.stringify(result)),
    (error) => {
      console.error(error)
      process.exitCode = 9
    },
  )
