import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { encoderFor } from '../../src/encode/encoders'
import { DataError, InterfaceError } from '../../src/errors/index'
import { describeArgument, describeValue } from '../../src/types/describe-value'
import { json } from '../../src/types/json'
import { TypeCode } from '../../src/types/type-code'
import { encode, encodeOne, RecordingSink } from './encode-sink'

const T = TypeCode

function refuses(t: ExecutionContext, code: number, values: readonly unknown[], message?: RegExp): void {
  for (const value of values) {
    const error = t.throws(() => encode(code, value), { instanceOf: DataError }, describeValue(value))
    t.regex(error?.message ?? '', /^parameter \$1: invalid input for type sometype: /)
    if (message !== undefined) t.regex(error?.message ?? '', message)
  }
}

test('null and undefined are NULL for every type', (t) => {
  for (const code of Object.values(T)) {
    for (const value of [null, undefined]) t.deepEqual(encodeOne(code, value), ['null'])
  }
})

test('bool takes booleans only', (t) => {
  t.deepEqual(encodeOne(T.BOOL, true), ['bool', true])
  t.deepEqual(encodeOne(T.BOOL, false), ['bool', false])
  refuses(t, T.BOOL, [0, 1, 'true', 't', {}], /expected true or false/)
})

test('int2, int4 and oid take whole numbers in range', (t) => {
  const ranges = [
    [T.INT2, -32_768, 32_767],
    [T.INT4, -2_147_483_648, 2_147_483_647],
    [T.OID, 0, 4_294_967_295],
  ] as const
  for (const [code, minimum, maximum] of ranges) {
    for (const value of [minimum, maximum]) {
      for (const given of [value, BigInt(value), String(value), ` ${value} `]) {
        t.deepEqual(encodeOne(code, given), ['i32', value])
      }
    }
    const beyond = [minimum - 1, maximum + 1, BigInt(minimum) - 1n, `${maximum + 1}`, 10n ** 400n]
    refuses(t, code, beyond, new RegExp(`expected a whole number from ${minimum} to ${maximum}`))
    refuses(t, code, [
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      '1.0',
      '',
      ' ',
      '0x10',
      '1e3',
      true,
      {},
      [1],
      new Date(),
    ])
  }
})

test('int8 takes safe numbers, bigints and digits', (t) => {
  t.deepEqual(encodeOne(T.INT8, 2 ** 53 - 1), ['i64Number', 2 ** 53 - 1])
  t.deepEqual(encodeOne(T.INT8, 2n ** 63n - 1n), ['i64', 2n ** 63n - 1n])
  t.deepEqual(encodeOne(T.INT8, -(2n ** 63n)), ['i64', -(2n ** 63n)])
  t.deepEqual(encodeOne(T.INT8, '-9223372036854775808'), ['i64', -(2n ** 63n)])
  t.deepEqual(encodeOne(T.INT8, `+${'0'.repeat(30)}12`), ['i64', 12n])
  refuses(t, T.INT8, [
    2n ** 63n,
    -(2n ** 63n) - 1n,
    '9223372036854775808',
    '9'.repeat(1e6),
    '1.5',
    'x',
    '',
    {},
  ])
  refuses(t, T.INT8, [2 ** 53, 1.5, Number.NaN, -Infinity], /expected a safe integer/)
})

test('floats take numbers, bigints and decimal text in range', (t) => {
  for (const code of [T.FLOAT4, T.FLOAT8]) {
    t.deepEqual(encodeOne(code, 1.5), ['f64', 1.5])
    t.deepEqual(encodeOne(code, 7n), ['f64', 7])
    t.deepEqual(encodeOne(code, ' -1.5e3 '), ['f64', -1500])
    t.deepEqual(encodeOne(code, '.5'), ['f64', 0.5])
    t.deepEqual(encodeOne(code, 'NaN'), ['f64', Number.NaN])
    for (const [given, value] of [
      [Number.NaN, Number.NaN],
      [Infinity, Infinity],
      ['-infinity', -Infinity],
    ] as const) {
      t.deepEqual(encodeOne(code, given), ['f64', value])
    }
    refuses(t, code, ['', 'abc', '0x10', '1_000', true, {}, new Date()], /expected a number\)/)
    refuses(t, code, ['1e999', 10n ** 400n], /expected a number in the range of float/)
  }
  t.deepEqual(encodeOne(T.FLOAT8, 1e300), ['f64', 1e300])
  refuses(t, T.FLOAT4, [1e300, '1e39', -3.5e38], /range of float4/)
})

test('numeric takes what has an exact decimal text', (t) => {
  t.deepEqual(encodeOne(T.NUMERIC, '123456789012345678901234567890.10'), [
    'text',
    '123456789012345678901234567890.10',
  ])
  t.deepEqual(encodeOne(T.NUMERIC, 0.1), ['text', '0.1'])
  t.deepEqual(encodeOne(T.NUMERIC, 1e21), ['text', '1e+21'])
  t.deepEqual(encodeOne(T.NUMERIC, Number.NaN), ['text', 'NaN'])
  t.deepEqual(encodeOne(T.NUMERIC, '-inf'), ['text', '-Infinity'])
  t.deepEqual(encodeOne(T.NUMERIC, 10n ** 30n), ['text', `1${'0'.repeat(30)}`])
  t.deepEqual(encodeOne(T.NUMERIC, { toString: () => '1.50' }), ['text', '1.50'])
  refuses(t, T.NUMERIC, ['', 'abc', '1,5', true, {}, [5], Object.create(null), 1n << 1_000_000n, new Date(0)])
})

test('text takes strings without NUL', (t) => {
  t.deepEqual(encodeOne(T.TEXT, ''), ['text', ''])
  t.deepEqual(encodeOne(T.TEXT, 'Zürich 🐘'), ['text', 'Zürich 🐘'])
  refuses(t, T.TEXT, [1, 1n, true, {}, [], new Date(), Buffer.from('a')], /expected a string/)
  refuses(t, T.TEXT, ['a\0b'], /expected text without NUL characters/)
})

test('"char" takes one byte', (t) => {
  for (const value of ['a', '', '\\200', '\\377']) t.deepEqual(encodeOne(T.CHAR, value), ['text', value])
  refuses(t, T.CHAR, ['ab', 'é', '\\400', '\0', 5])
})

test('bytea takes views of memory', (t) => {
  t.deepEqual(encodeOne(T.BYTEA, Buffer.from('00ff', 'hex')), ['bytes', '00ff'])
  t.deepEqual(encodeOne(T.BYTEA, new Uint16Array([0x0102, 0x0304]).subarray(1)), ['bytes', '0403'])
  t.deepEqual(encodeOne(T.BYTEA, new DataView(new ArrayBuffer(4), 1, 2)), ['bytes', '0000'])
  refuses(t, T.BYTEA, ['\\x00', [1, 2], new ArrayBuffer(2), {}])
})

test('json: strings are JSON text, all else goes through JSON.stringify', (t) => {
  for (const code of [T.JSON, T.JSONB]) {
    t.deepEqual(encodeOne(code, '{"a": 1}'), ['text', '{"a": 1}'])
    t.deepEqual(encodeOne(code, { a: [1, null] }), ['text', '{"a":[1,null]}'])
    t.deepEqual(encodeOne(code, [1, 'x']), ['text', '[1,"x"]'])
    t.deepEqual(encodeOne(code, 1.5), ['text', '1.5'])
    t.deepEqual(encodeOne(code, false), ['text', 'false'])
    t.deepEqual(encodeOne(code, 2n ** 64n), ['text', '18446744073709551616'])
    t.deepEqual(encodeOne(code, json('plain')), ['text', '"plain"'])
    t.deepEqual(encodeOne(code, json(null)), ['text', 'null'])
    t.deepEqual(encodeOne(code, { a: json('x') }), ['text', '{"a":"x"}'])
    refuses(t, code, [
      Symbol('s'),
      () => 1,
      json(undefined),
      { toJSON: () => undefined },
      Number.NaN,
      { a: 1n },
    ])
    refuses(t, code, ['"a\0"'], /NUL/)
  }
})

test('uuid takes text with or without hyphens, and 16 bytes', (t) => {
  const uuid = '9871E0CD-17B2-4b23-b610-5043495e66ca'
  const plain = uuid.replaceAll('-', '').toLowerCase()
  t.deepEqual(encodeOne(T.UUID, uuid), ['text', uuid])
  t.deepEqual(encodeOne(T.UUID, plain), ['text', plain])
  t.deepEqual(encodeOne(T.UUID, Buffer.from(plain, 'hex')), ['text', plain])
  refuses(
    t,
    T.UUID,
    ['', 'x', `${plain}0`, uuid.replace('-', ''), Buffer.alloc(15), {}, 5],
    /32 hexadecimal digits/,
  )
})

/** Temporal is not in every supported runtime; its classes are known by their tag. */
function temporal(name: string, text: string, fields: object = {}): object {
  return { [Symbol.toStringTag]: `Temporal.${name}`, toString: () => text, ...fields }
}

test('date takes text, Dates, ±Infinity and Temporal.PlainDate', (t) => {
  t.deepEqual(encodeOne(T.DATE, '2024-02-29'), ['text', '2024-02-29'])
  t.deepEqual(encodeOne(T.DATE, new Date(5)), ['millis', 5])
  t.deepEqual(encodeOne(T.DATE, -Infinity), ['millis', -Infinity])
  t.deepEqual(encodeOne(T.DATE, temporal('PlainDate', '2024-02-29')), ['text', '2024-02-29'])
  t.deepEqual(encodeOne(T.DATE, temporal('PlainDate', '-000043-03-15')), ['text', '0044-03-15 BC'])
  t.deepEqual(encodeOne(T.DATE, temporal('PlainDate', '0000-12-31')), ['text', '0001-12-31 BC'])
  t.deepEqual(encodeOne(T.DATE, temporal('PlainDate', '+012345-01-01')), ['text', '12345-01-01'])
  refuses(t, T.DATE, [new Date(Number.NaN)], /an invalid Date \(expected a valid Date\)/)
  refuses(t, T.DATE, [5, Number.NaN, 5n, {}, true, temporal('PlainTime', '12:00')])
})

test('time takes text and Temporal.PlainTime', (t) => {
  t.deepEqual(encodeOne(T.TIME, '03:04'), ['text', '03:04'])
  t.deepEqual(encodeOne(T.TIME, temporal('PlainTime', '03:04:05')), ['text', '03:04:05'])
  refuses(t, T.TIME, [5, new Date(), {}])
})

test('timestamps take Dates, text, microseconds, ±Infinity and Temporal', (t) => {
  for (const code of [T.TIMESTAMP, T.TIMESTAMPTZ]) {
    t.deepEqual(encodeOne(code, new Date(-1)), ['millis', -1])
    t.deepEqual(encodeOne(code, runInNewContext('new Date(7)')), ['millis', 7])
    t.deepEqual(encodeOne(code, '2024-01-01'), ['text', '2024-01-01'])
    t.deepEqual(encodeOne(code, 1_704_164_645_123_456n), ['i64', 1_704_164_645_123_456n])
    t.deepEqual(encodeOne(code, Infinity), ['millis', Infinity])
    const instant = temporal('Instant', '', { epochNanoseconds: -1n })
    t.deepEqual(encodeOne(code, instant), ['i64', -1n])
    const zone = code === T.TIMESTAMPTZ ? '+00' : ''
    const last = 9_224_318_015_999_999_999n
    t.deepEqual(encodeOne(code, 2n ** 63n - 2n), ['i64', 2n ** 63n - 2n])
    t.deepEqual(encodeOne(code, 2n ** 63n - 1n), ['text', `294247-01-10 04:00:54.775807${zone}`])
    t.deepEqual(encodeOne(code, last), ['text', `294276-12-31 23:59:59.999999${zone}`])
    refuses(t, code, [0, Number.NaN, new Date(Number.NaN), last + 1n, -(2n ** 63n), {}, true])
  }
  const plain = temporal('PlainDateTime', '2024-01-02T03:04:05')
  t.deepEqual(encodeOne(T.TIMESTAMP, plain), ['text', '2024-01-02T03:04:05'])
  refuses(t, T.TIMESTAMPTZ, [plain])
})

test('types without a codec take whatever has a text', (t) => {
  const text = (value: unknown): unknown => encodeOne(T.UNKNOWN, value)[1]
  t.is(text('as it is'), 'as it is')
  t.is(text(1.5), '1.5')
  t.is(text(2n ** 70n), '1180591620717411303424')
  t.is(text(true), 't')
  t.is(text(false), 'f')
  t.is(text(new Date(0)), '1970-01-01T00:00:00.000Z')
  t.is(text(new Date(-62_200_000_000_000)), '0003-12-17T14:13:20.000Z BC')
  t.is(text(Buffer.from('ff00', 'hex')), '\\xff00')
  t.is(text({ a: 1 }), '{"a":1}')
  t.is(text(json('x')), '"x"')
  t.is(text({ toJSON: () => 'P1D' }), 'P1D')
  t.is(text(temporal('Duration', 'PT1H')), 'PT1H')
  refuses(t, T.UNKNOWN, [Symbol('x'), () => 1, 'a\0', new Date(Number.NaN)])
})

test('types without a codec: arrays are array literals', (t) => {
  const text = (value: unknown, typeName?: string): unknown => encodeOne(T.UNKNOWN, value, typeName)[1]
  t.is(text([]), '{}')
  t.is(text([1, 'a b', null, undefined, 'NULL', '', true]), '{1,"a b",NULL,NULL,"NULL","",t}')
  t.is(
    text([
      ['q"', 'b\\'],
      ['{', ','],
    ]),
    '{{"q\\"","b\\\\"},{"{",","}}',
  )
  t.is(text([Buffer.from('ff', 'hex')]), '{"\\\\xff"}')
  t.is(text(new Float32Array([1, 0.5])), '{1,0.5}')
  t.is(text(['(1,1),(0,0)'], 'box[]'), '{"(1,1),(0,0)"}')
  t.is(text(['a', 'b'], 'box[]'), '{a;b}')
  const endless: unknown[] = []
  endless.push(endless)
  refuses(t, T.UNKNOWN, [endless], /at most 6 dimensions/)
})

test('the number of values must be that of the parameters', (t) => {
  const encoder = encoderFor([1, 2].map((typeOid) => ({ typeOid, typeName: 'int4', code: T.INT4 })))
  t.throws(() => encoder([1], new RecordingSink()), {
    instanceOf: InterfaceError,
    message: 'the query takes 2 parameters, but 1 was given',
  })
  t.throws(() => encoderFor([])([1, 2], new RecordingSink()), {
    message: /takes 0 parameters, but 2 were given/,
  })
})

test('an error names the parameter, the type and the value', (t) => {
  const encoder = encoderFor([
    { typeOid: 25, typeName: 'text', code: T.TEXT },
    { typeOid: 23, typeName: 'int4', code: T.INT4 },
  ])
  const error = t.throws(() => encoder(['ok', 'twelve'], new RecordingSink()), { instanceOf: DataError })
  t.is(
    error.message,
    'parameter $2: invalid input for type int4: "twelve" (expected a whole number from -2147483648 to 2147483647)',
  )
  t.is(error.parameter, 2)
  t.false(error.fromServer)
  t.true(error.safeToRetry)
})

test('what the engine throws about a value is the cause', (t) => {
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  const encode = encoderFor(
    [T.TEXT, T.INT4 | 0x80].map((code) => ({ typeOid: 1, typeName: 'sometype', code })),
  )
  const error = t.throws(() => encode(['a', proxy], new RecordingSink()), { instanceOf: DataError })
  t.is(error?.parameter, 2)
  t.regex(error?.message ?? '', /^parameter \$2: invalid input for type sometype: a Proxy/)
  t.true(error?.cause instanceof TypeError)
})

test("what the application's objects throw is the cause", (t) => {
  const thrown = new RangeError('mine')
  const hostile = {
    toString() {
      throw thrown
    },
    toJSON() {
      throw thrown
    },
    get [Symbol.toStringTag]() {
      throw thrown
    },
  }
  for (const code of [T.NUMERIC, T.JSONB, T.UNKNOWN, T.DATE, T.TIMESTAMPTZ]) {
    const error = t.throws(() => encode(code, hostile), { instanceOf: DataError })
    t.is(error.cause, thrown)
  }
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  t.true(t.throws(() => encode(T.JSON, cyclic), { instanceOf: DataError }).cause instanceof TypeError)
})

test('values are described in at most 60 characters, without running their code', (t) => {
  const forbidden = (): never => {
    throw new Error('code of the value ran')
  }
  const trap = new Proxy({}, { get: forbidden, getPrototypeOf: forbidden, ownKeys: forbidden })
  const shown: [unknown, string][] = [
    ['a"b', '"a\\"b"'],
    [-0, '-0'],
    [5n, '5n'],
    [1n << 100_000n, 'a bigint of more than 256 bits'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, 'a function'],
    [null, 'null'],
    [trap, 'a Proxy'],
    [[1, 'a', [2, 3], { b: 1 }], '[1, "a", [… 2], an object]'],
    [Object.defineProperty([0], 0, { get: forbidden }), '[a getter]'],
    [[1, 2, 3, 4, 5, 6], '[1, 2, 3, 4, 5, …]'],
    [new Map(), 'an object of class Map'],
    [Buffer.alloc(3), 'Buffer of 3 bytes'],
    [Object.create(null), 'an object'],
    [{ constructor: { name: 5 }, toString: forbidden }, 'an object'],
    [new Date(0), 'Date 1970-01-01T00:00:00.000Z'],
    [Object.assign(new Date(Number.NaN), { toString: forbidden }), 'an invalid Date'],
  ]
  for (const [value, expected] of shown) t.is(describeValue(value), expected)
  const revoked = Proxy.revocable([], {})
  revoked.revoke()
  const arguments_: [unknown, string][] = [
    ['a"b', `'a"b'`],
    ["it's\n", "'it\\'s\\n'"],
    ['x'.repeat(41), `'${'x'.repeat(40)}…'`],
    [['secret'], 'an array'],
    [{ password: 'secret', toString: forbidden }, 'an object'],
    [trap, 'a Proxy'],
    [new Proxy([], { get: forbidden }), 'a Proxy'],
    [revoked.proxy, 'a Proxy'],
    [new (class Other {})(), 'an object of class Other'],
    [{ [inspect.custom]: forbidden }, 'an object'],
    [5n, '5n'],
    [0.5, '0.5'],
    [undefined, 'undefined'],
  ]
  for (const [value, expected] of arguments_) t.is(describeArgument(value), expected)
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true }),
      (value) => describeValue(value).length <= 60,
    ),
  )
  t.true(describeValue('x'.repeat(1e6)).length <= 60)
})
