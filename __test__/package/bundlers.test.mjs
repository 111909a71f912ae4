// A small application that uses the packed package, traced or bundled, and run where there is no node_modules.
import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { nodeFileTrace } from '@vercel/nft'
import test from 'ava'
import * as esbuild from 'esbuild'
import { rollup } from 'rollup'
import webpack from 'webpack'

const execute = promisify(execFile)
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const folder = mkdtempSync(join(tmpdir(), 'oxpg-bundlers-'))
const app = join(folder, 'app')

const MAIN = `
async function main() {
  const connection = await connect(process.env.OXPG_TEST_URL)
  const sum = await connection.fetchVal('select $1::int + 1', [41])
  const error = await connection.execute('do $$ begin raise unique_violation; end $$').catch((error) => error)
  await connection.close()
  console.log(JSON.stringify({ sum, isItsClass: error instanceof UniqueViolationError }))
}
main()
`
/** The application by the way in which it loads oxpg: either door must lead tools to the addon. */
const APPS = {
  'app.js': `const { connect, UniqueViolationError } = require('oxpg')\n${MAIN}`,
  'app.mjs': `import { connect, UniqueViolationError } from 'oxpg'\n${MAIN}`,
}

/**
 * What npm would install on this platform: oxpg without a binary, and the package of the platform with it. Other
 * platforms' packages are not there.
 */
test.before('pack and install', async () => {
  const { stdout } = await execute('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT })
  const packed = JSON.parse(stdout)
  const tarball = join(folder, (Array.isArray(packed) ? packed[0] : Object.values(packed)[0]).filename)
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true }\n')
  await execute('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: app })
  const installed = join(app, 'node_modules', 'oxpg')
  const [binary] = readdirSync(installed).filter((name) => name.endsWith('.node'))
  const platform = binary.replace(/^oxpg\.(.*)\.node$/, '$1')
  const ofPlatform = join(app, 'node_modules', '@oxpg', `native-${platform}`)
  mkdirSync(ofPlatform, { recursive: true })
  renameSync(join(installed, binary), join(ofPlatform, binary))
  writeFileSync(
    join(ofPlatform, 'package.json'),
    JSON.stringify({ name: `@oxpg/native-${platform}`, version: '0.1.0', main: binary, files: [binary] }),
  )
  for (const [name, source] of Object.entries(APPS)) writeFileSync(join(app, name), source)
})

test.after.always('remove the folder', () => rmSync(folder, { recursive: true, force: true }))

/** Runs a program where nothing else is, and expects the application's answer. */
async function runs(t, place, program) {
  // Nothing may be found by accident in the folder where it was made.
  const away = mkdtempSync(join(tmpdir(), 'oxpg-bundled-'))
  t.teardown(() => rmSync(away, { recursive: true, force: true }))
  cpSync(place, away, { recursive: true })
  const { stdout } = await execute(process.execPath, [join(away, program)], { cwd: away, timeout: 60_000 })
  t.deepEqual(JSON.parse(stdout), { sum: 42, isItsClass: true })
}

/** A folder for what is made of the application. */
function output(t) {
  const made = mkdtempSync(join(folder, 'made-'))
  t.teardown(() => rmSync(made, { recursive: true, force: true }))
  return made
}

for (const entry of Object.keys(APPS)) {
  test.serial(`${entry} as it is installed`, async (t) => {
    await runs(t, app, entry)
  })

  test.serial(`@vercel/nft finds the addon from ${entry}`, async (t) => {
    const { fileList } = await nodeFileTrace([join(app, entry)], { base: app })
    const made = output(t)
    for (const file of fileList) cpSync(join(app, file), join(made, file), { recursive: true })
    t.true([...fileList].some((file) => file.endsWith('.node')))
    await runs(t, made, entry)
  })

  test.serial(`ncc takes the addon along from ${entry}`, async (t) => {
    const made = output(t)
    const ncc = join(ROOT, 'node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js')
    const settings = ['--out', made, '--quiet', '--no-cache']
    await execute(process.execPath, [ncc, 'build', join(app, entry), ...settings], { cwd: app })
    const program = `index${extname(entry)}`
    t.true(existsSync(join(made, program)))
    await runs(t, made, program)
  })

  // docs/guide/deployment.md has these settings.
  test.serial(`esbuild with a loader for .node, from ${entry}`, async (t) => {
    const made = output(t)
    const { warnings } = await esbuild.build({
      entryPoints: [join(app, entry)],
      outfile: join(made, 'app.js'),
      bundle: true,
      platform: 'node',
      loader: { '.node': 'copy' },
      logLevel: 'silent',
    })
    t.deepEqual(warnings, [])
    await runs(t, made, 'app.js')
  })

  test.serial(`webpack with node-loader, from ${entry}`, async (t) => {
    const made = output(t)
    const errors = await packed({
      entry: `./${entry}`,
      output: { path: made, filename: 'app.js' },
      // Found from where the tests are, not from the application.
      resolveLoader: { modules: [join(ROOT, 'node_modules')] },
      module: { rules: [{ test: /\.node$/, loader: 'node-loader', options: { name: '[name].[ext]' } }] },
      node: { __dirname: false },
    })
    t.deepEqual(errors, [])
    await runs(t, made, 'app.js')
  })
}

test.serial('esbuild to ES modules, with a require', async (t) => {
  const made = output(t)
  await esbuild.build({
    entryPoints: [join(app, 'app.mjs')],
    outfile: join(made, 'app.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    loader: { '.node': 'copy' },
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)",
    },
  })
  await runs(t, made, 'app.mjs')
})

test.serial('esbuild with the package left outside', async (t) => {
  const made = output(t)
  await esbuild.build({
    entryPoints: [join(app, 'app.js')],
    outfile: join(made, 'app.js'),
    bundle: true,
    platform: 'node',
    external: ['oxpg'],
  })
  cpSync(join(app, 'node_modules'), join(made, 'node_modules'), { recursive: true })
  await runs(t, made, 'app.js')
})

test.serial('rollup with the package left outside', async (t) => {
  const made = output(t)
  const bundle = await rollup({ input: join(app, 'app.mjs'), external: ['oxpg'] })
  await bundle.write({ file: join(made, 'app.mjs'), format: 'es' })
  await bundle.close()
  cpSync(join(app, 'node_modules'), join(made, 'node_modules'), { recursive: true })
  await runs(t, made, 'app.mjs')
})

/** Packs the application with webpack, and gives its errors. */
function packed(settings) {
  const compiler = webpack({ context: app, mode: 'production', target: 'node', ...settings })
  return new Promise((resolve, reject) => {
    compiler.run((error, stats) => (error ? reject(error) : resolve(stats.toJson({ errors: true }).errors)))
  })
}

test.serial('webpack with the package left outside', async (t) => {
  const made = output(t)
  const errors = await packed({
    entry: './app.js',
    output: { path: made, filename: 'app.js' },
    externals: { oxpg: 'commonjs oxpg' },
  })
  t.deepEqual(errors, [])
  cpSync(join(app, 'node_modules'), join(made, 'node_modules'), { recursive: true })
  await runs(t, made, 'app.js')
})

test.serial('the bundle has a map to the sources', (t) => {
  const dist = join(app, 'node_modules', 'oxpg', 'dist')
  const map = JSON.parse(readFileSync(join(dist, 'index.js.map'), 'utf8'))
  t.true(map.sources.includes('../src/connection.ts'), map.sources.slice(0, 3).join())
  t.regex(readFileSync(join(dist, 'index.js'), 'utf8'), /\/\/# sourceMappingURL=index\.js\.map\s*$/)
})
