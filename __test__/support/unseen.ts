// Changes that this thread's connections cannot see.
import { Worker } from 'node:worker_threads'
import { url } from './server.js'

/** Executes a script in an environment of its own, as another process does. */
export function unseen(script: string): Promise<void> {
  const source = `
    const { workerData } = require('node:worker_threads')
    const { connect } = require(workerData.entry)
    connect(workerData.url).then(async (c) => {
      await c.execute(workerData.script)
      await c.close()
    })`
  const worker = new Worker(source, {
    eval: true,
    workerData: { url, script, entry: require.resolve('oxpg') },
  })
  return new Promise((resolve, reject) => {
    worker.on('error', reject)
    worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))))
  })
}
