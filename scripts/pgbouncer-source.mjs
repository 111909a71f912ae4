// Builds a PgBouncer from its source, once, into .cache: Debian's is older than prepared statements behind poolers (1.21).
// It needs git, a C compiler, autotools, pkg-config and libevent's headers.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, run } from './run.mjs'

/** From 1.25 on the source is complete without submodules. */
const TAG = 'pgbouncer_1_25_2'
/** A git repository, by its URL or its path. */
const SOURCE = process.env.OXPG_PGBOUNCER_SOURCE ?? 'https://github.com/pgbouncer/pgbouncer.git'
const CACHE = join('.cache', 'pgbouncer')
/** Neither TLS nor asynchronous DNS plays a part in the tests. */
const STEPS = [
  ['./autogen.sh', []],
  ['./configure', ['--without-openssl', '--without-cares']],
  ['make', ['-j2', 'pgbouncer']],
]

/** `{ program }`, the path of the program; or `{ reason }`, why there is none. */
export async function buildPgbouncer() {
  const program = join(ROOT, CACHE, TAG, 'pgbouncer')
  if (existsSync(program)) return { program }
  const folder = join(ROOT, CACHE, `${TAG}.part`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(ROOT, CACHE), { recursive: true })
  try {
    await run('git', ['clone', '--quiet', '--depth', '1', '--branch', TAG, SOURCE, folder])
    for (const [command, parameters] of STEPS) await run(command, parameters, { cwd: folder })
    renameSync(folder, join(ROOT, CACHE, TAG))
    return { program }
  } catch (error) {
    return { reason: reasonOf(error) }
  }
}

function reasonOf(error) {
  const lines = (error.output ?? error.message).trim().split('\n')
  return `${error.message.split('\n')[0]}: ${lines.at(-1)}`
}
