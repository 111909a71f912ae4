// npm test: set-up, lints, Rust tests, TypeScript tests on an embedded PostgreSQL, type tests and package tests.
//   --only lint,rust,unit,integration,extensions,adversity,memory,types,package   runs a part
// It ends with one line, "N passed, N failed".
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { buildDeclarations, buildFailpoints, buildTestkit, generateTables } from './build-steps.mjs'
import { DOORS } from './doors.mjs'
import { start } from './embedded-postgres.mjs'
import { embeddedServer } from './extension-servers.mjs'
import { filesBelow, isThere } from './files.mjs'
import { duration, PROGRAMS, ROOT, run, runNode } from './run.mjs'
import { setup } from './setup.mjs'
import { failuresInTap, tallyCargoTest, tallyNextest, tallyScript, tallyTap } from './tally.mjs'

const PARTS = ['lint', 'rust', 'unit', 'integration', 'extensions', 'adversity', 'memory', 'types', 'package']
/** Parts that tsc compiles and ava runs; of `extensions` what the embedded server has, see extensions.mjs. */
const AVA_PARTS = ['unit', 'integration', 'extensions', 'memory']
/** Parts whose tests drive the testkit. */
const TESTKIT_PARTS = ['integration', 'adversity']
const PATTERNS = { extensions: 'contrib.test.js' }
const only = process.argv.includes('--only')
  ? process.argv[process.argv.indexOf('--only') + 1]?.split(',')
  : PARTS
const unknown = only?.filter((part) => !PARTS.includes(part)) ?? ['']
if (unknown.length > 0) {
  console.error(`--only: expected some of ${PARTS.join(', ')}, got "${unknown.join(',')}"`)
  process.exit(2)
}

const PASSED = { passed: 1, failed: 0, skipped: 0 }
const NOTHING = { passed: 0, failed: 0, skipped: 0 }
const total = { ...NOTHING }
const testEnvironment = {}

/** Runs one step, counts its results and says how long it took. A step that throws is one failure. */
async function step(name, work) {
  const started = performance.now()
  let tally
  try {
    tally = await work()
  } catch (error) {
    process.stdout.write(`${error.output ?? ''}\n${error.output ? error.message : error.stack}\n`)
    tally = { passed: 0, failed: 1, skipped: 0 }
  }
  for (const key of Object.keys(total)) total[key] += tally[key]
  const mark = tally.failed > 0 ? '✗' : '✓'
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''
  const counts =
    tally.passed + tally.failed > 1 ? `: ${tally.passed} passed, ${tally.failed} failed${skipped}` : ''
  process.stdout.write(`${mark} ${name}${counts} (${duration(performance.now() - started)})\n`)
  return tally.failed === 0
}

/** A check: one result. */
const check = (name, work) => step(name, async () => void (await work()) ?? PASSED)

/** Something that must work but tests nothing: it counts only when it fails. */
const prepare = (name, work) => step(name, async () => void (await work()) ?? NOTHING)

/** For lints that give back a list of problems. */
function refuse(problems) {
  if (problems.length > 0)
    throw Object.assign(new Error(`${problems.length} problem(s)`), { output: problems.join('\n') })
}

async function lint() {
  await check('biome', () => runNode(PROGRAMS.biome, ['ci', '--colors=off', '.']))
  await check('cargo fmt', () => run('cargo', ['fmt', '--all', '--check']))
  // Not --all-targets: without a test harness the addon's exports look unused, and its bench target has none.
  const targets = ['--lib', '--bins', '--tests', '--examples']
  const clippy = ['clippy', '--quiet', '--workspace', ...targets, '--', '-D', 'warnings']
  await check('cargo clippy', () => run('cargo', clippy))
  const { crateRooms } = await import('./lints/crate-rooms.mjs')
  await check('rooms of the crates', async () => refuse(await crateRooms()))
  const { sessionModules } = await import('./lints/session-modules.mjs')
  await check('modules of the session', async () => refuse(sessionModules()))
  const { importRooms } = await import('./lints/import-rooms.mjs')
  await check('rooms of the TypeScript files', async () => refuse(importRooms()))
  await check('index.d.ts is up to date', declarationsAreCurrent)
  await check('generated tables are up to date', () => generateTables('--check'))
}

async function declarationsAreCurrent() {
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  await buildDeclarations('.cache')
  for (const door of Object.keys(DOORS)) {
    const name = `${door}.d.ts`
    const [made, committed] = [`.cache/${name}`, name].map((path) =>
      isThere(path) ? readFileSync(join(ROOT, path), 'utf8') : '',
    )
    if (made !== committed) throw new Error(`${name} is stale: run \`npm run build\` and commit it`)
  }
}

const NEXTEST = ['nextest', 'run', '--workspace', '--no-fail-fast', '--status-level', 'fail']

async function rust() {
  const hasNextest = await run('cargo', ['nextest', '--version'], { mayFail: true }).then(
    ({ code }) => code === 0,
    () => false,
  )
  if (hasNextest) await step('cargo nextest', () => cargoTests(NEXTEST, tallyNextest))
  else await step('cargo test', () => cargoTests(['test', '--workspace', '--no-fail-fast'], tallyCargoTest))
}

async function cargoTests(cargoArguments, tallyOf) {
  const { code, output } = await run('cargo', cargoArguments, { env: testEnvironment, mayFail: true })
  const tally = tallyOf(output)
  if (code !== 0) process.stdout.write(output)
  // It did not compile, or a binary died before it could count.
  if (code !== 0 && tally.failed === 0) tally.failed = 1
  return tally
}

/** Compiles the tests strictly; what comes out is what ava runs. */
function compileTests() {
  rmSync(join(ROOT, '.cache', 'test'), { recursive: true, force: true })
  return runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
}

async function ava(name, sources, pattern) {
  if (filesBelow(sources, /\.test\.(ts|mjs)$/).length === 0) return
  await step(name, async () => {
    const { code, output, stdout } = await runNode(PROGRAMS.ava, ['--tap', pattern], {
      env: { ...testEnvironment, FORCE_COLOR: '0' },
      mayFail: true,
    })
    const tally = tallyTap(stdout)
    if (code !== 0) process.stdout.write(`${failuresInTap(stdout) || output}\n`)
    if (code !== 0 && tally.failed === 0) tally.failed = 1
    return tally
  })
}

/** Scripts that run programs in processes of their own and count by themselves. */
async function adversity() {
  for (const script of filesBelow('__test__/adversity', /^__test__\/adversity\/[^/]+\.mjs$/)) {
    await step(basename(script, '.mjs'), async () => {
      const { code, output, stdout } = await runNode(script, [], { env: testEnvironment, mayFail: true })
      const tally = tallyScript(stdout)
      if (code !== 0) process.stdout.write(output)
      if (code !== 0 && tally.failed === 0) tally.failed = 1
      return tally
    })
  }
}

/** One result for each file of type assertions, by the compiler's verdict on the packed declarations. */
async function types() {
  const files = filesBelow('__test__/types', /\.test-d\.m?ts$/)
  const { output } = await runNode(
    PROGRAMS.tsc,
    ['-p', '__test__/types/tsconfig.json', '--pretty', 'false'],
    {
      mayFail: true,
    },
  )
  if (output.trim()) process.stdout.write(output)
  const bad = files.filter((file) => output.includes(file))
  const elsewhere = /error TS\d+/.test(output) && bad.length === 0 ? 1 : 0
  return { passed: files.length - bad.length, failed: bad.length + elsewhere, skipped: 0 }
}

async function main() {
  const wants = (part) => only.includes(part)
  const needsServer = PARTS.some((part) => wants(part) && !['lint', 'types'].includes(part))
  const needsCompiler = [...AVA_PARTS, 'adversity'].some(wants)
  if (!(await prepare('set-up', () => setup()))) return
  if (wants('lint')) await lint()
  let server
  if (needsServer) {
    const isUp = await prepare('PostgreSQL starts', async () => {
      server = await start()
      testEnvironment.OXPG_TEST_URL = server.url
      testEnvironment.OXPG_TEST_SOCKET_DIR = server.socketDirectory
      testEnvironment.OXPG_TEST_SERVER_LOG = server.logFile
      testEnvironment.OXPG_TEST_EXTENSIONS = embeddedServer().extensions.join(',')
    })
    if (!isUp) return
  }
  try {
    if (TESTKIT_PARTS.some(wants)) {
      await prepare('testkit', async () => {
        testEnvironment.OXPG_TESTKIT = await buildTestkit()
      })
    }
    if (wants('adversity')) {
      await prepare('addon with failpoints', async () => {
        testEnvironment.OXPG_FAILPOINTS = await buildFailpoints()
      })
    }
    if (wants('rust')) await rust()
    const isCompiled = !needsCompiler || (await check('tests compile', compileTests))
    for (const part of AVA_PARTS) {
      if (wants(part) && isCompiled)
        await ava(
          `${part} tests`,
          `__test__/${part}`,
          `.cache/test/__test__/${part}/${PATTERNS[part] ?? '**'}`,
        )
    }
    if (wants('adversity') && isCompiled) await adversity()
    if (wants('types')) await step('type tests', types)
    if (wants('package')) await ava('package tests', '__test__/package', '__test__/package/**')
  } finally {
    if (server) await prepare('PostgreSQL stops', () => server.stop())
  }
}

const started = performance.now()
await main().catch((error) => {
  total.failed++
  console.error(error)
})
console.log(`in ${duration(performance.now() - started)}`)
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
