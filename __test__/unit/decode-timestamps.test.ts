import test from 'ava'
import fc from 'fast-check'
import { DEFAULT_PLAN, planFor, type ResultOptions } from '../../src/decode/mapping'
import { clockFields, infinityOf, millisOf, timestampText } from '../../src/decode/micros'
import { shapeOf } from '../../src/decode/shape'
import { DataError } from '../../src/errors/index'
import { TypeCode } from '../../src/types/type-code'
import { Cells, columnsOf } from './decode-cells'

const MAX = 2n ** 63n - 1n
const MIN = -(2n ** 63n)

function words(micros: bigint): [number, number] {
  return [Number(micros >> 32n), Number(micros & 0xffff_ffffn)]
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by
  return quotient * by > value ? quotient - 1n : quotient
}

/** An independent way to the text: Date's own calendar, moved by whole cycles of 400 years into its range. */
function referenceText(micros: bigint, zone: string): string {
  const CYCLE_MILLIS = 146_097n * 86_400_000n
  const millis = floorDivide(micros, 1000n)
  const cycles = floorDivide(millis, CYCLE_MILLIS)
  const date = new Date(Number(millis - cycles * CYCLE_MILLIS))
  const year = date.getUTCFullYear() + Number(cycles) * 400
  const microsecond = String(micros - floorDivide(micros, 1_000_000n) * 1_000_000n).padStart(6, '0')
  const fraction = Number(microsecond) === 0 ? '' : `.${microsecond.replace(/0+$/, '')}`
  const shownYear = String(year > 0 ? year : 1 - year).padStart(4, '0')
  const rest = date
    .toISOString()
    .replace('T', ' ')
    .match(/-\d\d-\d\d \d\d:\d\d:\d\d/)![0]
  return `${shownYear}${rest}${fraction}${zone}${year > 0 ? '' : ' BC'}`
}

const finiteMicros = fc.oneof(
  fc.bigInt({ min: -(2n ** 62n), max: MAX - 1n }),
  fc.bigInt({ min: MIN + 1n, max: MIN + 10n ** 15n }),
  fc.bigInt({ min: -(10n ** 16n), max: 10n ** 16n }),
  fc.bigInt({ min: -3_000_000n, max: 3_000_000n }),
  fc.constantFrom(MIN + 1n, MAX - 1n, 0n, -1n, 8_640_000_000_000_000_000n, 8_640_000_000_000_000_001n),
)

test('milliseconds are exact and rounded down in the range of Date', (t) => {
  fc.assert(
    fc.property(finiteMicros, (micros) => {
      const expected = floorDivide(micros, 1000n)
      const millis = millisOf(...words(micros))
      if (expected >= -8_640_000_000_000_000n && expected <= 8_640_000_000_000_000n) {
        return BigInt(millis) === expected
      }
      return Math.abs(millis) > 8.64e15
    }),
    { numRuns: 5000 },
  )
  t.pass()
})

/** What a cell means: where PostgreSQL has no timestamps are those that int64 does not hold. */
function meant(cell: bigint): bigint {
  return cell < -(2n ** 62n) ? cell + 2n ** 64n - 2n : cell
}

test('text is that of the calendar, for every cell', (t) => {
  fc.assert(
    fc.property(finiteMicros, (cell) => {
      t.is(timestampText(...words(cell), '+00'), referenceText(meant(cell), '+00'))
    }),
    { numRuns: 3000 },
  )
})

test('text of known moments is what PostgreSQL prints', (t) => {
  const textOf = (micros: bigint): string => timestampText(...words(micros), '')
  t.is(textOf(0n), '1970-01-01 00:00:00')
  t.is(textOf(-1n), '1969-12-31 23:59:59.999999')
  t.is(textOf(1_704_164_645_120_000n), '2024-01-02 03:04:05.12')
  t.is(textOf(-210_866_803_200_000_000n), '4714-11-24 00:00:00 BC')
  t.is(textOf(-62_135_596_800_000_000n), '0001-01-01 00:00:00')
  t.is(textOf(-62_135_596_800_000_001n), '0001-12-31 23:59:59.999999 BC')
})

test('the ends of int64 are the infinities, nothing else is', (t) => {
  t.is(infinityOf(...words(MAX)), Number.POSITIVE_INFINITY)
  t.is(infinityOf(...words(MIN)), Number.NEGATIVE_INFINITY)
  fc.assert(fc.property(finiteMicros, (micros) => infinityOf(...words(micros)) === 0))
})

function read(code: number, micros: bigint, mapping: ResultOptions = {}): any {
  const cells = new Cells('utf8')
  cells.row([code], [micros])
  const rows: any[] = []
  const shape = shapeOf(columnsOf(['at'], [code]), planFor(DEFAULT_PLAN, mapping))
  for (let execution = 0; execution < 2; execution++) shape.readRows(cells.views, 0, 1, -2, [], rows)
  checkEqual(rows[0].at, rows[1].at)
  return rows[1].at
}

function checkEqual(first: unknown, second: unknown): void {
  if (String(first) !== String(second)) throw new Error(`loop: ${first}, compiled: ${second}`)
}

for (const [name, code] of [
  ['timestamp', TypeCode.TIMESTAMP],
  ['timestamptz', TypeCode.TIMESTAMPTZ],
] as const) {
  test(`${name}: every mapping`, (t) => {
    const micros = 1_704_164_645_123_456n
    t.deepEqual(read(code, micros), new Date(1_704_164_645_123))
    t.is(read(code, micros, { [name]: 'micros' }), micros)
    t.is(
      read(code, micros, { [name]: 'string' }),
      `2024-01-02 03:04:05.123456${name === 'timestamptz' ? '+00' : ''}`,
    )
    t.deepEqual(read(code, -1n), new Date(-1))
    for (const mapping of ['date', 'string', 'micros'] as const) {
      t.is(read(code, MAX, { [name]: mapping }), Number.POSITIVE_INFINITY)
      t.is(read(code, MIN, { [name]: mapping }), Number.NEGATIVE_INFINITY)
    }
    const error = t.throws(() => read(code, MAX - 1n), { instanceOf: DataError })
    t.regex(error.message, /294247-01-10 04:00:54\.775806 is beyond the range of Date/)
    const last = 9_224_318_015_999_999_999n
    t.is(read(code, last - 2n ** 64n + 2n, { [name]: 'micros' }), last)
    t.is(read(code, MIN + 1n, { [name]: 'micros' }), MAX)
    const late = t.throws(() => read(code, last - 2n ** 64n + 2n), { instanceOf: DataError })
    t.regex(late.message, /294276-12-31 23:59:59\.999999 is beyond the range of Date/)
  })
}

test("timestamp 'local' is the wall clock of this process", (t) => {
  const local = (micros: bigint): Date => read(TypeCode.TIMESTAMP, micros, { timestamp: 'local' })
  t.deepEqual(local(1_704_164_645_123_456n), new Date(2024, 0, 2, 3, 4, 5, 123))
  t.deepEqual(local(1_719_800_000_000_000n), new Date(2024, 6, 1, 2, 13, 20))
  const early = local(-59_000_000_000_000_000n)
  const utc = new Date(-59_000_000_000_000)
  t.deepEqual(
    [early.getFullYear(), early.getMonth(), early.getDate(), early.getHours(), early.getMinutes()],
    [utc.getUTCFullYear(), utc.getUTCMonth(), utc.getUTCDate(), utc.getUTCHours(), utc.getUTCMinutes()],
  )
  t.is(local(MAX) as unknown, Number.POSITIVE_INFINITY)
})

test('clock fields keep microseconds before 1970', (t) => {
  t.deepEqual(clockFields(...words(-1n)), {
    year: 1969,
    month: 12,
    day: 31,
    hour: 23,
    minute: 59,
    second: 59,
    microsecond: 999_999,
  })
})

test.serial("'temporal' makes objects of the runtime's Temporal", (t) => {
  const made: unknown[][] = []
  const classOf = (name: string): unknown =>
    class {
      constructor(...fields: unknown[]) {
        made.push([name, ...fields])
      }
    }
  const names = ['PlainDate', 'PlainTime', 'PlainDateTime', 'Instant', 'Duration']
  const holder = globalThis as { Temporal?: unknown }
  const before = holder.Temporal
  holder.Temporal = Object.fromEntries(names.map((name) => [name, classOf(name)]))
  try {
    const plan = planFor(DEFAULT_PLAN, {
      date: 'temporal',
      time: 'temporal',
      timestamp: 'temporal',
      timestamptz: 'temporal',
    })
    const codes = [TypeCode.DATE, TypeCode.TIME, TypeCode.TIMESTAMP, TypeCode.TIMESTAMPTZ]
    const cells = new Cells('utf8')
    cells.row(codes, ['0044-03-15 BC', '03:04:05.12', 1_704_164_645_123_456n, -1n])
    cells.row(codes, ['infinity', '03:04:05', MIN, MAX])
    const rows: any[] = []
    shapeOf(columnsOf(['d', 't', 's', 'z'], codes), plan).readRows(cells.views, 0, 2, -2, [], rows)
    t.deepEqual(made, [
      ['PlainDate', -43, 3, 15],
      ['PlainTime', 3, 4, 5, 120, 0],
      ['PlainDateTime', 2024, 1, 2, 3, 4, 5, 123, 456],
      ['Instant', -1000n],
      ['PlainTime', 3, 4, 5, 0, 0],
    ])
    t.deepEqual([rows[1].d, rows[1].s, rows[1].z], [Infinity, -Infinity, Infinity])
  } finally {
    holder.Temporal = before
  }
})
