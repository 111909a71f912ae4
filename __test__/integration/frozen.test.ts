// A process that was frozen (SIGSTOP, a suspended laptop, a paused container) wakes up to servers that are gone.
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import { connection, uniqueName, until, url } from '../support/server.js'

const program = join(__dirname, '../support/frozen-program.js')

interface Report {
  readonly pids: number[]
}

interface Outcome {
  readonly failures: string[]
  readonly opened: number
}

const isFrozen = (pid: number): boolean =>
  execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
    .trim()
    .startsWith('T')

for (const way of ['shared', 'alone', 'leased'] as const) {
  test(`after it was frozen, a pool writes nothing to sessions that ended meanwhile: ${way}`, async (t) => {
    const c = await connection(t)
    const table = uniqueName('frozen')
    await c.execute(`create table ${table} (n int)`)
    t.teardown(async () => {
      await c.execute(`drop table ${table}`)
    })
    const child = fork(program, [url, table, way], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    t.teardown(() => void child.kill('SIGKILL'))
    const [{ pids }] = (await once(child, 'message')) as [Report]
    t.is(pids.length, 3)
    await until(async () => isFrozen(child.pid!), 'the freeze')
    await c.fetch('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids])
    const left = 'select count(*)::int from pg_stat_activity where pid = any($1)'
    await until(async () => (await c.fetchVal(left, [pids])) === 0, 'the end of the backends')
    child.kill('SIGCONT')
    const [{ failures, opened }] = (await once(child, 'message')) as [Outcome]
    t.deepEqual(failures, [])
    t.true(opened > 3)
    t.is(await c.fetchVal(`select count(*)::int from ${table}`), 20)
    t.is(await c.fetchVal(`select count(distinct n)::int from ${table}`), 20)
  })
}
