import test from 'ava'
import { BatchRequest } from '../../src/native/batch-request'
import { Queries } from '../../src/native/queries'
import { Form } from '../../src/types/boundary'
import { connected, describe, FakeAddon, INT4, statement } from './native-fake-addon'

function makeQueries(capacity: number) {
  const addon = new FakeAddon()
  const native = addon.attach(
    new Float64Array(),
    new Uint8Array(),
    Buffer.alloc(0),
    new Int32Array(),
    () => {},
  )
  return { addon, queries: new Queries(native, capacity) }
}

test('a text is defined once', (t) => {
  const { addon, queries } = makeQueries(10)
  t.is(queries.use('select 1'), queries.use('select 1'))
  t.deepEqual(addon.defined, [{ text: 'select 1', isCacheable: true }])
})

test('the query used least recently is forgotten', (t) => {
  const { addon, queries } = makeQueries(3)
  for (const text of ['a', 'b', 'c', 'a', 'b', 'd', 'e', 'a', 'b']) queries.release(queries.use(text))
  t.deepEqual(
    addon.defined.map(({ text }) => text),
    ['a', 'b', 'c', 'd', 'e', 'a', 'b'],
  )
  t.deepEqual(addon.forgotten, [3, 1, 2, 4])
})

test('a query in use is forgotten when its last request has ended', (t) => {
  const { addon, queries } = makeQueries(1)
  const query = queries.use('a')
  queries.use('a')
  queries.release(queries.use('b'))
  queries.release(query)
  t.deepEqual(addon.forgotten, [])
  queries.release(query)
  t.deepEqual(addon.forgotten, [1])
})

test('a closed cache remembers nothing, and forgets what is in use when that has ended', (t) => {
  const { addon, queries } = makeQueries(10)
  const inUse = queries.use('a')
  queries.release(queries.use('b'))
  queries.close()
  t.deepEqual(addon.forgotten, [2])
  queries.release(inUse)
  t.deepEqual(addon.forgotten, [2, 1])
  const late = queries.use('c')
  t.deepEqual(addon.forgotten, [2, 1])
  queries.release(late)
  t.deepEqual(addon.forgotten, [2, 1, 3])
})

test('texts beyond 15 KiB of UTF-8 are not remembered', (t) => {
  const { addon, queries } = makeQueries(10)
  const texts = ['x'.repeat(15_360), 'x'.repeat(15_361), 'é'.repeat(7_680), 'é'.repeat(7_681)]
  for (const text of texts) queries.release(queries.use(text))
  t.deepEqual(
    addon.defined.map(({ isCacheable }) => isCacheable),
    [true, false, true, false],
  )
  t.deepEqual(addon.forgotten, [2, 4])
})

test('a held query is not forgotten, and others have as much room as without it', (t) => {
  const { addon, queries } = makeQueries(2)
  const held = queries.hold('a')
  t.is(queries.hold('a'), held)
  for (const text of ['b', 'c', 'a', 'd', 'a']) queries.release(queries.use(text))
  t.is(queries.use('a'), held)
  queries.release(held)
  t.deepEqual(addon.forgotten, [2])
  queries.letGo(held)
  t.deepEqual(addon.calls, ['holdQuery 1 true'])
  queries.letGo(held)
  t.deepEqual(addon.calls, ['holdQuery 1 true', 'holdQuery 1 false'])
  t.deepEqual(addon.forgotten, [2, 3], 'it takes the place of the one used least recently')
  for (const text of ['e', 'f']) queries.release(queries.use(text))
  t.deepEqual(addon.forgotten, [2, 3, 4, 1])
})

test('a long text is remembered while it is held', (t) => {
  const { addon, queries } = makeQueries(10)
  const text = 'x'.repeat(20_000)
  const held = queries.hold(text)
  t.is(queries.use(text), held)
  queries.release(held)
  t.deepEqual(addon.forgotten, [])
  queries.letGo(held)
  t.deepEqual(addon.forgotten, [1])
})

test('what is held when the cache closes is forgotten when it is let go', (t) => {
  const { addon, queries } = makeQueries(10)
  const held = queries.hold('a')
  const inUse = queries.hold('b')
  queries.use('b')
  queries.forgetAll()
  t.is(queries.use('a'), held)
  queries.release(held)
  queries.close()
  t.deepEqual(addon.forgotten, [])
  queries.letGo(held)
  queries.letGo(inUse)
  t.deepEqual(addon.forgotten, [1])
  queries.release(inUse)
  t.deepEqual(addon.forgotten, [1, 2])
})

test('requests release their queries, however they end', async (t) => {
  const { addon, connection } = await connected()
  const text = 'x'.repeat(20_000)
  const done = connection.query(text, undefined, statement())
  addon.play([[3, done.slot, 1, 0, 0, -1, 0x49]])
  const failed = connection.query(text, undefined, statement())
  addon.play([[4, failed.slot, 0]], [{}])
  const aborted = connection.startFed(
    BatchRequest,
    text,
    statement({ form: Form.COUNT, signal: AbortSignal.abort() }),
  )
  t.true(aborted.isSettled)
  t.deepEqual(addon.forgotten, [1, 2, 3])

  const prepared = connection.prepare('select $1', { timeoutMs: 0, signal: undefined })
  addon.play(
    [
      [2, prepared.slot, 9, 0, 0],
      [3, prepared.slot, 0, 0, 0, -1, 0x49],
    ],
    [describe(9, [INT4])],
  )
  const refused = connection.query('select $1', ['x'], statement())
  addon.play(
    [
      [2, refused.slot, 9, 0, 1],
      [4, refused.slot, 1],
    ],
    [describe(9, [INT4]), {}],
  )
  t.true(refused.isSettled)
  t.is(connection.queries.use('select $1').uses, 1)
})
