import { types } from 'node:util'

/** The longest description of a value in an error's message. */
const MAX_LENGTH = 60
/** The longest part of a string that a message shows in single quotes. */
const MAX_WORD_LENGTH = 40

/** Of an array the first elements are shown, of one that is an element itself only the length. */
type Depth = 'value' | 'element'

/**
 * A short description of a value for an error's message. It runs no code of the value: no getters, no `toString`, no
 * proxy traps.
 */
export function describeValue(value: unknown): string {
  return shorten(describe(value, 'value'))
}

/**
 * The same of an argument or option of the API: strings are quoted like the words that such messages name, and of an
 * array nothing is shown, since it may hold what nobody meant to show, such as a password.
 */
export function describeArgument(value: unknown): string {
  if (typeof value === 'string') return describeWord(value)
  return !types.isProxy(value) && Array.isArray(value) ? 'an array' : shorten(describe(value, 'value'))
}

function shorten(text: string): string {
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH - 1)}…`
}

/** In single quotes and on one line. */
function describeWord(value: string): string {
  const isLong = value.length > MAX_WORD_LENGTH
  const text = JSON.stringify(isLong ? value.slice(0, MAX_WORD_LENGTH) : value).slice(1, -1)
  return `'${text.replaceAll('\\"', '"').replaceAll("'", "\\'")}${isLong ? '…' : ''}'`
}

function describe(value: unknown, depth: Depth): string {
  switch (typeof value) {
    case 'string':
      return describeString(value)
    case 'bigint':
      return describeBigInt(value)
    case 'symbol':
      return value.toString()
    case 'function':
      return 'a function'
    case 'object':
      return value === null ? 'null' : describeObject(value, depth)
    default:
      return Object.is(value, -0) ? '-0' : String(value)
  }
}

function describeString(value: string): string {
  return value.length <= MAX_LENGTH
    ? JSON.stringify(value)
    : `${JSON.stringify(value.slice(0, 40)).slice(0, 44)}…`
}

function describeBigInt(value: bigint): string {
  // The digits of a bigint of a million bits would take seconds to compute.
  return BigInt.asIntN(256, value) === value ? `${value}n` : 'a bigint of more than 256 bits'
}

function describeObject(value: object, depth: Depth): string {
  if (types.isProxy(value)) return 'a Proxy'
  if (types.isDate(value)) {
    const millis = Date.prototype.getTime.call(value)
    return Number.isNaN(millis) ? 'an invalid Date' : `Date ${new Date(millis).toISOString()}`
  }
  if (Array.isArray(value)) return depth === 'value' ? describeArray(value) : `[… ${value.length}]`
  const name = className(value)
  if (ArrayBuffer.isView(value)) return describeView(value, name)
  return name === 'Object' ? 'an object' : `an object of class ${name}`
}

function describeView(view: ArrayBufferView, name: string): string {
  try {
    return `${name} of ${view.byteLength} bytes`
  } catch {
    // A DataView's length cannot be asked for when its memory is detached.
    return `${name} of detached memory`
  }
}

function describeArray(array: readonly unknown[]): string {
  const shown: string[] = []
  for (let index = 0; index < array.length && index < 5; index++) {
    const property = Object.getOwnPropertyDescriptor(array, index)
    shown.push(
      property === undefined || 'value' in property ? describe(property?.value, 'element') : 'a getter',
    )
  }
  if (array.length > shown.length) shown.push('…')
  return `[${shown.join(', ')}]`
}

function className(value: object): string {
  let prototype: unknown = value
  for (let depth = 0; depth < 10; depth++) {
    prototype = Object.getPrototypeOf(prototype)
    if (prototype === null || types.isProxy(prototype)) break
    const maker: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
    if (typeof maker !== 'function' || types.isProxy(maker)) continue
    const name: unknown = Object.getOwnPropertyDescriptor(maker, 'name')?.value
    if (typeof name === 'string' && name !== '') return name.slice(0, 40)
  }
  return 'Object'
}
