import test, { type ExecutionContext } from 'ava'
import { encoderFor } from '../../src/encode/encoders'
import { holdBack } from '../../src/encode/hold-back'
import { DataError } from '../../src/errors/index'
import { layoutOfNames, Row, rowPrototype } from '../../src/record'
import { lowerBoundsOf, markLowerBounds } from '../../src/types/array-dimensions'
import { BitString } from '../../src/types/bit-string'
import { Polygon } from '../../src/types/geometry'
import { Interval } from '../../src/types/interval'
import { json } from '../../src/types/json'
import { Point } from '../../src/types/point'
import { Range } from '../../src/types/range'
import { TypeCode as T } from '../../src/types/type-code'
import type { TypeNode } from '../../src/types/type-node'
import { array, codec, composite, extension, range, scalar } from './encode-nodes'
import { RecordingSink, type SinkCall } from './encode-sink'

const INT4 = scalar('int4', T.INT4)
const TEXT = scalar('text', T.TEXT)
const BYTEA = scalar('bytea', T.BYTEA)
const JSONB = scalar('jsonb', T.JSONB)
const NUMERIC = scalar('numeric', T.NUMERIC)
const TIMESTAMPTZ = scalar('timestamptz', T.TIMESTAMPTZ)
const HSTORE = extension('hstore', T.HSTORE)
const INTERVAL = scalar('interval', T.INTERVAL)
const POLYGON = scalar('polygon', T.POLYGON)
const MONEY = scalar('money', T.UNKNOWN)
const HOME = composite('home', { street: TEXT, codes: array(INT4) })

/** A mutable decimal, as some libraries have them. */
class Decimal {
  constructor(public digits: string) {}
  toString() {
    return this.digits
  }
}

/** Its state is out of reach. */
class Secret {
  #state = 'one'
  change() {
    this.#state = 'two'
  }
  get street() {
    return this.#state
  }
  toJSON() {
    return { state: this.#state }
  }
  toString() {
    return this.#state
  }
}

function write(type: TypeNode, values: readonly unknown[]): SinkCall[] {
  const sink = new RecordingSink()
  const { code, name, oid } = type
  encoderFor([{ code, typeName: name, typeOid: oid, type }])(values, sink)
  return sink.calls
}

/** A value, how it changes after the call, and the type that it is for. */
type Case = [what: string, type: TypeNode, make: () => { value: unknown; change: () => void }]

const mutable = <V>(make: () => V, change: (value: V) => void) => {
  return () => {
    const value = make()
    return { value, change: () => change(value) }
  }
}

const CASES: Case[] = [
  [
    'a Date',
    TIMESTAMPTZ,
    mutable(
      () => new Date(1000),
      (date) => date.setTime(2000),
    ),
  ],
  [
    'a Date as JSON',
    JSONB,
    mutable(
      () => new Date(1000),
      (date) => date.setTime(2000),
    ),
  ],
  [
    'an array',
    array(INT4),
    mutable(
      () => [1, 2],
      (list) => list.push(3),
    ),
  ],
  [
    'an inner array',
    array(INT4),
    mutable(
      () => [[1], [2]],
      (list) => list[1]!.fill(9),
    ),
  ],
  [
    'Dates in an array',
    array(TIMESTAMPTZ),
    mutable(
      () => [new Date(5)],
      ([date]) => date!.setTime(6),
    ),
  ],
  [
    'a Buffer',
    BYTEA,
    mutable(
      () => Buffer.of(1, 2),
      (bytes) => bytes.fill(0),
    ),
  ],
  [
    'a Buffer as JSON',
    JSONB,
    mutable(
      () => Buffer.of(1, 2),
      (bytes) => bytes.fill(0),
    ),
  ],
  [
    'a DataView',
    BYTEA,
    mutable(
      () => new DataView(new ArrayBuffer(4), 1, 2),
      (view) => view.setInt8(0, 5),
    ),
  ],
  [
    'shared memory',
    BYTEA,
    mutable(
      () => new Uint8Array(new SharedArrayBuffer(3)),
      (bytes) => bytes.fill(7),
    ),
  ],
  [
    'memory that is transferred',
    BYTEA,
    mutable(
      () => new Uint8Array(9).fill(65),
      (bytes) => structuredClone(bytes, { transfer: [bytes.buffer] }),
    ),
  ],
  [
    'a typed array',
    array(INT4),
    mutable(
      () => Int16Array.of(1, 2),
      (list) => list.fill(0),
    ),
  ],
  [
    'Buffers in an array',
    array(BYTEA),
    mutable(
      () => [Buffer.of(1)],
      ([bytes]) => bytes!.fill(0),
    ),
  ],
  [
    'a plain object',
    HOME,
    mutable(
      () => ({ street: 'a', codes: [1] }),
      (home) => home.codes.push(2),
    ),
  ],
  [
    'an array for a composite',
    HOME,
    mutable(
      () => ['a', [1]],
      (home) => (home[0] = 'b'),
    ),
  ],
  [
    'an object as JSON',
    JSONB,
    mutable(
      () => ({ a: { b: [1] } }),
      (doc) => doc.a.b.push(2),
    ),
  ],
  [
    'json(…)',
    JSONB,
    mutable(
      () => ({ value: [1] }),
      ({ value }) => value.push(2),
    ),
  ],
  [
    'an object without a prototype',
    JSONB,
    mutable(
      () => Object.assign(Object.create(null), { __proto__: 1, a: 1 }),
      (doc) => (doc.a = 2),
    ),
  ],
  [
    'a Map',
    HSTORE,
    mutable(
      () => new Map([['a', '1']]),
      (map) => map.set('a', '2'),
    ),
  ],
  [
    'an object for hstore',
    HSTORE,
    mutable(
      () => ({ a: '1' }),
      (pairs) => (pairs.a = '2'),
    ),
  ],
  [
    'a decimal',
    NUMERIC,
    mutable(
      () => new Decimal('1.5'),
      (decimal) => (decimal.digits = '2.5'),
    ),
  ],
  [
    'decimals in an array',
    array(NUMERIC),
    mutable(
      () => [new Decimal('1')],
      ([one]) => (one!.digits = '2'),
    ),
  ],
  [
    'a decimal as JSON',
    JSONB,
    mutable(
      () => new Decimal('1.5'),
      (decimal) => (decimal.digits = '2.5'),
    ),
  ],
  [
    'an object of a class as JSON',
    JSONB,
    mutable(
      () => new Secret(),
      (secret) => secret.change(),
    ),
  ],
  [
    'an object of a class as numeric text',
    MONEY,
    mutable(
      () => new Secret(),
      (secret) => secret.change(),
    ),
  ],
  [
    'within JSON',
    JSONB,
    mutable(
      () => [new Secret()],
      ([secret]) => secret!.change(),
    ),
  ],
  [
    'a range',
    range('tstzrange', TIMESTAMPTZ),
    mutable(
      () => new Range(new Date(5), null),
      (r) => r.lower!.setTime(6),
    ),
  ],
  [
    'an interval',
    INTERVAL,
    mutable(
      () => new Interval({ days: 1 }),
      (i) => Object.assign(i, { days: 2 }),
    ),
  ],
  [
    'fields of an interval',
    INTERVAL,
    mutable(
      () => ({ days: 1 }),
      (fields) => (fields.days = 2),
    ),
  ],
  [
    'a polygon',
    POLYGON,
    mutable(
      () => new Polygon([new Point(1, 2)]),
      (p) => Object.assign(p.points[0]!, { x: 3 }),
    ),
  ],
  [
    'text search and the like',
    MONEY,
    mutable(
      () => ['a', ['b']],
      (list) => (list[0] = 'c'),
    ),
  ],
]

for (const [what, type, make] of CASES) {
  test(`${what}: what is held is written as the value was`, (t) => {
    const { value, change } = make()
    const before = write(type, [value])
    const { values } = holdBack([value])
    t.deepEqual(write(type, values), before)
    change()
    t.deepEqual(write(type, values), before)
    t.not(values[0], value)
  })
}

test('what cannot change is not copied', (t) => {
  const primitives = ['text', 5, 5n, true, null, undefined, Symbol.iterator]
  t.deepEqual(holdBack(primitives).values, primitives)
  const call = () => {}
  t.is(holdBack([call]).values[0], call)
})

test('a row is the same row', (t) => {
  const row = Object.create(rowPrototype(layoutOfNames(['street', 'codes']), []))
  Object.assign(row, { street: 'a', codes: [1] })
  const { values } = holdBack([row])
  row.codes.push(2)
  t.true(values[0] instanceof Row)
  t.deepEqual(write(HOME, values), write(HOME, [['a', [1]]]))
  t.is((values[0] as { [name: number]: unknown })[0], 'a')
})

test('lower bounds stay with an array', (t) => {
  const list = [1, 2]
  markLowerBounds(list, [0])
  t.deepEqual(lowerBoundsOf(holdBack([list]).values[0] as object), [0])
})

test('what is circular stays so', (t) => {
  const circle: { self?: unknown } = {}
  circle.self = circle
  const held = holdBack([circle]).values[0] as typeof circle
  t.is(held.self, held)
  t.not(held, circle)
  t.throws(() => write(JSONB, [held]), { instanceOf: DataError, message: /\$1/ })
})

test('the depth of an object is no matter', (t) => {
  let deep: unknown = 1
  for (let depth = 0; depth < 100_000; depth++) deep = [deep]
  t.true(Array.isArray(holdBack([deep]).values[0]))
})

test("a codec of the application's gets the object itself", (t) => {
  class Mood {
    #name: string
    constructor(name: string) {
      this.#name = name
    }
    static nameOf(mood: Mood) {
      return mood.#name
    }
  }
  const type = extension('mood', T.TEXT, codec({ encode: (mood) => Mood.nameOf(mood as Mood) }))
  t.deepEqual(write(type, holdBack([new Mood('happy')]).values), [['text', 'happy']])
})

test('a composite has what the class has under the names of attributes', (t) => {
  const type = composite('home', { street: TEXT })
  t.deepEqual(write(type, holdBack([new Secret()]).values), [
    ['composite', 1],
    ['text', 'one'],
  ])
})

/** What an encoder says of a value. */
function refusal(t: ExecutionContext, type: TypeNode, value: unknown): string {
  return t.throws(() => write(type, [value]), { instanceOf: DataError })!.message
}

test('what is refused is refused with the same words', (t) => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  class Thrower {
    toJSON() {
      throw new Error('no JSON')
    }
    toString(): string {
      throw new Error('no text')
    }
  }
  const cases: [TypeNode, unknown][] = [
    [INT4, new Decimal('1')],
    [INT4, [1]],
    [TEXT, new Secret()],
    [TEXT, new Date(Number.NaN)],
    [TIMESTAMPTZ, new Date(Number.NaN)],
    [JSONB, revoked.proxy],
    [JSONB, new Thrower()],
    [NUMERIC, new Thrower()],
    [HOME, { city: 'x' }],
    [HOME, new Set()],
    [HSTORE, new Set(['a'])],
    [BYTEA, new BitString('1')],
    [JSONB, () => {}],
    [
      JSONB,
      {
        get a() {
          throw new Error('a getter')
        },
      },
    ],
  ]
  for (const [type, value] of cases) {
    t.is(refusal(t, type, holdBack([value]).values[0]), refusal(t, type, value))
  }
})

test('the size counts strings and bytes however deep they are', (t) => {
  const text = 'x'.repeat(1000)
  const sizeOf = (value: unknown) => holdBack([value]).bytes
  for (const value of [
    text,
    [[text]],
    { a: { b: text } },
    json({ a: text }),
    new Map([['a', text]]),
    Buffer.alloc(1000),
    [Buffer.alloc(1000)],
    new Decimal(text),
  ]) {
    t.true(sizeOf(value) >= 1000, String(value).slice(0, 20))
    t.true(sizeOf(value) < 3000)
  }
})
