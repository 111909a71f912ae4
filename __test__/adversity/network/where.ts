// Where the rows of this process are played, and the password that must show up nowhere.

import { url } from '../../support/server.js'
import type { ScriptedServer, Step } from '../../support/testkit.js'
import { certificateFile } from '../../support/tls-server.js'

const { password, searchParams } = new URL(url)

/** The password of every session of this process, which has a mark that nothing else has. */
export const SECRET = decodeURIComponent(password)

/** Whether the rows are played over TLS, verified in full and with SCRAM bound to it. */
export const isTls = searchParams.get('sslmode') === 'verify-full'
export const OVER = isTls ? 'TLS' : 'TCP'

/** What a connection over TLS says of it. */
export const VERIFIED = {
  sslmode: 'verify-full',
  sslrootcert: certificateFile('ca.crt'),
} as const

/** The server's part of TLS, with a certificate of the tests' folder. */
export const shakeHands = (name = 'server'): Step => ({
  tls: { certificate: certificateFile(`${name}.crt`), key: certificateFile(`${name}.key`) },
})

/** How a scripted server begins: with TLS where the rows are over TLS. */
export const HELLO: Step[] = [...(isTls ? [shakeHands()] : []), { expect: 'startup' }]

/** A DSN for a scripted server, with the marked password. */
export function dsnOf(server: ScriptedServer, more: Record<string, string> = {}): string {
  const dsn = new URL(`postgres://ann@localhost:${server.port}/shop`)
  dsn.password = encodeURIComponent(SECRET)
  const security = isTls ? VERIFIED : { sslmode: 'disable' }
  for (const [name, value] of Object.entries({ ...security, ...more })) dsn.searchParams.set(name, value)
  return dsn.href
}
