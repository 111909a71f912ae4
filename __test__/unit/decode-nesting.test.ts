import test from 'ava'
import fc from 'fast-check'
import { DEFAULT_PLAN, planFor, type RowMode } from '../../src/decode/mapping'
import { shapeOf } from '../../src/decode/shape'
import { lowerBoundsOf, markLowerBounds } from '../../src/types/array-dimensions'
import { BitString } from '../../src/types/bit-string'
import { Interval } from '../../src/types/interval'
import { Range } from '../../src/types/range'
import { TypeCode } from '../../src/types/type-code'
import {
  Cells,
  columnsOf,
  type TextStyle,
  type WireRange,
  type WireType,
  type WireValue,
} from './decode-cells'
import { arrayType, composite, multirangeType, rangeType, scalar } from './decode-types'

/** A value as Rust writes it, and what is to become of it; of composite values a plain object. */
interface Sample {
  readonly wire: WireValue
  readonly value: unknown
}

/** A type, and values of it. */
interface Family {
  readonly type: WireType
  readonly samples: fc.Arbitrary<Sample>
  readonly mayBeArray: boolean
}

const NULL: Sample = { wire: null, value: null }

const nullable = ({ samples }: Family): fc.Arbitrary<Sample> =>
  fc.option(samples).map((sample) => sample ?? NULL)

const safe = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value)

function leaf<T extends WireValue>(
  type: WireType,
  wires: fc.Arbitrary<T>,
  made: (wire: T) => unknown = (wire) => wire,
): Family {
  return {
    type,
    samples: wires.map((wire) => ({ wire, value: made(wire) })),
    mayBeArray: type === TypeCode.JSONB,
  }
}

const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const interval = fc.record({ months: fc.integer({ min: -99, max: 99 }), days: fc.integer(), micros: int64 })

const leaves: Family[] = [
  leaf(TypeCode.BOOL, fc.boolean()),
  leaf(TypeCode.INT4, fc.integer()),
  leaf(TypeCode.INT8, int64, safe),
  leaf(TypeCode.FLOAT8, fc.double()),
  leaf(TypeCode.TEXT, text),
  leaf(scalar(TypeCode.UNKNOWN), text),
  leaf(TypeCode.JSONB, fc.json(), (wire) => JSON.parse(wire)),
  leaf(TypeCode.BIT, fc.stringMatching(/^[01]{0,9}$/), (wire) => new BitString(wire)),
  leaf(
    TypeCode.INTERVAL,
    interval,
    ({ months, days, micros }) => new Interval({ months, days, microseconds: safe(micros) }),
  ),
]

function compositeFamily(attributes: readonly Family[]): Family {
  const type = composite(Object.fromEntries(attributes.map((family, k) => [`a${k}`, family.type])))
  const samples = fc.tuple(...attributes.map(nullable)).map((parts) => ({
    wire: { attributes: parts.map((part) => part.wire) },
    value: Object.fromEntries(parts.map((part, k) => [`a${k}`, part.value])),
  }))
  return { type, samples, mayBeArray: true }
}

function recordFamily(parts: readonly Family[]): Family {
  const types = parts.map((family) => family.type)
  const samples = fc.tuple(...parts.map(nullable)).map((values) => ({
    wire: { types, values: values.map((part) => part.wire) },
    value: Object.fromEntries(values.map((part, k) => [`f${k + 1}`, part.value])),
  }))
  return { type: TypeCode.RECORD, samples, mayBeArray: false }
}

function arrayFamily(element: Family): Family {
  const dimensions = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 1 })), {
    maxLength: 2,
  })
  const samples = dimensions.chain((shape) => {
    const lengths = shape.map(([length]) => length)
    const lowerBounds = shape.map(([, bound]) => bound)
    const count = shape.length === 0 ? 0 : lengths.reduce((product, length) => product * length, 1)
    return fc.array(nullable(element), { minLength: count, maxLength: count }).map((elements) => {
      const values = elements.map(({ value }) => value)
      const width = lengths[1]
      const value =
        width === undefined
          ? values
          : Array.from({ length: lengths[0]! }, (_, k) => values.slice(k * width, (k + 1) * width))
      if (lowerBounds.includes(0) || (element.mayBeArray && width !== undefined)) {
        markLowerBounds(value, lowerBounds)
      }
      return { wire: { lengths, lowerBounds, elements: elements.map(({ wire }) => wire) }, value }
    })
  })
  return { type: arrayType(element.type), samples, mayBeArray: true }
}

function rangeSamples(bound: Family): fc.Arbitrary<{ wire: WireRange; value: unknown }> {
  return fc
    .record({ lower: fc.option(bound.samples), upper: fc.option(bound.samples), bits: fc.nat(3) })
    .map(({ lower, upper, bits }) => {
      const lowerInclusive = lower !== null && (bits & 1) !== 0
      const upperInclusive = upper !== null && (bits & 2) !== 0
      const flags =
        (lowerInclusive ? 2 : 0) +
        (upperInclusive ? 4 : 0) +
        (lower === null ? 8 : 0) +
        (upper === null ? 16 : 0)
      return {
        wire: { flags, lower: lower?.wire ?? null, upper: upper?.wire ?? null },
        value: new Range(lower?.value, upper?.value, { lowerInclusive, upperInclusive }),
      }
    })
}

function rangeFamily(bound: Family): Family {
  const empty = fc.constant({ wire: { flags: 1 }, value: Range.empty() })
  const samples = fc.oneof({ weight: 5, arbitrary: rangeSamples(bound) }, { weight: 1, arbitrary: empty })
  return { type: rangeType(bound.type), samples, mayBeArray: false }
}

function multirangeFamily(bound: Family): Family {
  const samples = fc.array(rangeSamples(bound), { maxLength: 3 }).map((ranges) => ({
    wire: { ranges: ranges.map(({ wire }) => wire) },
    value: ranges.map(({ value }) => value),
  }))
  return { type: multirangeType(rangeType(bound.type)), samples, mayBeArray: true }
}

function familyOf(depth: number): fc.Arbitrary<Family> {
  const leafFamily = fc.constantFrom(...leaves)
  if (depth === 0) return leafFamily
  const part = familyOf(depth - 1)
  const parts = fc.array(part, { minLength: 1, maxLength: 3 })
  return fc.oneof(
    leafFamily,
    parts.map(compositeFamily),
    parts.map(recordFamily),
    part.map(arrayFamily),
    part.map(rangeFamily),
    part.map(multirangeFamily),
  )
}

/** A value without its prototypes, but with the marks on arrays. */
function anatomy(value: unknown): unknown {
  if (Array.isArray(value)) return ['array', lowerBoundsOf(value), value.map(anatomy)]
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Interval || value instanceof BitString) return [value.constructor.name, String(value)]
  return [
    value instanceof Range ? 'range' : 'object',
    Object.entries(value).map(([k, held]) => [k, anatomy(held)]),
  ]
}

const caseArbitrary = familyOf(3).chain((family) =>
  fc.record({
    type: fc.constant(family.type),
    samples: fc.array(nullable(family), { minLength: 1, maxLength: 4 }),
    rowMode: fc.constantFrom<RowMode>('record', 'object', 'array'),
    style: fc.constantFrom<TextStyle>('utf8', 'shared'),
    asideFrom: fc.constantFrom(Number.POSITIVE_INFINITY, 8),
    readings: fc.constantFrom(1, 2, 80),
  }),
)

test('values of any type within any other are what they are alone', (t) => {
  fc.assert(
    fc.property(caseArbitrary, ({ type, samples, rowMode, style, asideFrom, readings }) => {
      const cells = new Cells(style, asideFrom, 16_384)
      for (const { wire } of samples) cells.row([type], [wire])
      const mode = cells.textMode()
      const shape = shapeOf(columnsOf(['x'], [type]), planFor(DEFAULT_PLAN, { rowMode }))
      let rows: any[] = []
      for (let k = 0; k < readings; k++) {
        rows = []
        shape.readRows(cells.views, 0, samples.length, mode, cells.extras, rows)
      }
      t.deepEqual(
        rows.map((row) => anatomy(rowMode === 'array' ? row[0] : row.x)),
        samples.map(({ value }) => anatomy(value)),
      )
    }),
    { numRuns: 400 },
  )
})
