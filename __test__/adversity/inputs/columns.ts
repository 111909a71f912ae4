// Columns, and parts of composite values, whose names mean something elsewhere.
import { inspect } from 'node:util'
import { connect, json, Row as Record, sql } from 'oxpg'
import { uniqueName, url } from '../../support/server.js'
import { Row } from '../network/report.js'
import { nothingIsPolluted } from './pollution.js'
import { type Host, Hosts, ROW_WAYS, VALUE_WAYS } from './ways.js'

/** Names that JavaScript, its objects, their readers, code or SQL take for something. */
export const NAMES = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'toJSON', 'then'],
  ...['__defineGetter__', '__defineSetter__', '__lookupGetter__', 'isPrototypeOf', 'toLocaleString'],
  ...[
    'length',
    'name',
    'at',
    'keys',
    'values',
    'entries',
    'map',
    'arguments',
    'caller',
    'eval',
    'this',
    'await',
  ],
  ...['0', '1', '-1', '01', '1.5', '1e3', '4294967294', '4294967295', '9007199254740993', 'NaN', 'Infinity'],
  ...[
    "'",
    '"',
    '`',
    '\\',
    '\\\\',
    "\\'",
    '\\"',
    '""',
    "''",
    '\\u0000',
    '\\x00',
    '${x}',
    '$1',
    '?',
    ':x',
    '@x',
  ],
  ...[
    '*/',
    '/*',
    '/**/',
    '//',
    '--',
    ';',
    '}',
    ']',
    ')',
    '){',
    '});throw 1;({',
    '"];throw 1;["',
    "'+alert(1)+'",
  ],
  ...['\n', '\r', '\t', '\u2028', '\u2029', '\uFEFF', '\u200D', '\b', '\x7F', ' ', '  ', 'a b', '?column?'],
  ...[
    'Ünïcödé',
    '日本',
    '🐘',
    '🏳️‍🌈',
    'é',
    'e\u0301',
    'İ',
    'ß',
    '<script>',
    '&amp;',
    '%s',
    '%00',
    '{0}',
    '#{x}',
  ],
  ...[
    'null',
    'undefined',
    'true',
    'Symbol(oxpg)',
    'Symbol.iterator',
    '@@iterator',
    'nodejs.util.inspect.custom',
  ],
  ...[
    '__proto__.polluted',
    'constructor.prototype',
    'a'.repeat(63),
    'select',
    'SELECT',
    'Select',
    'user',
    '$$',
  ],
]

const MODES = ['object', 'array', 'record'] as const
type Mode = (typeof MODES)[number]

interface Columns {
  what: string
  names: readonly string[]
  /** One of them is an integer beyond 2⁵³, which gives a row a `toJSON` of its own. */
  hasLarge?: boolean
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
const LARGE = 2n ** 60n

/** The value of the column at this place. */
const valueAt = ({ hasLarge }: Columns, place: number): unknown =>
  hasLarge === true && place === 0 ? LARGE : `value ${place}`

const textOf = (columns: Columns): string =>
  `select ${columns.names
    .map((name, place) =>
      columns.hasLarge === true && place === 0
        ? `${LARGE}::int8 as ${quoted(name)}`
        : `'value ${place}' as ${quoted(name)}`,
    )
    .join(', ')} where $1::int = 1`

export async function columns(isFull: boolean): Promise<Row[]> {
  const row = new Row('34', 'columns with hostile names')
  const shapes: Columns[] = [
    { what: 'all names', names: NAMES },
    { what: 'all names twice', names: [...NAMES, ...NAMES.toReversed()] },
    { what: 'all names beside a large integer', names: ['large', ...NAMES], hasLarge: true },
    ...NAMES.filter((_, index) => isFull || index % 24 === 0).flatMap((name): Columns[] => [
      { what: JSON.stringify(name), names: [name] },
      { what: `${JSON.stringify(name)} three times`, names: [name, 'x', name, name] },
      { what: `${JSON.stringify(name)}, a large integer`, names: [name, 'x'], hasLarge: true },
    ]),
  ]
  for (const options of isFull ? [{}, { statementMode: 'unnamed' }, { statementCacheSize: 1 }] : [{}]) {
    const hosts = await Hosts.open(options)
    await hosts.each(async (host, name) => {
      for (const shape of shapes) await playShape(host, name, shape, row)
    })
    await hosts.close()
  }
  await playSimple(shapes, row)
  await playComposites(row)
  nothingIsPolluted(row, 'columns')
  row.detail = `${NAMES.length} names (of Object.prototype and arrays, quotes, backslashes, ends of comments and of lines, code, digits, ${'`then`'}, what is not ASCII), each alone, beside itself, beside an integer beyond 2⁵³, and all together; in all row modes and statement modes, by ${Object.keys({ ...ROW_WAYS, ...VALUE_WAYS }).join(', ')}; on connections, pools (with hooks and without), leases and contexts. And as parts of composite values, keys of JSON, and columns of sql.values and sql.set: own properties with their own values, nothing else is touched`
  return [row]
}

async function playShape(host: Host, on: string, shape: Columns, row: Row): Promise<void> {
  const text = textOf(shape)
  for (const rowMode of MODES) {
    for (const [way, ask] of Object.entries(ROW_WAYS)) {
      row.cases += 1
      const what = `${shape.what} on ${on}, ${rowMode} by ${way}`
      const [found, ...more] = await ask(host, text, [1], { rowMode })
      row.check(more.length === 0, `${what}: ${more.length + 1} rows`)
      judge(found, shape, rowMode, row, what)
    }
  }
  for (const [way, ask] of Object.entries(VALUE_WAYS)) {
    for (const [place, name] of shape.names.entries()) {
      row.cases += 1
      const what = `${shape.what} on ${on}, by ${way}`
      const at = await ask(host, text, [1], { column: place })
      row.check(at === valueAt(shape, place), `${what}: column ${place} is ${String(at)}`)
      // Of columns with the same name it is one of theirs.
      const named = await ask(host, text, [1], { column: name })
      const own = shape.names.flatMap((other, index) => (other === name ? [valueAt(shape, index)] : []))
      row.check(own.includes(named), `${what}: column ${JSON.stringify(name)} is ${String(named)}`)
    }
  }
}

function judge(found: unknown, shape: Columns, rowMode: Mode, row: Row, what: string): void {
  const { names } = shape
  const values = names.map((_, place) => valueAt(shape, place))
  if (rowMode === 'array') {
    row.check(
      Array.isArray(found) && found.length === names.length && found.every((value, n) => value === values[n]),
      `${what}: ${String(found)}`,
    )
    return
  }
  const object = found as { [column: string]: unknown }
  // Of columns with the same name an object has the last.
  const expected = new Map(names.map((name, place) => [name, values[place]]))
  const own = Object.keys(object)
  row.check(
    own.length === expected.size && own.every((name) => expected.has(name)),
    `${what}: its properties are ${JSON.stringify(own)}`,
  )
  for (const [name, value] of expected) {
    const property = Object.getOwnPropertyDescriptor(object, name)
    const isData = property?.value === value && property?.enumerable && property?.writable
    row.check(isData === true, `${what}: ${JSON.stringify(name)} is ${inspect(property?.value)}`)
  }
  const prototype = Object.getPrototypeOf(object)
  const isMeant = rowMode === 'object' ? prototype === Object.prototype : object instanceof Record
  row.check(isMeant, `${what}: another prototype`)
  const isPositional =
    isSame(Record.keys(object), names) &&
    isSame(Record.values(object), values) &&
    Record.at(object, -1) === values.at(-1)
  // What programs do with rows.
  const copy = { ...object }
  row.check(Object.keys(copy).length === expected.size, `${what}: a copy has other properties`)
  row.check(inspect(object, { depth: 0 }).length > 0, `${what}: it cannot be inspected`)
  if (shape.hasLarge !== true || !names.includes('toJSON')) {
    const text = JSON.stringify(object)
    const back = new Set(Object.keys(JSON.parse(text)))
    row.check(back.size === expected.size, `${what}: as JSON it is ${text}`)
  }
  row.check(isPositional, `${what}: ${JSON.stringify(Record.keys(object))} by position`)
}

const isSame = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  one.length === other.length && one.every((value, index) => value === other[index])

/** The simple query protocol has no parameters. */
async function playSimple(shapes: readonly Columns[], row: Row): Promise<void> {
  const c = await connect(url, { statementMode: 'simple' })
  for (const shape of shapes) {
    for (const rowMode of MODES) {
      row.cases += 1
      const text = textOf(shape).replace('$1::int', '1')
      const [found] = await c.fetch(text, [], { rowMode } as object)
      judge(found, shape, rowMode, row, `${shape.what} by the simple protocol, ${rowMode}`)
    }
  }
  await c.close()
}

/** What goes there and comes back, in a table and a type whose columns have all these names. */
async function playComposites(row: Row): Promise<void> {
  const c = await connect(url)
  const name = uniqueName('hostile')
  const columns = NAMES.map((column) => `${quoted(column)} text`)
  await c.execute(`create table ${name} (${columns})`)
  const sent = Object.fromEntries(NAMES.map((column, place) => [column, `value ${place}`]))
  const shape = { what: 'a table', names: NAMES }
  const check = (found: unknown, how: string): void => {
    row.cases += 1
    judge(found, shape, 'object', row, how)
  }
  await c.execute(sql`insert into ${sql.identifier(name)} ${sql.values(sent)}`)
  check(await c.fetchRow(`select * from ${name}`), 'sql.values')
  await c.execute(sql`update ${sql.identifier(name)} set ${sql.set(sent)}`)
  check(await c.fetchRow(`select * from ${name}`), 'sql.set')
  // Composite values are objects of their own; they come from the same reader for all row modes.
  const composite = await c.fetchVal(`select t from ${name} t`)
  row.cases += 1
  row.check(
    NAMES.every(
      (column, place) => Object.getOwnPropertyDescriptor(composite, column)?.value === `value ${place}`,
    ),
    `a composite value: ${JSON.stringify(composite)}`,
  )
  row.check(Object.keys(composite as object).length === NAMES.length, 'a composite value: other properties')
  for (const value of [sent, composite]) {
    row.cases += 1
    const back = await c.fetchVal(`select $1::${name}`, [value])
    row.check(JSON.stringify(back) === JSON.stringify(composite), `a composite value, there and back`)
  }
  for (const type of ['json', 'jsonb']) {
    row.cases += 1
    const back = await c.fetchVal<object>(`select $1::${type}`, [json(sent)])
    row.check(
      NAMES.every((column) => Object.getOwnPropertyDescriptor(back, column)?.value === sent[column]),
      `${type}, there and back`,
    )
  }
  await c.execute(`drop table ${name}`)
  await c.close()
}
