// npm run test:poolers: what a transaction pooler does to prepared statements, on the PgBouncer that is installed, in front
// of an embedded server. Without one it is skipped with that reason.
import { spawn } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { start, UNPRIVILEGED_ID } from './embedded-postgres.mjs'
import { CommandError, duration, PROGRAMS, run, runNode } from './run.mjs'
import { setup } from './setup.mjs'
import { failuresInTap, tallyTap } from './tally.mjs'

const START_TIMEOUT_MS = 30_000

/** Its version, say `[1, 18]`; undefined without one. */
async function pgbouncerVersion() {
  try {
    const { stdout } = await run('pgbouncer', ['--version'])
    return /PgBouncer (\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number)
  } catch (error) {
    if (error instanceof CommandError) throw error
    return undefined
  }
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

const isListening = (port) =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

/** A PgBouncer in transaction mode with three servers, in front of `url`. */
async function startPgbouncer(url, settings) {
  const { hostname, port: serverPort, username, password, pathname } = new URL(url)
  const folder = mkdtempSync(join(tmpdir(), 'oxpg-pgbouncer-'))
  const port = await freePort()
  const server = `host=${hostname} port=${serverPort} user=${username} password=${password}`
  const lines = [
    '[databases]',
    `* = ${server}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    'default_pool_size = 3',
    'max_client_conn = 200',
    'server_round_robin = 1',
    `logfile = ${join(folder, 'log')}`,
    ...settings,
  ]
  const configuration = join(folder, 'pgbouncer.ini')
  writeFileSync(configuration, `${lines.join('\n')}\n`)
  // Like PostgreSQL it refuses to run as root.
  const isRoot = process.getuid?.() === 0
  const identity = isRoot ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {}
  if (isRoot) for (const path of [folder, configuration]) chownSync(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
  const child = spawn('pgbouncer', ['-q', configuration], { ...identity, stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  const give = performance.now() + START_TIMEOUT_MS
  while (!(await isListening(port))) {
    if (child.exitCode !== null || performance.now() > give) {
      throw new Error(`PgBouncer did not start: ${readFileSync(join(folder, 'log'), 'utf8')}`)
    }
    await sleep(50)
  }
  return {
    url: `postgres://${username}@127.0.0.1:${port}${pathname}`,
    stop: async () => {
      end()
      await ended
      process.removeListener('exit', end)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const total = { passed: 0, failed: 0, skipped: 0 }

async function testOn(name, url, settings) {
  const started = performance.now()
  const pgbouncer = await startPgbouncer(url, settings)
  try {
    const { code, output, stdout } = await runNode(
      PROGRAMS.ava,
      ['--tap', '.cache/test/__test__/poolers/pgbouncer.test.js'],
      { env: { OXPG_TEST_URL: url, OXPG_TEST_POOLER_URL: pgbouncer.url, FORCE_COLOR: '0' }, mayFail: true },
    )
    const tally = tallyTap(stdout)
    if (code !== 0) process.stdout.write(`${failuresInTap(stdout) || output}\n`)
    if (code !== 0 && tally.failed === 0) tally.failed = 1
    for (const key of Object.keys(total)) total[key] += tally[key]
    const took = duration(performance.now() - started)
    console.log(
      `${tally.failed ? '✗' : '✓'} ${name}: ${tally.passed} passed, ${tally.failed} failed (${took})`,
    )
  } finally {
    await pgbouncer.stop()
  }
}

try {
  const version = await pgbouncerVersion()
  if (version === undefined) {
    console.log('skipped: PgBouncer is not installed')
  } else {
    await setup()
    await runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
    const [major, minor] = version
    const name = `PgBouncer ${major}.${minor}`
    const server = await start()
    try {
      // From 1.21 on it can keep its clients' prepared statements itself; older ones do not know the setting.
      const knowsStatements = major > 1 || minor >= 21
      const none = knowsStatements ? ['max_prepared_statements = 0'] : []
      await testOn(name, server.url, none)
      if (knowsStatements) {
        await testOn(`${name}, with prepared statements`, server.url, ['max_prepared_statements = 200'])
      }
    } finally {
      await server.stop()
    }
  }
} catch (error) {
  total.failed++
  console.error(error.output ?? error)
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
