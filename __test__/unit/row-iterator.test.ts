import test from 'ava'
import { SizeByBytes } from '../../src/portal-source.js'
import { PartIterator, RowIterator } from '../../src/row-iterator.js'
import type { RowSource } from '../../src/row-source.js'

/** Gives these parts, each when it is asked for; an Error among them is thrown. */
class Parts implements RowSource {
  closed = 0
  asked = 0
  readonly #parts: (readonly number[] | Error)[]

  constructor(...parts: (readonly number[] | Error)[]) {
    this.#parts = parts
  }

  async next(): Promise<readonly number[] | undefined> {
    this.asked++
    const part = this.#parts.shift()
    if (part instanceof Error) throw part
    return part
  }

  async close(): Promise<void> {
    this.closed++
  }
}

/** Never gives any. */
class Silent extends Parts {
  override next(): Promise<undefined> {
    this.asked++
    return new Promise(() => {})
  }
}

async function valuesOf(iterator: AsyncIterable<number>): Promise<number[]> {
  const values: number[] = []
  for await (const value of iterator) values.push(value)
  return values
}

test('rows come one by one, and a part is asked for when there are no more', async (t) => {
  const source = new Parts([1, 2], [3], [4, 5, 6])
  const iterator = new RowIterator<number>(source)
  t.is((await iterator.next()).value, 1)
  t.is((await iterator.next()).value, 2)
  t.is(source.asked, 1)
  t.deepEqual(await valuesOf(iterator), [3, 4, 5, 6])
  t.is(source.asked, 4)
  t.deepEqual(await iterator.next(), { value: undefined, done: true })
  t.is(source.asked, 4, 'nothing is asked after the end')
})

test('calls that do not wait for each other get one row each', async (t) => {
  const iterator = new RowIterator<number>(new Parts([1, 2], [3]))
  const results = await Promise.all([1, 2, 3, 4, 5].map(() => iterator.next()))
  t.deepEqual(
    results.map(({ value }) => value),
    [1, 2, 3, undefined, undefined],
  )
})

test('an error comes once, after the rows before it, and is the end', async (t) => {
  const iterator = new RowIterator<number>(new Parts([1], new Error('no')))
  t.is((await iterator.next()).value, 1)
  await t.throwsAsync(iterator.next(), { message: 'no' })
  t.true((await iterator.next()).done)
})

test('an early end closes the source once, and drops the rows that are here', async (t) => {
  const source = new Parts([1, 2, 3])
  const iterator = new RowIterator<number>(source)
  for await (const _ of iterator) break
  t.true((await iterator.next()).done)
  await iterator.return()
  await iterator[Symbol.asyncDispose]()
  t.is(source.closed, 1)
})

test('an end while a part is waited for ends the wait', async (t) => {
  const source = new Silent()
  const iterator = new PartIterator<number>(source)
  const [first, second] = [iterator.next(), iterator.next()]
  await Promise.resolve()
  await iterator.return()
  t.true((await first).done)
  t.true((await second).done)
  t.deepEqual([source.asked, source.closed], [1, 1])
})

test('the size of parts follows the bytes of their rows', (t) => {
  const size = new SizeByBytes()
  t.is(size.rows, 16)
  size.note(16, 16 * 20)
  t.is(size.rows, 256, 'it grows by steps')
  size.note(256, 256 * 64)
  t.is(size.rows, 256, 'a query beside it has to read no more')
  size.note(256, 256 * 1_024)
  t.is(size.rows, 128)
  size.note(128, 1 << 30)
  t.is(size.rows, 1)
  size.note(1, 10)
  t.is(size.rows, 16)
})
