import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { connection, threadNames, url } from '../support/server.js'

const source = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { connect } = require(workerData.entry)
  connect(workerData.url).then(async (c) => {
    const values = await Promise.all(Array.from({ length: 100 }, (_, n) => c.fetchVal('select $1::int', [n])))
    parentPort.postMessage(values)
    if (workerData.closes) await c.close()
  })`

function run(closes: boolean): Promise<unknown> {
  const worker = new Worker(source, {
    eval: true,
    workerData: { url, closes, entry: require.resolve('oxpg') },
  })
  return new Promise((resolve, reject) => {
    let values: unknown
    worker.on('message', (message) => (values = message))
    worker.on('error', reject)
    worker.on('exit', (code) => (code === 0 ? resolve(values) : reject(new Error(`exit code ${code}`))))
  })
}

test('workers have sessions of their own, beside the main thread', async (t) => {
  const c = await connection(t)
  const outcomes = await Promise.all([run(true), run(true), c.fetchVal('select 1')])
  t.deepEqual(outcomes, [[...Array(100).keys()], [...Array(100).keys()], 1])
})

test('a worker with an idle open connection ends by itself', async (t) => {
  t.deepEqual(await run(false), [...Array(100).keys()])
})

const holder = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { connect } = require(workerData.entry)
  connect(workerData.url).then(async (c) => {
    parentPort.postMessage('open')
    parentPort.once('message', async () => {
      await c.close()
      const again = await connect(workerData.url)
      parentPort.postMessage(await again.fetchVal('select 1'))
      await again.close()
      parentPort.close()
    })
  })`

test('all threads have one background thread, which outlives those that end', async (t) => {
  const workers = [1, 2, 3].map(
    () => new Worker(holder, { eval: true, workerData: { url, entry: require.resolve('oxpg') } }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  if (process.platform === 'linux') {
    t.deepEqual(
      (await threadNames()).filter((name) => name === 'oxpg'),
      ['oxpg'],
    )
  }
  // The one that started the thread, or another.
  await workers[0]!.terminate()
  for (const worker of workers.slice(1)) {
    const answer = once(worker, 'message')
    const end = once(worker, 'exit')
    worker.postMessage('go on')
    t.deepEqual(await answer, [1])
    t.deepEqual(await end, [0])
  }
})
