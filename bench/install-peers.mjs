// What the peers need, installed where it is missing. A peer that cannot be had stays out of the run, with a line.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const floorFolder = fileURLToPath(new URL('peers/floor/', import.meta.url))

function attempt(peer, command, args, cwd = folder) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status === 0) return true
  console.log(`skipped: ${peer}: ${command} ${args.join(' ')} ${error?.message ?? `ended with ${status}`}`)
  return false
}

/** Installs the peers of this run that are not there yet. */
export function installPeers(names) {
  const wants = (name) => names.includes(name)
  if ((wants('pg') || wants('postgres') || wants('bun')) && !existsSync(`${folder}node_modules`)) {
    attempt('pg, postgres, bun', 'npm', ['ci', '--no-audit', '--no-fund'])
  }
  const bun = `${folder}node_modules/bun/`
  // npm may not have been allowed to run Bun's own install script, which fetches nothing but puts the binary in place.
  if (wants('bun') && existsSync(bun) && spawnSync(`${bun}bin/bun.exe`, ['--version']).status !== 0) {
    attempt('bun', process.execPath, ['install.js'], bun)
  }
  if (wants('asyncpg') && !existsSync(`${folder}.venv/bin/python`)) {
    if (attempt('asyncpg', 'python3', ['-m', 'venv', '.venv'])) {
      attempt('asyncpg', '.venv/bin/pip', [
        'install',
        '--quiet',
        '--disable-pip-version-check',
        'asyncpg',
        'uvloop',
      ])
    }
  }
  if (wants('floor')) attempt('floor', 'cargo', ['build', '--release', '--quiet'], floorFolder)
}
