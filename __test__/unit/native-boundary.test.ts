import test from 'ava'
import { Environment } from '../../src/native/environment'
import { FINGERPRINT } from '../../src/types/boundary'
import { FakeAddon } from './native-fake-addon'

const REFUSED = { message: /not built together with its JavaScript: reinstall oxpg/ }

test('an addon of the same tables is taken', (t) => {
  t.notThrows(() => new Environment(new FakeAddon()))
})

test('an addon of other tables is refused before it is given any memory', (t) => {
  const addon = new FakeAddon()
  addon.fingerprint = FINGERPRINT ^ 1
  t.throws(() => new Environment(addon), REFUSED)
  t.is(addon.records.length, 0)
})

test('an addon from before there were fingerprints is refused', (t) => {
  const addon = new FakeAddon()
  const { attach } = addon
  t.throws(() => new Environment({ attach }), REFUSED)
})
