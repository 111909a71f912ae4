// The JavaScript peers' side of the runner's protocol: one JSON object a line on stdin, one answer a line on stdout.
//
// The peer says `{ "version", "tls" }` once it is connected. `{ "task", "sql", "parameters", "rows", "texts", "slow",
// "callers", "durationMs", "seed", "isWatched" }` then runs one slice; the answer is `{ "queries", "elapsedMs",
// "latencyMs", "cpuMicroseconds", "peakRssBytes" }`, with `"mainThreadMicroseconds"` and `"loopDelayMs"` of one that is
// watched, or `{ "error" }`.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { quantiles } from '../statistics.mjs'
import { mainThreadMicroseconds, watchLoop } from './main-thread.mjs'
import { TASKS } from './tasks.mjs'

/** What encrypts the session, as the server has it; null in the clear. */
const TLS_SQL = `SELECT CASE WHEN ssl THEN version || ' ' || cipher END AS tls FROM pg_stat_ssl
  WHERE pid = pg_backend_pid()`

/**
 * Serves slices until stdin ends.
 * @param {(options: { url: string, connections: number, ca: string | undefined }) => Promise<{
 *   version: string,
 *   fetch: (sql: string, parameters: number[]) => Promise<ArrayLike<Record<string, unknown>>>,
 *   close: () => Promise<unknown>,
 * }>} open with `ca`, the server is verified by it, over TLS; without, the URL says whether there is TLS
 */
export async function serveSlices(open) {
  const [, , url = '', connections = '1', caFile] = process.argv
  const ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8')
  const peer = await open({ url, ca, connections: Number(connections) })
  const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
  const [{ tls }] = await peer.fetch(TLS_SQL, [])
  answer({ version: peer.version, tls })
  const openOne = () => open({ url, ca, connections: 1 })
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      answer(await runSlice(peer, openOne, JSON.parse(line)))
    } catch (error) {
      answer({ error: String(error) })
    }
  }
  await peer.close()
}

async function runSlice(peer, openOne, request) {
  const loop = request.isWatched ? watchLoop() : undefined
  const startedCpu = process.cpuUsage()
  const startedMain = request.isWatched ? mainThreadMicroseconds() : undefined
  const { latencies, elapsedMs } = await TASKS[request.task]({ peer, openOne, request })
  const cpu = process.cpuUsage(startedCpu)
  const mainThread = request.isWatched ? mainThreadMicroseconds() : undefined
  return {
    queries: latencies.length,
    elapsedMs,
    latencyMs: quantiles(latencies),
    cpuMicroseconds: cpu.user + cpu.system,
    mainThreadMicroseconds: mainThread === undefined ? undefined : mainThread - startedMain,
    loopDelayMs: await loop?.stop(),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }
}
