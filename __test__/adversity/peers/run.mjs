// What oxpg, pg and postgres.js do in the scenarios of `scenarios.mjs`: told as JSON, not judged.
//
//   node __test__/adversity/peers/run.mjs [--only 10,25] [--drivers oxpg,pg]
import { fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startCluster } from '../../../scripts/clusters.mjs'
import { DRIVERS } from './drivers.mjs'
import { SCENARIOS } from './scenarios.mjs'

const { values } = parseArgs({ options: { only: { type: 'string' }, drivers: { type: 'string' } } })
const PROGRAM = fileURLToPath(new URL('play.mjs', import.meta.url))
const LIMIT_MS = 120_000
const require = createRequire(import.meta.url)

const { primary: server, stop } = await startCluster({ settings: { synchronous_commit: 'on' } })

/** What comes of one scenario: what it tells, or how its process ended. */
function play(name, index) {
  return new Promise((resolve) => {
    const child = fork(PROGRAM, [name, `${index}`], {
      env: { ...process.env, OXPG_PEERS_URL: server.url },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let stderr = ''
    let outcome
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('message', async ({ action, how, outcome: told }) => {
      outcome ??= told
      if (action === undefined) return
      await (action === 'end' ? server.end(how) : server.restart())
      if (child.connected) child.send('done')
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      const why = /^\s*(?:Error|error|\w*Error): (.*)$/m.exec(stderr)?.[1] ?? ''
      if (signal === 'SIGKILL') resolve(outcome ?? `the process hangs for ${LIMIT_MS / 1000} s`)
      else resolve(outcome ?? `**the process ends** (code ${signal ?? code}): ${why}`)
    })
  })
}

const versionOf = (name) => require(`${name}/package.json`).version
const drivers = values.drivers?.split(',') ?? Object.keys(DRIVERS)
const scenarios = []
for (const [index, { number, title }] of SCENARIOS.entries()) {
  if (values.only !== undefined && !values.only.split(',').includes(number)) continue
  const outcomes = {}
  for (const name of drivers) outcomes[name] = await play(name, index)
  scenarios.push({ number, title, outcomes })
  process.stderr.write(`${number} ${title}: ${JSON.stringify(outcomes, null, 1)}\n`)
}
await stop()
console.log(
  JSON.stringify({ versions: { pg: versionOf('pg'), 'postgres.js': postgresVersion() }, scenarios }),
)

/** It does not export its package.json. */
function postgresVersion() {
  const path = require.resolve('postgres').replace(/postgres[\\/](cjs|src)[\\/].*$/, 'postgres/package.json')
  return require(path).version
}
