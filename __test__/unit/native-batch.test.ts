import test from 'ava'
import { DataError, InterfaceError } from '../../src/errors/index'
import { BatchRequest } from '../../src/native/batch-request'
import { Opcode } from '../../src/native/outbox'
import { Form } from '../../src/types/boundary'
import { BYTEA, connected, describe, INT4, statement, tickEnd } from './native-fake-addon'

const DESCRIBED = 2
const DONE = 3
const FAILED = 4
const DRAINED = 7
const INSERT = 2
const CANCELED = { kind: 'canceled', message: '', safeToRetry: true }

async function started() {
  const { addon, connection } = await connected()
  const batch = connection.startFed(
    BatchRequest,
    'insert $1',
    statement({ form: Form.COUNT, timeoutMs: 400 }),
  )
  await tickEnd()
  return { addon, connection, batch, slot: batch.slot }
}

test('rows wait for their types, then follow in order', async (t) => {
  const { addon, batch, slot } = await started()
  t.like(addon.last, {
    opcode: Opcode.BATCH,
    slot,
    target: 7,
    query: 1,
    words: [0, 400, 0, 0],
    form: Form.COUNT,
  })
  batch.push([1])
  batch.push([2])
  let isDrained = false
  const drained = batch.flushed().then(() => {
    isDrained = true
  })
  await tickEnd()
  t.is(addon.sent.length, 1)
  addon.play([[DESCRIBED, slot, 9, 0, 1]], [describe(9, [INT4])])
  await tickEnd()
  t.deepEqual(
    addon.flushes.at(-1)!.map(({ opcode, query, words, cells }) => [opcode, query, words[2], cells[0]?.word]),
    [
      [Opcode.BATCH_ROW, 0, 9, 1],
      [Opcode.BATCH_ROW, 1, 9, 2],
      [Opcode.BATCH_CHUNK, 0, 0, undefined],
    ],
  )
  t.false(isDrained)
  addon.play([[DRAINED, slot]])
  await drained
  batch.push([3])
  batch.end()
  t.throws(() => batch.push([4]), { instanceOf: InterfaceError })
  await tickEnd()
  t.deepEqual(
    addon.flushes.at(-1)!.map(({ opcode, query }) => [opcode, query]),
    [
      [Opcode.BATCH_ROW, 2],
      [Opcode.BATCH_END, 0],
    ],
  )
  addon.play([[DONE, slot, INSERT, 3, 0, -1, 0x49]])
  await batch.settled
  t.is(batch.rowCount, 3)
})

test('a small batch that ends before its types are known is one flush', async (t) => {
  const { addon, batch, slot } = await started()
  batch.push([1])
  batch.end()
  addon.play([[DESCRIBED, slot, 9, 0, 1]], [describe(9, [INT4])])
  await tickEnd()
  t.deepEqual(
    addon.flushes.at(-1)!.map(({ opcode }) => opcode),
    [Opcode.BATCH_ROW, Opcode.BATCH_END],
  )
})

test('values are copied when they are pushed', async (t) => {
  const { addon, batch, slot } = await started()
  const bytes = Buffer.of(5)
  const row = [1, bytes]
  batch.push(row)
  row[0] = 2
  bytes[0] = 6
  addon.play([[DESCRIBED, slot, 9, 0, 1]], [describe(9, [INT4, BYTEA])])
  await tickEnd()
  t.is(addon.last.cells[0]!.word, 1)
  t.deepEqual(addon.last.cells[1]!.content, Uint8Array.of(5))
})

test('a value that does not fit is thrown with its row; the caller aborts', async (t) => {
  const { addon, batch, slot } = await started()
  addon.play([[DESCRIBED, slot, 9, 0, 1]], [describe(9, [INT4])])
  batch.push([1])
  const error = t.throws(() => batch.push(['x']), { instanceOf: DataError })
  t.is(error.row, 1)
  t.regex(error.message, /^row 1: /)
  t.regex(error.stack!, /row 1: /)
  batch.abort()
  batch.push([2])
  await tickEnd()
  t.deepEqual(
    addon.flushes.at(-1)!.map(({ opcode }) => opcode),
    [Opcode.BATCH_ROW, Opcode.BATCH_ABORT],
  )
  addon.play([[FAILED, slot, 0]], [CANCELED])
  await batch.settled
  t.is(batch.failure?.kind, 'canceled')
})

test('a value that turns out not to fit takes the batch back, and settles it when that is certain', async (t) => {
  const { addon, batch, slot } = await started()
  batch.push([1])
  batch.push(['x'])
  batch.end()
  const drained = batch.flushed()
  addon.play([[DESCRIBED, slot, 9, 0, 1]], [describe(9, [INT4])])
  await tickEnd()
  t.is(addon.last.opcode, Opcode.BATCH_ABORT)
  t.false(batch.isSettled)
  addon.play([[FAILED, slot, 0]], [CANCELED])
  await Promise.all([batch.settled, drained])
  t.is(batch.failure?.kind, 'thrown')
  t.true(batch.failure?.error instanceof DataError)
  t.is((batch.failure!.error as DataError).row, 1)
})

test('an early abort is said at once, and again when the types come', async (t) => {
  const { addon, batch, slot } = await started()
  batch.push([1])
  batch.abort()
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.BATCH_ABORT, slot })
  addon.play([[DESCRIBED, slot, 9, 0, 1]], [describe(9, [INT4])])
  await tickEnd()
  t.deepEqual(
    addon.sent.map(({ opcode }) => opcode),
    [Opcode.BATCH, Opcode.BATCH_ABORT, Opcode.BATCH_ABORT],
  )
})

test('a failure lets the waiting producer go on, and its rows are ignored', async (t) => {
  const { addon, batch, slot } = await started()
  addon.play([[DESCRIBED, slot, 9, 0, 1]], [describe(9, [INT4])])
  batch.push([1])
  const drained = batch.flushed()
  addon.play([[FAILED, slot, 0]], [{ kind: 'server', message: 'no', safeToRetry: false }])
  await drained
  await tickEnd()
  const sent = addon.sent.length
  batch.push([2])
  batch.end()
  batch.abort()
  await batch.flushed()
  await tickEnd()
  t.is(addon.sent.length, sent)
  t.is(batch.failure?.kind, 'server')
})
