import test from 'ava'
import { ConnectionFailureError } from '../../src/errors/index'
import { foreignRuntime, type LoadSettings, loadAddon, tripleOf } from '../../src/native/load'

const ADDON = { attach: () => {} }

const missing = (code: string): Error => Object.assign(new Error('no'), { code })

function settings(changes: Partial<LoadSettings>): LoadSettings {
  return {
    platform: 'linux',
    arch: 'x64',
    foreignRuntime: undefined,
    isMusl: () => false,
    override: undefined,
    packageRoot: '/app/node_modules/oxpg',
    open: () => {
      throw missing('ENOENT')
    },
    requirePackage: () => {
      throw missing('MODULE_NOT_FOUND')
    },
    ...changes,
  }
}

/** Settings that note what was tried; what is in `found` is there. */
function noting(found: string, changes: Partial<LoadSettings> = {}): LoadSettings & { tried: string[] } {
  const tried: string[] = []
  const take = (name: string): unknown => {
    tried.push(name)
    if (name !== found) throw missing('ENOENT')
    return ADDON
  }
  return { ...settings({ ...changes, open: take, requirePackage: take }), tried }
}

test('triples', (t) => {
  const tripleFor = (platform: string, arch: string, isMusl = false) =>
    tripleOf(settings({ platform, arch, isMusl: () => isMusl }))
  t.is(tripleFor('linux', 'x64'), 'linux-x64-gnu')
  t.is(tripleFor('linux', 'arm64', true), 'linux-arm64-musl')
  t.is(tripleFor('linux', 'arm'), 'linux-arm-gnueabihf')
  t.is(tripleFor('darwin', 'arm64'), 'darwin-arm64')
  t.is(tripleFor('win32', 'x64'), 'win32-x64-msvc')
  t.is(tripleFor('aix', 'ppc64'), undefined)
})

test('the file next to the package goes before the package of the platform', (t) => {
  const noted = noting('linux-x64-gnu')
  t.is(loadAddon(noted), ADDON as never)
  t.deepEqual(noted.tried, ['/app/node_modules/oxpg/oxpg.linux-x64-gnu.node', 'linux-x64-gnu'])
})

test('in a bundle only the package of the platform is tried', (t) => {
  const noted = noting('linux-x64-gnu', { packageRoot: undefined })
  t.is(loadAddon(noted), ADDON as never)
  t.deepEqual(noted.tried, ['linux-x64-gnu'])
})

test('the override is the only candidate', (t) => {
  const noted = noting('/opt/oxpg.node', { override: '/opt/oxpg.node' })
  loadAddon(noted)
  t.deepEqual(noted.tried, ['/opt/oxpg.node'])
})

test('the error names all that was tried, and why it failed', (t) => {
  const broken = new Error('invalid ELF header')
  const open = () => {
    throw broken
  }
  const error = t.throws(() => loadAddon(settings({ open })))
  t.is(
    error.message,
    'the native addon of oxpg for linux-x64 could not be loaded: tried ' +
      '/app/node_modules/oxpg/oxpg.linux-x64-gnu.node: invalid ELF header; @oxpg/native-linux-x64-gnu: not found',
  )
  t.is(error.cause, broken)
  t.throws(() => loadAddon(settings({ platform: 'aix', arch: 'ppc64' })), {
    message: /for aix-ppc64 could not be loaded: no addon is built for this platform/,
  })
  t.throws(() => loadAddon(settings({ open: () => ({}) })), { message: /is not oxpg's addon/ })
})

test('without a file descriptor left, loading may work a moment later', (t) => {
  for (const code of ['EMFILE', 'ENFILE']) {
    const open = (): never => {
      throw missing(code)
    }
    const error = t.throws(() => loadAddon(settings({ open })), { instanceOf: ConnectionFailureError })!
    t.true(error.isTransient)
    t.true(error.safeToRetry)
    t.is((error.cause as { code?: string }).code, code)
  }
})

test('a runtime without libuv is told before anything is loaded', (t) => {
  t.is(foreignRuntime({ node: '22.1.0', bun: '1.4.5' }), 'Bun 1.4.5')
  t.is(foreignRuntime({ node: '22.1.0', deno: '2.5.0' }), 'Deno 2.5.0')
  t.is(foreignRuntime({ node: '22.1.0' }), undefined)
  const open = () => t.fail('nothing may be loaded')
  t.throws(() => loadAddon(settings({ foreignRuntime: 'Bun 1.4.5', open })), {
    message:
      "oxpg does not run on Bun 1.4.5 yet: its native addon lives on Node's own event loop (libuv); run it with " +
      'Node.js 20.19 or newer',
  })
})
