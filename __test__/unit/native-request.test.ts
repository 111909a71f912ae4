import { getEventListeners } from 'node:events'
import test from 'ava'
import { DEFAULT_PLAN, planFor } from '../../src/decode/mapping'
import { DataError, InterfaceError } from '../../src/errors/index'
import { BatchRequest } from '../../src/native/batch-request'
import { CallGroup } from '../../src/native/call-group'
import type { ConnectionTarget } from '../../src/native/connection-target'
import { Opcode } from '../../src/native/outbox'
import { Flag, Form } from '../../src/types/boundary'
import {
  BYTEA,
  connected,
  describe,
  type FakeAddon,
  INT4,
  JSONB,
  statement,
  TEXT,
  tickEnd,
} from './native-fake-addon'

const ROWS = 1
const DESCRIBED = 2
const DONE = 3
const FAILED = 4
const SELECT = 1
const INSERT = 2
const IDLE = 0x49
const IN_TRANSACTION = 0x54

function query(connection: ConnectionTarget, text: string, params?: unknown[], signal?: AbortSignal) {
  return connection.query(text, params, statement({ signal }))
}

/** Makes the description of a text known. */
async function warm(addon: FakeAddon, connection: ConnectionTarget, text: string, description: object) {
  const request = connection.prepare(text, { timeoutMs: 0, signal: undefined })
  addon.play(
    [
      [DESCRIBED, request.slot, 0, 0, 0],
      [DONE, request.slot, 0, 0, 0, -1, IDLE],
    ],
    [description],
  )
  await request.settled
  return request
}

test('a cold query sends no parameters, and binds them when they are asked for', async (t) => {
  const { addon, connection } = await connected()
  const request = connection.query('select $1::int4 as n', [42], statement({ maxRows: 10, timeoutMs: 2500 }))
  await tickEnd()
  const { cells, ...header } = addon.last
  t.deepEqual(header, {
    opcode: Opcode.QUERY,
    slot: request.slot,
    target: 7,
    query: 1,
    words: [10, 2500, 0, 1],
    flags: 0,
    form: 0,
  })
  t.deepEqual(cells, [])

  const description = describe(9, [INT4], { n: INT4 })
  addon.play([[DESCRIBED, request.slot, 9, 0, 1]], [description])
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.BIND, slot: request.slot, words: [0, 0, 9, 1] })
  t.like(addon.last.cells[0]!, { tag: 2, word: 42 })

  new Int32Array(addon.cells.buffer)[6] = 42
  addon.play([
    [ROWS, request.slot, 1, 3, -1, -1],
    [DONE, request.slot, SELECT, 1, 0, -1, IN_TRANSACTION],
  ])
  await request.settled
  t.is(request.failure, undefined)
  t.deepEqual(
    request.rows.map((row) => ({ ...(row as object) })),
    [{ n: 42 }],
  )
  t.is(request.rowCount, 1)
  t.is(request.tag(), 'SELECT 1')
  t.is(connection.transactionStatus, 'T')
  t.is(request.description?.columns[0]?.name, 'n')
})

test('a warm query sends its parameters at once; all queries of a tick go in one flush', async (t) => {
  const { addon, connection } = await connected()
  await warm(addon, connection, 'insert $1', describe(9, [INT4, TEXT]))
  await tickEnd()
  const flushesBefore = addon.flushes.length
  const first = query(connection, 'insert $1', [1, 'Ivan'])
  const second = query(connection, 'insert $1', [2, 'Þóra'])
  await tickEnd()
  t.is(addon.flushes.length, flushesBefore + 1)
  const [one, two] = addon.flushes.at(-1)!
  t.like(one!, { opcode: Opcode.QUERY, slot: first.slot, words: [0, 0, 9, 2] })
  t.is(one!.cells[1]!.content, 'Ivan')
  t.like(two!, { slot: second.slot })
  t.is(two!.cells[1]!.content, 'Þóra')
  addon.play([
    [DONE, second.slot, INSERT, 3, 0, -1, IDLE],
    [DONE, first.slot, INSERT, 1, 2, -1, IDLE],
  ])
  await Promise.all([first.settled, second.settled])
  t.is(second.tag(), 'INSERT 0 3')
  t.is(first.rowCount, 2 ** 33 + 1)
})

test('parameters are copied at the call', async (t) => {
  const { addon, connection } = await connected()
  const params = [1]
  const request = query(connection, 'select $1', params)
  params[0] = 2
  addon.play([[DESCRIBED, request.slot, 9, 0, 1]], [describe(9, [INT4])])
  await tickEnd()
  t.is(addon.last.cells[0]!.word, 1)
})

test('bytes are copied at the call when the types are not known', async (t) => {
  const { addon, connection } = await connected()
  const memory = new Uint8Array([9, 1, 2, 3, 9]).buffer
  const views = [Buffer.from([1, 2, 3]), new Uint8Array(memory, 1, 3), new DataView(memory, 1, 3)]
  const request = query(connection, 'insert $1', [...views, 'x'])
  for (const view of views) Buffer.from(view.buffer, view.byteOffset, view.byteLength).fill(7)
  addon.play([[DESCRIBED, request.slot, 9, 0, 1]], [describe(9, [BYTEA, BYTEA, BYTEA, TEXT])])
  await tickEnd()
  const sent = addon.last.cells.slice(0, 3).map(({ content }) => content)
  t.deepEqual(sent, [Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3)])
})

test('detached memory is refused by its parameter, with known types and with unknown', async (t) => {
  const { addon, connection } = await connected()
  const views = [new Uint8Array(3), new DataView(new ArrayBuffer(3))]
  for (const view of views) structuredClone(view.buffer, { transfer: [view.buffer] })
  for (const view of views) {
    for (let round = 0; round < 2; round++) {
      const request = query(connection, 'insert $1', [1, view])
      addon.play([[DESCRIBED, request.slot, 9, 0, 1]], [describe(9, [INT4, BYTEA])])
      await request.settled
      const error = request.failure?.error as DataError
      t.true(error instanceof DataError)
      t.is(error.parameter, 2)
      t.true(error.cause instanceof TypeError)
    }
  }
})

test('bytes are copied at the call when the types are known, long ones too', async (t) => {
  const { addon, connection } = await connected()
  await warm(addon, connection, 'insert $1', describe(9, [BYTEA]))
  for (const length of [3, 100_000]) {
    const bytes = Buffer.alloc(length, 1)
    query(connection, 'insert $1', [bytes])
    bytes.fill(2)
    await tickEnd()
    t.deepEqual(addon.last.cells[0]!.content, new Uint8Array(length).fill(1))
  }
})

test('what does not fit a known type is settled once the server has been asked anew', async (t) => {
  const { addon, connection } = await connected()
  await warm(addon, connection, 'select $1', describe(9, [TEXT, INT4]))
  for (const [params, ErrorClass] of [
    [['x'.repeat(5000), 'not a number'], DataError],
    [['x'], InterfaceError],
  ] as const) {
    const request = query(connection, 'select $1', [...params])
    await tickEnd()
    t.like(addon.last, { opcode: Opcode.QUERY, words: [0, 0, 0, params.length], flags: Flag.FRESH })
    t.deepEqual(addon.last.cells, [])
    t.false(request.isSettled)
    const { slot } = request
    addon.play([[DESCRIBED, slot, 9, -1, 1]])
    await request.settled
    t.true(request.failure?.error instanceof ErrorClass)
    await tickEnd()
    t.like(addon.last, { opcode: Opcode.REFUSE, slot })
    addon.play([[FAILED, slot, 0]], [{ kind: 'canceled', message: '', safeToRetry: false }])
  }
  query(connection, 'select $1', ['y'.repeat(5000), 1])
  await tickEnd()
  t.is(addon.last.words[2], 9)
  t.is(addon.last.cells[0]!.content, 'y'.repeat(5000))
})

test('parameters that fit what is true now are sent', async (t) => {
  const { addon, connection } = await connected()
  await warm(addon, connection, 'insert $1', describe(9, [INT4]))
  const bytes = Buffer.of(1)
  const request = query(connection, 'insert $1', [bytes])
  bytes[0] = 2
  addon.play([[DESCRIBED, request.slot, 10, 0, 1]], [describe(10, [BYTEA])])
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.BIND, slot: request.slot, words: [0, 0, 10, 1] })
  t.deepEqual(addon.last.cells[0]!.content, Uint8Array.of(1))
  t.false(request.isSettled)
})

test('too few parameters are an InterfaceError', async (t) => {
  const { addon, connection } = await connected()
  const cold = query(connection, 'select $1', [])
  addon.play([[DESCRIBED, cold.slot, 9, 0, 1]], [describe(9, [INT4])])
  await cold.settled
  t.true(cold.failure?.error instanceof InterfaceError)
})

test('parameters that turn out not to fit are refused; the slot is free after Rust has answered', async (t) => {
  const { addon, connection, environment } = await connected()
  const request = query(connection, 'select $1', ['not a number'])
  const { slot } = request
  addon.play([[DESCRIBED, slot, 9, 0, 1]], [describe(9, [INT4])])
  await request.settled
  t.true(request.failure?.error instanceof DataError)
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.REFUSE, slot })
  t.is(environment.slots.get(slot), request)
  addon.play([[FAILED, slot, 0]], [{ kind: 'canceled', message: '', safeToRetry: false }])
  t.is(environment.slots.get(slot), undefined)
  t.is(request.failure?.kind, 'thrown')
})

test('a description that changed re-chooses the encoder', async (t) => {
  const { addon, connection } = await connected()
  await warm(addon, connection, 'select $1', describe(9, [INT4]))
  const changing = query(connection, 'select $1', [7])
  addon.play([[DESCRIBED, changing.slot, 10, 0, 1]], [describe(10, [BYTEA])])
  await changing.settled
  t.true(changing.failure?.error instanceof DataError, 'a number is no bytea')

  query(connection, 'select $1', [Buffer.of(7)])
  await tickEnd()
  t.is(addon.last.words[2], 10)
  t.deepEqual(addon.last.cells[0]!.content, Uint8Array.of(7))
})

test('a description that changed before the rows re-chooses their readers', async (t) => {
  const { addon, connection } = await connected()
  await warm(addon, connection, 'select *', describe(9, [], { n: INT4 }))
  const request = query(connection, 'select *')
  new Int32Array(addon.cells.buffer).set([3, 0, 4, 0])
  addon.play(
    [
      [DESCRIBED, request.slot, 10, 0, 0],
      [ROWS, request.slot, 1, 0, -1, -1],
      [DONE, request.slot, SELECT, 1, 0, -1, IDLE],
    ],
    [describe(10, [], { n: INT4, m: INT4 })],
  )
  await request.settled
  t.deepEqual({ ...(request.rows[0] as object) }, { n: 3, m: 4 })
})

test('failures of the server are handed on, and the transaction status with them', async (t) => {
  const { addon, connection } = await connected()
  const request = query(connection, 'select 1/0')
  const failure = { kind: 'server', message: 'division by zero', sqlstate: '22012', safeToRetry: false }
  addon.play([[FAILED, request.slot, 0, -1, -1, -1, 0x45]], [failure])
  await request.settled
  t.is(request.failure, failure as never)
  t.is(connection.transactionStatus, 'E')
  t.is(request.tag(), '')
})

test('a parser that throws fails its own request only', async (t) => {
  const { addon, connection } = await connected()
  await warm(addon, connection, 'select j', describe(9, [], { j: JSONB }))
  const thrown = new Error('no such JSON')
  const plan = planFor(DEFAULT_PLAN, {
    json: () => {
      throw thrown
    },
  })
  const hurt = connection.query('select j', undefined, statement({ plan }))
  const well = query(connection, 'select j')
  addon.bytes.write('[5]')
  new Uint32Array(addon.cells.buffer).set([0, 3])
  addon.play([
    [ROWS, hurt.slot, 1, 0, -1, -1],
    [DONE, hurt.slot, SELECT, 1, 0, -1, IDLE],
    [ROWS, well.slot, 1, 0, -1, -1],
    [DONE, well.slot, SELECT, 1, 0, -1, IDLE],
  ])
  await Promise.all([hurt.settled, well.settled])
  t.is(hurt.failure?.error, thrown)
  t.deepEqual(hurt.rows, [])
  t.deepEqual((well.rows[0] as { j: unknown }).j, [5])
})

test('a row with memory of its own is read from there', async (t) => {
  const { addon, connection } = await connected()
  await warm(addon, connection, 'select s', describe(9, [], { s: TEXT }))
  const request = query(connection, 'select s')
  const bytes = new TextEncoder().encode('snæfell').buffer
  const own = {
    cells: new Uint32Array([0, bytes.byteLength]).buffer,
    marks: new ArrayBuffer(1),
    bytes,
    extras: [],
    isAscii: false,
  }
  addon.play(
    [
      [ROWS, request.slot, -1, -1, -1, 0],
      [DONE, request.slot, SELECT, 1, 0, -1, IDLE],
    ],
    [own],
  )
  await request.settled
  t.is((request.rows[0] as { s: string }).s, 'snæfell')
})

test('a signal that has fired sends nothing', async (t) => {
  const { addon, connection } = await connected()
  const reason = new Error('enough')
  const request = query(connection, 'select 1', undefined, AbortSignal.abort(reason))
  const batch = connection.startFed(
    BatchRequest,
    'insert',
    statement({ form: Form.COUNT, signal: AbortSignal.abort(reason) }),
  )
  batch.push([1])
  await Promise.all([request.settled, batch.settled, batch.flushed()])
  t.is(request.failure?.error, reason)
  t.is(batch.failure?.error, reason)
  await tickEnd()
  t.deepEqual(addon.sent, [])
})

test('a signal that fires abandons the request; its slot waits for the answer', async (t) => {
  const { addon, connection, environment } = await connected()
  const controller = new AbortController()
  const request = query(connection, 'select pg_sleep(9)', undefined, controller.signal)
  const { slot } = request
  await tickEnd()
  const reason = new Error('enough')
  controller.abort(reason)
  await request.settled
  t.is(request.failure?.error, reason)
  await tickEnd()
  t.like(addon.last, { opcode: Opcode.ABANDON, slot })
  t.is(environment.slots.get(slot), request)
  addon.play(
    [
      [ROWS, slot, 1, 0, -1, -1],
      [DONE, slot, SELECT, 1, 0, -1, IDLE],
    ],
    undefined,
  )
  t.is(environment.slots.get(slot), undefined)
  t.is(request.failure?.error, reason)
  t.deepEqual(request.rows, [])
})

test('the listener leaves the signal when the request settles', async (t) => {
  const { addon, connection } = await connected()
  const controller = new AbortController()
  const request = query(connection, 'select 1', undefined, controller.signal)
  await tickEnd()
  addon.play([[DONE, request.slot, SELECT, 0, 0, -1, IDLE]])
  await request.settled
  controller.abort()
  await tickEnd()
  t.is(addon.last.opcode, Opcode.QUERY)
  t.is(request.failure, undefined)
})

/** A signal that has fired because its time is over, and a request that it was given. */
async function expired() {
  const { addon, connection } = await connected()
  const controller = new AbortController()
  const request = query(connection, 'select 1', undefined, controller.signal)
  await tickEnd()
  controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
  await tickEnd()
  return { addon, request, reason: controller.signal.reason as unknown }
}

test('a request whose signal fires because a time is over may have its answer already: Rust looks', async (t) => {
  for (const answer of ['there', 'an error', 'not there'] as const) {
    const { addon, request, reason } = await expired()
    t.like(addon.last, { opcode: Opcode.EXPIRE, slot: request.slot })
    t.false(request.isSettled)
    if (answer === 'there') addon.play([[DONE, request.slot, SELECT, 0, 0, -1, IDLE]])
    else {
      const kind = answer === 'an error' ? 'server' : 'timeout'
      addon.play([[FAILED, request.slot, 0]], [{ kind, message: 'what it says', safeToRetry: false }])
    }
    await request.settled
    if (answer === 'there') t.is(request.failure, undefined)
    else if (answer === 'an error') t.is(request.failure?.message, 'what it says')
    else t.is(request.failure?.error, reason)
  }
})

test('40 000 calls of one signal have one listener, and end with one command each', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  t.teardown(() => void process.off('warning', note))
  const { addon, connection } = await connected()
  const controller = new AbortController()
  const reason = new Error('enough')
  const { signal } = controller
  const requests = Array.from({ length: 40_000 }, () => query(connection, 'select 1', undefined, signal))
  t.is(getEventListeners(signal, 'abort').length, 1)
  await tickEnd()
  const before = addon.sent.length
  controller.abort(reason)
  await tickEnd()
  t.true(requests.every(({ failure }) => failure?.error === reason))
  t.is(getEventListeners(signal, 'abort').length, 0)
  const abandoned = addon.sent.slice(before)
  t.true(abandoned.every(({ opcode }) => opcode === Opcode.ABANDON))
  t.is(new Set(abandoned.map(({ slot }) => slot)).size, requests.length)
  t.is(abandoned.length, requests.length)
  t.deepEqual(warnings, [])
})

test('what is part of a group ends with it, and leaves it when it ends', async (t) => {
  const { addon, connection } = await connected()
  const group = new CallGroup()
  const options = statement({ group })
  const [first, second, third] = [
    connection.query('select 1', undefined, options),
    connection.query('select 2', undefined, options),
    connection.startFed(BatchRequest, 'insert', options),
  ]
  await tickEnd()
  addon.play([[DONE, first.slot, SELECT, 0, 0, -1, IDLE]])
  t.true(group.keepsTransaction())
  const script = connection.script('select 1; commit', { timeoutMs: 0, signal: undefined, group })
  t.false(group.keepsTransaction())
  const failure = { kind: 'timeout', message: 'over', safeToRetry: true } as const
  group.endBy(failure)
  await tickEnd()
  t.is(first.failure, undefined)
  t.deepEqual([second.failure, third.failure, script.failure], [failure, failure, failure])
  t.is(addon.sent.filter(({ opcode }) => opcode === Opcode.ABANDON).length, 3)
  t.true(group.keepsTransaction())
  group.endBy(failure)
  await tickEnd()
  t.is(addon.sent.filter(({ opcode }) => opcode === Opcode.ABANDON).length, 3)
})

test('tags of commands', async (t) => {
  const { addon, connection } = await connected()
  const tagOf = (command: number, rows: number, text?: string) => {
    const request = query(connection, 'x')
    addon.play(
      [[DONE, request.slot, command, rows, 0, text === undefined ? -1 : 0, IDLE]],
      text ? [text] : undefined,
    )
    return request.tag()
  }
  t.deepEqual(
    [tagOf(0, 0, 'CREATE TABLE'), tagOf(3, 4), tagOf(6, 0), tagOf(9, 0), tagOf(10, 0), tagOf(13, 5)],
    ['CREATE TABLE', 'UPDATE 4', 'BEGIN', '', 'SET', 'COPY 5'],
  )
})

test('a suspended portal says so', async (t) => {
  const { addon, connection } = await connected()
  const request = query(connection, 'fetch')
  addon.play([[DONE, request.slot, SELECT, 0, 0, -1, IDLE, 1]])
  t.true(request.isSuspended)
})

test('scripts cross as one text, long ones beside the cells', async (t) => {
  const { addon, connection } = await connected()
  connection.script('begin', { timeoutMs: 300, signal: undefined, isControl: true })
  connection.script('select 1; '.repeat(1000), { timeoutMs: 0, signal: undefined })
  await tickEnd()
  const [short, long] = addon.sent
  t.like(short!, { opcode: Opcode.SCRIPT, target: 7, words: [0, 300, 0, 0], flags: Flag.CONTROL })
  t.is(short!.cells[0]!.content, 'begin')
  t.like(long!, { opcode: Opcode.SCRIPT, words: [0, 0, 0, 0], flags: 0 })
  t.like(long!.cells[0]!, { tag: 8, content: 'select 1; '.repeat(1000) })
})

test('where the stack ends in making a promise, nobody else is told that his request is over', async (t) => {
  const { addon, connection } = await connected()
  const first = query(connection, 'select 1')
  // V8 calls no executor there, and rejects the promise.
  const { Promise: real } = globalThis
  globalThis.Promise = new Proxy(real, {
    construct: () => real.reject(new RangeError('Maximum call stack size exceeded')),
  })
  let second: ReturnType<typeof query>
  try {
    second = query(connection, 'select 2')
  } finally {
    globalThis.Promise = real
  }
  await t.throwsAsync(second.settled, { instanceOf: RangeError })
  let isOver = false
  first.settled.then(() => {
    isOver = true
  })
  await tickEnd()
  addon.play([[DONE, second.slot, SELECT, 0, 0, -1, IDLE]])
  await tickEnd()
  t.false(isOver)
  addon.play([[DONE, first.slot, SELECT, 0, 0, -1, IDLE]])
  await first.settled
  t.true(first.isSettled)
})
