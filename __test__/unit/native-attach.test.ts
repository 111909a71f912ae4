// The addon itself, where it refuses to make an environment.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { loadAddon } from '../../src/native/load'

// Beside package.json; tests run there, from sources that are compiled elsewhere.
const file = readdirSync(process.cwd()).find((name) => /^oxpg\..*\.node$/.test(name)) ?? ''
process.env.OXPG_NATIVE_PATH ??= join(process.cwd(), file)
const addon = loadAddon()

const attach = () =>
  addon.attach(
    new Float64Array(),
    new Uint8Array(),
    Buffer.alloc(0),
    // Not what it should be, so that no environment is made in any case.
    new Uint8Array() as never,
    () => {},
    () => {},
  )

test.serial('arrays that do not make a mailbox are refused', (t) => {
  t.throws(attach, { message: 'records is not the typed array that it should be' })
})

test.serial(
  'under Bun it is refused before a function of libuv is called, since that would end the process',
  (t) => {
    const versions = Object.getOwnPropertyDescriptor(process, 'versions') as PropertyDescriptor
    Object.defineProperty(process, 'versions', { ...versions, value: { ...process.versions, bun: '1.3.0' } })
    try {
      t.throws(attach, { message: /^oxpg does not run under Bun yet: it needs libuv's event loop/ })
    } finally {
      Object.defineProperty(process, 'versions', versions)
    }
  },
)
