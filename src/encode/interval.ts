import { thrownMessage } from '../errors/thrown-reason'
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
  const fields: { [name: string]: unknown } = {}
  for (const name of FIELDS) {
    // Not left to the class Interval, which also looks at what an object inherits beside the fields.
    const field = object[name]
    if (field !== undefined) fields[name] = field
  }
  if (isDuration) addNanoseconds(fields, object.nanoseconds)
  try {
    return new Interval(fields as IntervalFields)
  } catch (error) {
    const message = thrownMessage(error)
    const reason = message === undefined ? '' : `; ${message}`
    throw new RefusedValue(value, `the fields of an Interval${reason}`, error)
  }
}

/** Whole microseconds of a Duration's nanoseconds; what is finer is cut off, as with all of Temporal. */
function addNanoseconds(fields: { [name: string]: unknown }, nanoseconds: unknown): void {
  const { microseconds } = fields
  if (typeof nanoseconds !== 'number' || typeof microseconds !== 'number') return
  // Exact even for a Duration that has nothing but nanoseconds, or very many microseconds.
  fields.microseconds = BigInt(microseconds) + BigInt(nanoseconds) / 1000n
}
