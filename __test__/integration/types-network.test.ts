import test from 'ava'
import { DataError } from 'oxpg'
import { shared, testRefusals, testTypes } from '../support/type-table.js'

testTypes([
  {
    type: 'inet',
    rows: [
      ["'192.168.0.1'", '192.168.0.1'],
      ["'192.168.0.1/24'", '192.168.0.1/24'],
      ["'0.0.0.0/0'", '0.0.0.0/0'],
      ["'255.255.255.255'", '255.255.255.255'],
      ["'::'", '::'],
      ["'::1'", '::1'],
      ["'::/0'", '::/0'],
      ["'2001:db8::1/64'", '2001:db8::1/64'],
      ["'2001:db8:0:0:1:0:0:1'", '2001:db8::1:0:0:1'],
      ["'1:0:0:2:0:0:0:3'", '1:0:0:2::3'],
      ["'1:0:2:3:4:5:6:7'", '1:0:2:3:4:5:6:7'],
      ["'1:2:3:4:5:6:0:0'", '1:2:3:4:5:6::'],
      ["'::ffff:1.2.3.4'", '::ffff:1.2.3.4'],
      ["'::1.2.3.4'", '::1.2.3.4'],
      ["'::1.2.3.4/100'", '::1.2.3.4/100'],
      ["'fe80::ABCD'", 'fe80::abcd', { parameter: 'FE80:0:0::abcd' }],
      ["'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127'", 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127'],
    ],
  },
  {
    type: 'cidr',
    rows: [
      ["'10.0.0.0/8'", '10.0.0.0/8'],
      ["'192.168.1.1/32'", '192.168.1.1/32'],
      ["'0.0.0.0/0'", '0.0.0.0/0'],
      ["'10'", '10.0.0.0/8', { parameter: '10' }],
      ["'::/0'", '::/0'],
      ["'2001:db8::/32'", '2001:db8::/32'],
      ["'::1/128'", '::1/128'],
    ],
  },
  {
    type: 'macaddr',
    rows: [
      ["'08:00:2b:01:02:03'", '08:00:2b:01:02:03'],
      ["'ff:ff:ff:ff:ff:ff'", 'ff:ff:ff:ff:ff:ff'],
      ["'00:00:00:00:00:00'", '00:00:00:00:00:00', { parameter: '000000-000000' }],
      ["'08:00:2b:01:02:03'", '08:00:2b:01:02:03', { parameter: '0800.2B01.0203' }],
    ],
  },
  {
    type: 'macaddr8',
    rows: [
      ["'08:00:2b:01:02:03:04:05'", '08:00:2b:01:02:03:04:05'],
      ["'ff:ff:ff:ff:ff:ff:ff:ff'", 'ff:ff:ff:ff:ff:ff:ff:ff'],
      ["'08002b:0102030405'", '08:00:2b:01:02:03:04:05', { parameter: '08-00-2B-01-02-03-04-05' }],
      ["'08:00:2b:01:02:03'", '08:00:2b:ff:fe:01:02:03', { parameter: '08:00:2b:01:02:03' }],
    ],
  },
])

test('an inet of an address alone and one of a host with the whole mask are the same', async (t) => {
  const c = shared()
  t.is(await c.fetchVal("select inet '10.0.0.1/32'"), '10.0.0.1')
  t.is(await c.fetchVal("select inet '::1/128'"), '::1')
  t.is(await c.fetchVal('select masklen($1)', ['10.0.0.1']), 32)
  t.true(await c.fetchVal("select $1::inet << '10.0.0.0/8'", ['10.1.2.3/16']))
})

testRefusals([
  ['inet', 5, /: 5 /],
  ['cidr', {}],
  ['macaddr', Buffer.alloc(6)],
  ['macaddr8', 5n, /5n/],
  ['inet[]', ['::1', 5], /element 2/],
])

test('text that is no address is refused, wherever it is', async (t) => {
  const c = shared()
  for (const [type, text] of [
    ['inet', '1.2.3.256'],
    ['inet', ''],
    ['cidr', '10.0.0.1/8'],
    ['macaddr', '08:00'],
    ['macaddr8', 'x'],
  ] as const) {
    for (let round = 0; round < 2; round += 1) {
      await t.throwsAsync(c.fetch(`select $1::${type}`, [text]), { instanceOf: DataError }, `${type} ${text}`)
      await t.throwsAsync(
        c.fetch(`select $1::${type}[]`, [[text]]),
        { instanceOf: DataError },
        `${type}[] ${text}`,
      )
    }
  }
})
