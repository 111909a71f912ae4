// npm run test:matrix: the exit and worker tests on each supported Node, the integration tests on each supported
// PostgreSQL. Both come as npm packages that carry the binaries; what cannot run here is skipped with its reason.
//   --only node  or  --only postgres  runs one half
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { start } from './embedded-postgres.mjs'
import { filesBelow, isThere } from './files.mjs'
import { duration, PROGRAMS, ROOT, run, runNode } from './run.mjs'
import { setup } from './setup.mjs'
import { failuresInTap, tallyScript, tallyTap } from './tally.mjs'

const NODE_MAJORS = [20, 22, 24, 26]
const SERVER_MAJORS = [13, 14, 15, 16, 17, 18]
/** Of the exits: each round is every state × every way to end, about seventy processes. */
const EXIT_ROUNDS = 10
const PLATFORM = `${process.platform}-${process.arch}`

const total = { passed: 0, failed: 0 }
const half = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : 'both'

/** The newest published version of a major, prereleases included: all of the server packages' versions are. */
async function newestOf(name, major) {
  const { stdout } = await run('npm', ['view', name, 'versions', '--json'])
  const parts = (version) => version.split(/[.-]/).map(Number)
  const ofMajor = [JSON.parse(stdout)].flat().filter((version) => version.startsWith(`${major}.`))
  const newest = ofMajor.toSorted((a, b) => {
    const [left, right] = [parts(a), parts(b)]
    return left[1] - right[1] || left[2] - right[2] || a.localeCompare(b, 'en', { numeric: true })
  })
  if (newest.length === 0) throw new Error(`${name} has no version ${major}`)
  return newest.at(-1)
}

/** Installs one package into a folder of its own below .cache, and gives that folder. */
async function fetchPackage(name, major) {
  const folder = join(ROOT, '.cache', 'matrix', name.replace('/', '-'), String(major))
  if (!isThere(`.cache/matrix/${name.replace('/', '-')}/${major}/node_modules`)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const version = await newestOf(name, major)
    const quiet = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts']
    await run('npm', ['install', ...quiet, `${name}@${version}`], { cwd: folder })
  }
  return folder
}

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
      server = await start({ from: await fetchPackage(`@embedded-postgres/${PLATFORM}`, major) })
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
  await runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
  if (half !== 'postgres') await nodes()
  if (half !== 'node') await servers()
} catch (error) {
  total.failed++
  console.error(error.output ?? error)
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
