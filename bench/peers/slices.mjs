// The JavaScript peers' side of the runner's protocol: one JSON object a line on stdin, one answer a line on stdout.
//
// The peer says `{ "version", "tls" }` once it is connected. `{ "task", "sql", "parameters", "rows", "callers",
// "durationMs", "isWatched" }` then runs one slice; the answer is `{ "queries", "elapsedMs", "latencyMs",
// "cpuMicroseconds", "peakRssBytes" }`, with `"mainThreadMicroseconds"` and `"loopDelayMs"` of one that is watched, or
// `{ "error" }`.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { quantiles } from '../statistics.mjs'
import { mainThreadMicroseconds, watchLoop } from './main-thread.mjs'

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

async function runSlice(peer, openOne, { task, sql, parameters, rows, callers, durationMs, isWatched }) {
  const next = () =>
    parameters.map(({ fixed, from, to }) => fixed ?? from + Math.floor(Math.random() * (to - from)))
  const ask = async (session) => {
    const { length } = await session.fetch(sql, next())
    if (length === 0 || (rows > 0 && length !== rows)) {
      throw new Error(`${length} rows came, ${rows} were expected`)
    }
  }
  const latencies = []
  const loop = isWatched ? watchLoop() : undefined
  const startedCpu = process.cpuUsage()
  const startedMain = isWatched ? mainThreadMicroseconds() : undefined
  const started = performance.now()
  const end = started + durationMs
  const repeat = async () => {
    for (let at = started; at < end; ) {
      await ask(peer)
      const now = performance.now()
      latencies.push(now - at)
      at = now
    }
  }
  const connectOnce = async () => {
    const at = performance.now()
    const session = await openOne()
    await ask(session)
    await session.close()
    latencies.push(performance.now() - at)
  }
  const atOnce = (call) => Promise.all(Array.from({ length: callers }, call))
  if (task === 'connect') {
    // All begin together, again and again: that is what a restarted server or a new process sees.
    while (performance.now() < end) await atOnce(connectOnce)
  } else {
    await atOnce(repeat)
  }
  const elapsedMs = performance.now() - started
  const cpu = process.cpuUsage(startedCpu)
  const mainThread = isWatched ? mainThreadMicroseconds() : undefined
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
