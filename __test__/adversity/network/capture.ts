// Row 35, on the wire: servers that ask for a password where policy forbids to give it write down every byte that they are
// told, inside and outside of TLS. None of it is the password, nor anything that is made of it.
import { createHash } from 'node:crypto'
import { connect } from 'oxpg'
import { type Part, ScriptedServer, type Step } from '../../support/testkit.js'
import { certificateFile } from '../../support/tls-server.js'
import { base64 } from './lies.js'
import { endOf, nameOf, Row } from './report.js'
import { formsOf } from './secrets.js'
import { SECRET, shakeHands } from './where.js'

const TIMEOUT_MS = 30_000
const USER = 'ann'

const sasl = (...mechanisms: string[]): Part => ({
  authentication: { code: 10, rest: base64(...mechanisms.map((name) => `${name}\0`), '\0') },
})

/** What a server asks for. */
const ASKED: Record<string, Part> = {
  'the password': { authentication: { code: 3 } },
  MD5: { authentication: { code: 5, rest: base64([1, 2, 3, 4]) } },
  SCRAM: sasl('SCRAM-SHA-256'),
  'SCRAM bound to TLS': sasl('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'),
  GSSAPI: { authentication: { code: 7 } },
  SSPI: { authentication: { code: 9 } },
  'Kerberos V5': { authentication: { code: 2 } },
  OAUTHBEARER: sasl('OAUTHBEARER'),
  'a method that nobody knows': { authentication: { code: 77 } },
}

interface Policy {
  name: string
  parameters: Record<string, string>
  /** How the server begins; it asks afterwards. */
  hello: Step[]
  /** What may be asked for; everything else is refused without a word. */
  allowed: readonly string[]
}

const PLAIN: Step[] = [{ expect: 'startup' }]
const TLS: Step[] = [shakeHands(), { expect: 'startup' }]
const ca = certificateFile('ca.crt')
const verified = { sslmode: 'verify-full', sslrootcert: ca }

const POLICIES: Policy[] = [
  ...[
    { where: 'without TLS', hello: PLAIN, parameters: { sslmode: 'disable' } },
    { where: 'over TLS', hello: TLS, parameters: verified },
  ].flatMap(({ where, hello, parameters }): Policy[] => [
    {
      name: `require_auth=scram-sha-256 ${where}`,
      hello,
      parameters: { ...parameters, require_auth: 'scram-sha-256' },
      allowed: ['SCRAM', ...(hello === TLS ? ['SCRAM bound to TLS'] : [])],
    },
    {
      name: `require_auth=!password,!md5 ${where}`,
      hello,
      parameters: { ...parameters, require_auth: '!password,!md5' },
      allowed: ['SCRAM', ...(hello === TLS ? ['SCRAM bound to TLS'] : [])],
    },
    {
      name: `require_auth=none ${where}`,
      hello,
      parameters: { ...parameters, require_auth: 'none' },
      allowed: [],
    },
    {
      name: `channel_binding=require ${where}`,
      hello,
      parameters: { ...parameters, channel_binding: 'require' },
      allowed: hello === TLS ? ['SCRAM bound to TLS'] : [],
    },
  ]),
  // Whoever cannot be verified, or has no TLS, is told nothing at all.
  ...(['require', 'verify-ca', 'verify-full'] as const).flatMap((sslmode): Policy[] => [
    ...(['N', 'E', 'H', 'S\0'] as const).map(
      (answer): Policy => ({
        name: `sslmode=${sslmode}, ${JSON.stringify(answer)} in answer to the request for TLS`,
        hello: [{ expect: 'ssl' }, { send: [{ bytes: base64(answer) }] }, { expect: 'startup' }],
        parameters: { sslmode, sslrootcert: ca },
        allowed: [],
      }),
    ),
    {
      name: `sslmode=${sslmode}, another root`,
      hello: TLS,
      parameters: { sslmode, sslrootcert: certificateFile('other-ca.crt') },
      allowed: [],
    },
  ]),
  {
    name: 'sslmode=verify-full, the name of another host',
    hello: [shakeHands('server-other-name'), { expect: 'startup' }],
    parameters: verified,
    allowed: [],
  },
  {
    name: 'sslmode=verify-full, a certificate that has expired',
    hello: [shakeHands('server-expired'), { expect: 'startup' }],
    parameters: verified,
    allowed: [],
  },
]

export async function capture(): Promise<Row[]> {
  const row = new Row('35', 'bytes of the password where policy forbids them', '', 'TCP, TLS')
  row.isScripted = true
  for (const policy of POLICIES) {
    for (const asked of Object.keys(ASKED)) await play(policy, asked, row)
  }
  await control(row)
  row.detail = `require_auth=scram-sha-256, require_auth=!password,!md5, require_auth=none and channel_binding=require, without TLS and over it; sslmode=require, verify-ca and verify-full with no, an error, garbage and bytes behind a yes in answer to the request for TLS, and with a certificate of another root, of another name or out of date; the server asks for ${Object.keys(ASKED).join(', ')}; all bytes that it is told, inside TLS and outside, and two controls where the password is found`
  return [row]
}

async function play({ name, parameters, hello, allowed }: Policy, asked: string, row: Row): Promise<void> {
  const what = `${name}, ${asked} is asked for`
  row.cases += 1
  const isAllowed = allowed.includes(asked)
  // The server has heard enough, whatever it is given.
  const end: Step[] = isAllowed ? [{ expect: { tag: 'p' } }, { close: 'fin' }] : ['drain']
  const server = await ScriptedServer.open([...hello, { send: [ASKED[asked]!] }, ...end])
  const [reason, { said, wire }] = await refusal(server, parameters, row, what)
  const shown = said.toString('latin1')
  for (const [form, text] of [...formsOf(SECRET, USER), ['as MD5 of a salt', salted()] as const]) {
    row.check(!shown.includes(text) && !wire.includes(text), `${what}: the password is there ${form}`)
  }
  // A message of its kind, whatever is in it.
  if (!isAllowed) row.check(!/p\0\0/.test(afterStartup(said)), `${what}: something was said to it`)
  row.count(nameOf(reason))
}

interface Heard {
  said: Buffer
  wire: Buffer
}

async function refusal(
  server: ScriptedServer,
  parameters: Record<string, string>,
  row: Row,
  what: string,
): Promise<[unknown, Heard]> {
  const dsn = new URL(`postgres://${USER}@localhost:${server.port}/shop`)
  dsn.password = encodeURIComponent(SECRET)
  for (const [name, value] of Object.entries(parameters)) dsn.searchParams.set(name, value)
  const result = await row.settled(connect(dsn.href, { connectTimeoutMs: TIMEOUT_MS }), TIMEOUT_MS, what)
  row.check(result.status === 'rejected', `${what}: it is open`)
  const end = await endOf(server, row, what)
  await server.close()
  const heard = { said: Buffer.from(end.said, 'base64'), wire: Buffer.from(end.wire, 'base64') }
  return [result.status === 'rejected' ? result.reason : undefined, heard]
}

/** What came behind the startup message, if that came. */
function afterStartup(said: Buffer): string {
  let rest = said
  while (rest.length >= 8) {
    const [length, code] = [rest.readInt32BE(0), rest.readInt32BE(4)]
    rest = rest.subarray(length)
    if (code >> 16 === 3) return rest.toString('latin1')
  }
  return ''
}

const md5 = (text: string | Buffer): string => createHash('md5').update(text).digest('hex')
const salted = (): string => md5(Buffer.concat([Buffer.from(md5(SECRET + USER)), Buffer.from([1, 2, 3, 4])]))

/** Where it is allowed, it is found: the search sees it. */
async function control(row: Row): Promise<void> {
  for (const [hello, parameters, isOnWire] of [
    [PLAIN, { sslmode: 'disable' }, true],
    [TLS, verified, false],
  ] as const) {
    row.cases += 1
    const server = await ScriptedServer.open([
      ...hello,
      { send: [ASKED['the password']!] },
      { expect: { tag: 'p' } },
      { close: 'fin' },
    ])
    const [, { said, wire }] = await refusal(server, parameters, row, 'control')
    row.check(said.includes(SECRET), 'control: what was said is not written down')
    row.check(wire.includes(SECRET) === isOnWire, 'control: what went over the wire')
  }
}
