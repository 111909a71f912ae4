import { type InspectOptionsStylized, inspect } from 'node:util'
import { wrongKind } from './argument-error'

/** A point as arguments may give it. */
export type PointLike = Point | readonly [x: number, y: number] | { readonly x: number; readonly y: number }

/**
 * A value of `point` (manual, section 8.8, Geometric Types). Coordinates may be ±Infinity and NaN; JSON has null for
 * those.
 */
export class Point {
  readonly x: number
  readonly y: number

  /** @throws TypeError when a coordinate is not a number. */
  constructor(x: number, y: number) {
    this.x = coordinate('x', x)
    this.y = coordinate('y', y)
  }

  /** Whether `other` is a Point with the same coordinates, exactly. PostgreSQL's `~=` lets them differ by 1e-6. */
  equals(other: unknown): boolean {
    return other instanceof Point && sameNumber(this.x, other.x) && sameNumber(this.y, other.y)
  }

  /** PostgreSQL's text: `(1,2)`. */
  toString(): string {
    return `(${this.x},${this.y})`
  }

  toJSON(): { x: number; y: number } {
    return { x: this.x, y: this.y }
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return `Point ${options.stylize(this.toString(), 'number')}`
  }
}

/** A number, which an argument has to be; `expected` says more where it is needed. */
export function coordinate(argument: string, value: number, expected = 'a number'): number {
  if (typeof value !== 'number') throw wrongKind(argument, expected, value)
  return value
}

/** A Point as it is, or a new one. */
export function pointOf(argument: string, value: PointLike): Point {
  if (value instanceof Point) return value
  if (Array.isArray(value) && value.length === 2) {
    return new Point(coordinate(`${argument}[0]`, value[0]), coordinate(`${argument}[1]`, value[1]))
  }
  if (typeof value !== 'object' || value === null || !('x' in value && 'y' in value)) {
    throw wrongKind(argument, 'a Point, [x, y] or { x, y }', value)
  }
  return new Point(coordinate(`${argument}.x`, value.x), coordinate(`${argument}.y`, value.y))
}

/** NaN is NaN, and 0 is -0. */
export function sameNumber(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b))
}
