import test from 'ava'
import { DataError } from 'oxpg'
import { schema, shared, type TypeTable, testRefusals, testTypes } from '../support/type-table.js'

/** Aliases of oid cross as their names, and have no binary form but the number. */
const alias = (type: string, ...names: readonly (readonly [literal: string, name: string])[]): TypeTable => ({
  type,
  lacks: ['records'],
  rows: names.map(([literal, name]) => [`'${literal}'`, name] as const),
})

testTypes([
  {
    type: 'oid',
    rows: [
      ['0', 0],
      ['2147483648', 2147483648],
      ['4294967295', 4294967295],
      ['4294967295', 4294967295, { parameter: '4294967295' }],
      ['7', 7, { parameter: 7n }],
    ],
  },
  {
    type: 'xid',
    lacks: ['ranges'],
    rows: [
      ["'0'", 0],
      ["'4294967295'", 4294967295],
    ],
  },
  {
    type: 'cid',
    lacks: ['ranges'],
    rows: [
      ["'7'", 7],
      ["'4294967295'", 4294967295],
    ],
  },
  {
    type: 'xid8',
    rows: [
      ["'0'", 0],
      ["'4294967296'", 4294967296],
      ["'9007199254740991'", Number.MAX_SAFE_INTEGER],
      ["'9007199254740992'", 9007199254740992n],
      ["'9223372036854775808'", 9223372036854775808n],
      ["'18446744073709551615'", 18446744073709551615n],
      ["'18446744073709551615'", 18446744073709551615n, { parameter: '18446744073709551615' }],
      ["'18446744073709551615'", '18446744073709551615', { options: { int8: 'string' } }],
      ["'5'", 5n, { options: { int8: 'bigint' } }],
      ["'5'", 5, { options: { int8: 'number' } }],
    ],
  },
  {
    type: 'tid',
    rows: [
      ["'(0,1)'", '(0,1)'],
      ["'(4294967295,65535)'", '(4294967295,65535)'],
    ],
  },
  {
    type: 'pg_lsn',
    rows: [
      ["'0/0'", '0/0'],
      ["'16/B374D848'", '16/B374D848'],
      ["'FFFFFFFF/FFFFFFFF'", 'FFFFFFFF/FFFFFFFF'],
      ["'16/B374D848'", '16/B374D848', { parameter: '16/b374d848' }],
    ],
  },
  {
    type: 'pg_snapshot',
    lacks: ['equality', 'ranges'],
    rows: [
      ["'10:20:'", '10:20:'],
      ["'10:20:10,14,15'", '10:20:10,14,15'],
      ["'1:9223372036854775807:3,4'", '1:9223372036854775807:3,4'],
    ],
  },
  { type: 'txid_snapshot', lacks: ['equality', 'ranges'], rows: [["'10:20:10,14,15'", '10:20:10,14,15']] },
  alias(
    'regclass',
    ['pg_class', 'pg_class'],
    ['information_schema.tables', 'information_schema.tables'],
    ['0', '-'],
  ),
  alias('regproc', ['now', 'now']),
  alias(
    'regprocedure',
    ['sum(int4)', 'sum(integer)'],
    ['substr(text, int4, int4)', 'substr(text,integer,integer)'],
  ),
  alias('regoper', ['||/', '||/']),
  alias('regoperator', ['+(int4,int4)', '+(integer,integer)'], ['-(NONE,int4)', '-(NONE,integer)']),
  alias(
    'regtype',
    ['int4', 'integer'],
    ['timestamptz[]', 'timestamp with time zone[]'],
    ['"char"', '"char"'],
  ),
  alias('regrole', ['postgres', 'postgres']),
  alias('regnamespace', ['pg_catalog', 'pg_catalog']),
  alias('regconfig', ['english', 'english']),
  alias('regdictionary', ['simple', 'simple']),
  alias('regcollation', ['"C"', '"C"']),
])

test('identifiers of a row that was written find it again', async (t) => {
  const c = shared()
  await c.execute(`create table ${schema}.tracked (id int4)`)
  const written = await c.fetchRow(
    `insert into ${schema}.tracked values (1) returning ctid, xmin, cmin, tableoid, tableoid::regclass as name`,
  )
  t.is(written?.ctid, '(0,1)')
  t.is(written?.name, `${schema}.tracked`)
  const again = await c.fetchVal(
    `select id from ${schema}.tracked where ctid = $1 and xmin = $2 and tableoid = $3 and tableoid = $4::regclass`,
    [written?.ctid, written?.xmin, written?.tableoid, written?.name],
  )
  t.is(again, 1)
  const lsn = await c.fetchVal('select pg_current_wal_lsn()')
  t.true(await c.fetchVal('select $1 <= pg_current_wal_lsn()', [lsn]))
  t.true(
    await c.fetchVal('select pg_visible_in_snapshot(pg_current_xact_id(), $1) is not null', [
      await c.fetchVal('select pg_current_snapshot()'),
    ]),
  )
})

testRefusals([
  ['oid', -1, /-1/],
  ['oid', 4294967296],
  ['oid', 1.5],
  ['xid', 'x', /"x"/],
  ['cid', {}],
  ['xid8', -1],
  ['xid8', 18446744073709551616n],
  ['xid8', 2 ** 53],
  ['tid', 5, /: 5 /],
  ['pg_lsn', 5],
  ['pg_snapshot', [1]],
  ['oid[]', [1, -1], /element 2/],
])

test('text that is no identifier is refused, wherever it is', async (t) => {
  const c = shared()
  for (const [type, text] of [
    ['tid', '(1)'],
    ['pg_lsn', 'G/0'],
    ['pg_snapshot', '5:1:'],
    ['xid8', '18446744073709551616'],
  ] as const) {
    for (let round = 0; round < 2; round += 1) {
      await t.throwsAsync(c.fetch(`select $1::${type}`, [text]), { instanceOf: DataError }, type)
      await t.throwsAsync(c.fetch(`select $1::${type}[]`, [[text]]), { instanceOf: DataError }, type)
    }
  }
})
