import type { ParameterSink } from './parameter-sink'
import { instantMicros, temporalClass, temporalText } from './temporal'
import { lateTimestampText, MICROS_OF_2000 } from './tuples'
import { millisOfDate, RefusedValue, type TypeEncoder, writeText } from './value-encoder'

const DATE_EXPECTED = 'a string, Date, Temporal.PlainDate, or ±Infinity'
const TIME_EXPECTED = 'a string or Temporal.PlainTime'
const TIMESTAMP_EXPECTED = 'a Date, string, bigint of microseconds, Temporal object, or ±Infinity'

/** 294276-12-31 23:59:59.999999, the last of PostgreSQL's timestamps. */
const LAST_MICROS = 9_224_318_015_999_999_999n
/** The ends of int64 stand for ±infinity. */
const MAX_INT64_MICROS = 2n ** 63n - 2n
const MIN_MICROS = -MAX_INT64_MICROS

/** What dates and timestamps take alike: text, Dates and ±Infinity. `shown` gives what a clock that shows UTC would. */
function writeCommon(value: unknown, sink: ParameterSink, shown = sameMillis): boolean {
  if (typeof value === 'string') {
    writeText(value, value, sink)
    return true
  }
  if (isInfinite(value)) {
    sink.millis(value)
    return true
  }
  const millis = millisOfDate(value)
  if (millis === undefined) return false
  sink.millis(shown(millis))
  return true
}

function sameMillis(millis: number): number {
  return millis
}

/** The moment at which a clock that shows UTC shows what the clock on the wall of this process shows at another. */
function wallClockMillis(millis: number): number {
  const local = new Date(millis)
  // Date.UTC would take the years 0 to 99 for 1900 to 1999.
  const shown = new Date(0)
  shown.setUTCFullYear(local.getFullYear(), local.getMonth(), local.getDate())
  return shown.setUTCHours(local.getHours(), local.getMinutes(), local.getSeconds(), local.getMilliseconds())
}

function isInfinite(value: unknown): value is number {
  return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY
}

/** date: of a Date its UTC day. */
export const dateEncoder: TypeEncoder = {
  encode(value, sink) {
    if (writeCommon(value, sink)) return
    if (temporalClass(value) !== 'PlainDate') throw new RefusedValue(value, DATE_EXPECTED)
    writeText(temporalText(value), value, sink)
  },
}

/** time */
export const timeEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value !== 'string' && temporalClass(value) !== 'PlainTime') {
      throw new RefusedValue(value, TIME_EXPECTED)
    }
    writeText(typeof value === 'string' ? value : temporalText(value), value, sink)
  },
}

/** timestamp, timestamptz; of the latter text has a zone. */
function timestampEncoder(takesPlain: boolean, zone: string, shown = sameMillis): TypeEncoder {
  return {
    encode(value, sink) {
      if (writeCommon(value, sink, shown)) return
      if (typeof value === 'bigint') {
        writeMicros(value, value, zone, sink)
        return
      }
      const temporal = temporalClass(value)
      if (temporal === 'Instant' || temporal === 'ZonedDateTime') {
        writeMicros(instantMicros(value), value, zone, sink)
      } else if (takesPlain && (temporal === 'PlainDateTime' || temporal === 'PlainDate')) {
        writeText(temporalText(value), value, sink)
      } else {
        throw new RefusedValue(value, TIMESTAMP_EXPECTED)
      }
    },
  }
}

/** timestamp: a Date and a Temporal.Instant give their UTC clock. */
export const timestampEncoderFamily = timestampEncoder(true, '')

/** timestamp where it is read as `'local'`: a Date gives the clock on the wall of this process. */
export const localTimestampEncoder = timestampEncoder(true, '', wallClockMillis)

/** timestamptz: a Temporal.PlainDateTime is not a moment, and refused. */
export const timestamptzEncoderFamily = timestampEncoder(false, '+00')

function writeMicros(micros: bigint, value: unknown, zone: string, sink: ParameterSink): void {
  if (micros < MIN_MICROS || micros > LAST_MICROS) {
    throw new RefusedValue(value, `microseconds since 1970 from ${MIN_MICROS} to ${LAST_MICROS}`)
  }
  if (micros > MAX_INT64_MICROS) sink.text(lateTimestampText(micros - MICROS_OF_2000, zone))
  else sink.i64(micros)
}
