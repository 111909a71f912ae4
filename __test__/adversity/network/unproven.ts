// Rows 31 and 32: servers that talk without end before they have proven anything, and SCRAM that is not as it must be. They
// are refused soon, by little of what they sent, and this thread's loop does not wait for them.
import { type Connection, connect, createPool, PostgresError, ProtocolError } from 'oxpg'
import { type Part, ScriptedServer, type Step } from '../../support/testkit.js'
import { Vitals } from './hostile.js'
import { endOf, nameOf, Row } from './report.js'
import { dsnOf, HELLO, SECRET } from './where.js'

const TIMEOUT_MS = 30_000
/** What the driver reads at most, and what the system's buffers take besides. */
const MOST_BYTES = 32 << 20
const GROWTH_BYTES = 64 << 20

const OK: Part = { authentication: { code: 0 } }

/** What is said again and again. */
const TALK: [name: string, part: Part][] = [
  ['notices', { notice: { S: 'NOTICE', C: '00000', M: 'x' } }],
  ['notices of 1 kB', { notice: { S: 'NOTICE', C: '00000', M: 'x'.repeat(1_000) } }],
  ['notices of 60 kB', { notice: { S: 'NOTICE', C: '00000', M: 'x'.repeat(60_000) } }],
  ['a parameter', { parameter: ['name', 'value'] }],
  ['parameters of 1 kB', { parameter: ['name', 'x'.repeat(1_000)] }],
  ['keys', { keyData: { pid: 1, key: 'AAAA' } }],
  ['successes', OK],
  ['versions', { message: { tag: 'v', body: Buffer.from([0, 3, 0, 0, 0, 0, 0, 0]).toString('base64') } }],
  [
    'one long notice',
    {
      bytes: Buffer.concat([Buffer.from([78, 3, 255, 255, 255]), Buffer.alloc(65_000, 77)]).toString(
        'base64',
      ),
    },
  ],
]

export async function endless(rounds: number): Promise<Row[]> {
  const row = new Row('31', 'a server that talks without end before it lets one in')
  row.isScripted = true
  const cases = TALK.flatMap(([name, part]) =>
    [false, true].flatMap((isAuthenticated) =>
      [false, true].map((isPool) => ({ name, part, isAuthenticated, isPool })),
    ),
  )
  await Promise.all(cases.slice(0, 4).map((item) => play(item, new Row('31', ''))))
  const vitals = new Vitals()
  for (let round = 0; round < rounds; round += 1) {
    for (const item of cases) await play(item, row)
  }
  row.check(vitals.grownBytes < GROWTH_BYTES, `the process grew by ${vitals.grownBytes} bytes`)
  vitals.end(row)
  row.detail = `${TALK.map(([name]) => name).join(', ')}; before authentication and after, connect and createPool`
  return [row]

  async function play(
    { name, part, isAuthenticated, isPool }: (typeof cases)[number],
    row: Row,
  ): Promise<void> {
    const what = `endless ${name}${isAuthenticated ? ' after authentication' : ''}${isPool ? ', pool' : ''}`
    const first: Step[] = isAuthenticated ? [{ send: [OK] }] : []
    const server = await ScriptedServer.open([...HELLO, ...first, { repeat: { steps: [{ send: [part] }] } }])
    await refused(row, what, dsnOf(server), isPool)
    const { sent } = await endOf(server, row, what)
    row.check(sent < MOST_BYTES, `${what}: ${sent} bytes were taken`)
    await server.close()
  }
}

/** The server's first words in SCRAM, each wrong in a way of its own. */
const FIRST: [name: string, words: string][] = [
  ...['0', '-1', '2147483647', '100001', '4294967297', '99999999999999999999', '', 'x', '0x10', '1 '].map(
    (iterations): [string, string] => [
      `${iterations || 'no'} iterations`,
      `r={nonce}x,s=c2FsdA==,i=${iterations}`,
    ],
  ),
  ['a foreign nonce', 'r=somebody-elses,s=c2FsdA==,i=4096'],
  ['no nonce', 's=c2FsdA==,i=4096'],
  ['no salt', 'r={nonce}x,i=4096'],
  ['a salt that is no base64', 'r={nonce}x,s=?,i=4096'],
  ['a mandatory extension', 'm=more,r={nonce}x,s=c2FsdA==,i=4096'],
  ['an error', 'e=other-error'],
  ['nothing', ''],
  ['a long nonce', `r={nonce}${'x'.repeat(70_000)},s=c2FsdA==,i=4096`],
]

interface Login {
  name: string
  steps: Step[]
  /** Whether the client may have sent its proof before it knew. */
  isProven?: boolean
}

const LOGINS: Login[] = [
  ...FIRST.map(([name, words]): Login => ({ name, steps: [{ scramFirst: words }, 'drain'] })),
  {
    name: 'a wrong signature',
    steps: [{ scram: { password: SECRET, iterations: 16, isSigned: false } }, { send: ['welcome'] }, 'drain'],
    isProven: true,
  },
  {
    name: 'no signature',
    steps: [
      { scramFirst: 'r={nonce}x,s=c2FsdA==,i=4096' },
      { expect: { tag: 'p' } },
      { send: ['welcome'] },
      'drain',
    ],
    isProven: true,
  },
]

export async function scram(rounds: number): Promise<Row[]> {
  const row = new Row('32', 'SCRAM that is not as it must be')
  row.isScripted = true
  const cases = LOGINS.flatMap((login) => [false, true].map((isPool) => ({ ...login, isPool })))
  for (const item of cases.slice(0, 8)) await play(item, new Row('32', ''))
  const vitals = new Vitals()
  for (let round = 0; round < rounds; round += 1) {
    for (const item of cases) await play(item, row)
    await hashes(row)
  }
  row.check(vitals.grownBytes < GROWTH_BYTES, `the process grew by ${vitals.grownBytes} bytes`)
  vitals.end(row)
  row.detail = `0, −1, 2³¹−1 and other iterations, nonces, salts and words that cannot be, a wrong signature and none, connect and createPool; and 100 000 iterations, which are allowed, while the loop goes on`
  return [row]
}

async function play({ name, steps, isProven, isPool }: Login & { isPool: boolean }, row: Row): Promise<void> {
  const what = `SCRAM with ${name}${isPool ? ', pool' : ''}`
  const server = await ScriptedServer.open([...HELLO, ...steps])
  await refused(row, what, dsnOf(server), isPool)
  const said = Buffer.from((await endOf(server, row, what)).said, 'base64').toString('latin1')
  row.check(isProven === true || !said.includes(',p='), `${what}: the client's proof was sent`)
  await server.close()
}

/** As many as are allowed: somebody works hard, and that is not this thread. */
async function hashes(row: Row): Promise<void> {
  row.cases += 1
  const steps: Step[] = [{ scram: { password: SECRET, iterations: 100_000 } }, { send: ['welcome'] }, 'drain']
  const server = await ScriptedServer.open([...HELLO, ...steps])
  const what = 'SCRAM with 100000 iterations'
  const opened = await row.settled(connect(dsnOf(server)), TIMEOUT_MS, what)
  row.check(opened.status === 'fulfilled', `${what}: ${JSON.stringify(opened)}`)
  if (opened.status === 'fulfilled') opened.value.terminate()
  await server.close()
}

/** Opens and expects a refusal that tells of the protocol. */
async function refused(row: Row, what: string, dsn: string, isPool: boolean): Promise<void> {
  row.cases += 1
  const options = { connectTimeoutMs: TIMEOUT_MS }
  const started = performance.now()
  const opening = isPool ? createPool(dsn, { ...options, minSize: 1 }) : connect(dsn, options)
  const result = await row.settled<Pick<Connection, 'terminate'>>(opening, TIMEOUT_MS, what)
  row.measure('refused within {} ms', performance.now() - started, 50)
  if (result.status === 'fulfilled') {
    row.fail(`${what}: it is open`)
    result.value.terminate()
    return
  }
  const { reason } = result
  row.count(nameOf(reason))
  const isTold =
    reason instanceof ProtocolError || (reason instanceof PostgresError && reason.sqlstate === '08P01')
  row.check(isTold, `${what}: ${nameOf(reason)}: ${reason.message}`)
}
