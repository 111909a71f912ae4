import test from 'ava'
import { Opcode, Outbox } from '../../src/native/outbox'
import { FakeAddon, type SentCell, tickEnd } from './native-fake-addon'

function makeOutbox() {
  const addon = new FakeAddon()
  const native = addon.attach(
    new Float64Array(),
    new Uint8Array(),
    Buffer.alloc(0),
    new Int32Array(),
    () => {},
  )
  return { addon, outbox: new Outbox(native, () => {}) }
}

/** The cells that a function writes. */
function cellsOf(write: (outbox: Outbox) => void): SentCell[] {
  const { addon, outbox } = makeOutbox()
  outbox.parameters(Opcode.BIND, 1, 0, 0, 0, 0, 1, 0, 0, () => write(outbox), [])
  outbox.flush()
  return addon.last.cells
}

test('scalars', (t) => {
  const cells = cellsOf((sink) => {
    sink.null()
    sink.bool(true)
    sink.i32(-5)
    sink.i32(4_294_967_295)
    sink.i64(-9_223_372_036_854_775_808n)
    sink.f64(-0.1)
    sink.millis(Number.POSITIVE_INFINITY)
  })
  t.deepEqual(
    cells.map((cell) => cell.tag),
    [0, 1, 2, 2, 3, 4, 10],
  )
  t.is(cells[1]!.word, 1)
  t.is(cells[2]!.word | 0, -5)
  t.is(cells[3]!.word, 4_294_967_295)
  t.is(cells[4]!.long, -9_223_372_036_854_775_808n)
  t.is(cells[5]!.double, -0.1)
  t.is(cells[6]!.double, Number.POSITIVE_INFINITY)
})

test('safe integers become 64-bit integers', (t) => {
  const numbers = [
    0,
    1,
    -1,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    -(2 ** 32),
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    -4_294_967_297,
  ]
  const cells = cellsOf((sink) => {
    for (const number of numbers) sink.i64Number(number)
  })
  t.deepEqual(
    cells.map((cell) => Number(cell.long)),
    numbers,
  )
})

test('texts of every length and kind', (t) => {
  const texts = ['', 'a', 'é', 'x'.repeat(16), 'x'.repeat(17), '123456789012345é', '😀'.repeat(2048)]
  const cells = cellsOf((sink) => {
    for (const text of texts) sink.text(text)
    sink.text('y'.repeat(4097))
  })
  t.deepEqual(
    cells.slice(0, texts.length).map((cell) => cell.content),
    texts,
  )
  t.true(cells.slice(0, texts.length).every((cell) => cell.tag === 5))
  t.like(cells[texts.length]!, { tag: 8, content: 'y'.repeat(4097) })
})

test('halves of surrogate pairs are refused, and the command is taken back', (t) => {
  const { addon, outbox } = makeOutbox()
  for (const text of ['\ud800', 'a\udc00b', `${'é'.repeat(5000)}\ud800`]) {
    const write = () => outbox.parameters(Opcode.BIND, 1, 0, 0, 0, 0, 1, 0, 0, () => outbox.text(text), [])
    t.throws(write, { any: true })
  }
  outbox.command(Opcode.TERMINATE, 0, 7, 0, 0, 0)
  outbox.flush()
  t.deepEqual(
    addon.sent.map(({ opcode }) => opcode),
    [Opcode.TERMINATE],
  )
})

test('composites, ranges, multiranges and hstores say how many cells follow', (t) => {
  const cells = cellsOf((sink) => {
    sink.composite(3)
    sink.range(18)
    sink.multirange(70_000)
    sink.hstore(2)
  })
  t.deepEqual(
    cells.map(({ tag, aux }) => [tag, aux]),
    [
      [11, 3],
      [12, 18],
      [13, 70_000],
      [16, 2],
    ],
  )
})

test('intervals: months and microseconds, then days', (t) => {
  const cells = cellsOf((sink) => {
    sink.interval(-1, -2, -3)
    sink.interval(2 ** 31 - 1, -(2 ** 31), -(2n ** 63n))
    sink.interval(0, 0, 2 ** 53 - 1)
  })
  t.deepEqual(
    cells.map((cell) => cell.tag),
    [14, 2, 14, 2, 14, 2],
  )
  t.deepEqual(
    [0, 2, 4].map((index) => [cells[index]!.aux, cells[index + 1]!.word | 0, cells[index]!.long]),
    [
      [-1, -2, -3n],
      [2 ** 31 - 1, -(2 ** 31), -(2n ** 63n)],
      [0, 0, 2n ** 53n - 1n],
    ],
  )
})

test('doubles: flag and count, then a cell each', (t) => {
  const many = Array.from({ length: 20_000 }, (_, index) => index / 3)
  const cells = cellsOf((sink) => {
    sink.doubles(1, [1.5, Number.NaN])
    sink.doubles(0, many)
  })
  t.deepEqual([cells[0]!.tag, cells[0]!.aux, cells[0]!.word], [15, 1, 2])
  t.deepEqual([cells[1]!.tag, cells[1]!.double, cells[2]!.double], [4, 1.5, Number.NaN])
  t.deepEqual([cells[3]!.tag, cells[3]!.aux, cells[3]!.word], [15, 0, 20_000])
  t.deepEqual(
    cells.slice(4).map((cell) => cell.double),
    many,
  )
})

test('arrays: dimensions, then elements', (t) => {
  const cells = cellsOf((sink) => {
    sink.array(
      [
        { length: 1, lowerBound: -2 },
        { length: 2, lowerBound: 1 },
      ],
      2,
    )
    sink.i32(1)
    sink.null()
  })
  t.like(cells[0]!, { tag: 7, aux: 2, word: 2 })
  t.like(cells[1]!, { aux: -2, word: 1 })
  t.like(cells[2]!, { aux: 1, word: 2 })
  t.like(cells[3]!, { tag: 2, word: 1 })
})

test('the memory grows in the middle of a command, and the small one serves again', (t) => {
  const { addon, outbox } = makeOutbox()
  const text = 'z'.repeat(4000)
  outbox.parameters(
    Opcode.BIND,
    1,
    0,
    0,
    0,
    0,
    1,
    0,
    0,
    () => {
      for (let index = 0; index < 10_000; index++) outbox.i32(index)
      for (let index = 0; index < 100; index++) outbox.text(text)
    },
    [],
  )
  outbox.flush()
  const { cells } = addon.last
  t.is(cells.length, 10_100)
  t.true(cells.every((cell, index) => (index < 10_000 ? cell.word === index : cell.content === text)))
  outbox.command(Opcode.ABANDON, 3, 0, 0, 0, 0)
  outbox.flush()
  t.is(addon.last.slot, 3)
  t.is(addon.outboxes.at(-1)!.commands.length, 128 * 1024)
  t.is(addon.outboxes.at(-1)!.bytes.length, 128 * 1024)
  t.is(addon.outboxes.length, 2)
})

test('a nearly full outbox is flushed before the tick ends, in order', async (t) => {
  const { addon, outbox } = makeOutbox()
  for (let slot = 1; slot <= 10_000; slot++) outbox.command(Opcode.ABANDON, slot, 0, 0, 0, 0)
  t.true(addon.flushes.length > 0)
  t.is(addon.outboxes.length, 1)
  await tickEnd()
  t.deepEqual(
    addon.sent.map((command) => command.slot),
    Array.from({ length: 10_000 }, (_, index) => index + 1),
  )
})

test('an encoder that throws leaves the outbox as it was', (t) => {
  const { addon, outbox } = makeOutbox()
  outbox.command(Opcode.CLOSE, 1, 0, 0, 0, 0)
  t.throws(
    () => {
      const encode = () => {
        outbox.text('lost')
        outbox.text('l'.repeat(5000))
        outbox.bytes(new Uint8Array(5000))
        throw new Error('does not fit')
      }
      outbox.parameters(Opcode.BIND, 2, 0, 0, 0, 0, 1, 0, 0, encode, [])
    },
    { message: 'does not fit' },
  )
  t.is(addon.flushes.length, 0)
  outbox.parameters(Opcode.BIND, 3, 0, 0, 0, 0, 1, 0, 0, () => outbox.text('k'.repeat(5000)), [])
  outbox.flush()
  t.deepEqual(
    addon.sent.map((command) => command.slot),
    [1, 3],
  )
  t.is(addon.last.cells[0]!.content, 'k'.repeat(5000))
  t.is(addon.last.cells[0]!.word, 0)
})

test('commands sent by an encoder come behind the command that it encodes, in the order of the calls', (t) => {
  const { addon, outbox } = makeOutbox()
  const inner = () => {
    outbox.text('inner')
    outbox.command(Opcode.CLOSE, 4, 0, 0, 0, 0)
  }
  const outer = () => {
    outbox.text('first')
    outbox.defer(() => outbox.parameters(Opcode.QUERY, 2, 0, 0, 0, 0, 1, 0, 0, inner, []))
    outbox.script(3, 0, 'script', 0, 0)
    outbox.flush()
    outbox.text('second')
  }
  outbox.parameters(Opcode.QUERY, 1, 0, 0, 0, 0, 1, 0, 0, outer, [])
  outbox.flush()
  t.is(addon.flushes.length, 1)
  t.deepEqual(
    addon.sent.map((command) => [command.slot, command.cells.map((cell) => cell.content)]),
    [
      [1, ['first', 'second']],
      [2, ['inner']],
      [3, ['script']],
      [4, []],
    ],
  )
})

test('commands sent by an encoder that throws are sent all the same', (t) => {
  const { addon, outbox } = makeOutbox()
  const encode = () => {
    outbox.command(Opcode.CLOSE, 4, 0, 0, 0, 0)
    throw new Error('does not fit')
  }
  t.throws(() => outbox.parameters(Opcode.QUERY, 1, 0, 0, 0, 0, 1, 0, 0, encode, []))
  outbox.flush()
  t.deepEqual(
    addon.sent.map((command) => command.slot),
    [4],
  )
})
