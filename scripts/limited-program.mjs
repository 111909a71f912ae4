// A program of a test in a process of its own, which is killed when it does not end.
import { spawn } from 'node:child_process'

/** How much of what it said on stderr a failure shows. */
const SHOWN = 2_000

/**
 * @param {string} node the Node.js that runs it
 * @param {string[]} programArguments the program's file, and what it is given
 * @param {{ limitMs: number, env?: Record<string, string> }} options `env` is added to this process's own
 * @returns {Promise<{ end: number | string, stdout: string, stderr: string, ending: string }>} `end` is the exit code, or the
 *   signal that ended it; `ending` says so for a failure, with the last of stderr
 */
export function runLimited(node, programArguments, { limitMs, env = {} }) {
  return new Promise((resolve) => {
    const child = spawn(node, programArguments, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      const end = signal ?? code
      resolve({ end, stdout, stderr, ending: `ended with ${end}\n${stderr.slice(-SHOWN)}` })
    })
  })
}
