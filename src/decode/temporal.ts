import { DataError } from '../errors/index'
import { describeArgument } from '../types/describe-value'
import type { CompleteResultMapping } from './mapping'

/** As much of Temporal as results need; TypeScript's ES2023 library does not know it. */
export interface TemporalNamespace {
  readonly PlainDate: new (year: number, month: number, day: number) => unknown
  readonly PlainTime: new (
    hour: number,
    minute: number,
    second: number,
    millisecond: number,
    microsecond: number,
  ) => unknown
  readonly PlainDateTime: new (
    year: number,
    month: number,
    day: number,
    hour: number,
    minute: number,
    second: number,
    millisecond: number,
    microsecond: number,
  ) => unknown
  readonly Instant: new (epochNanoseconds: bigint) => unknown
  readonly Duration: new (
    years: number,
    months: number,
    weeks: number,
    days: number,
    hours: number,
    minutes: number,
    seconds: number,
    milliseconds: number,
    microseconds: number,
  ) => unknown
}

const CLASSES = ['PlainDate', 'PlainTime', 'PlainDateTime', 'Instant', 'Duration'] as const

/** Whether the runtime has a Temporal of its own. */
export function hasRuntimeTemporal(): boolean {
  return runtimeTemporal() !== undefined
}

/** What an object lacks to be a Temporal, in words; undefined when it has all that results need. */
export function missingFromTemporal(candidate: unknown): string | undefined {
  if ((typeof candidate !== 'object' && typeof candidate !== 'function') || candidate === null) {
    return `it is ${describeArgument(candidate)}`
  }
  const missing = CLASSES.filter((name) => typeof (candidate as TemporalNamespace)[name] !== 'function')
  return missing.length === 0 ? undefined : `it has no ${missing.join(', ')}`
}

/** The application's Temporal, or else the runtime's. A plan asks for it only where there is one (see `planFor`). */
export function temporalOf(mapping: CompleteResultMapping): TemporalNamespace {
  return mapping.temporal ?? runtimeTemporal()!
}

/** What to throw for a value, such as `time 24:00:00`, that a class of Temporal refused. */
export function beyondTemporal(value: string, className: string, cause: unknown): DataError {
  return new DataError(`the ${value} is beyond what a Temporal.${className} can be`, {
    hint: "Read the column with the mapping 'string'.",
    cause,
  })
}

function runtimeTemporal(): TemporalNamespace | undefined {
  return (globalThis as { Temporal?: TemporalNamespace }).Temporal
}
