const { isMainThread, Worker, workerData, parentPort } = require('node:worker_threads')

if (isMainThread) {
  const [, , url, state, exit] = process.argv
  const worker = new Worker(__filename, { workerData: { url, state, exit } })
  worker.on('error', () => {})
  worker.on('message', () => {
    if (exit === 'terminate') worker.terminate()
  })
  worker.on('exit', async () => {
    // The main thread's own sessions work after the worker is gone.
    const { connect } = require('oxpg')
    const c = await connect(url)
    if ((await c.fetchVal('select 1')) !== 1) process.exitCode = 9
    await c.close()
  })
} else {
  const { url, state, exit } = workerData
  require('./states.cjs')(state, url, exit === 'end').then(() => {
    parentPort.postMessage('entered')
    if (exit === 'exit') process.exit(3)
    if (exit === 'throw') throw new Error('on purpose')
  })
}
