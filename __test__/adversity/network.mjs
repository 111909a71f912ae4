// Rows 1 to 7, 29, 31, 32 and 35 of docs/reliability.md: connections that are cut, cut into pieces, swallowed, stalled,
// addresses that are dead, servers that lie, and passwords that must not show; without TLS and with it. The rows are
// compiled TypeScript (network/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/network.mjs [--full] [--rows cuts,pieces,silence,stalls,addresses,hostile,endless,scram,capture]
//     [--over TCP,TLS] [--json] [--node path/to/node]
//
// OXPG_TEST_TLS_PORT is that of a server of scripts/tls-servers.mjs; one is started where it is missing.
import { join } from 'node:path'
import { marked, Playing, playOptions } from '../../scripts/adversity-play.mjs'
import { CERTIFICATES, startWithTls } from '../../scripts/tls-servers.mjs'

const values = playOptions({ over: { type: 'string', default: 'TCP,TLS' } })
const { OXPG_TEST_URL: url, OXPG_TEST_TLS_PORT: tlsPort, OXPG_TEST_SERVER_LOG: logFile } = process.env
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const playing = new Playing('network/main', values)

async function overTls() {
  const own = tlsPort === undefined ? await startWithTls('server') : undefined
  try {
    const server = await marked(Object.assign(new URL(url), { port: own?.port ?? tlsPort }).href)
    server.searchParams.set('sslmode', 'verify-full')
    server.searchParams.set('sslrootcert', join(CERTIFICATES, 'ca.crt'))
    server.searchParams.set('channel_binding', 'require')
    await playing.play(server, own?.logFile ?? logFile)
  } finally {
    await own?.stop()
  }
}

const over = values.over.split(',')
if (over.includes('TCP')) {
  const server = await marked(url)
  server.searchParams.set('sslmode', 'disable')
  await playing.play(server, logFile)
}
if (over.includes('TLS')) await overTls()

playing.end('network')
