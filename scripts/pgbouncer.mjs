// A PgBouncer, where one is installed, in front of a server.
import { spawn } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { UNPRIVILEGED_ID } from './embedded-postgres.mjs'
import { CommandError, run } from './run.mjs'

const START_TIMEOUT_MS = 30_000

/** Debian's place of it is not on everybody's PATH. */
const INSTALLED = ['pgbouncer', '/usr/sbin/pgbouncer']

/** Its version, say `[1, 18]`; undefined without one. */
export async function versionOf(program) {
  try {
    const { stdout } = await run(program, ['--version'])
    return /PgBouncer (\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number)
  } catch (error) {
    if (error instanceof CommandError) throw error
    return undefined
  }
}

/** The one that is installed: `{ program, version }`; undefined without one. */
export async function installedPgbouncer() {
  for (const program of INSTALLED) {
    const version = await versionOf(program)
    if (version !== undefined) return { program, version }
  }
  return undefined
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

/** A PgBouncer with few servers, in front of `url`. */
export async function startPgbouncer(program, url, { mode, settings }) {
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
    `pool_mode = ${mode}`,
    // In session mode each client has one to itself.
    `default_pool_size = ${mode === 'session' ? 20 : 3}`,
    `admin_users = ${username}`,
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
  const child = spawn(program, ['-q', configuration], { ...identity, stdio: 'ignore' })
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
