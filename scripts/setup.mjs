// Makes a clone ready: node_modules, the native addon and dist/, each only when it is missing or older than what it
// is made from. No dependencies: it runs in a clone that has nothing yet.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildAddon, buildFace } from './build-steps.mjs'
import { doorFiles } from './doors.mjs'
import { filesBelow, isThere } from './files.mjs'
import { duration, ROOT, run } from './run.mjs'

const STAMPS = join(ROOT, '.cache', 'stamps.json')

const ADDON_INPUTS = [
  'Cargo.toml',
  'Cargo.lock',
  'rust-toolchain.toml',
  'crates/codec',
  'crates/client',
  'crates/node',
]
const FACE_INPUTS = [
  'src',
  'tsconfig.base.json',
  'tsconfig.json',
  'tsconfig.face.json',
  'scripts/build-steps.mjs',
  'scripts/bundle.mjs',
  'scripts/doors.mjs',
  'scripts/entries.mjs',
]

/** A digest of names and contents: times of modification mean nothing after a clone. */
function digestOf(inputs) {
  const hash = createHash('sha256').update(process.platform).update(process.arch)
  for (const input of inputs) {
    for (const file of filesBelow(input)) hash.update(`\0${file}\0`).update(readFileSync(join(ROOT, file)))
  }
  return hash.digest('hex')
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return {}
  }
}

/** Whether node_modules holds what package-lock.json says; npm keeps its own account of it in a hidden lock file. */
function areModulesCurrent() {
  const wanted = readJson(join(ROOT, 'package-lock.json')).packages ?? {}
  const installed = readJson(join(ROOT, 'node_modules', '.package-lock.json')).packages ?? {}
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  )
}

async function step(name, work) {
  const started = performance.now()
  process.stdout.write(`${name} …\n`)
  await work()
  process.stdout.write(`${name}: ${duration(performance.now() - started)}\n`)
}

async function make(name, inputs, isPresent, build, isForced) {
  const stamps = readJson(STAMPS)
  const digest = digestOf(inputs)
  if (!isForced && isPresent() && stamps[name] === digest) return
  await step(`build the ${name}`, build)
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  writeFileSync(STAMPS, `${JSON.stringify({ ...readJson(STAMPS), [name]: digest }, null, 2)}\n`)
}

const hasAddon = () => readdirSync(ROOT).some((name) => /^oxpg\..+\.node$/.test(name))
const hasFace = () => doorFiles().every(isThere)

export async function install() {
  if (!areModulesCurrent()) await step('npm ci', () => run('npm', ['ci', '--no-audit', '--no-fund']))
}

/** @param {{ isForced?: boolean }} [options] `isForced` builds even when nothing changed */
export async function setup({ isForced = false } = {}) {
  await install()
  await make('addon', ADDON_INPUTS, hasAddon, buildAddon, isForced)
  await make('face', FACE_INPUTS, hasFace, buildFace, isForced)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setup().catch((error) => {
    console.error(error.output ?? error)
    process.exitCode = 1
  })
}
