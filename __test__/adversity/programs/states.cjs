// Brings sessions into a state and leaves them there.
const { connect, createPool } = require('oxpg')

/** @param {string} state @param {string} url @param {boolean} ends whether the program means to end by itself */
module.exports = async function enter(state, url, ends) {
  // A program that ends by itself must have nothing pending for long.
  const seconds = ends ? 0.05 : 30
  const quiet = (promise) => void promise.catch(() => {})
  switch (state) {
    case 'idle':
      await connect(url)
      await (await createPool(url)).fetch('select 1')
      break
    case 'closed':
      // The driver is about to free what it held for them.
      await (await connect(url)).close()
      await (await createPool(url, { minSize: 2 })).close()
      break
    case 'closing':
      quiet((await connect(url)).close())
      ;(await createPool(url, { minSize: 2 })).terminate()
      break
    case 'pending': {
      const c = await connect(url)
      quiet(c.fetch('select pg_sleep($1::float8)', [seconds]))
      quiet(c.fetch('select 1'))
      break
    }
    case 'listening': {
      const c = await connect(url)
      c.onNotice(() => {})
      await c.execute('listen somebody')
      // Not in the call of a query: the server speaks by itself.
      const other = await connect(url)
      await other.execute("notify somebody, 'something'")
      break
    }
    case 'cursor': {
      const c = await connect(url)
      const tx = await c.begin()
      const cursor = await tx.cursor('select * from generate_series(1, 100000)').open()
      await cursor.fetch(100)
      if (!ends) quiet(cursor.fetch(1_000))
      for await (const _ of tx.cursor('select * from generate_series(1, 100000)')) break
      const p = await createPool(url)
      const lease = await p.acquire()
      await lease.execute('declare held_cursor cursor with hold for select * from generate_series(1, 1000)')
      quiet(lease.fetch('fetch 10 from held_cursor'))
      break
    }
    case 'stream': {
      // Its reader has paused, and nobody goes on: that keeps no process alive.
      const c = await connect(url)
      const large = "select i, repeat('x', 10000) as x from generate_series(1, 20000) i"
      await c.stream(large)[Symbol.asyncIterator]().next()
      const p = await createPool(url)
      await p.stream(large)[Symbol.asyncIterator]().next()
      break
    }
    case 'waiting': {
      const p = await createPool(url, { maxSize: 1, acquireTimeoutMs: ends ? 50 : 30_000 })
      await p.acquire()
      quiet(p.acquire())
      quiet(p.fetch('select 1'))
      break
    }
    case 'opening':
      quiet(connect(url))
      quiet(createPool(url, { minSize: 3 }))
      break
    case 'transaction': {
      const c = await connect(url)
      const tx = c.transaction()
      await tx.start()
      await tx.fetch('select 1')
      break
    }
    case 'large': {
      const c = await connect(url)
      const rows = ends ? 1000 : 3_000_000
      quiet(c.fetch("select n, repeat('x', 100) as s from generate_series(1, $1::int) n", [rows]))
      await c.fetch('select 1', [], { timeoutMs: 20 }).catch(() => {})
      break
    }
    default:
      throw new Error(`no such state: ${state}`)
  }
}
