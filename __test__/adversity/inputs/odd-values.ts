// Objects that do something when they are looked at, lie about themselves, or are no more.
import { BitString, Box, Circle, Interval, json, Point, Range } from 'oxpg'

/** Makes one anew for each call. `ask` asks the driver something in the middle of the call that it is given to. */
export type Make = (ask: () => void) => unknown

/** Thrown by what must not be asked anything. */
const refuse = (): never => {
  throw new TypeError('it refuses')
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

/** Answers nothing that a proxy can be asked. */
const mute = (target: object): object =>
  new Proxy(
    target,
    Object.fromEntries(
      [
        ...['get', 'set', 'has', 'ownKeys', 'getPrototypeOf', 'setPrototypeOf', 'isExtensible', 'apply'],
        ...['getOwnPropertyDescriptor', 'defineProperty', 'deleteProperty', 'preventExtensions', 'construct'],
      ].map((trap) => [trap, refuse]),
    ),
  )

const withGetter = (name: string | symbol, target: object = {}): object =>
  Object.defineProperty(target, name, { get: refuse, enumerable: true, configurable: true })

const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 1
  for (let level = 0; level < depth; level += 1) value = wrap(value)
  return value
}

function cyclic(): object {
  const object: Record<string, unknown> = { a: 1 }
  object.self = object
  return object
}

function cyclicArray(): unknown[] {
  const array: unknown[] = [1]
  array.push(array)
  return array
}

function detached(bytes: Uint8Array<ArrayBuffer> = new Uint8Array(8)): Uint8Array {
  structuredClone(bytes, { transfer: [bytes.buffer] })
  return bytes
}

type Resizable = ArrayBuffer & { resize(length: number): void }
const resizable = (length: number, most: number): Resizable =>
  Reflect.construct(ArrayBuffer, [length, { maxByteLength: most }]) as Resizable

/** One of a fixed length whose buffer has become shorter than that. */
function outOfBounds(): Uint8Array {
  const buffer = resizable(16, 32)
  const bytes = new Uint8Array(buffer, 8, 8)
  buffer.resize(4)
  return bytes
}

function tracking(length: number): Uint8Array {
  const buffer = resizable(4, 64)
  const bytes = new Uint8Array(buffer)
  buffer.resize(length)
  return bytes.fill(65)
}

/** Changes its own length while it is read. */
const shrinking = (): unknown[] => {
  const array: unknown[] = [1, 2, 3, 4, 5, 6, 7, 8]
  Object.defineProperty(array, 0, {
    get() {
      array.length = 2
      return 1
    },
  })
  return array
}

const growing = (): unknown[] => {
  const array: unknown[] = [1, 2]
  Object.defineProperty(array, 0, {
    get() {
      if (array.length < 2_000) array.push(3, 4)
      return 1
    },
  })
  return array
}

class Lying extends Array<unknown> {
  override [Symbol.iterator](): ArrayIterator<unknown> {
    return refuse()
  }
  override map(): never {
    return refuse()
  }
}

class OddDate extends Date {
  override getTime(): number {
    return refuse()
  }
  override valueOf(): number {
    return refuse()
  }
  override toISOString(): string {
    return refuse()
  }
}

const hollow = (type: { prototype: object }): object => Object.create(type.prototype)

/** `toJSON`, `toString` and the like, one of them in each. */
const METHODS = [
  'toJSON',
  'toString',
  'valueOf',
  Symbol.toPrimitive,
  'toPostgres',
  'inspect',
  'then',
] as const
const answering = (answer: () => unknown): [what: string, make: Make][] =>
  METHODS.map((name) => [String(name), () => ({ [name]: answer })])

const named = (prefix: string, list: [what: string, make: Make][]): [what: string, make: Make][] =>
  list.map(([what, make]) => [`${prefix} ${what}`, make])

export const ODD: readonly (readonly [what: string, make: Make])[] = [
  ...named('throws by', answering(refuse)),
  ...named(
    'gives an object by',
    answering(() => ({})),
  ),
  ...named(
    'gives a symbol by',
    answering(() => Symbol('odd')),
  ),
  ...named(
    'gives undefined by',
    answering(() => undefined),
  ),
  ...named(
    'gives NUL by',
    answering(() => 'a\0b'),
  ),
  ...named(
    'gives 1 by',
    answering(() => 1),
  ),
  ...named(
    'has a getter for',
    ['toJSON', 'toString', 'length', 'constructor', Symbol.toStringTag, Symbol.iterator, 'a'].map((name) => [
      String(name),
      () => withGetter(name),
    ]),
  ),
  ['an array with a getter', () => withGetter('0', [1, 2])],
  ['an array with a getter for constructor', () => withGetter('constructor', [1])],
  ['a proxy of nothing', () => mute({})],
  ['a proxy of an array', () => mute([1, 2])],
  ['a proxy of a function', () => mute(() => 1)],
  ['a proxy of a Date', () => new Proxy(new Date(0), {})],
  ['a proxy of bytes', () => new Proxy(Buffer.from('AB'), {})],
  ['a proxy of a Range', () => new Proxy(new Range(1, 2), {})],
  ['a proxy of an Interval', () => new Proxy(new Interval({ days: 1 }), {})],
  ['a proxy that answers', () => new Proxy([1, 2], {})],
  ['a revoked proxy', () => revoked({})],
  ['a revoked proxy of an array', () => revoked([])],
  ['a revoked proxy of bytes', () => revoked(Buffer.alloc(2))],
  ['an object whose prototype is a revoked proxy', () => Object.create(revoked({}))],
  ['an object without a prototype', () => Object.assign(Object.create(null), { a: 1 })],
  ['a cyclic object', cyclic],
  ['a cyclic array', cyclicArray],
  ['a deep array', () => nested(20_000, (inner) => [inner])],
  ['a deep object', () => nested(20_000, (inner) => ({ inner }))],
  ['a deep mixture', () => nested(20_000, (inner) => [{ inner }])],
  ['an array with holes', () => Object.assign(Array(3), { 0: 1, 2: 3 })],
  ['an array of holes', () => Array(3)],
  ['an array that is longer than it can be', () => Object.assign([], { length: 2 ** 32 - 1 })],
  ['an array that shrinks', shrinking],
  ['an array that grows', growing],
  ['an array that does not let itself be iterated', () => Lying.from([1, 2])],
  ['something like an array', () => ({ length: 2, 0: 1, 1: 2 })],
  ['an invalid Date', () => new Date(Number.NaN)],
  ['a Date that throws', () => new OddDate(0)],
  ['a Date out of range', () => new Date(8.64e15)],
  ...([Date, Interval, Range, Point, Box, Circle, BitString, Uint8Array, Buffer, Map, Promise] as const).map(
    (type): [string, Make] => [`a hollow ${type.name}`, () => hollow(type)],
  ),
  ['a Range of hostile bounds', () => new Range(cyclic(), withGetter('a'))],
  ['detached bytes', () => detached()],
  ['a detached Buffer', () => detached(Buffer.from(new ArrayBuffer(8)))],
  ['detached bytes in an array', () => [detached()]],
  ['bytes out of bounds', outOfBounds],
  ['bytes that follow their buffer', () => tracking(16)],
  ['bytes that follow their buffer to nothing', () => tracking(0)],
  ['shared bytes', () => new Uint8Array(new SharedArrayBuffer(4))],
  ['a DataView', () => new DataView(new ArrayBuffer(4), 1, 2)],
  ['an ArrayBuffer', () => new ArrayBuffer(4)],
  ['a SharedArrayBuffer', () => new SharedArrayBuffer(4)],
  ['floats', () => new Float64Array([1.5, Number.NaN])],
  ['large integers', () => new BigInt64Array([1n, -1n])],
  [
    'bytes that lie about their length',
    () => Object.defineProperty(Buffer.alloc(4, 65), 'length', { value: 20_000 }),
  ],
  ['a Map', () => new Map([['a', 1]])],
  ['a Set', () => new Set([1])],
  ['a WeakMap', () => new WeakMap()],
  ['a RegExp', () => /a/],
  ['an Error', () => new Error('as a value')],
  ['a promise', () => Promise.resolve(1)],
  ['a function', () => () => 1],
  ['a class', () => class {}],
  [
    'a generator',
    () =>
      (function* () {
        yield 1
      })(),
  ],
  ['a symbol', () => Symbol('odd')],
  ['a URL', () => new URL('http://localhost/')],
  ['globalThis', () => globalThis],
  ['boxed primitives', () => [Object(1), Object('a'), Object(true), Object(1n)]],
  ['a boxed text', () => Object('1')],
  ['a boxed symbol', () => Object(Symbol('odd'))],
  ['an infinite number', () => Number.POSITIVE_INFINITY],
  ['no number', () => Number.NaN],
  ['less than nothing', () => -0],
  ['a fraction', () => 1.5],
  ['2⁵³ + 2', () => 2 ** 53 + 2],
  ['2⁶³', () => 2n ** 63n],
  ['an integer of 3 000 digits', () => 10n ** 3_000n],
  ['the smallest number', () => 5e-324],
  ['the greatest number', () => Number.MAX_VALUE],
  ['nothing of a text', () => ''],
  ['a quote', () => "'; drop table x; --"],
  ['an array literal', () => '{"a",NULL,"\\\\"}'],
  ['a text of JSON', () => '{"a":[1,null]}'],
  ['a long text', () => 'x'.repeat(100_000)],
  ['true', () => true],
  ['JSON of something that throws', () => json({ toJSON: refuse })],
  ['JSON of a cycle', () => json(cyclic())],
  ['JSON of a bigint', () => json(1n)],
  ['JSON of undefined', () => json(undefined)],
  ['JSON of a function', () => json(() => 1)],
  ['JSON of bytes', () => json(Buffer.from('A'))],
  ['JSON of JSON', () => json(json(json(1)))],
  [
    'a key __proto__',
    () => JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
  ],
  [
    'a value that asks for something itself',
    (ask) => ({
      toJSON: () => {
        ask()
        return 1
      },
      toString: () => {
        ask()
        return '1'
      },
    }),
  ],
]

/** Those of which is taken what they happen to be: something else each time that they are looked at, or by another way. */
export const UNSTEADY: ReadonlySet<string> = new Set([
  'an array that shrinks',
  'an array that grows',
  'bytes that lie about their length',
])
