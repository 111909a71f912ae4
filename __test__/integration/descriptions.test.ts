// What crosses from Rust for calls that wait for one statement's description.
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { url } from '../support/server.js'

/** Counts the description objects that the addon makes, before any code of the driver sees them. */
const source = `
  const { parentPort, workerData } = require('node:worker_threads')
  const load = process.dlopen
  const made = new Set()
  process.dlopen = (module, ...rest) => {
    load.call(process, module, ...rest)
    const addon = module.exports
    const attach = (cells, marks, text, records, deliver, letGo) =>
      addon.attach(cells, marks, text, records, (count, extras) => {
        for (const extra of extras ?? []) if (Array.isArray(extra?.columns)) made.add(extra)
        return deliver(count, extras)
      }, letGo)
    module.exports = Object.create(addon, { attach: { value: attach } })
  }
  const { connect } = require(workerData.entry)
  connect(workerData.url).then(async (c) => {
    const calls = Array.from({ length: 500 }, (_, n) => c.fetchVal('select $1::int as a, 2 as b', [n]))
    const values = await Promise.all(calls)
    parentPort.postMessage({ values, made: made.size })
    await c.close()
  })`

test('one description serves all calls that wait for it', async (t) => {
  const worker = new Worker(source, { eval: true, workerData: { url, entry: require.resolve('oxpg') } })
  const { values, made } = await new Promise<{ values: number[]; made: number }>((resolve, reject) => {
    worker.on('message', resolve)
    worker.on('error', reject)
  })
  t.deepEqual(values, [...Array(500).keys()])
  // The first call's, and one for all that were waiting behind it.
  t.true(made >= 1 && made <= 2, `${made} descriptions`)
})
