import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConnectionFailureError, type Failure } from '../errors/index'

/** What the addon exports. */
export interface Addon {
  /** What the numbers of the boundary hash to on the addon's side. Addons from before it was there have none. */
  boundaryFingerprint?(): number
  /**
   * Makes an environment on this thread. The arrays become the mailbox and must stay alive and attached until `letGo` is
   * called: then nothing uses the environment any more, and it is freed. `deliver` is called with what arrives in the
   * mailbox. Neither must throw.
   */
  attach(
    cells: Float64Array,
    marks: Uint8Array,
    bytes: Buffer,
    records: Int32Array,
    deliver: (recordCount: number, extras: unknown[] | undefined) => void,
    letGo: () => void,
  ): NativeFunctions
}

/** The functions of one environment. Once it was let go they do nothing, and give undefined if nothing else is said. */
export interface NativeFunctions {
  /**
   * Carries out the first `commandBytes` bytes of the outbox. Gives why nothing of it is carried out when the environment
   * was let go.
   */
  flush(commandBytes: number, extras: (string | Uint8Array)[] | undefined): Failure | undefined
  /** Announces new memory of the outbox; it is read at flushes only. */
  setOutbox(commands: Uint8Array, bytes: Buffer): void
  open(slot: number, configJson: string): void
  /** Gives the pool's id: unsigned, bit 31 set. */
  openPool(slot: number, configJson: string, optionsJson: string): number
  /** Answers CREDENTIALS; `remainingMs` is what is left of `connectTimeoutMs`, 0 for no limit. */
  answerCredentials(
    opening: number,
    password: string | undefined,
    oauthToken: string | undefined,
    remainingMs: number,
  ): void
  /** There is no password, and the session is not opened. */
  refuseCredentials(opening: number, why: string, isLate: boolean): void
  /** `connectTimeoutMs` as options, DSN and environment have it, 0 for no limit; nothing when the configuration is wrong. */
  connectTimeoutOf(configJson: string): number | null | undefined
  /** Whether servers would be verified by Node's root certificates, and those are not here yet. */
  areDefaultRootsMissing(configJson: string): boolean | undefined
  /** Node's root certificates, in PEM; 1 adds those that OpenSSL trusts by default. */
  setDefaultRoots(pem: string, isSystemTrusted: 0 | 1): void
  /** JSON of what a configuration comes to, see `ParsedDsn`; a failure when it is wrong. */
  explainConfig(configJson: string): string | Failure | undefined
  /** Gives the query's id, at least 1. */
  defineQuery(text: string, isCacheable: boolean): number
  /** Closes the query's statements on every connection. */
  forgetQuery(id: number): void
  holdQuery(id: number, isHeld: boolean): void
  /** Bits of what a text is where statements share a transaction: 1 it may share a Sync, 2 it controls transactions, 4 COPY. */
  sharingOf(text: string): number
  /** Why a query is not sent through a pool: nothing would come of it there. */
  refusalThroughPool(text: string): Failure | null | undefined
  poolStats(poolId: number): PoolStats | null | undefined
  expirePool(poolId: number): void
  /** The type code of a type by its name in `pg_type`; 0 when it has no binary codec. */
  familyOf(typeName: string): number
  /**
   * How values of a type come and go on a connection or pool: `choice` is one of `CodecChoice`; `argument` is the id of
   * the application's codec, or the code of the family.
   */
  chooseCodec(target: number, schema: string, name: string, choice: number, argument: number): void
  /** Forgets the types that were looked up for a connection or pool. */
  reloadTypes(target: number): void
  /** Gives a pool's connection codecs of its own, which begin as the pool's. */
  forkTypes(connectionId: number): void
  /** Takes them away again. */
  joinTypes(connectionId: number): void
  reference(connectionId: number): void
  unreference(connectionId: number): void
  /** Writes Terminate to idle sockets; the process is about to exit. */
  sayGoodbye(): void
}

/** Counters of a pool, as of the call. */
export interface PoolStats {
  /** Connections that are open. */
  readonly size: number
  readonly idle: number
  readonly inUse: number
  /** Calls that wait for a connection. */
  readonly waiting: number
  /** Connections that are being opened. */
  readonly opening: number
  /** Connections opened so far. */
  readonly opened: number
  readonly closed: number
  /** Calls that were given a connection so far. */
  readonly granted: number
  /** Calls so far that got no connection in their time, whether that was `acquireTimeoutMs` or a limit of their own. */
  readonly timedOut: number
  readonly minSize: number
  readonly maxSize: number
}

/** Where an addon may be, and how it is loaded; for tests. */
export interface LoadSettings {
  readonly platform: string
  readonly arch: string
  /** The runtime, when it is none that the addon runs on; see {@link foreignRuntime}. */
  readonly foreignRuntime: string | undefined
  /** Asked on Linux only. */
  isMusl(): boolean
  /** `OXPG_NATIVE_PATH`: the addon's file, used alone when it is set. */
  readonly override: string | undefined
  /** The folder of oxpg's package.json; undefined where a bundler has taken the code away from it. */
  readonly packageRoot: string | undefined
  /** Loads an addon's file. */
  open(path: string): unknown
  /** Loads the package of a platform. */
  requirePackage(triple: string): unknown
}

/** napi-rs's name of the ABI behind platform and architecture; undefined where no addon is built. */
function abiOf(settings: LoadSettings): string | undefined {
  switch (settings.platform) {
    case 'linux': {
      const isMusl = settings.isMusl()
      if (settings.arch === 'arm') return isMusl ? 'musleabihf' : 'gnueabihf'
      return isMusl ? 'musl' : 'gnu'
    }
    case 'win32':
      return 'msvc'
    case 'darwin':
    case 'freebsd':
    case 'android':
      return ''
    default:
      return undefined
  }
}

/** The triple in the addon's file name, such as `linux-x64-gnu` or `darwin-arm64`. */
export function tripleOf(settings: LoadSettings): string | undefined {
  const abi = abiOf(settings)
  if (abi === undefined) return undefined
  const triple = `${settings.platform}-${settings.arch}`
  return abi === '' ? triple : `${triple}-${abi}`
}

/**
 * Loads the addon: the file next to the package's root, else the package of this platform.
 *
 * @throws Error naming all that was tried, with the first failure that is not a missing file as its `cause`; or naming
 * the runtime that has no libuv. ConnectionFailureError when the process has no file descriptor left to load it with.
 */
export function loadAddon(settings: LoadSettings = hostSettings()): Addon {
  if (settings.foreignRuntime !== undefined) {
    throw new Error(
      `oxpg does not run on ${settings.foreignRuntime} yet: its native addon lives on Node's own event loop (libuv); run it with Node.js 20.19 or newer`,
    )
  }
  const problems: string[] = []
  let cause: unknown
  for (const { name, load } of candidatesOf(settings)) {
    try {
      const addon = load()
      if (isAddon(addon)) return addon
      problems.push(`${name}: is not oxpg's addon (it has no function 'attach')`)
    } catch (error) {
      if (cause === undefined || isMissing(cause)) cause = error
      problems.push(`${name}: ${isMissing(error) ? 'not found' : messageOf(error)}`)
    }
  }
  const host = `${settings.platform}-${settings.arch}`
  const tried = problems.length === 0 ? 'no addon is built for this platform' : `tried ${problems.join('; ')}`
  const message = `the native addon of oxpg for ${host} could not be loaded: ${tried}`
  if (isExhaustion(cause)) throw new ConnectionFailureError(message, { safeToRetry: true, cause })
  throw new Error(message, cause === undefined ? {} : { cause })
}

/** A place where the addon may be. */
interface Candidate {
  readonly name: string
  load(): unknown
}

function candidatesOf(settings: LoadSettings): Candidate[] {
  const file = (path: string): Candidate => ({ name: path, load: () => settings.open(path) })
  if (settings.override !== undefined && settings.override !== '') return [file(settings.override)]
  const triple = tripleOf(settings)
  if (triple === undefined) return []
  const ofPlatform = { name: packageOf(triple), load: () => settings.requirePackage(triple) }
  if (settings.packageRoot === undefined) return [ofPlatform]
  return [file(join(settings.packageRoot, `oxpg.${triple}.node`)), ofPlatform]
}

const packageOf = (triple: string): string => `@oxpg/native-${triple}`

function hostSettings(): LoadSettings {
  return {
    platform: process.platform,
    arch: process.arch,
    foreignRuntime: foreignRuntime(process.versions),
    isMusl,
    override: process.env.OXPG_NATIVE_PATH,
    // This is a part of dist/index.js in the package. In a bundle of ES modules there is no such name.
    packageRoot: typeof __dirname === 'string' ? join(__dirname, '..') : undefined,
    open,
    requirePackage,
  }
}

/** Bun exports libuv's functions as stubs that abort the process; Deno has none. */
export function foreignRuntime(versions: Readonly<Record<string, string | undefined>>): string | undefined {
  if (versions.bun !== undefined) return `Bun ${versions.bun}`
  if (versions.deno !== undefined) return `Deno ${versions.deno}`
  return undefined
}

/** Not by `require`, of which bundlers would try to make something. */
function open(path: string): unknown {
  const loaded: { exports: unknown } = { exports: {} }
  if (!existsSync(path)) throw Object.assign(new Error(`there is no file ${path}`), { code: 'ENOENT' })
  try {
    process.dlopen(loaded as NodeJS.Module, path)
  } catch (error) {
    // The loader says why in words only; whether the file can be opened at all, the system says by a code.
    closeSync(openSync(path, 'r'))
    throw error
  }
  return loaded.exports
}

/**
 * A literal call for each platform's package: so tracers and bundlers see what may be needed and take along what is
 * installed. Inside `try`, so that they let the others be missing.
 */
function requirePackage(triple: string): unknown {
  try {
    switch (triple) {
      case 'linux-x64-gnu':
        return require('@oxpg/native-linux-x64-gnu') as unknown
      case 'linux-arm64-gnu':
        return require('@oxpg/native-linux-arm64-gnu') as unknown
      case 'linux-x64-musl':
        return require('@oxpg/native-linux-x64-musl') as unknown
      case 'linux-arm64-musl':
        return require('@oxpg/native-linux-arm64-musl') as unknown
      case 'darwin-x64':
        return require('@oxpg/native-darwin-x64') as unknown
      case 'darwin-arm64':
        return require('@oxpg/native-darwin-arm64') as unknown
    }
  } catch (error) {
    // biome-ignore lint/complexity/noUselessCatch: what stands in try may be missing, for a bundler
    throw error
  }
  throw Object.assign(new Error('there is no such package'), { code: 'MODULE_NOT_FOUND' })
}

/** Whether the C library is musl. `ldd` is a script on musl and on glibc, and names its library. */
function isMusl(): boolean {
  try {
    const ldd = readFileSync('/usr/bin/ldd', 'latin1')
    if (ldd.includes('musl')) return true
    if (ldd.includes('GLIBC') || ldd.includes('GNU')) return false
  } catch {
    // Images without ldd: ask the report below, which takes milliseconds.
  }
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report.header?.glibcVersionRuntime === undefined
}

function isAddon(value: unknown): value is Addon {
  return typeof (value as { attach?: unknown } | null | undefined)?.attach === 'function'
}

function isMissing(error: unknown): boolean {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return code === 'MODULE_NOT_FOUND' || code === 'ENOENT'
}

/** The process, or the system, has no file descriptor left: it may have one a moment later. */
function isExhaustion(error: unknown): boolean {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return code === 'EMFILE' || code === 'ENFILE'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
