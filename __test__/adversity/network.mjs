// Rows 1 to 7, 29, 31, 32 and 35 of docs/reliability.md: connections that are cut, cut into pieces, swallowed, stalled,
// addresses that are dead, servers that lie, and passwords that must not show; without TLS and with it. The rows are
// compiled TypeScript (network/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/network.mjs [--full] [--rows cuts,pieces,silence,stalls,addresses,hostile,endless,scram,capture]
//     [--over TCP,TLS] [--json] [--node path/to/node]
//
// OXPG_TEST_TLS_PORT is that of a server of scripts/tls-servers.mjs; one is started where it is missing.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CERTIFICATES, startWithTls } from '../../scripts/tls-servers.mjs'

const { connect } = createRequire(import.meta.url)('oxpg')
const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    rows: { type: 'string' },
    over: { type: 'string', default: 'TCP,TLS' },
    json: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
  },
})
const { OXPG_TEST_URL: url, OXPG_TEST_TLS_PORT: tlsPort, OXPG_TEST_SERVER_LOG: logFile } = process.env
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const program = fileURLToPath(
  new URL('../../.cache/test/__test__/adversity/network/main.js', import.meta.url),
)
/** A hang is said by the rows themselves long before. */
const LIMIT_MS = values.full ? 5_400_000 : 900_000

const USER = 'marked'
/** Of all sessions of the rows: what must show up nowhere. */
const SECRET = 'marked-Geheimnis/7?#&%'

let passed = 0
let failed = 0

/** The same server, for the marked user, who may do everything. */
async function marked(server) {
  const admin = await connect(server)
  await admin.execute(`
    set password_encryption = 'scram-sha-256';
    drop role if exists ${USER};
    create role ${USER} superuser login password '${SECRET}'`)
  await admin.close()
  return Object.assign(new URL(server), { username: USER, password: encodeURIComponent(SECRET) })
}

/** All rows against one server, in a process of their own. */
async function play(server, log) {
  const programArguments = [
    program,
    ...(values.full ? ['--full'] : []),
    ...(values.rows === undefined ? [] : ['--rows', values.rows]),
  ]
  const child = spawn(values.node, programArguments, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OXPG_TEST_URL: server.href },
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
  let stdout = ''
  let stderr = ''
  createInterface(child.stdout).on('line', (line) => {
    stdout += line
    tell(JSON.parse(line), line)
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
    failed += 1
    console.log('row 35: the password is in what the process or the server logged')
  }
  if (code !== 0) {
    failed += 1
    console.log(`the process ended with ${signal ?? code}`)
  }
}

function tell(row, line) {
  // A case may have more than one thing wrong with it; a row that has something wrong fails at least once.
  const wrong = Math.min(row.failures.length, row.cases)
  failed += wrong
  passed += row.cases - wrong
  for (const failure of row.failures.slice(0, 20)) console.log(failure)
  if (values.json) console.log(line)
  else console.log(`row ${row.number} over ${row.over}: ${row.cases} cases, ${row.failures.length} failures`)
}

async function overTls() {
  const own = tlsPort === undefined ? await startWithTls('server') : undefined
  try {
    const server = await marked(Object.assign(new URL(url), { port: own?.port ?? tlsPort }).href)
    server.searchParams.set('sslmode', 'verify-full')
    server.searchParams.set('sslrootcert', join(CERTIFICATES, 'ca.crt'))
    server.searchParams.set('channel_binding', 'require')
    await play(server, own?.logFile ?? logFile)
  } finally {
    await own?.stop()
  }
}

const over = values.over.split(',')
if (over.includes('TCP')) {
  const server = await marked(url)
  server.searchParams.set('sslmode', 'disable')
  await play(server, logFile)
}
if (over.includes('TLS')) await overTls()

console.log(`network: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
