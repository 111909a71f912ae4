// Row 27: SIGTERM, and a program that drains its pool. Its server must not find that somebody went away without a word.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { connect } from 'oxpg'
import { until } from '../../support/server.js'
import { Row, spread } from '../network/report.js'
import { type Server, startServer } from './clusters.js'

const PROGRAM = resolve('__test__/adversity/programs/drain.cjs')
const STATES = ['idle', 'queries', 'transaction', 'lease', 'executeMany', 'waiting']
const ENDS = ['close', 'close with a limit', 'exit']
const LIMIT_MS = 60_000
const LANES = 2

export async function drain(rounds: number): Promise<Row[]> {
  const row = new Row('27', 'SIGTERM while there is work in flight')
  const server = await startServer({
    log_min_messages: 'debug1',
    log_disconnections: 'on',
    log_line_prefix: '%m [%p] %a ',
  })
  const cases: [string, string][] = []
  for (let round = 0; round < rounds; round += 1) {
    for (const state of STATES) {
      for (const end of ENDS) cases.push([state, end])
    }
  }
  const pids = new Set<number>()
  await spread(cases, LANES, async ([state, end]) => play(state, end, server, pids, row))
  const admin = await connect(server.url)
  const left = 'select count(*)::int from pg_stat_activity where pid = any($1)'
  await until(async () => (await admin.fetchVal(left, [[...pids]])) === 0, 'the end of all sessions')
  await admin.close()
  const log = readFileSync(server.logFile, 'utf8').split('\n')
  for (const line of log) {
    if (!/unexpected EOF|could not (receive|send) data/.test(line)) continue
    // An attempt at opening is cut where the process ends.
    if (pids.has(Number(/\[(\d+)\]/.exec(line)?.[1]))) row.fail(`the server's log: ${line}`)
    else row.count('attempts that were cut')
  }
  const ends = log.filter((line) => line.includes('disconnection: session time')).length
  row.check(ends >= pids.size, `${ends} ends of sessions in the log, ${pids.size} sessions`)
  await server.stop()
  row.detail = `a process with a pool of 2 to 4 and a connection, ${STATES.join(', ')}; on SIGTERM ${ENDS.join(', ')}: exit code 0, what is in flight or waits is done, and no word of a lost client in the server's log (log_min_messages = debug1) of the ${pids.size} sessions that were open; attempts at opening that were under way when the process exited are cut, and the log says so`
  return [row]
}

async function play(state: string, end: string, server: Server, pids: Set<number>, row: Row): Promise<void> {
  const what = `${state}, ${end}`
  row.cases += 1
  const child = fork(PROGRAM, [state, end], {
    env: { ...process.env, OXPG_TEST_URL: server.url },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let stderr = ''
  child.stderr!.on('data', (chunk) => {
    stderr += chunk
  })
  const closed = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
  const [ready] = (await Promise.race([once(child, 'message'), closed])) as [number[] | number | null]
  if (Array.isArray(ready)) {
    for (const pid of ready) pids.add(pid)
    child.kill('SIGTERM')
  }
  const [code, signal] = await closed
  clearTimeout(timer)
  row.check(code === 0, `${what}: ended with ${signal ?? code}: ${stderr.slice(-800)}`)
}
