// Workers that end in a state, one after the other, beside a main thread whose own sessions work after each.
const { isMainThread, Worker, workerData, parentPort } = require('node:worker_threads')

if (isMainThread) {
  const [, , url, state, exit, times] = process.argv
  const end = () => {
    const worker = new Worker(__filename, { workerData: { url, state, exit } })
    worker.on('error', () => {})
    worker.on('message', () => {
      if (exit === 'terminate') worker.terminate()
    })
    return new Promise((resolve) => worker.once('exit', resolve))
  }
  const run = async () => {
    const { connect } = require('oxpg')
    // Where nothing keeps it alive it may have ended by itself before it is told to.
    const codes = { end: [0], exit: [3], throw: [1], terminate: [0, 1] }
    for (let time = 0; time < Number(times); time += 1) {
      const code = await end()
      if (!codes[exit].includes(code)) throw new Error(`worker ${time} of ${times} ended with ${code}`)
      const c = await connect(url)
      const value = await c.fetchVal('select 1')
      if (value !== 1) throw new Error(`after worker ${time} of ${times}: ${value}`)
      await c.close()
    }
  }
  run()
} else {
  const { url, state, exit } = workerData
  require('./states.cjs')(state, url, exit === 'end').then(() => {
    parentPort.postMessage('entered')
    if (exit === 'exit') process.exit(3)
    if (exit === 'throw') throw new Error('on purpose')
  })
}
