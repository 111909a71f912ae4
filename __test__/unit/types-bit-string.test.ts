import { inspect } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { BitString } from '../../src/types/index'

const anyDigits = fc.array(fc.constantFrom('0', '1'), { maxLength: 200 }).map((digits) => digits.join(''))

test('bits by index and by iteration', (t) => {
  const bits = new BitString('0111')
  t.is(bits.length, 4)
  t.deepEqual([...bits], [0, 1, 1, 1])
  t.deepEqual([bits.at(0), bits.at(1), bits.at(-1), bits.at(-4)], [0, 1, 1, 0])
  t.deepEqual([bits.at(4), bits.at(-5)], [undefined, undefined])
})

test('the empty bit string', (t) => {
  const empty = new BitString('')
  t.is(empty.length, 0)
  t.deepEqual([...empty], [])
  t.is(empty.toBytes().length, 0)
  t.is(empty.toBigInt(), 0n)
  t.true(BitString.fromBytes(new Uint8Array()).equals(empty))
  t.true(BitString.fromBigInt(0n, 0).equals(empty))
})

test('text and JSON are the digits', (t) => {
  const bits = new BitString('0101')
  t.is(`${bits}`, '0101')
  t.is(JSON.stringify([bits]), '["0101"]')
})

test('other characters are refused', (t) => {
  for (const digits of ['2', '01 01', 'x', '0b1', '01\n', '-1']) {
    t.throws(() => new BitString(digits), {
      instanceOf: RangeError,
      message: /^digits: expected a string of 0 and 1/,
    })
  }
  for (const digits of [101, null, undefined, ['0', '1']]) {
    t.throws(() => new BitString(digits as never), { instanceOf: TypeError, message: /^digits: / })
  }
})

test('bytes have the most significant bit first, as PostgreSQL sends them', (t) => {
  t.is(String(BitString.fromBytes(Buffer.from([0x80, 0x01]))), '1000000000000001')
  t.is(String(BitString.fromBytes(Buffer.from([0b1010_0000]), 3)), '101')
  t.is(String(BitString.fromBytes(Buffer.from([0xff, 0xff, 0xff]), 9)), '111111111')
  t.deepEqual(new BitString('101').toBytes(), Buffer.from([0b1010_0000]))
  t.deepEqual(new BitString('000000011').toBytes(), Buffer.from([1, 0x80]))
})

test('integers are unsigned', (t) => {
  t.is(String(BitString.fromBigInt(5n, 8)), '00000101')
  t.is(new BitString('11111111').toBigInt(), 255n)
  t.is(new BitString(`1${'0'.repeat(100)}`).toBigInt(), 2n ** 100n)
})

test('arguments that do not fit are refused by name', (t) => {
  const refused: [() => unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    [() => BitString.fromBytes('a' as never), TypeError, /^bytes: /],
    [() => BitString.fromBytes(Buffer.from([1]), 9), RangeError, /^length: expected at most the 8 bits/],
    [() => BitString.fromBytes(Buffer.from([1]), -1), RangeError, /^length: /],
    [() => BitString.fromBytes(Buffer.from([1]), 1.5), RangeError, /^length: /],
    [() => BitString.fromBytes(Buffer.from([1]), '1' as never), TypeError, /^length: /],
    [() => BitString.fromBigInt(4n, 2), RangeError, /^value: .* 2 bits/],
    [() => BitString.fromBigInt(-1n, 8), RangeError, /^value: /],
    [() => BitString.fromBigInt(1 as never, 8), TypeError, /^value: /],
    [() => BitString.fromBigInt(1n, undefined as never), TypeError, /^length: /],
  ]
  for (const [make, instanceOf, message] of refused) t.throws(make, { instanceOf, message })
})

test('bytes and integers of a bit string give it back', (t) => {
  fc.assert(
    fc.property(anyDigits, (digits) => {
      const bits = new BitString(digits)
      t.is(BitString.fromBytes(bits.toBytes(), bits.length).digits, digits)
      t.is(BitString.fromBigInt(bits.toBigInt(), bits.length).digits, digits)
      t.is([...bits].join(''), digits)
    }),
  )
})

test('equal are the same bits only', (t) => {
  t.true(new BitString('01').equals(new BitString('01')))
  t.false(new BitString('01').equals(new BitString('1')))
  t.false(new BitString('01').equals('01'))
})

test('a bit string prints as its digits', (t) => {
  t.is(inspect(new BitString('0101')), 'BitString 0101')
  t.is(
    inspect([new BitString('01'.repeat(10))], { maxStringLength: 4 }),
    '[ BitString 0101... 16 more bits ]',
  )
  t.is(inspect(new BitString('01'), { maxStringLength: null }), 'BitString 01')
  t.is(inspect(new BitString('1'), { colors: true }), 'BitString \u001b[33m1\u001b[39m')
})
