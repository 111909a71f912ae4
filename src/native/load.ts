import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the addon exports. */
export interface Addon {
  /** What the numbers of the boundary hash to on the addon's side. Addons from before it was there have none. */
  boundaryFingerprint?(): number
  /**
   * Makes this thread's environment. The arrays become the mailbox and must stay alive and attached as long as the
   * thread; `deliver` is called with what arrives in it and must not throw.
   */
  attach(
    cells: Float64Array,
    marks: Uint8Array,
    bytes: Buffer,
    records: Int32Array,
    deliver: (recordCount: number, extras: unknown[] | undefined) => void,
  ): NativeFunctions
}

/** The functions of one environment. */
export interface NativeFunctions {
  /** Carries out the first `commandBytes` bytes of the outbox. */
  flush(commandBytes: number, extras: (string | Uint8Array)[] | undefined): void
  /** Announces new memory of the outbox; it is read at flushes only. */
  setOutbox(commands: Uint8Array, bytes: Buffer): void
  open(slot: number, configJson: string, statementCacheSize: number): void
  /** Gives the pool's id: unsigned, bit 31 set. */
  openPool(slot: number, configJson: string, optionsJson: string, statementCacheSize: number): number
  /** Gives the query's id, at least 1. */
  defineQuery(text: string, isCacheable: boolean): number
  /** Closes the query's statements on every connection. */
  forgetQuery(id: number): void
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
  /** Calls that waited for a connection in vain so far. */
  readonly timedOut: number
  readonly minSize: number
  readonly maxSize: number
}

/** Where an addon may be, and how it is loaded; for tests. */
export interface LoadSettings {
  readonly platform: string
  readonly arch: string
  /** Asked on Linux only. */
  isMusl(): boolean
  /** `OXPG_NATIVE_PATH`: the addon's file, used alone when it is set. */
  readonly override: string | undefined
  readonly packageRoot: string
  load(specifier: string): unknown
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
 * @throws Error naming all that was tried, with the first failure that is not a missing file as its `cause`.
 */
export function loadAddon(settings: LoadSettings = hostSettings()): Addon {
  const candidates = candidatesOf(settings)
  const problems: string[] = []
  let cause: unknown
  for (const candidate of candidates) {
    try {
      const addon = settings.load(candidate)
      if (isAddon(addon)) return addon
      problems.push(`${candidate}: is not oxpg's addon (it has no function 'attach')`)
    } catch (error) {
      if (cause === undefined || isMissing(cause)) cause = error
      problems.push(`${candidate}: ${isMissing(error) ? 'not found' : messageOf(error)}`)
    }
  }
  const host = `${settings.platform}-${settings.arch}`
  const tried = problems.length === 0 ? 'no addon is built for this platform' : `tried ${problems.join('; ')}`
  throw new Error(
    `the native addon of oxpg for ${host} could not be loaded: ${tried}`,
    cause === undefined ? {} : { cause },
  )
}

function candidatesOf(settings: LoadSettings): string[] {
  if (settings.override !== undefined && settings.override !== '') return [settings.override]
  const triple = tripleOf(settings)
  if (triple === undefined) return []
  return [join(settings.packageRoot, `oxpg.${triple}.node`), `oxpg-${triple}`]
}

function hostSettings(): LoadSettings {
  return {
    platform: process.platform,
    arch: process.arch,
    isMusl,
    override: process.env.OXPG_NATIVE_PATH,
    // This file is dist/native/load.js in the package.
    packageRoot: join(__dirname, '..', '..'),
    load: (specifier) => require(specifier) as unknown,
  }
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
  return (error as { code?: unknown } | null | undefined)?.code === 'MODULE_NOT_FOUND'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
