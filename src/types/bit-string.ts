import { type InspectOptionsStylized, inspect, types } from 'node:util'
import { outOfRange, wrongKind } from './argument-error'

/**
 * A value of `bit` or `bit varying` (manual, section 8.10, Bit String Types): bits in the order in which PostgreSQL
 * writes them, the most significant one first.
 */
export class BitString {
  /** The bits as digits, such as `'0101'`. */
  readonly digits: string

  /**
   * @param digits Zeros and ones; the empty string is the empty bit string.
   * @throws TypeError when it is not a string, RangeError when it has other characters.
   */
  constructor(digits: string) {
    if (typeof digits !== 'string') throw wrongKind('digits', 'a string of 0 and 1', digits)
    if (!/^[01]*$/.test(digits)) throw outOfRange('digits', 'a string of 0 and 1', digits)
    this.digits = digits
  }

  /**
   * The bits of bytes, of each the most significant first, as PostgreSQL sends them.
   *
   * @param length How many bits to take; by default all, 8 a byte.
   * @throws TypeError when `bytes` is not a Uint8Array (such as a Buffer), RangeError when it has fewer bits.
   */
  static fromBytes(bytes: Uint8Array, length?: number): BitString {
    if (!types.isUint8Array(bytes)) throw wrongKind('bytes', 'a Uint8Array', bytes)
    const available = bytes.length * 8
    const count = length === undefined ? available : bitCount(length)
    if (count > available) throw outOfRange('length', `at most the ${available} bits that there are`, length)
    const digits = Array.from(bytes.subarray(0, Math.ceil(count / 8)), (byte) =>
      byte.toString(2).padStart(8, '0'),
    )
    return new BitString(digits.join('').slice(0, count))
  }

  /**
   * The binary digits of an integer that is not negative, with zeros before them.
   *
   * @param length How many bits the bit string is to have.
   * @throws TypeError when `value` is not a bigint, RangeError when it is negative or needs more bits.
   */
  static fromBigInt(value: bigint, length: number): BitString {
    if (typeof value !== 'bigint') throw wrongKind('value', 'a bigint', value)
    const count = bitCount(length)
    const digits = value.toString(2)
    if (value < 0n || (value > 0n && digits.length > count)) {
      throw outOfRange('value', `a bigint from 0 that ${count} bits hold`, value)
    }
    return new BitString(value === 0n ? '0'.repeat(count) : digits.padStart(count, '0'))
  }

  /** How many bits there are. */
  get length(): number {
    return this.digits.length
  }

  /** The bit at an index, from 0 for the first one, or from the end when negative; undefined where there is none. */
  at(index: number): 0 | 1 | undefined {
    const digit = this.digits.at(index)
    return digit === undefined ? undefined : bitOf(digit)
  }

  /** The bits, one by one. */
  *[Symbol.iterator](): IterableIterator<0 | 1> {
    for (const digit of this.digits) yield bitOf(digit)
  }

  /** The bits in bytes, of each the most significant first; the last byte is filled up with zeros. */
  toBytes(): Buffer {
    const bytes = Buffer.alloc(Math.ceil(this.length / 8))
    for (let index = 0; index < bytes.length; index++) {
      bytes[index] = Number.parseInt(this.digits.slice(index * 8, index * 8 + 8).padEnd(8, '0'), 2)
    }
    return bytes
  }

  /** The bits as an integer that is not negative; 0 for the empty bit string. */
  toBigInt(): bigint {
    return BigInt(`0b0${this.digits}`)
  }

  /** Whether `other` is a BitString of the same bits; `0101` and `101` are not the same. */
  equals(other: unknown): boolean {
    return other instanceof BitString && this.digits === other.digits
  }

  /** The digits, as PostgreSQL reads and writes them. */
  toString(): string {
    return this.digits
  }

  /** The digits. */
  toJSON(): string {
    return this.digits
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    const { maxStringLength } = options
    const left = this.length - (maxStringLength ?? this.length)
    const digits = options.stylize(
      left > 0 ? this.digits.slice(0, maxStringLength ?? 0) : this.digits,
      'number',
    )
    return `BitString ${digits}${left > 0 ? `... ${left} more bit${left === 1 ? '' : 's'}` : ''}`
  }
}

function bitCount(length: number): number {
  if (typeof length !== 'number') throw wrongKind('length', 'a number', length)
  if (!Number.isSafeInteger(length) || length < 0) throw outOfRange('length', 'a whole number from 0', length)
  return length
}

function bitOf(digit: string): 0 | 1 {
  return digit === '1' ? 1 : 0
}
