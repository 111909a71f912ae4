// A server between oxpg and PostgreSQL that lives in a worker, so that it goes on while the test's own loop is busy.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { url } from './server.js'

/** What the proxy does with what it passes on. */
export interface Fault {
  /** Once a frontend message contains this, it goes on, and the client's connection is closed. */
  cutAt?: string
  /** Once the server's bytes contain `marker`, only the first `passed` bytes of them go on, and then an RST. */
  resetAt?: { marker: string; passed: number; sent: Signal }
  /** Once a frontend message contains this, nothing goes on any more on that connection, in either direction. */
  stallAt?: string
  /**
   * What becomes of connections for cancel requests: the request goes on, and the server's end of file does not; or the
   * request does not go on either.
   */
  cancels?: 'kept open' | 'swallowed'
}

/** What a thread can wait for while its loop stands still. */
export type Signal = Int32Array<SharedArrayBuffer>

export function newSignal(): Signal {
  return new Int32Array(new SharedArrayBuffer(4))
}

/** Keeps this thread's loop from turning until the signal has come. */
export function standStillUntil(signal: Signal): void {
  if (Atomics.wait(signal, 0, 0, 60_000) === 'timed-out') throw new Error('the signal did not come')
}

const SOURCE = `
  const net = require('node:net')
  const { parentPort, workerData: { host, port, fault } } = require('node:worker_threads')
  const server = net.createServer((front) => {
    const back = net.connect(port, host)
    front.setNoDelay(true)
    let isStalled = false
    let isCancel = false
    for (const socket of [front, back]) socket.on('error', () => {})
    front.on('data', (bytes) => {
      if (fault.cancels !== undefined && bytes.length >= 16 && bytes.readInt32BE(4) === 80877102) {
        isCancel = true
        if (fault.cancels === 'swallowed') return
      }
      isStalled ||= fault.stallAt !== undefined && bytes.includes(fault.stallAt)
      if (!isStalled) back.write(bytes)
      if (fault.cutAt !== undefined && bytes.includes(fault.cutAt)) front.destroy()
    })
    back.on('data', (bytes) => {
      if (isStalled) return
      if (fault.resetAt === undefined || !bytes.includes(fault.resetAt.marker)) return void front.write(bytes)
      front.once('close', () => {
        Atomics.store(fault.resetAt.sent, 0, 1)
        Atomics.notify(fault.resetAt.sent, 0)
      })
      front.write(bytes.subarray(0, fault.resetAt.passed), () => front.resetAndDestroy())
    })
    front.on('close', () => back.destroy())
    back.on('close', () => { if (!isStalled && !isCancel && fault.resetAt === undefined) front.destroy() })
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
