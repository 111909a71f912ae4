import { guarded } from './value-encoder'

/**
 * The class of a Temporal object, such as `Instant`, by its `Symbol.toStringTag`: the runtime's own or a polyfill's.
 * Undefined for everything else.
 */
export function temporalClass(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const tag: unknown = guarded(value, 'an object whose class can be seen', () => {
    return (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]
  })
  return typeof tag === 'string' && tag.startsWith('Temporal.') ? tag.slice('Temporal.'.length) : undefined
}

/** No annotations, such as `[Europe/Paris]`. The rest of toString is in ISO 8601, whatever the calendar. */
const PLAIN_FORM = { calendarName: 'never', timeZoneName: 'never' }

/** What is finer than a microsecond. */
const NANOSECONDS = /(?<=\.[0-9]{6})[0-9]+/

/**
 * The text of a Temporal object in the form that PostgreSQL reads. What is finer than a microsecond is cut off, as
 * Temporal itself does when it is asked for microseconds: PostgreSQL would round, up to a time of 24:00:00 or into the
 * next year.
 */
export function temporalText(value: unknown): string {
  const text = guarded(value, 'a Temporal object', () => {
    return String((value as { toString(options: object): string }).toString(PLAIN_FORM))
  })
  return postgresText(text.replace(NANOSECONDS, ''))
}

/** Microseconds since 1970 of a Temporal.Instant or ZonedDateTime; what is finer is cut off, towards the past. */
export function instantMicros(value: unknown): bigint {
  return guarded(value, 'a Temporal object', () => {
    const nanoseconds = BigInt((value as { epochNanoseconds: bigint }).epochNanoseconds)
    const micros = nanoseconds / 1000n
    return micros * 1000n > nanoseconds ? micros - 1n : micros
  })
}

const EXPANDED_YEAR = /^([+-])([0-9]{6})(?=-)/

/**
 * ISO 8601 text as PostgreSQL reads it: years of more than four digits without sign, years before 1 with `BC`
 * (year 0 is 1 BC).
 */
export function postgresText(iso: string): string {
  const signed = EXPANDED_YEAR.exec(iso)
  if (signed === null) return iso.startsWith('0000-') ? `0001${iso.slice(4)} BC` : iso
  const rest = iso.slice(7)
  const year = Number(signed[2])
  if (signed[1] === '+') return `${String(year).padStart(4, '0')}${rest}`
  return `${String(year + 1).padStart(4, '0')}${rest} BC`
}
