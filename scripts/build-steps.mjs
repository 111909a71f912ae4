// The three products of a build: the native addon, dist/ and the rolled-up declarations.
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PROGRAMS, ROOT, run, runNode } from './run.mjs'

/** `oxpg.<platform>.node` at the package's root, from crates/node and what it stands on. */
export function buildAddon() {
  // napi writes its own declarations beside the addon as index.d.ts, which is the name of our public surface.
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  const where = [
    '--manifest-path',
    'crates/node/Cargo.toml',
    '--output-dir',
    '.',
    '--dts',
    '.cache/native.d.ts',
  ]
  return runNode(PROGRAMS.napi, ['build', '--platform', '--release', '--no-js', ...where])
}

/** dist/: the face as CommonJS, one file for each door, and the thin ESM entries that give its names again. */
export async function buildFace() {
  rmSync(join(ROOT, '.cache', 'face'), { recursive: true, force: true })
  await runNode(PROGRAMS.tsc, ['-p', 'tsconfig.face.json'])
  await runNode('scripts/bundle.mjs', [])
  await runNode('scripts/entries.mjs', ['esm'])
}

/** `<door>.d.ts`: the whole public surface of each door in one file, from the declarations of src. */
export async function buildDeclarations(folder) {
  rmSync(join(ROOT, '.cache', 'types'), { recursive: true, force: true })
  await runNode(PROGRAMS.tsc, ['-p', 'tsconfig.types.json'])
  await runNode('scripts/entries.mjs', ['types', folder])
}

/** The SQLSTATE and type tables, from PostgreSQL's own data. `--check` writes nothing and fails on a difference. */
export const generateTables = (...options) =>
  run('cargo', ['run', '--quiet', '-p', 'oxpg-codegen', '--', ...options])

/** A program of the workspace that is fast, and is built in less time than the addon. */
const OPTIMIZED = { CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16' }

/**
 * The testkit's program (crates/testkit); gives its path.
 *
 * @param {{ isOptimized?: boolean }} [options] for benchmarks it is optimized
 */
export async function buildTestkit({ isOptimized = false } = {}) {
  const [options, env] = isOptimized ? [['--release'], OPTIMIZED] : [[], {}]
  await run('cargo', ['build', '--quiet', '-p', 'oxpg-testkit', ...options], { env })
  const { stdout } = await run('cargo', ['metadata', '--format-version', '1', '--no-deps'])
  return join(JSON.parse(stdout).target_directory, isOptimized ? 'release' : 'debug', 'oxpg-testkit')
}

/** An addon that panics where a test wishes (crates/codec/src/failpoint.rs), for tests; gives its path. */
export async function buildFailpoints() {
  const { stdout } = await run('cargo', ['metadata', '--format-version', '1', '--no-deps'])
  // A folder of its own: the features of what it stands on are others than those of the tests.
  const folder = join(JSON.parse(stdout).target_directory, 'failpoints')
  const build = ['build', '--quiet', '-p', 'oxpg-node', '--features', 'failpoints', '--target-dir', folder]
  await run('cargo', build)
  const library = process.platform === 'darwin' ? 'liboxpg_node.dylib' : 'liboxpg_node.so'
  const path = join(folder, 'oxpg.failpoints.node')
  copyFileSync(join(folder, 'debug', library), path)
  return path
}
