// Servers of a row's own, which it may stop, kill and start again.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

export type Ending = 'fast' | 'immediate' | 'killed'

/** A server as scripts/embedded-postgres.mjs starts it. */
export interface Server {
  readonly url: string
  readonly logFile: string
  readonly pid: number
  /** Resolves when none of its processes is left. */
  end(ending: Ending): Promise<void>
  /** Resolves when it accepts connections again. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Starts one of the major that the other rows have as well, which `OXPG_TEST_MAJOR` says. */
export async function startServer(settings: Record<string, string> = {}): Promise<Server> {
  const { startCluster } = await import(pathToFileURL(resolve('scripts/clusters.mjs')).href)
  const major = process.env.OXPG_TEST_MAJOR
  // What it has acknowledged is not to be lost by the way in which it ends.
  const all = { synchronous_commit: 'on', ...settings }
  const options = { settings: all, ...(major === undefined ? {} : { major: Number(major) }) }
  const { primary } = await startCluster(options)
  return primary
}
