import { types } from 'node:util'
import { Row } from '../record'
import { LONGEST_ARRAY, lowerBoundsOf, markLowerBounds } from '../types/array-dimensions'
import { BitString } from '../types/bit-string'
import { Box, Circle, Line, LineSegment, Path, Polygon } from '../types/geometry'
import { Interval } from '../types/interval'
import { JsonValue } from '../types/json'
import { isPlain } from '../types/plain-object'
import { Point } from '../types/point'
import { Range } from '../types/range'
import { defineField, HeldObject } from './held-object'
import { temporalClass } from './temporal'
import { copyOfView } from './view-bytes'

/** Classes of the driver's own that stand for values: their objects are copied field by field. */
const VALUE_PROTOTYPES: ReadonlySet<unknown> = new Set([
  BitString.prototype,
  Box.prototype,
  Circle.prototype,
  Interval.prototype,
  JsonValue.prototype,
  Line.prototype,
  LineSegment.prototype,
  Path.prototype,
  Point.prototype,
  Polygon.prototype,
  Range.prototype,
])

/** What is nested deeper stays as it is: so deep an object is refused as JSON, and has no place in other types. */
const DEEPEST = 1_000
/** A rough size of what is no string and no bytes. */
const BYTES_OF_SCALAR = 8

/** Parameters as they were when they were given. */
export interface HeldParameters {
  readonly values: readonly unknown[]
  /** A rough size in bytes: only long values matter. */
  readonly bytes: number
}

/**
 * Takes parameters that are encoded after the call has returned, because their types are not known yet: the caller may
 * change meanwhile whatever can be changed. So bytes, Dates, arrays and objects are copied as deep as they go, and of
 * objects of classes it is taken what any type could want of them ({@link HeldObject}).
 *
 * A value that cannot be read stays as it is: the encoder meets the same, and names the parameter.
 */
export function holdBack(params: readonly unknown[]): HeldParameters {
  const taking = new Taking()
  const values: unknown[] = []
  for (let index = 0; index < params.length; index++) values.push(taking.take(params[index]))
  return { values, bytes: taking.bytes }
}

/** An object by the names of its fields. */
interface Fields {
  readonly [name: string]: unknown
}

/** One taking of values. Objects that it meets again are the same copy, so that what is circular stays so. */
class Taking {
  bytes = 0
  private depth = 0
  private copies: Map<object, unknown> | undefined = undefined

  take(value: unknown): unknown {
    if (typeof value === 'string') {
      this.bytes += value.length
      return value
    }
    if (typeof value !== 'object' || value === null) {
      this.bytes += BYTES_OF_SCALAR
      return value
    }
    if (this.copies?.has(value)) return this.copies.get(value)
    // It was taken before.
    if (HeldObject.is(value)) return value
    if (this.depth === DEEPEST) return value
    this.depth++
    try {
      return this.takeObject(value)
    } catch {
      return value
    } finally {
      this.depth--
    }
  }

  private takeObject(value: object): unknown {
    if (ArrayBuffer.isView(value)) {
      const copy = copyOfView(value)
      this.bytes += copy.byteLength
      return copy
    }
    this.bytes += BYTES_OF_SCALAR
    if (Array.isArray(value)) return this.takeArray(value)
    if (types.isDate(value)) return takeDate(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (VALUE_PROTOTYPES.has(prototype) || value instanceof Row) return this.takeFields(value)
    if (types.isMap(value) && prototype === Map.prototype) return this.takeMap(value)
    // Neither can be changed.
    if (types.isBoxedPrimitive(value) || temporalClass(value) !== undefined) return value
    return isData(value) ? this.takeFields(value) : this.takeInstance(value)
  }

  private takeArray(array: readonly unknown[]): unknown {
    const { length } = array
    // The length of a proxy can be anything, that of an array with holes four billion.
    if (length >>> 0 !== length || length > LONGEST_ARRAY) return array
    const copy: unknown[] = []
    this.remember(array, copy)
    for (let index = 0; index < length; index++) copy.push(this.take(array[index]))
    const lowerBounds = lowerBoundsOf(array)
    if (lowerBounds !== undefined) markLowerBounds(copy, lowerBounds)
    return copy
  }

  private takeMap(map: ReadonlyMap<unknown, unknown>): unknown {
    const copy = new Map<unknown, unknown>()
    this.remember(map, copy)
    for (const [key, value] of map) copy.set(this.take(key), this.take(value))
    return copy
  }

  /** An object of the same prototype with the own enumerable fields. */
  private takeFields(object: object): Fields {
    const prototype: object | null = Object.getPrototypeOf(object)
    const copy: { [name: string]: unknown } = prototype === Object.prototype ? {} : Object.create(prototype)
    this.remember(object, copy)
    for (const name of Object.keys(object)) {
      const value = this.take((object as Fields)[name])
      if (prototype === Object.prototype && name !== '__proto__') copy[name] = value
      else defineField(copy, name, value)
    }
    return copy
  }

  private takeInstance(object: object): unknown {
    const held = new HeldObject(object)
    this.remember(object, held)
    const { ownText, ownJson } = ownTextAndJson(object)
    if (ownText !== undefined) held.holdText(outcomeOf(() => this.take(ownText.call(object))))
    if (ownJson !== undefined) {
      held.holdJson(outcomeOf(() => this.takeJson(object, ownJson.call(object, ''))))
      // JSON will not look at them, and an object of this kind may hold on to a whole application.
      held.fields = shallowFields(object)
    } else {
      held.fields = this.takeFields(object)
      this.remember(object, held)
    }
    return held
  }

  /** What `toJSON` gave is taken as it is: JSON.stringify does not ask it again for its `toJSON`. */
  private takeJson(object: object, json: unknown): unknown {
    return json === object ? this.takeFields(object) : this.take(json)
  }

  private remember(object: object, copy: unknown): void {
    this.copies ??= new Map()
    this.copies.set(object, copy)
  }
}

/** Whether an object is nothing but its fields: of no class, and without a text or JSON that it makes itself. */
function isData(value: object): boolean {
  if (!isPlain(value)) return false
  const { ownText, ownJson } = ownTextAndJson(value)
  return ownText === undefined && ownJson === undefined
}

type Method = (this: object, ...values: unknown[]) => unknown

/** The methods by which an object says what its text and its JSON are. */
function ownTextAndJson(object: object): { ownText: Method | undefined; ownJson: Method | undefined } {
  const { toString: text, toJSON: json } = object as {
    readonly toJSON?: unknown
    readonly toString?: unknown
  }
  return {
    ownText: typeof text === 'function' && text !== Object.prototype.toString ? (text as Method) : undefined,
    ownJson: typeof json === 'function' ? (json as Method) : undefined,
  }
}

function takeDate(date: Date): Date {
  const copy = new Date(Date.prototype.getTime.call(date))
  const prototype: object | null = Object.getPrototypeOf(date)
  if (prototype !== Date.prototype) Object.setPrototypeOf(copy, prototype)
  return copy
}

/** The own enumerable fields, of which only Dates are copied. */
function shallowFields(object: object): Fields {
  const fields: { [name: string]: unknown } = Object.create(Object.getPrototypeOf(object) as object)
  for (const name of Object.keys(object)) {
    const value = (object as Fields)[name]
    defineField(fields, name, types.isDate(value) ? takeDate(value) : value)
  }
  return fields
}

function outcomeOf(run: () => unknown): { value: unknown } | { error: unknown } {
  try {
    return { value: run() }
  } catch (error) {
    return { error }
  }
}
