// Child processes and tidy console output for the scripts of this folder. No dependencies: it runs before `npm ci`.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** Path of a file in node_modules, for running a package's program with this very Node. */
export const inModules = (...parts) => join(ROOT, 'node_modules', ...parts)

export const PROGRAMS = {
  ava: inModules('ava', 'entrypoints', 'cli.mjs'),
  biome: inModules('@biomejs', 'biome', 'bin', 'biome'),
  napi: inModules('@napi-rs', 'cli', 'dist', 'cli.js'),
  tsc: inModules('typescript', 'bin', 'tsc'),
}

/** A command that ended with another code than 0. */
export class CommandError extends Error {
  constructor(command, code, output) {
    super(`${command} ended with ${code}`)
    this.name = 'CommandError'
    this.output = output
  }
}

/**
 * Runs a command in the project's root and resolves with what it wrote.
 *
 * @param {string} command
 * @param {string[]} commandArguments
 * @param {{ env?: Record<string, string>, cwd?: string, isLive?: boolean, mayFail?: boolean }} [options] `isLive`
 *   shows the output as it comes; `mayFail` resolves for any exit code
 * @returns {Promise<{ code: number, output: string, stdout: string }>}
 */
export function run(command, commandArguments, options = {}) {
  const { env = {}, cwd = ROOT, isLive = false, mayFail = false } = options
  const shown = [command === process.execPath ? 'node' : command, ...commandArguments].join(' ')
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
      output += text
      if (isLive) process.stdout.write(text)
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text
      if (isLive) process.stderr.write(text)
    })
    child.once('error', (error) => {
      const hint = error.code === 'ENOENT' ? `: ${command} is not installed or not on the PATH` : ''
      reject(new Error(`cannot run ${command}${hint}`, { cause: error }))
    })
    child.once('close', (code, signal) => {
      if (code === 0 || (mayFail && code !== null)) resolve({ code, output, stdout })
      else reject(new CommandError(shown, signal ?? code, output))
    })
  })
}

/** Runs a script or an npm package's program with this Node. */
export const runNode = (script, scriptArguments, options) =>
  run(process.execPath, [script, ...scriptArguments], options)

/** `1.2 s`, `3 min 04 s`. */
export function duration(milliseconds) {
  const seconds = milliseconds / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`
}
