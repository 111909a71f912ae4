// What the processes of a server leave behind in files and in the system's list, for those who wait for them.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** The lines of a file; none where it is not, or no more. */
export function linesOf(file) {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
}

export function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** What `ps` says of processes, as words; nothing of those that are no more. */
function psOf(fields, ...which) {
  try {
    const list = execFileSync('ps', ['-o', fields.map((field) => `${field}=`).join(','), ...which])
    return list
      .toString()
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
  } catch {
    return []
  }
}

/** The processes of a server, by that which started them. */
export const childrenOf = (pid) =>
  psOf(['pid', 'ppid'], '-A')
    .filter(([, parent]) => parent === String(pid))
    .map(([child]) => Number(child))

/** One that has ended, and that nobody has asked for its end, is no more. */
export const areRunning = (pids) =>
  psOf(['pid', 'stat'], '-p', pids.join()).some(([, state]) => state !== undefined && !state.startsWith('Z'))
