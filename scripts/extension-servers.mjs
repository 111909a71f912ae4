// Which servers of this machine have which extensions: by their control files, as pg_available_extensions does.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { nativeFolder } from './embedded-postgres.mjs'

/** Debian's and Ubuntu's packages: one folder a major version. */
const DEBIAN_PROGRAMS = '/usr/lib/postgresql'
const DEBIAN_SHARE = '/usr/share/postgresql'

/**
 * @typedef {object} ExtensionServer
 * @property {string} name
 * @property {string} native the folder whose bin/ has the programs
 * @property {string[]} extensions that it can create
 */

const namesIn = (folder) =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.endsWith('.control'))
        .map((file) => file.slice(0, -'.control'.length))
    : []

/** The embedded server. @returns {ExtensionServer} */
export function embeddedServer() {
  const native = nativeFolder()
  const extensions = namesIn(join(native, 'share', 'postgresql', 'extension'))
  return { name: 'the embedded server', native, extensions }
}

/** Debian's servers, the newest first. @returns {ExtensionServer[]} */
export function debianServers() {
  if (!existsSync(DEBIAN_PROGRAMS)) return []
  return readdirSync(DEBIAN_PROGRAMS)
    .filter((major) => existsSync(join(DEBIAN_PROGRAMS, major, 'bin', 'postgres')))
    .sort((a, b) => Number(b) - Number(a))
    .map((major) => ({
      name: `Debian's PostgreSQL ${major}`,
      native: join(DEBIAN_PROGRAMS, major),
      extensions: namesIn(join(DEBIAN_SHARE, major, 'extension')),
    }))
}
