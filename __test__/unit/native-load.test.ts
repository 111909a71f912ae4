import test from 'ava'
import { type LoadSettings, loadAddon, tripleOf } from '../../src/native/load'

const ADDON = { attach: () => {} }

function settings(changes: Partial<LoadSettings>): LoadSettings & { tried: string[] } {
  const tried: string[] = []
  return {
    platform: 'linux',
    arch: 'x64',
    isMusl: () => false,
    override: undefined,
    packageRoot: '/app/node_modules/oxpg',
    load: () => {
      throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' })
    },
    ...changes,
    tried,
  }
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
  const tried: string[] = []
  const load = (specifier: string) => {
    tried.push(specifier)
    if (specifier.endsWith('.node')) throw Object.assign(new Error('no'), { code: 'MODULE_NOT_FOUND' })
    return ADDON
  }
  t.is(loadAddon(settings({ load })), ADDON as never)
  t.deepEqual(tried, ['/app/node_modules/oxpg/oxpg.linux-x64-gnu.node', 'oxpg-linux-x64-gnu'])
})

test('the override is the only candidate', (t) => {
  const tried: string[] = []
  const load = (specifier: string) => {
    tried.push(specifier)
    return ADDON
  }
  loadAddon(settings({ override: '/opt/oxpg.node', load }))
  t.deepEqual(tried, ['/opt/oxpg.node'])
})

test('the error names all that was tried, and why it failed', (t) => {
  const broken = new Error('invalid ELF header')
  const load = (specifier: string) => {
    if (specifier.endsWith('.node')) throw broken
    throw Object.assign(new Error('no'), { code: 'MODULE_NOT_FOUND' })
  }
  const error = t.throws(() => loadAddon(settings({ load })))
  t.is(
    error.message,
    'the native addon of oxpg for linux-x64 could not be loaded: tried ' +
      '/app/node_modules/oxpg/oxpg.linux-x64-gnu.node: invalid ELF header; oxpg-linux-x64-gnu: not found',
  )
  t.is(error.cause, broken)
  t.throws(() => loadAddon(settings({ platform: 'aix', arch: 'ppc64' })), {
    message: /for aix-ppc64 could not be loaded: no addon is built for this platform/,
  })
  t.throws(() => loadAddon(settings({ load: () => ({}) })), { message: /is not oxpg's addon/ })
})
