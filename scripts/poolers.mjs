// npm run test:poolers: what a pooler does to its clients, on the PgBouncer that is installed and on a younger one that is
// built from source, in front of an embedded server. What is missing is skipped with its reason.
import { spawn } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { start, UNPRIVILEGED_ID } from './embedded-postgres.mjs'
import { buildPgbouncer } from './pgbouncer-source.mjs'
import { CommandError, duration, PROGRAMS, run, runNode } from './run.mjs'
import { setup } from './setup.mjs'
import { failuresInTap, tallyTap } from './tally.mjs'

const START_TIMEOUT_MS = 30_000

/** Debian's place of it is not on everybody's PATH. */
const INSTALLED = ['pgbouncer', '/usr/sbin/pgbouncer']

/** Its version, say `[1, 18]`; undefined without one. */
async function versionOf(program) {
  try {
    const { stdout } = await run(program, ['--version'])
    return /PgBouncer (\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number)
  } catch (error) {
    if (error instanceof CommandError) throw error
    return undefined
  }
}

/** The PgBouncers that there are: `{ program, version }`. */
async function poolers() {
  const found = []
  for (const program of INSTALLED) {
    const version = await versionOf(program)
    if (version === undefined) continue
    found.push({ program, version })
    break
  }
  if (found.length === 0) console.log('skipped: PgBouncer is not installed')
  if (found.some(({ version }) => keepsStatements(version))) return found
  const { program, reason } = await buildPgbouncer()
  if (program === undefined) console.log(`skipped: PgBouncer from source: ${reason}`)
  else found.push({ program, version: await versionOf(program) })
  return found
}

/** From 1.21 on it can keep its clients' prepared statements itself; older ones do not know the setting. */
const keepsStatements = ([major, minor]) => major > 1 || minor >= 21

/** What it is tested as: settings by what they are called. */
function variants(version) {
  const none = keepsStatements(version) ? ['max_prepared_statements = 0'] : []
  const always = ['server_reset_query_always = 1']
  const all = [
    { name: 'transaction mode', mode: 'transaction', settings: none },
    { name: 'transaction mode with DISCARD ALL', mode: 'transaction', settings: [...none, ...always] },
    { name: 'statement mode', mode: 'statement', settings: none },
    { name: 'statement mode with DISCARD ALL', mode: 'statement', settings: [...none, ...always] },
    { name: 'session mode', mode: 'session', settings: none },
  ]
  if (!keepsStatements(version)) return all
  const kept = ['max_prepared_statements = 200']
  return [
    ...all,
    { name: 'transaction mode with prepared statements', mode: 'transaction', settings: kept, keeps: true },
    { name: 'statement mode with prepared statements', mode: 'statement', settings: kept, keeps: true },
  ]
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
async function startPgbouncer(program, url, { mode, settings }) {
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

const total = { passed: 0, failed: 0, skipped: 0 }

async function testOn(name, program, url, variant) {
  const started = performance.now()
  const pgbouncer = await startPgbouncer(program, url, variant)
  try {
    const env = {
      OXPG_TEST_URL: url,
      OXPG_TEST_POOLER_URL: pgbouncer.url,
      OXPG_TEST_POOLER_MODE: variant.mode,
      OXPG_TEST_POOLER_KEEPS: variant.keeps ? '1' : '',
      FORCE_COLOR: '0',
    }
    const { code, output, stdout } = await runNode(
      PROGRAMS.ava,
      ['--tap', '.cache/test/__test__/poolers/pgbouncer.test.js'],
      { env, mayFail: true },
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
  const found = await poolers()
  if (found.length > 0) {
    await setup()
    await runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
    const server = await start()
    try {
      for (const { program, version } of found) {
        for (const variant of variants(version)) {
          const name = `PgBouncer ${version.join('.')}, ${variant.name}`
          await testOn(name, program, server.url, variant)
        }
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
