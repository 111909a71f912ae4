import { type InspectOptionsStylized, inspect } from 'node:util'
import { outOfRange, wrongKind } from './argument-error'
import { coordinate, Point, type PointLike, pointOf, sameNumber } from './point'

/** A value of `line`, which has no ends: all points where `a·x + b·y + c = 0` (manual, section 8.8.2, Lines). */
export class Line {
  readonly a: number
  readonly b: number
  readonly c: number

  /** @throws TypeError when one of the three is not a number, RangeError when a and b are both 0. */
  constructor(a: number, b: number, c: number) {
    this.a = coordinate('a', a)
    this.b = coordinate('b', b)
    this.c = coordinate('c', c)
    if (a === 0 && b === 0) throw outOfRange('a, b', 'that one of them is not 0', [a, b])
  }

  /** Whether `other` is a Line of the same three numbers. PostgreSQL's `=` also takes their multiples. */
  equals(other: unknown): boolean {
    return (
      other instanceof Line &&
      sameNumber(this.a, other.a) &&
      sameNumber(this.b, other.b) &&
      sameNumber(this.c, other.c)
    )
  }

  /** PostgreSQL's text: `{1,2,3}`. */
  toString(): string {
    return `{${this.a},${this.b},${this.c}}`
  }

  toJSON(): { a: number; b: number; c: number } {
    return { a: this.a, b: this.b, c: this.c }
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return `Line ${options.stylize(this.toString(), 'number')}`
  }
}

/** A value of `lseg`, a line between two points (manual, section 8.8.3, Line Segments). */
export class LineSegment {
  readonly start: Point
  readonly end: Point

  /** @throws TypeError when one of the two is not a point. */
  constructor(start: PointLike, end: PointLike) {
    this.start = pointOf('start', start)
    this.end = pointOf('end', end)
  }

  /** Whether `other` is a LineSegment from the same point to the same point. */
  equals(other: unknown): boolean {
    return other instanceof LineSegment && this.start.equals(other.start) && this.end.equals(other.end)
  }

  /** PostgreSQL's text: `[(1,2),(3,4)]`. */
  toString(): string {
    return `[${this.start},${this.end}]`
  }

  toJSON(): { start: { x: number; y: number }; end: { x: number; y: number } } {
    return { start: this.start.toJSON(), end: this.end.toJSON() }
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return `LineSegment ${options.stylize(this.toString(), 'number')}`
  }
}

/** A value of `box`, a rectangle along the axes (manual, section 8.8.4, Boxes). */
export class Box {
  /** The upper right corner. */
  readonly high: Point
  /** The lower left corner. */
  readonly low: Point

  /**
   * Takes any two opposite corners, and keeps the upper right and the lower left one as PostgreSQL does (`box_in` in
   * geo_ops.c).
   *
   * @throws TypeError when one of the two is not a point.
   */
  constructor(high: PointLike, low: PointLike) {
    const one = pointOf('high', high)
    const other = pointOf('low', low)
    const swapsX = isLess(one.x, other.x)
    const swapsY = isLess(one.y, other.y)
    if (!swapsX && !swapsY) {
      this.high = one
      this.low = other
    } else {
      this.high = new Point(swapsX ? other.x : one.x, swapsY ? other.y : one.y)
      this.low = new Point(swapsX ? one.x : other.x, swapsY ? one.y : other.y)
    }
  }

  /** Whether `other` is a Box of the same corners. PostgreSQL's `~=` means that; its `=` compares areas. */
  equals(other: unknown): boolean {
    return other instanceof Box && this.high.equals(other.high) && this.low.equals(other.low)
  }

  /** PostgreSQL's text: `(3,4),(1,2)`. */
  toString(): string {
    return `${this.high},${this.low}`
  }

  toJSON(): { high: { x: number; y: number }; low: { x: number; y: number } } {
    return { high: this.high.toJSON(), low: this.low.toJSON() }
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return `Box ${options.stylize(this.toString(), 'number')}`
  }
}

/** A value of `path`, points that lines connect (manual, section 8.8.5, Paths). */
export class Path {
  /** At least one; the array is frozen. */
  readonly points: readonly Point[]
  /** Whether a line leads from the last point back to the first. */
  readonly isClosed: boolean

  /**
   * @param isClosed Default false.
   * @throws TypeError when `points` is not an array of points or `isClosed` not a boolean, RangeError without points.
   */
  constructor(points: readonly PointLike[], isClosed = false) {
    if (typeof isClosed !== 'boolean') throw wrongKind('isClosed', 'a boolean', isClosed)
    this.points = pointsOf(points)
    this.isClosed = isClosed
  }

  /** Whether `other` is a Path of the same points in order, and closed or open alike. PostgreSQL's `=` counts points. */
  equals(other: unknown): boolean {
    return other instanceof Path && this.isClosed === other.isClosed && samePoints(this.points, other.points)
  }

  /** PostgreSQL's text: `[(1,2),(3,4)]` for an open path, `((1,2),(3,4))` for a closed one. */
  toString(): string {
    return this.isClosed ? `(${this.points.join(',')})` : `[${this.points.join(',')}]`
  }

  toJSON(): { points: { x: number; y: number }[]; isClosed: boolean } {
    return { points: this.points.map((point) => point.toJSON()), isClosed: this.isClosed }
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    const points = inspectedPoints(this.points, options)
    return this.isClosed ? `Path (${points})` : `Path [${points}]`
  }
}

/** A value of `polygon`, the area within a closed path (manual, section 8.8.6, Polygons). */
export class Polygon {
  /** At least one; the array is frozen. */
  readonly points: readonly Point[]

  /** @throws TypeError when `points` is not an array of points, RangeError when it is empty. */
  constructor(points: readonly PointLike[]) {
    this.points = pointsOf(points)
  }

  /** Whether `other` is a Polygon of the same points in order. PostgreSQL's `~=` lets it begin at another point. */
  equals(other: unknown): boolean {
    return other instanceof Polygon && samePoints(this.points, other.points)
  }

  /** PostgreSQL's text: `((1,2),(3,4),(5,0))`. */
  toString(): string {
    return `(${this.points.join(',')})`
  }

  toJSON(): { points: { x: number; y: number }[] } {
    return { points: this.points.map((point) => point.toJSON()) }
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return `Polygon (${inspectedPoints(this.points, options)})`
  }
}

/** A value of `circle` (manual, section 8.8.7, Circles). */
export class Circle {
  readonly center: Point
  /** Not negative; may be Infinity or NaN. */
  readonly radius: number

  /** @throws TypeError when `center` is not a point or `radius` not a number, RangeError when that is negative. */
  constructor(center: PointLike, radius: number) {
    this.center = pointOf('center', center)
    this.radius = coordinate('radius', radius)
    if (radius < 0) throw outOfRange('radius', 'a number that is not negative', radius)
  }

  /** Whether `other` is a Circle of the same centre and radius. PostgreSQL's `~=` means that; its `=` compares areas. */
  equals(other: unknown): boolean {
    return (
      other instanceof Circle && this.center.equals(other.center) && sameNumber(this.radius, other.radius)
    )
  }

  /** PostgreSQL's text: `<(1,2),3>`. */
  toString(): string {
    return `<${this.center},${this.radius}>`
  }

  toJSON(): { center: { x: number; y: number }; radius: number } {
    return { center: this.center.toJSON(), radius: this.radius }
  }

  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    return `Circle ${options.stylize(this.toString(), 'number')}`
  }
}

/** `float8_lt` in float.h: NaN is greater than all numbers. */
function isLess(a: number, b: number): boolean {
  return Number.isNaN(b) ? !Number.isNaN(a) : a < b
}

function pointsOf(points: readonly PointLike[]): readonly Point[] {
  if (!Array.isArray(points)) throw wrongKind('points', 'an array of points', points)
  if (points.length === 0) throw outOfRange('points', 'at least one point', points)
  return Object.freeze(Array.from(points, (point, index) => pointOf(`points[${index}]`, point)))
}

function samePoints(points: readonly Point[], others: readonly Point[]): boolean {
  return points.length === others.length && points.every((point, index) => point.equals(others[index]))
}

/** As many as an array would show. */
function inspectedPoints(points: readonly Point[], options: InspectOptionsStylized): string {
  const most = options.maxArrayLength ?? points.length
  const shown = points.slice(0, most).map((point) => options.stylize(point.toString(), 'number'))
  const left = points.length - shown.length
  if (left > 0) shown.push(`... ${left} more point${left === 1 ? '' : 's'}`)
  return shown.join(',')
}
