// Servers of a row's own, which it may stop, kill and start again.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

export type Ending = 'fast' | 'immediate' | 'killed'

/** A server as scripts/embedded-postgres.mjs starts it. */
export interface Server {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly logFile: string
  readonly pid: number
  /** Resolves when none of its processes is left. */
  end(ending: Ending): Promise<void>
  /** Resolves when it accepts connections again. */
  restart(): Promise<void>
  /** Makes one that has ended a standby, of a pair. */
  follow(primary: Server): void
  stop(): Promise<void>
}

/** What it has acknowledged is not to be lost by the way in which it ends. */
const SETTINGS = { synchronous_commit: 'on' }

async function startCluster(more: object): Promise<{ primary: Server; standby?: Server }> {
  const clusters = await import(pathToFileURL(resolve('scripts/clusters.mjs')).href)
  // The major that the other rows have as well.
  const major = process.env.OXPG_TEST_MAJOR
  return clusters.startCluster({ ...more, ...(major === undefined ? {} : { major: Number(major) }) })
}

export async function startServer(settings: Record<string, string> = {}): Promise<Server> {
  const { primary } = await startCluster({ settings: { ...SETTINGS, ...settings } })
  return primary
}

/** A primary, and a standby that confirms its commits. */
export async function startPair(): Promise<{ primary: Server; standby: Server }> {
  // Whoever comes back as a standby must find what was written meanwhile.
  const settings = { ...SETTINGS, wal_keep_size: '256MB' }
  const { primary, standby } = await startCluster({ settings, hasStandby: true })
  return { primary, standby: standby! }
}
