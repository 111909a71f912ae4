import { AsyncLocalStorage } from 'node:async_hooks'
import test from 'ava'
import { connection, pool, until, url } from '../support/server.js'

const storage = new AsyncLocalStorage<string>()

/** Notes in which context it is called. */
function noting() {
  const seen: (string | undefined)[] = []
  const note = <V>(value: V): V => {
    seen.push(storage.getStore())
    return value
  }
  return { seen, note }
}

const NAMES = Array.from({ length: 10 }, (_, index) => `call ${index}`)

test('parsers of results run in the context of their call', async (t) => {
  const c = await storage.run('opening', () => connection(t))
  const p = await storage.run('opening', () => pool(t))
  for (const queryable of [c, p]) {
    for (let use = 0; use < 2; use++) {
      await Promise.all(
        NAMES.map((name) =>
          storage.run(name, async () => {
            const { seen, note } = noting()
            const options = { numeric: (text: string) => note(text), json: (text: string) => note(text) }
            await queryable.fetch("select 1.5, '{}'::json from generate_series(1, 3)", [], options)
            t.deepEqual(seen, new Array(6).fill(name))
            await queryable.fetchMany('select $1::numeric', [[1], [2]], options)
            t.deepEqual(seen, new Array(8).fill(name))
            t.is(storage.getStore(), name)
          }),
        ),
      )
    }
  }
})

test('parsers and codecs of a stream run in the context of the call, whoever reads it', async (t) => {
  const { seen, note } = noting()
  const codec = {
    typeName: 'money',
    schema: 'pg_catalog',
    encode: String,
    decode: (text: string) => note(text),
  }
  const p = await pool(t, { typeCodecs: [codec] })
  const numeric = (text: string) => note(text)
  const series = "select '1'::money, 1.5 from generate_series(1, 20000)"
  const read = async (rows: AsyncIterable<unknown>) => {
    for await (const _ of rows);
    t.is(storage.getStore(), 'reading')
  }
  for (const where of ['pool', 'transaction', 'cursor']) {
    await p.transaction(async (tx) => {
      const rows = storage.run(`call ${where}`, () =>
        where === 'cursor'
          ? tx.cursor(series, [], { numeric })
          : (where === 'pool' ? p : tx).stream(series, [], { numeric }),
      )
      await storage.run('reading', () => read(rows))
    })
    t.is(seen.length, 40_000)
    t.deepEqual(new Set(seen), new Set([`call ${where}`]))
    seen.length = 0
  }
})

test("codecs run in the context of the call, at a text's first use as well", async (t) => {
  const { seen, note } = noting()
  const codec = {
    typeName: 'money',
    schema: 'pg_catalog',
    encode: (value: string) => note(value),
    decode: (text: string) => note(text),
  }
  const c = await storage.run('opening', () => connection(t, { typeCodecs: [codec] }))
  for (const [round, text] of ['select $1::money', 'select $1::money', 'select $1::money, 1'].entries()) {
    await storage.run(`round ${round}`, async () => {
      await Promise.all([
        c.fetchVal(text, ['1']),
        c.executeMany(text, [['1'], ['2']]),
        c.fetchMany(text, [['1']]),
      ])
    })
    t.true(seen.length >= 6)
    t.deepEqual(new Set(seen), new Set([`round ${round}`]))
    seen.length = 0
  }
})

test('a call that is made while another one is written keeps its own context', async (t) => {
  const { seen, note } = noting()
  const codec = {
    typeName: 'money',
    schema: 'pg_catalog',
    encode: (value: string) => note(value),
    decode: (text: string) => text,
  }
  const c = await connection(t, { typeCodecs: [codec] })
  await c.fetchVal('select $1::money', ['1'])
  await c.fetchVal('select $1::jsonb', [1])
  seen.length = 0
  let inner: Promise<unknown> | undefined
  const toJSON = () => {
    inner = storage.run('inner', () => c.fetchVal('select $1::money', ['2']))
    return 1
  }
  await storage.run('outer', () => c.fetchVal('select $1::jsonb', [{ toJSON }]))
  await inner
  t.deepEqual(seen, ['inner'])
})

test('listeners are called in the context that they are added in', async (t) => {
  const c = await storage.run('opening', () => connection(t))
  const { seen, note } = noting()
  storage.run('first', () => c.onNotice(() => note(undefined)))
  const stop = storage.run('second', () => c.onNotice(() => note(undefined)))
  storage.run('third', () => c.onTermination(() => note(undefined)))
  const raise = "do $$ begin raise notice 'heard'; end $$"
  await storage.run('call', () => c.execute(raise))
  t.deepEqual(seen, ['first', 'second'])
  stop()
  await c.execute(raise)
  t.deepEqual(seen, ['first', 'second', 'first'])
  await storage.run('closing', () => c.close())
  await until(async () => seen.length === 4, 'the termination')
  t.is(seen[3], 'third')
})

test('hooks of a pool run in the context of the call that they are for', async (t) => {
  const { seen, note } = noting()
  const hook = async () => note(undefined)
  const p = await storage.run('opening', () => pool(t, { init: hook, setup: hook, reset: hook, maxSize: 1 }))
  for (const name of ['one', 'two']) {
    seen.length = 0
    await storage.run(name, () => p.use((c) => c.fetchVal('select 1')))
    t.deepEqual(new Set(seen), new Set([name]))
  }
})

test('listeners of a pool are called in the context that they are added in', async (t) => {
  const p = await storage.run('opening', () => pool(t, { minSize: 0, maxSize: 1 }))
  const seen: [what: string, context: string | undefined][] = []
  const note = (what: string) => () => void seen.push([what, storage.getStore()])
  storage.run('one', () => p.onConnect(note('connect')))
  storage.run('two', () => p.onNotice(note('notice')))
  storage.run('three', () => p.onClose(note('close')))
  await storage.run('call', () => p.execute("do $$ begin raise notice 'heard'; end $$"))
  await storage.run('closing', () => p.close())
  t.deepEqual(seen, [
    ['connect', 'one'],
    ['notice', 'two'],
    ['close', 'three'],
  ])
})

test('functions for passwords run in the context of what opens the session', async (t) => {
  const { seen, note } = noting()
  const password = () => note(decodeURIComponent(new URL(url).password))
  await storage.run('connect', () => connection(t, { password }))
  t.deepEqual(seen.splice(0), ['connect'])
  const p = await storage.run('createPool', () => pool(t, { password, minSize: 1, maxSize: 3 }))
  await storage.run('call', () =>
    Promise.all([1, 2, 3].map(() => p.use((c) => c.fetchVal('select pg_sleep(0.01)')))),
  )
  t.true(seen.length >= 2)
  t.deepEqual(new Set(seen), new Set(['createPool']))
})

test('the callback of a transaction runs in the context of its call, each time', async (t) => {
  const c = await storage.run('opening', () => connection(t))
  const p = await storage.run('opening', () => pool(t))
  for (const queryable of [c, p]) {
    const { seen, note } = noting()
    await storage.run('call', () =>
      queryable.transaction(
        async (transaction) => {
          note(undefined)
          await transaction.fetchVal('select 1')
          note(undefined)
          if (seen.length < 4) await transaction.execute("do $$ begin raise sqlstate '40001'; end $$")
        },
        { retry: 3 },
      ),
    )
    t.deepEqual(seen, new Array(4).fill('call'))
  }
})

test('sources of rows, tags and encoders of a cold statement run in the context of the call', async (t) => {
  const { seen, note } = noting()
  const c = await storage.run('opening', () => connection(t, { queryTags: { tag: () => note('tag') } }))
  async function* rows() {
    for (let row = 0; row < 3; row++) yield [note(row)]
  }
  await storage.run('call', () => c.executeMany('select $1::int', rows()))
  await storage.run('call', () => c.fetchVal('select $1::jsonb', [{ toJSON: () => note(1) }]))
  t.true(seen.length >= 6)
  t.deepEqual(new Set(seen), new Set(['call']))
})
