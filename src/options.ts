import { ClientConfigurationError, InterfaceError } from './errors/index'
import type { QueryTagValues } from './native/door'
import { hintAtOption } from './other-drivers'
import { describeArgument } from './types/describe-value'
import { isWellFormed } from './types/well-formed'

/** The longest time limit: what a 32-bit timer can hold, about 24.8 days. */
const MAX_MS = 2 ** 31 - 1

/**
 * Checks that `options` is an object with no other options than the known ones.
 *
 * @param where What takes the options, for the message.
 * @throws ClientConfigurationError
 */
export function checkOptions(options: unknown, known: ReadonlySet<string>, where: string): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ClientConfigurationError(
      `${where}: expected an object of options, not ${describeArgument(options)}`,
    )
  }
  for (const name in options) {
    if (!known.has(name)) throw unknownOption(name, known, where)
  }
}

function unknownOption(name: string, known: ReadonlySet<string>, where: string): Error {
  const hint = hintAtOption(name, known, where)
  const near = hint === undefined ? nearest(name, known) : undefined
  const meant = near === undefined ? undefined : `did you mean ${describeArgument(near)}?`
  const suggestion = hint === undefined && meant === undefined ? '' : `; ${hint ?? meant}`
  return new ClientConfigurationError(`${where}: unknown option ${describeArgument(name)}${suggestion}`)
}

/** The known name that a mistyped one may have been meant to be. */
function nearest(name: string, known: ReadonlySet<string>): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[_-]/g, '')
  const wanted = plain(name)
  // Other drivers' durations have no unit in their names.
  const limit = Math.max(1, Math.floor(wanted.length / 3))
  let best: string | undefined
  let bestDistance = limit + 1
  for (const candidate of known) {
    const text = plain(candidate)
    const distance = `${wanted}ms` === text ? 0 : editDistance(wanted, text)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein's distance. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const current = [i]
    for (let j = 1; j <= right.length; j++) {
      const change = left[i - 1] === right[j - 1] ? 0 : 1
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + change))
    }
    previous = current
  }
  return previous[right.length]!
}

/**
 * A duration in milliseconds, 0 for no limit, rounded up to whole ones.
 *
 * @throws ClientConfigurationError
 */
export function durationMs(name: string, value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= MAX_MS)) {
    throw new ClientConfigurationError(
      `option '${name}' must be a number of milliseconds from 0 (no limit) to ${MAX_MS}, not ${describeArgument(value)}`,
    )
  }
  return Math.ceil(value)
}

/**
 * A whole number within bounds.
 *
 * @throws ClientConfigurationError
 */
export function wholeNumber(name: string, value: unknown, lowest: number, highest: number): number {
  if (!Number.isInteger(value) || (value as number) < lowest || (value as number) > highest) {
    throw new ClientConfigurationError(
      `option '${name}' must be a whole number from ${lowest} to ${highest}, not ${describeArgument(value)}`,
    )
  }
  return value as number
}

/** @throws ClientConfigurationError unless it is a boolean. */
export function flag(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') {
    throw new ClientConfigurationError(
      `option '${name}' must be true or false, not ${describeArgument(value)}`,
    )
  }
  return value
}

/** @throws ClientConfigurationError unless it is a function. */
export function callable(name: string, value: unknown): void {
  if (typeof value !== 'function') {
    throw new ClientConfigurationError(`option '${name}' must be a function, not ${describeArgument(value)}`)
  }
}

/** @throws ClientConfigurationError unless it is an object of strings. */
export function textByName(name: string, value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ClientConfigurationError(
      `option '${name}' must be an object of strings, not ${describeArgument(value)}`,
    )
  }
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new ClientConfigurationError(
        `option '${name}': ${describeArgument(key)} must be a string, not ${describeArgument(text)}`,
      )
    }
  }
  return value as Readonly<Record<string, string>>
}

/** @throws ClientConfigurationError unless it is an object of strings and functions. */
export function queryTags(name: string, value: unknown): QueryTagValues {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ClientConfigurationError(
      `option '${name}' must be an object of tags by their keys, not ${describeArgument(value)}`,
    )
  }
  for (const [key, tag] of Object.entries(value)) {
    if (typeof tag !== 'string' && typeof tag !== 'function') {
      throw new ClientConfigurationError(
        `option '${name}': ${describeArgument(key)} must be a string or a function that gives one, not ${describeArgument(tag)}`,
      )
    }
  }
  return value as QueryTagValues
}

/** @throws ClientConfigurationError unless it is an AbortSignal. */
export function abortSignal(name: string, value: unknown): AbortSignal {
  if (!(value instanceof AbortSignal)) {
    throw new ClientConfigurationError(
      `option '${name}' must be an AbortSignal, not ${describeArgument(value)}`,
    )
  }
  return value
}

/**
 * Checks that something that is to be called is a function.
 *
 * @throws InterfaceError
 */
export function checkFunction(where: string, value: unknown): void {
  if (typeof value !== 'function')
    throw new InterfaceError(`${where}: expected a function, not ${describeArgument(value)}`)
}

/**
 * Refuses text that UTF-8 cannot hold, which no server could be told.
 *
 * @throws ClientConfigurationError
 */
export function checkWellFormed(name: string, value: unknown): void {
  if (typeof value === 'string') {
    // What it is may be a secret.
    if (!isWellFormed(value)) {
      throw new ClientConfigurationError(`${name}: expected text, got a string with half of a surrogate pair`)
    }
  } else if (Array.isArray(value) || isPlainObject(value)) {
    for (const [key, part] of Object.entries(value)) checkWellFormed(`${name}.${key}`, part)
  }
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
