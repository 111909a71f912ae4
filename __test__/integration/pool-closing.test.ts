// Alone in its process: the clock is not the real one here.
import { mock } from 'node:test'
import test from 'ava'
import { createPool } from 'oxpg'
import { until, url } from '../support/server.js'

type Warning = Error & { code?: string; detail?: string }

test.serial('a close that waits for a minute says once for whom', async (t) => {
  const warnings: Warning[] = []
  process.on('warning', (warning: Warning) => {
    if (warning.code === 'OXPG_CLOSE_WAITS') warnings.push(warning)
  })
  const p = await createPool(url, { maxSize: 2, leakDetectionMs: 600_000 })
  const quick = await createPool(url)
  const takeAndForgetToRelease = () => p.acquire()
  const lease = await takeAndForgetToRelease()
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const closing = p.close()
  await quick.close()
  mock.timers.tick(59_999)
  await new Promise((resolve) => setImmediate(resolve))
  t.is(warnings.length, 0)
  mock.timers.tick(1)
  await until(async () => warnings.length > 0, 'the warning')
  const text = new RegExp(
    `has waited for 60 s: 1 connection is in use; not released: server pid ${lease.serverPid} for \\d+ ms since acquire\\(\\) at .*takeAndForgetToRelease`,
  )
  t.regex(warnings[0]!.message, text)
  t.regex(warnings[0]!.detail!, /takeAndForgetToRelease/)
  mock.timers.tick(600_000)
  await lease.release()
  await closing
  t.is(warnings.length, 1)
})
