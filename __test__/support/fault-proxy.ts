// A server between oxpg and PostgreSQL that lives in a worker, so that it goes on while the test's own loop is busy.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { url } from './server.js'

/** What the proxy does with what it passes on. */
export interface Fault {
  /** Once a frontend message contains this, it goes on, and the client's connection is closed. */
  cutAt?: string
  /** Once the server's bytes contain this, only the first `passed` bytes of them go on, and after 20 ms an RST. */
  resetAt?: { marker: string; passed: number }
  /** Once a frontend message contains this, nothing goes on any more on that connection, in either direction. */
  stallAt?: string
}

const SOURCE = `
  const net = require('node:net')
  const { parentPort, workerData: { host, port, fault } } = require('node:worker_threads')
  const server = net.createServer((front) => {
    const back = net.connect(port, host)
    front.setNoDelay(true)
    let isStalled = false
    for (const socket of [front, back]) socket.on('error', () => {})
    front.on('data', (bytes) => {
      isStalled ||= fault.stallAt !== undefined && bytes.includes(fault.stallAt)
      if (!isStalled) back.write(bytes)
      if (fault.cutAt !== undefined && bytes.includes(fault.cutAt)) front.destroy()
    })
    back.on('data', (bytes) => {
      if (isStalled) return
      if (fault.resetAt === undefined || !bytes.includes(fault.resetAt.marker)) return void front.write(bytes)
      front.write(bytes.subarray(0, fault.resetAt.passed))
      setTimeout(() => front.resetAndDestroy(), 20)
    })
    front.on('close', () => back.destroy())
    back.on('close', () => { if (!isStalled && fault.resetAt === undefined) front.destroy() })
  })
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`

/** Starts a proxy; its URL is that of the tests' server, through it. */
export async function faultProxy(
  t: { teardown(close: () => Promise<void>): void },
  fault: Fault,
): Promise<string> {
  const target = new URL(url)
  const workerData = { host: target.hostname, port: Number(target.port), fault }
  const worker = new Worker(SOURCE, { eval: true, workerData })
  t.teardown(async () => {
    await worker.terminate()
  })
  const [port] = await once(worker, 'message')
  return Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href
}

/** Keeps this thread's loop from turning. */
export function keepLoopBusy(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs)
}
