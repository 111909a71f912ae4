// What the application throws outside of promises reaches `uncaughtException`, whatever runs it.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { connection } from '../support/server.js'

/** Takes the process's uncaught exceptions from here on until the test is over. */
function uncaught(t: ExecutionContext): { next: () => Promise<unknown> } {
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const taken: unknown[] = []
  process.on('uncaughtException', (error) => taken.push(error))
  t.teardown(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of before) process.on('uncaughtException', listener)
  })
  return {
    next: async () => {
      if (taken.length === 0) await once(process, 'uncaughtException')
      return taken.shift()
    },
  }
}

test.serial('an exception of a tick behind an answer is uncaught, and the ticks behind it run', async (t) => {
  const c = await connection(t)
  const exceptions = uncaught(t)
  for (const thrown of [new Error('in a tick'), null, undefined]) {
    t.is(await c.fetchVal('select $1::int', [1]), 1)
    let others = 0
    process.nextTick(() => {
      throw thrown
    })
    process.nextTick(() => {
      others += 1
    })
    t.is(await exceptions.next(), thrown)
    t.is(await c.fetchVal('select 2'), 2)
    t.is(others, 1)
  }
})

test.serial("a stream's error that nobody listens to is uncaught", async (t) => {
  const c = await connection(t)
  const exceptions = uncaught(t)
  const failure = new Error('the stream failed')
  await c.fetchVal('select 1')
  new Readable({ read() {} }).destroy(failure)
  t.is(await exceptions.next(), failure)
})

test.serial('so is what a listener throws, in its own run or in a tick', async (t) => {
  const c = await connection(t)
  const exceptions = uncaught(t)
  for (const [index, throws] of [
    (error: Error) => {
      throw error
    },
    (error: Error) =>
      process.nextTick(() => {
        throw error
      }),
  ].entries()) {
    const error = new Error(`of listener ${index}`)
    const unsubscribe = c.onNotice(() => throws(error))
    await c.execute(`do $$ begin raise notice 'x'; end $$`)
    t.is(await exceptions.next(), error)
    unsubscribe()
    t.is(await c.fetchVal('select 1'), 1)
  }
})
