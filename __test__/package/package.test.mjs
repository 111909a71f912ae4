// The tarball that npm would publish, installed into an empty folder.
import { execFile, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

const execute = promisify(execFile)
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const folder = mkdtempSync(join(tmpdir(), 'oxpg-package-'))
const installed = join(folder, 'node_modules', 'oxpg')
let tarball

/** Runs a program of the user's, in the folder where the package is installed, and gives what it printed as JSON. */
async function userProgram(name, source, { runtime = [process.execPath], env = {} } = {}) {
  writeFileSync(join(folder, name), source)
  const [program, ...flags] = runtime
  const { stdout } = await execute(program, [...flags, name], {
    cwd: folder,
    env: { ...process.env, ...env },
    timeout: 60_000,
  })
  return JSON.parse(stdout)
}

test.before('pack and install', async () => {
  const { stdout } = await execute('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT })
  const packed = JSON.parse(stdout)
  // npm 12 gives an object by package name, earlier ones a list.
  tarball = join(folder, (Array.isArray(packed) ? packed[0] : Object.values(packed)[0]).filename)
  writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true }\n')
  await execute('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: folder })
})

test.after.always('remove the folder', () => rmSync(folder, { recursive: true, force: true }))

test.serial('the package brings what it needs and nothing else', (t) => {
  const top = readdirSync(installed)
  for (const name of [
    'dist',
    'index.d.ts',
    'index.d.mts',
    'otel.d.ts',
    'otel.d.mts',
    'package.json',
    'README.md',
    'LICENSE-MIT',
    'LICENSE-APACHE',
  ]) {
    t.true(top.includes(name), `${name} is missing`)
  }
  for (const name of ['src', 'crates', '__test__', 'scripts', 'target', 'bench']) t.false(top.includes(name))
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  t.is(manifest.dependencies, undefined)
  t.is(manifest.scripts.postinstall ?? manifest.scripts.install, undefined)
  t.deepEqual(
    readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.')),
    ['oxpg'],
  )
})

const SELECT =
  "const rows = await connection.fetch('select $1::int + 1 as n', [41]); await connection.close()"

test.serial('import connects and queries', async (t) => {
  const names = "import * as all from 'oxpg'; const connection = await all.connect(process.env.OXPG_TEST_URL)"
  const print = 'console.log(JSON.stringify({ rows, names: Object.keys(all) }))'
  const { rows, names: exported } = await userProgram('esm.mjs', `${names}; ${SELECT}; ${print}`)
  t.deepEqual(rows, [{ n: 42 }])
  for (const name of [
    'connect',
    'createPool',
    'sql',
    'Row',
    'Record',
    'PostgresError',
    'UniqueViolationError',
  ]) {
    t.true(exported.includes(name), `${name} is not exported`)
  }
})

test.serial('require connects and queries', async (t) => {
  const open =
    "const { connect } = require('oxpg'); const connection = await connect(process.env.OXPG_TEST_URL)"
  const source = `(async () => { ${open}; ${SELECT}; console.log(JSON.stringify(rows)) })()`
  t.deepEqual(await userProgram('cjs.cjs', source), [{ n: 42 }])
})

test.serial('import and require give the same classes under the same names', async (t) => {
  const source = `
    import { createRequire } from 'node:module'
    import * as imported from 'oxpg'
    const required = createRequire(import.meta.url)('oxpg')
    const names = Object.keys(required).filter((name) => name !== '__esModule')
    console.log(JSON.stringify({
      differing: names.filter((name) => imported[name] !== required[name]),
      additional: Object.keys(imported).filter((name) => !names.includes(name)),
      count: names.length,
    }))`
  const { differing, additional, count } = await userProgram('both.mjs', source)
  t.deepEqual({ differing, additional }, { differing: [], additional: [] })
  t.true(count > 100, `${count} names`)
})

test.serial('classes have the names by which they are exported', async (t) => {
  const source = `
    const all = require('oxpg')
    const isClass = (value) => typeof value === 'function' && /^class\\b/.test(Function.prototype.toString.call(value))
    const classes = Object.keys(all).filter((name) => isClass(all[name]))
    const differing = classes.filter((name) => all[name].name !== name)
    console.log(JSON.stringify({ count: classes.length, differing, isAlias: all.Row === all.Record }))`
  const { count, differing, isAlias } = await userProgram('names.cjs', source)
  t.true(count > 250, `${count} classes`)
  t.true(isAlias)
  t.deepEqual(differing, ['Row'])
})

test.serial('with source maps a stack shows the sources', async (t) => {
  const source = `
    require('oxpg').connect('postgres://somebody@127.0.0.1:1/nothing')
      .catch((error) => console.log(JSON.stringify(error.stack)))`
  const runtime = [process.execPath, '--enable-source-maps']
  const stack = await userProgram('stack.cjs', source, { runtime })
  const [, line] = /oxpg\/src\/open-session\.ts:(\d+):\d+/.exec(stack) ?? t.fail(stack)
  const text = readFileSync(join(ROOT, 'src', 'open-session.ts'), 'utf8').split('\n')[line - 1]
  t.regex(text, /throw errorFromFailure/, `line ${line} is where what connect calls throws`)
})

// Node searches all that ESM imports of CommonJS for the names of its exports: longer than the rest of loading takes.
test.serial('import has Node search no more than the bridge for names', async (t) => {
  const hooks = `
    import { writeSync } from 'node:fs'
    export async function load(url, context, next) {
      if (url.includes('/oxpg/')) writeSync(1, JSON.stringify(url.split('/').at(-1)) + ',')
      return next(url, context)
    }`
  const source = `
    import { writeSync } from 'node:fs'
    import { register } from 'node:module'
    writeSync(1, '[')
    register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)})
    const { default: bridge } = await import('./node_modules/oxpg/dist/index.bridge.js')
    const { Pool } = await import('oxpg')
    writeSync(1, JSON.stringify({ isSame: bridge.Pool === Pool }) + ']')`
  t.deepEqual(await userProgram('search.mjs', source), ['index.bridge.js', 'index.mjs', { isSame: true }])
  const names =
    "console.log(JSON.stringify(Object.keys(await import('./node_modules/oxpg/dist/index.bridge.js'))))"
  // Newer versions of Node give 'module.exports' as well.
  t.deepEqual(
    (await userProgram('bridge.mjs', names)).filter((name) => name !== 'module.exports'),
    ['default'],
  )
})

test.serial('the code is ASCII: V8 keeps it at one byte a character', (t) => {
  const code = readFileSync(join(installed, 'dist', 'index.js'), 'utf8')
  t.is(/[^\0-\x7f]/.exec(code), null)
  t.regex(code, /\\u2026/, 'characters beyond ASCII are escaped')
})

const FOREIGN = `
  const { connect } = require('oxpg')
  connect('postgres://somebody@127.0.0.1:1/nothing').catch(({ message }) => console.log(JSON.stringify(message)))`
const refusal = (runtime) =>
  new RegExp(`^oxpg does not run on ${runtime} [\\d.]+ yet: .*; run it with Node\\.js`)

for (const runtime of ['Bun', 'Deno']) {
  const name = runtime.toLowerCase()
  test.serial(`${runtime} is refused with one sentence, and nothing is loaded`, async (t) => {
    const disguise = `Object.defineProperty(process, 'versions', { value: { ...process.versions, ${name}: '1.2.3' } })`
    const env = { OXPG_NATIVE_PATH: join(folder, 'nothing.node') }
    const message = await userProgram(`${name}.cjs`, `${disguise}\n${FOREIGN}`, { env })
    t.regex(message, refusal(runtime))
  })
}

const bun = join(ROOT, 'bench', 'node_modules', 'bun', 'bin', 'bun.exe')
/** There where the benchmarks have been run. */
if (spawnSync(bun, ['--version']).status === 0) {
  test.serial('Bun itself is refused with one sentence', async (t) => {
    t.regex(await userProgram('real-bun.cjs', FOREIGN, { runtime: [bun, 'run'] }), refusal('Bun'))
  })
}

const DEFAULT_IMPORT = `
  import oxpg, { Pool } from 'oxpg'
  const connection: oxpg.Connection = await_(oxpg.connect)
  function await_(open: typeof oxpg.connect): oxpg.Connection { return undefined as unknown as oxpg.Connection }
  console.log(JSON.stringify([oxpg.Pool === Pool, typeof oxpg.connect, connection === undefined]))`

for (const [kind, name, flags] of [
  ['CommonJS with esModuleInterop', 'interop.cts', ['--esModuleInterop', 'true']],
  [
    'CommonJS without esModuleInterop',
    'plain.cts',
    ['--esModuleInterop', 'false', '--ignoreDeprecations', '6.0'],
  ],
  ['an ES module', 'module.mts', []],
]) {
  test.serial(`import oxpg from 'oxpg' works in TypeScript that becomes ${kind}`, async (t) => {
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    const types = ['--typeRoots', join(ROOT, 'node_modules', '@types'), '--types', 'node']
    writeFileSync(join(folder, name), DEFAULT_IMPORT)
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', ...types, ...flags]
    await execute(process.execPath, [tsc, ...options, name], { cwd: folder }).catch((error) =>
      t.fail(`${error.stdout}\n${error.stderr}`),
    )
    const { stdout } = await execute(process.execPath, [name.replace('ts', 'js')], { cwd: folder })
    t.deepEqual(JSON.parse(stdout), [true, 'function', true])
  })
}

test.serial('loading takes none of the modules of Node that few sessions need', async (t) => {
  const source = `
    const before = new Set(process.moduleLoadList)
    require('oxpg')
    console.log(JSON.stringify(process.moduleLoadList.filter((name) => !before.has(name))))`
  const loaded = await userProgram('loaded.cjs', source)
  for (const name of ['tls', 'net', 'dns', 'crypto', 'perf_hooks', 'child_process']) {
    t.false(loaded.includes(`NativeModule ${name}`), name)
  }
})

test.serial('oxpg/otel says what it needs, and shares the classes of oxpg where it is there', async (t) => {
  const lacking = `
    try { require('oxpg/otel') } catch ({ code, message }) { console.log(JSON.stringify([code, message])) }`
  const [code, message] = await userProgram('lacking.cjs', lacking)
  t.is(code, 'MODULE_NOT_FOUND')
  t.regex(message, /@opentelemetry\/api/)
  const api = join(folder, 'node_modules', '@opentelemetry', 'api')
  cpSync(join(ROOT, 'node_modules', '@opentelemetry', 'api'), api, { recursive: true })
  const sharing = `
    import { createRequire } from 'node:module'
    import { OxpgInstrumentation } from 'oxpg/otel'
    const required = createRequire(import.meta.url)('oxpg/otel')
    const { instrumentationName, instrumentationVersion } = new OxpgInstrumentation()
    const isSame = required.OxpgInstrumentation === OxpgInstrumentation
    console.log(JSON.stringify({ instrumentationName, instrumentationVersion, isSame }))`
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const told = await userProgram('sharing.mjs', sharing)
  rmSync(join(folder, 'node_modules', '@opentelemetry'), { recursive: true })
  t.deepEqual(told, { instrumentationName: 'oxpg', instrumentationVersion: version, isSame: true })
})

test.serial('oxpg itself loads nothing of oxpg/otel', async (t) => {
  const source = `
    require('oxpg')
    console.log(JSON.stringify(Object.keys(require.cache).filter((file) => file.includes('otel') || file.includes('opentelemetry'))))`
  t.deepEqual(await userProgram('alone.cjs', source), [])
})

test.serial('nothing but the entry and package.json can be reached', async (t) => {
  const source = `
    const reach = async (path) => import(path).then(() => 'loaded', (error) => error.code)
    console.log(JSON.stringify([await reach('oxpg/dist/index.js'), await reach('oxpg/src/index.ts')]))`
  const answers = await userProgram('deep.mjs', source)
  t.deepEqual(answers, ['ERR_PACKAGE_PATH_NOT_EXPORTED', 'ERR_PACKAGE_PATH_NOT_EXPORTED'])
})

test.serial('publint finds nothing', async (t) => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true })
  t.deepEqual(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  )
})

test.serial('arethetypeswrong finds nothing', async (t) => {
  const program = join(ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')
  t.true(existsSync(program))
  const { stdout } = await execute(process.execPath, [program, tarball, '--format', 'ascii', '--no-emoji'], {
    cwd: folder,
  }).catch((error) => t.fail(`${error.stdout}\n${error.stderr}`))
  t.regex(stdout, /No problems found/)
})
