// A server that is some way off: between it and the drivers is the testkit's proxy (crates/testkit), in a process of its own,
// and keeps each byte of an answer for so long.
import { spawn } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { buildTestkit } from '../scripts/build-steps.mjs'

/** CPU of all threads of a process; undefined where the system (Linux) does not tell. */
function cpuMicrosecondsOf(pid) {
  try {
    // Nanoseconds on a processor come first (Linux, Documentation/scheduler/sched-stats.rst).
    const ofThread = (id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'latin1').split(' ')[0])
    return readdirSync(`/proc/${pid}/task`).reduce((sum, id) => sum + ofThread(id), 0) / 1000
  } catch {
    return undefined
  }
}

/**
 * Puts a proxy in front of a server.
 *
 * @param {string} url of a server on a TCP address
 * @param {number} distanceMs by how much it makes each round trip longer
 * @returns {Promise<{ url: string, cpuMicroseconds(): number | undefined, close(): Promise<void> }>} where the server is
 *   behind it, and what the proxy has taken of the processors, so that a run shows whether it was what held drivers up
 * @throws {Error} without cargo, which builds it, or where the URL has no TCP address
 */
export async function openDistance(url, distanceMs) {
  const { hostname, port } = new URL(url)
  if (hostname === '' || hostname.startsWith('%2F')) throw new Error(`a TCP address is needed, got ${url}`)
  const { address, family } = await lookup(hostname)
  const child = spawn(await buildTestkit({ isOptimized: true }), [], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const target = `${family === 6 ? `[${address}]` : address}:${port || 5432}`
  child.stdin.write(
    `${JSON.stringify({ id: 1, call: 'openProxy', target, plan: { toClient: { delayMs: distanceMs } } })}\n`,
  )
  const [line] = await Promise.race([
    once(lines, 'line'),
    ended.then(([code, signal]) => Promise.reject(new Error(`the testkit ended with ${signal ?? code}`))),
  ])
  const { result, error } = JSON.parse(line)
  if (error !== undefined) throw new Error(error)
  return {
    url: Object.assign(new URL(url), { hostname: '127.0.0.1', port: `${result.port}` }).href,
    cpuMicroseconds: () => cpuMicrosecondsOf(child.pid),
    close: async () => {
      child.stdin.end()
      await ended
    },
  }
}
