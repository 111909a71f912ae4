// Loads the module in many workers, one after the other and side by side, and twice in each thread: from its own file and
// from a copy of the addon. Each ends in its own way, and the main thread goes on beside them.
//
//   node many-workers.cjs SERIES PARALLEL    URL in OXPG_TEST_URL
const { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { dirname, join } = require('node:path')
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads')

const url = process.env.OXPG_TEST_URL
const ENDS = ['end', 'exit', 'throw', 'terminate', 'open']

/** The module once more, on another file of the addon. */
function loadCopy(file) {
  const root = dirname(require.resolve('oxpg'))
  for (const name of Object.keys(require.cache)) {
    if (name.startsWith(root)) delete require.cache[name]
  }
  process.env.OXPG_NATIVE_PATH = file
  const copy = require('oxpg')
  delete process.env.OXPG_NATIVE_PATH
  return copy
}

async function use({ connect, createPool }, number) {
  const c = await connect(url)
  const pool = await createPool(url, { minSize: 1, maxSize: 2 })
  const values = await Promise.all([c, pool, pool, pool].map((target) => target.fetchVal('select $1::int', [number])))
  if (values.some((value) => value !== number)) throw new Error(`${values} in place of ${number}`)
  return { c, pool }
}

const close = ({ c, pool }) => Promise.all([c.close(), pool.close()])

async function inside({ number, end, copy }) {
  const first = require('oxpg')
  const second = loadCopy(copy)
  if (first.connect === second.connect) throw new Error('it was not loaded again')
  const both = await Promise.all([use(first, number), use(second, number + 1)])
  if (end !== 'open' && end !== 'terminate') await Promise.all(both.map(close))
  if (end === 'terminate') both[0].c.fetchVal('select pg_sleep(30)').catch(() => {})
  parentPort.postMessage('done')
  if (end === 'exit') process.exit(0)
  if (end === 'throw') throw new Error('on purpose')
}

/** A worker, from its start to its end. */
function live(number, copy) {
  const end = ENDS[number % ENDS.length]
  const worker = new Worker(__filename, { workerData: { number, end, copy } })
  return new Promise((resolve, reject) => {
    let isDone = false
    worker.once('message', () => {
      isDone = true
      if (end === 'terminate') void worker.terminate()
    })
    worker.once('error', (error) => {
      if (end !== 'throw' || error.message !== 'on purpose') reject(error)
    })
    worker.once('exit', () => {
      if (isDone) resolve()
      else reject(new Error(`worker ${number} (${end}) ended before it was done`))
    })
  })
}

/** How often the figures are looked at again: for ten seconds and more. */
const TURNS = 1_000
const linux = process.platform === 'linux'
const count = (folder) => (linux ? readdirSync(join('/proc/self', folder)).length : 0)
const figures = () => ({
  threads: count('task'),
  descriptors: count('fd'),
  rssMiB: linux ? Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024 : 0,
})

/** The figures, once threads and descriptors that are about to end have ended: what was left behind stays. */
async function settledFigures(before) {
  for (let turn = 0; ; turn += 1) {
    const now = figures()
    const isSettled = now.threads <= before.threads && now.descriptors <= before.descriptors
    if (isSettled || turn === TURNS) return now
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function main() {
  const [, , series, parallel] = process.argv.map(Number)
  const loaded = require('oxpg')
  const folder = mkdtempSync(join(tmpdir(), 'oxpg-copy-'))
  const addon = process.report.getReport().sharedObjects
  const own = await use(loaded, 1)
  // By now it is loaded.
  const file = process.report.getReport().sharedObjects.find((name) => !addon.includes(name) && name.endsWith('.node'))
    ?? addon.find((name) => name.endsWith('.node'))
  const copy = join(folder, 'oxpg-copy.node')
  copyFileSync(file, copy)
  try {
    let number = 0
    const rounds = []
    for (let round = 0; round < series; round += 1) {
      const workers = Array.from({ length: parallel }, () => {
        number += 1
        return live(number, copy)
      })
      // Beside them the main thread's own sessions work.
      const beside = own.pool.fetchVal('select $1::int', [number])
      await Promise.all(workers)
      if ((await beside) !== number) throw new Error('another answer beside the workers')
      if (round >= series / 2) rounds.push(figures())
    }
    const after = await settledFigures(rounds[0])
    await close(own)
    console.log(JSON.stringify({ workers: number, before: rounds[0], after }))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

;(isMainThread ? main() : inside(workerData)).catch((error) => {
  if (!isMainThread) throw error
  console.error(error)
  process.exitCode = 9
})
