/** The version of a server, as asyncpg has it. */
export interface ServerVersion {
  readonly major: number
  /** 0 since PostgreSQL 10, whose 10.1 is the first correction of 10 and stands for 10.0.1. */
  readonly minor: number
  /** The number of the correction: 4 of 18.4. */
  readonly micro: number
  readonly releaseLevel: 'alpha' | 'beta' | 'candidate' | 'final'
  /** The number behind `beta` or `rc`, else 0. */
  readonly serial: number
}

/** The first number that is no part of a word: other servers of the protocol put their names before it. */
const VERSION =
  /(?<![\w.])v?(?<major>\d+)(?:\.(?<second>\d+))?(?:\.(?<third>\d+))?(?:(?<level>devel|alpha|beta|rc)(?<serial>\d+)?)?/

const LEVELS: { readonly [word: string]: ServerVersion['releaseLevel'] } = {
  devel: 'alpha',
  alpha: 'alpha',
  beta: 'beta',
  rc: 'candidate',
}

/** Reads `server_version`, such as `18.4`, `17rc1`, `9.6.24`, `16.2 (Debian 16.2-1)` or `CockroachDB CCL v23.1.11`; all 0 when it has none. */
export function parseServerVersion(text: string): ServerVersion {
  const groups = VERSION.exec(text)?.groups ?? {}
  const number = (digits: string | undefined): number => Number(digits ?? 0)
  const major = number(groups.major)
  const isOldScheme = major < 10
  return Object.freeze({
    major,
    minor: isOldScheme ? number(groups.second) : 0,
    micro: number(isOldScheme ? groups.third : groups.second),
    releaseLevel: LEVELS[groups.level ?? ''] ?? 'final',
    serial: number(groups.serial),
  })
}
