// The tarball that npm would publish, installed into an empty folder.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
async function userProgram(name, source) {
  writeFileSync(join(folder, name), source)
  const { stdout } = await execute(process.execPath, [name], {
    cwd: folder,
    env: process.env,
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
