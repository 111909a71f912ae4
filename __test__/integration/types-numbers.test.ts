import test from 'ava'
import { DataError, PostgresError } from 'oxpg'
import { connection } from '../support/server.js'
import { shared, type TypeRow, testRefusals, testTypes } from '../support/type-table.js'

const SMALLEST_FLOAT4 = 1e-45
const LARGEST_FLOAT4 = 3.4028235e38
const SMALLEST_NORMAL_FLOAT8 = 2.2250738585072014e-308

/** NaN and the infinities in the words of PostgreSQL. */
const notFinite: readonly TypeRow[] = [
  ["'NaN'", Number.NaN],
  ["'Infinity'", Number.POSITIVE_INFINITY],
  ["'-Infinity'", Number.NEGATIVE_INFINITY],
]

testTypes([
  {
    type: 'bool',
    rows: [
      ['true', true],
      ['false', false],
    ],
  },
  {
    type: 'int2',
    rows: [
      ['0', 0],
      ['-32768', -32768],
      ['32767', 32767, { parameter: '32767' }],
    ],
  },
  {
    type: 'int4',
    rows: [
      ['-1', -1],
      ['-2147483648', -2147483648],
      ['2147483647', 2147483647],
      ['2147483647', 2147483647, { parameter: ' +2147483647 ' }],
      ['7', 7, { parameter: 7n }],
    ],
  },
  {
    type: 'int8',
    rows: [
      ['0', 0],
      ['-1', -1],
      ['4294967296', 4294967296],
      ['-4294967297', -4294967297],
      ['9007199254740991', Number.MAX_SAFE_INTEGER],
      ['-9007199254740991', Number.MIN_SAFE_INTEGER],
      ['9007199254740992', 9007199254740992n],
      ['-9007199254740992', -9007199254740992n],
      ["'-9223372036854775808'", -9223372036854775808n],
      ['9223372036854775807', 9223372036854775807n],
      ['9223372036854775807', 9223372036854775807n, { parameter: '9223372036854775807' }],
      ['1', 1n, { options: { int8: 'bigint' } }],
      ["'-9223372036854775808'", -9223372036854775808n, { options: { int8: 'bigint' } }],
      ['12', '12', { options: { int8: 'string' } }],
      ["'-9223372036854775808'", '-9223372036854775808', { options: { int8: 'string' } }],
      ['-12', -12, { options: { int8: 'number' } }],
    ],
  },
  {
    type: 'float4',
    rows: [
      ['0', 0],
      ["'-0'", -0],
      ["'3.14'", 3.14],
      ["'0.1'", 0.1],
      ["'-16777217'", -16777216],
      ["'1e10'", 1e10],
      ["'3.4028235e38'", LARGEST_FLOAT4],
      ["'-3.4028235e38'", -LARGEST_FLOAT4],
      ["'1e-45'", SMALLEST_FLOAT4],
      ["'-1.1754942e-38'", -1.1754942e-38],
      ["'1.1754944e-38'", 1.1754944e-38],
      ['1', 1, { parameter: '1' }],
      ...notFinite,
    ],
  },
  {
    type: 'float8',
    rows: [
      ['0', 0],
      ["'-0'", -0],
      ["'0.1'", 0.1],
      ["'0.30000000000000004'", 0.1 + 0.2],
      ["'1e22'", 1e22],
      ["'123456789012345680'", 123456789012345680],
      ["'1.7976931348623157e308'", Number.MAX_VALUE],
      ["'-1.7976931348623157e308'", -Number.MAX_VALUE],
      ["'5e-324'", Number.MIN_VALUE],
      ["'-5e-324'", -Number.MIN_VALUE],
      ["'2.2250738585072009e-308'", 2.225073858507201e-308],
      ["'2.2250738585072014e-308'", SMALLEST_NORMAL_FLOAT8],
      ['1.5', 1.5, { parameter: '1.5' }],
      ...notFinite,
    ],
  },
  {
    type: 'numeric',
    rows: [
      ["'0'", '0'],
      ["'0.000'", '0.000'],
      ["'-0.000100'", '-0.000100'],
      ["'12345678901234567890.123456789'", '12345678901234567890.123456789'],
      ["'10000'", '10000'],
      ["'9999.9999'", '9999.9999'],
      ["'10000.0001'", '10000.0001'],
      ["'100000000000000000000'", '100000000000000000000'],
      ["'1e-20'", '0.00000000000000000001'],
      ["'1e20'", '100000000000000000000', { parameter: '1e20' }],
      ["'-1.5'", '-1.5', { parameter: -1.5 }],
      ["'12345678901234567890'", '12345678901234567890', { parameter: 12345678901234567890n }],
      ["'1000000000000000000000'", '1000000000000000000000', { parameter: 1e21 }],
      ["'0.0000001'", '0.0000001', { parameter: 1e-7 }],
      ["'2.50'", '2.50', { parameter: { toString: () => '2.50' } }],
      ["'1.5'", 1.5, { options: { numeric: 'number' } }],
      ["'NaN'", 'NaN'],
      ["'NaN'", 'NaN', { parameter: Number.NaN }],
      ["'NaN'", Number.NaN, { options: { numeric: 'number' } }],
      ["'Infinity'", 'Infinity', { since: 14 }],
      ["'-Infinity'", '-Infinity', { since: 14 }],
      ["'-Infinity'", '-Infinity', { since: 14, parameter: Number.NEGATIVE_INFINITY }],
      ["'Infinity'", Number.POSITIVE_INFINITY, { since: 14, options: { numeric: 'number' } }],
    ],
  },
  {
    type: 'numeric(10,4)',
    rows: [
      ["'1.5'", '1.5000'],
      ["'-123456.7891'", '-123456.7891'],
      ["'NaN'", 'NaN'],
    ],
  },
])

const whole = '9'.repeat(131_072)
const fraction = '1'.repeat(16_382)
const longest: readonly (readonly [what: string, expression: string, value: string])[] = [
  ['131072 digits before the point', "repeat('9', 131072)", whole],
  ['16383 digits after the point', "'-0.' || repeat('1', 16382) || '7'", `-0.${fraction}7`],
  ['both at once', "repeat('9', 131072) || '.' || repeat('1', 16382) || '0'", `${whole}.${fraction}0`],
]
for (const [what, text, value] of longest) {
  test(`numeric keeps ${what}`, async (t) => {
    const c = shared()
    const one = `(${text})::numeric`
    for (let round = 0; round < 3; round += 1) {
      t.true((await c.fetchVal(`select ${one}`)) === value)
      const [inArray, inRecord] = (await c.fetchRow<[string[], { f1: string }]>(
        `select array[${one}, 1], row(${one})`,
        [],
        { rowMode: 'array' },
      ))!
      t.true(inArray[0] === value && inArray[1] === '1' && inRecord.f1 === value)
    }
    for (let round = 0; round < 2; round += 1) {
      t.true(await c.fetchVal(`select $1::numeric::text = (${text})`, [value]))
      t.true(await c.fetchVal(`select ($1::numeric[])[2]::text = (${text})`, [['0', value]]))
      t.true((await c.fetchVal('select $1::numeric', [value])) === value)
    }
  })
}

test('numeric takes the greatest exponents', async (t) => {
  const c = shared()
  t.true(await c.fetchVal(`select $1::numeric = ('1' || repeat('0', 131071))::numeric`, ['1e131071']))
  t.true(await c.fetchVal(`select $1::numeric = ('0.' || repeat('0', 16382) || '1')::numeric`, ['1e-16383']))
})

test('numeric beyond what PostgreSQL holds is an error, wherever it is found', async (t) => {
  const c = await connection(t)
  for (const value of ['1e131072', `1${'0'.repeat(131_072)}`, '1e999999999999999999999']) {
    for (let round = 0; round < 2; round += 1) {
      await t.throwsAsync(
        c.fetch('select $1::numeric', [value]),
        { instanceOf: PostgresError },
        value.slice(0, 30),
      )
      await t.throwsAsync(c.fetch('select $1::numeric[]', [[value]]), { instanceOf: PostgresError })
    }
    t.is(await c.fetchVal('select 1'), 1)
  }
})

test('typed arrays stand for arrays of numbers', async (t) => {
  const c = shared()
  const sent = (type: string, value: unknown) => c.fetchVal(`select ($1::${type}[])::text`, [value])
  t.is(await sent('int2', Int16Array.of(-32768, 32767)), '{-32768,32767}')
  t.is(await sent('int4', Int32Array.of(-1, 2)), '{-1,2}')
  t.is(await sent('int8', BigInt64Array.of(-(2n ** 63n), 1n)), '{-9223372036854775808,1}')
  t.is(await sent('float4', Float32Array.of(0.5, 3.14)), '{0.5,3.14}')
  t.is(await sent('float8', Float64Array.of(0.1, Number.NaN)), '{0.1,NaN}')
  t.is(await sent('numeric', Float64Array.of(0.1)), '{0.1}')
  t.is(await sent('int4', new Int32Array()), '{}')
  t.is(await sent('int4', [Int32Array.of(1, 2), Int32Array.of(3, 4)]), '{{1,2},{3,4}}')
})

test('numbers that were chosen to be rounded are rounded', async (t) => {
  const c = shared()
  for (let round = 0; round < 3; round += 1) {
    t.is(await c.fetchVal('select 9007199254740993', [], { int8: 'number' }), 9007199254740992)
    t.is(await c.fetchVal('select 9007199254740993', [], { int8: 'string' }), '9007199254740993')
    t.is(await c.fetchVal('select 0.1000000000000000055511151231257827', [], { numeric: 'number' }), 0.1)
  }
})

test('a number that float4 cannot hold is refused, one that it rounds is not', async (t) => {
  const c = shared()
  await t.throwsAsync(c.fetchVal('select $1::float4', [1e39]), {
    instanceOf: DataError,
    message: /\$1.*float4/,
  })
  t.is(await c.fetchVal('select $1::float4', [0.123456789]), 0.12345679)
  t.is(await c.fetchVal('select $1::float4::text', [16777217]), '1.6777216e+07')
})

testRefusals([
  ['bool', 'maybe', /"maybe"/],
  ['bool', 1, /: 1 /],
  ['int2', 32768, /32768/],
  ['int2', -32769n, /-32769n/],
  ['int4', 2 ** 31, /2147483648/],
  ['int4', 1.5, /1\.5/],
  ['int4', Number.NaN, /NaN/],
  ['int4', {}, /an object/],
  ['int4', '12 apples', /"12 apples"/],
  ['int4', true, /true/],
  ['int4', new Date(0), /Date 1970/],
  ['int4[]', [[1, 2], [3]], /\[… 1\]|\[3\]/],
  ['int4[]', 5, /5/],
  ['int4[]', [1, 'two'], /element 2.*"two"/],
  ['int8', 2 ** 63, /9223372036854776000/],
  ['int8', 9223372036854775808n, /9223372036854775808n/],
  ['int8', -9223372036854775809n],
  ['int8', '9223372036854775808'],
  ['int8', 0.5],
  ['float4', 1e39],
  ['float4', 'many'],
  ['float8', 'many', /"many"/],
  ['float8', '1e400'],
  ['float8', {}],
  ['numeric', 'many', /"many"/],
  ['numeric', '1.2.3'],
  ['numeric', [5]],
  ['numeric', true],
])
