import { Interval, type IntervalFields } from '../types/interval'
import { FieldNames } from './named-fields'
import { temporalClass } from './temporal'
import { RefusedValue, type TypeEncoder, writeText } from './value-encoder'

const EXPECTED =
  'an Interval, an object with its fields such as { days: 1 }, text, a Temporal.Duration, or ±Infinity'

const FIELDS = [
  'years',
  'months',
  'weeks',
  'days',
  'hours',
  'minutes',
  'seconds',
  'milliseconds',
  'microseconds',
] as const
const NAMES = new FieldNames(FIELDS)

/** interval */
export const intervalEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value === 'string') {
      writeText(value, value, sink)
    } else if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) {
      sink.text(value > 0 ? 'infinity' : '-infinity')
    } else {
      const { months, days, microseconds } = value instanceof Interval ? value : intervalOf(value)
      sink.interval(months, days, microseconds)
    }
  },
}

function intervalOf(value: unknown): Interval {
  const isDuration = temporalClass(value) === 'Duration'
  const object = isDuration ? (value as { readonly [name: string]: unknown }) : NAMES.objectOf(value)
  if (object === undefined) throw new RefusedValue(value, EXPECTED)
  if (isDuration) refuseNanoseconds(object.nanoseconds)
  const fields: { [name: string]: unknown } = {}
  for (const name of FIELDS) {
    // Not left to the class Interval, which also looks at what an object inherits beside the fields.
    const field = object[name]
    if (field !== undefined) fields[name] = field
  }
  try {
    return new Interval(fields as IntervalFields)
  } catch (error) {
    const reason = error instanceof Error ? `; ${error.message}` : ''
    throw new RefusedValue(value, `the fields of an Interval${reason}`, error)
  }
}

/** What is less than a microsecond would be lost. */
function refuseNanoseconds(nanoseconds: unknown): void {
  if (nanoseconds !== 0 && nanoseconds !== undefined) {
    throw new RefusedValue(nanoseconds, 'none, as an interval has whole microseconds').within(
      'field "nanoseconds"',
    )
  }
}
