import test from 'ava'
import { BitString, DataError } from 'oxpg'
import { shared, testRefusals, testTypes } from '../support/type-table.js'

const long = '1101'.repeat(5000)
const string = { options: { bit: 'string' } } as const

testTypes([
  {
    type: 'bit',
    rows: [
      ["'1'", new BitString('1')],
      ["'0'", new BitString('0')],
    ],
  },
  {
    type: 'bit(3)',
    rows: [
      ["'101'", new BitString('101')],
      ["'000'", new BitString('000')],
      ["'110'", new BitString('110'), { parameter: '110' }],
      ["'110'", '110', string],
    ],
  },
  { type: 'bit(64)', rows: [[`'${'10'.repeat(32)}'`, new BitString('10'.repeat(32))]] },
  {
    type: 'varbit',
    rows: [
      ["''", new BitString('')],
      ["'1'", new BitString('1')],
      ["'11111111'", new BitString('11111111')],
      ["'000000001'", new BitString('000000001')],
      [`repeat('1101', 5000)`, new BitString(long)],
      ["''", '', string],
      ["'0110'", '0110', string],
    ],
  },
  { type: 'varbit(5)', rows: [["'10101'", new BitString('10101')]] },
])

test('a bit string of the wrong length is refused by the server', async (t) => {
  const c = shared()
  await c.execute('create temp table flags (three bit(3), few varbit(3))')
  await t.throwsAsync(c.execute('insert into flags (three) values ($1)', [new BitString('10')]), {
    instanceOf: DataError,
  })
  await t.throwsAsync(c.execute('insert into flags (few) values ($1)', [new BitString('1010')]), {
    instanceOf: DataError,
  })
  await c.execute('insert into flags values ($1, $2)', [
    BitString.fromBigInt(5n, 3),
    BitString.fromBytes(Buffer.of(0x80), 1),
  ])
  const [row] = await c.fetch<{ three: BitString; few: BitString }>('select * from flags')
  t.is(row?.three.toBigInt(), 5n)
  t.is(String(row?.few), '1')
})

testRefusals([
  ['bit(3)', 5, /: 5 /],
  ['bit(3)', '102', /"102"/],
  ['varbit', Buffer.alloc(1)],
  ['varbit', true],
  ['varbit[]', ['1', 1], /element 2/],
])
