// The JavaScript peers' side of the runner's protocol: one JSON object a line on stdin, one answer a line on stdout.
//
// `{ "sql", "parameters", "rows", "callers", "durationMs" }` runs one slice; the answer is
// `{ "queries", "elapsedMs", "cpuMicroseconds", "peakRssBytes" }`, or `{ "error" }`.
import { createInterface } from 'node:readline'

/**
 * Serves slices until stdin ends.
 * @param {(options: { url: string, connections: number }) => Promise<{
 *   version: string,
 *   fetch: (sql: string, parameters: number[]) => Promise<ArrayLike<unknown>>,
 *   close: () => Promise<unknown>,
 * }>} open
 */
export async function serveSlices(open) {
  const peer = await open({ url: process.argv[2] ?? '', connections: Number(process.argv[3] ?? 1) })
  const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
  answer({ version: peer.version })
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      answer(await runSlice(peer, JSON.parse(line)))
    } catch (error) {
      answer({ error: String(error) })
    }
  }
  await peer.close()
}

async function runSlice(peer, { sql, parameters, rows, callers, durationMs }) {
  const next = () =>
    parameters.map(({ fixed, from, to }) => fixed ?? from + Math.floor(Math.random() * (to - from)))
  const first = await peer.fetch(sql, next())
  if (first.length === 0 || (rows > 0 && first.length !== rows)) {
    throw new Error(`${first.length} rows came, ${rows} were expected`)
  }
  let queries = 0
  const startedCpu = process.cpuUsage()
  const started = performance.now()
  const end = started + durationMs
  const call = async () => {
    while (performance.now() < end) {
      await peer.fetch(sql, next())
      queries += 1
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
  const elapsedMs = performance.now() - started
  const cpu = process.cpuUsage(startedCpu)
  return {
    queries,
    elapsedMs,
    cpuMicroseconds: cpu.user + cpu.system,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }
}
