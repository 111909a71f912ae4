// Plays rows of docs/reliability.md: compiled TypeScript of __test__/adversity, each program in a process of its own, by a
// user whose password has a mark that must show up nowhere.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { ROOT } from './run.mjs'
import { CERTIFICATES, startWithTls } from './tls-servers.mjs'

const { connect } = createRequire(import.meta.url)('oxpg')

const USER = 'marked'
/** Of all sessions of the rows: what must show up nowhere. */
const SECRET = 'marked-Geheimnis/7?#&%'

/**
 * The same server, for the marked user, who may do everything.
 *
 * @param {string} server
 * @returns {Promise<URL>}
 */
async function marked(server) {
  const admin = await connect(server)
  await admin.execute(`
    set password_encryption = 'scram-sha-256';
    do $$ begin create role ${USER} superuser login; exception when duplicate_object then null; end $$;
    alter role ${USER} password '${SECRET}'`)
  await admin.close()
  return Object.assign(new URL(server), { username: USER, password: encodeURIComponent(SECRET) })
}

/** What such a script may be told, beside what it knows itself. `--over TCP,TLS` says without TLS, with it, or both. */
export function playOptions(more = {}) {
  const { values } = parseArgs({
    options: {
      full: { type: 'boolean', default: false },
      rows: { type: 'string' },
      json: { type: 'boolean', default: false },
      over: { type: 'string', default: 'TCP,TLS' },
      node: { type: 'string', default: process.execPath },
      ...more,
    },
  })
  return values
}

/**
 * Those of some rows that are asked for, as `--rows` has them; none is an empty text.
 *
 * @param {string[]} names
 * @param {string} [asked] `--rows`; all where it is missing
 */
export function rowsAmong(names, asked) {
  const wanted = asked?.split(',') ?? names
  return names.filter((name) => wanted.includes(name)).join(',')
}

/**
 * Plays rows against the server in `OXPG_TEST_URL` without TLS, and over TLS, verified in full and with SCRAM bound to it,
 * against that in `OXPG_TEST_TLS_PORT`, or one that is started.
 *
 * @param {Playing} playing
 * @param {string} over as `--over` has it
 * @param {string} [tlsRows] those of the rows that are played over TLS, where that is not all
 */
export async function playOver(playing, over, tlsRows) {
  const { OXPG_TEST_URL: url, OXPG_TEST_TLS_PORT: tlsPort, OXPG_TEST_SERVER_LOG: logFile } = process.env
  if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
  const networks = over.split(',')
  if (networks.includes('TCP')) {
    const server = await marked(url)
    server.searchParams.set('sslmode', 'disable')
    await playing.play(server, logFile)
  }
  if (!networks.includes('TLS') || tlsRows === '') return
  const own = tlsPort === undefined ? await startWithTls('server') : undefined
  try {
    const server = await marked(Object.assign(new URL(url), { port: own?.port ?? tlsPort }).href)
    server.searchParams.set('sslmode', 'verify-full')
    server.searchParams.set('sslrootcert', join(CERTIFICATES, 'ca.crt'))
    server.searchParams.set('channel_binding', 'require')
    await playing.play(server, own?.logFile ?? logFile, tlsRows)
  } finally {
    await own?.stop()
  }
}

/** Counts what programs that play rows tell. */
export class Playing {
  passed = 0
  failed = 0
  #program
  #values

  /**
   * @param {string} program its name below __test__/adversity, such as `network/main`
   * @param {ReturnType<typeof playOptions>} values
   */
  constructor(program, values) {
    this.#program = join(ROOT, '.cache/test/__test__/adversity', `${program}.js`)
    this.#values = values
  }

  /**
   * All rows against one server.
   *
   * @param {URL} server
   * @param {string} [log] where the server writes
   * @param {string} [rows] which of them, as `--rows` has it
   */
  async play(server, log, rows = this.#values.rows) {
    const { full, node } = this.#values
    const programArguments = [
      this.#program,
      ...(full ? ['--full'] : []),
      ...(rows === undefined ? [] : ['--rows', rows]),
    ]
    const child = spawn(node, programArguments, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, OXPG_TEST_URL: server.href },
    })
    // A hang is said by the rows themselves long before.
    const timer = setTimeout(() => child.kill('SIGKILL'), full ? 5_400_000 : 900_000)
    let stdout = ''
    let stderr = ''
    createInterface(child.stdout).on('line', (line) => {
      stdout += line
      this.#tell(JSON.parse(line), line)
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    const [code, signal] = await new Promise((resolve) => child.once('close', (...end) => resolve(end)))
    clearTimeout(timer)
    if (stderr !== '') console.log(stderr.replaceAll(SECRET, '(the password)'))
    // What was printed for those who look after a program.
    const shown = [stdout, stderr, log === undefined ? '' : readFileSync(log, 'latin1')]
    for (const secret of [SECRET, encodeURIComponent(SECRET)]) {
      if (!shown.some((text) => text.includes(secret))) continue
      this.failed += 1
      console.log('row 35: the password is in what the process or the server logged')
    }
    // Row 35 comes last.
    if (code !== 0 || !/"number":"35"[^\n]*$/.test(stdout)) {
      this.failed += 1
      console.log(`the process ended with ${signal ?? code}, before it had played everything`)
    }
  }

  #tell(row, line) {
    // A case may have more than one thing wrong with it; a row that has something wrong fails at least once.
    const wrong = row.failures.length === 0 ? 0 : Math.max(1, Math.min(row.failures.length, row.cases))
    this.failed += wrong
    this.passed += Math.max(0, row.cases - wrong)
    for (const failure of row.failures.slice(0, 20)) console.log(failure)
    if (this.#values.json) console.log(line)
    else
      console.log(`row ${row.number} over ${row.over}: ${row.cases} cases, ${row.failures.length} failures`)
  }

  /** The last line, by which others count. */
  end(name) {
    console.log(`${name}: ${this.passed} passed, ${this.failed} failed`)
    process.exitCode = this.failed === 0 ? 0 : 1
  }
}

/**
 * Tells of a row that a script has played itself.
 *
 * @param {{ number: string, over: string, cases: number, failures: string[] }} row
 * @param {{ json: boolean }} values
 * @param {string} name of the script
 */
export function asRow(row, values, name) {
  for (const failure of row.failures.slice(0, 40)) console.log(failure)
  if (values.json) console.log(JSON.stringify(row))
  const failed = Math.min(row.failures.length, row.cases)
  console.log(`${name}: ${row.cases - failed} passed, ${failed} failed`)
  process.exitCode = row.failures.length === 0 ? 0 : 1
}
