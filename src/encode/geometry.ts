import { FieldNames, type NamedFields } from './named-fields'
import { isNumbers, RefusedValue, refusalAt, type TypeEncoder, writeText } from './value-encoder'

/** Each has two numbers, for each of which a command has to have room. */
const MOST_POINTS = 2 ** 22
const POINT_EXPECTED = 'a Point, { x, y } or [x, y], of numbers'
const POINT_NAMES = new FieldNames(['x', 'y'])

/**
 * A geometric type: an object with its fields, or text.
 *
 * @param append Appends an object's doubles in the order in which PostgreSQL has them; whether it is a closed figure.
 */
function geometryEncoder(
  expected: string,
  names: readonly string[],
  append: (fields: NamedFields, doubles: number[]) => boolean,
): TypeEncoder {
  const fieldNames = new FieldNames(names)
  return {
    encode(value, sink) {
      if (typeof value === 'string') {
        writeText(value, value, sink)
        return
      }
      const fields = fieldNames.objectOf(value)
      if (fields === undefined) throw new RefusedValue(value, expected)
      const doubles: number[] = []
      const isClosed = append(fields, doubles)
      sink.doubles(isClosed ? 1 : 0, doubles)
    },
  }
}

/** point */
export const pointEncoder: TypeEncoder = {
  encode(value, sink) {
    if (typeof value === 'string') {
      writeText(value, value, sink)
      return
    }
    const doubles: number[] = []
    appendPoint(value, doubles)
    sink.doubles(0, doubles)
  },
  isValue: isNumbers,
}

/** line: Ax + By + C = 0 */
export const lineEncoder = geometryEncoder(
  'a Line, { a, b, c } or text',
  ['a', 'b', 'c'],
  (line, doubles) => {
    for (const name of ['a', 'b', 'c']) appendNumber(line, name, doubles)
    return false
  },
)

/** lseg */
export const lineSegmentEncoder = geometryEncoder(
  'a LineSegment, { start, end } or text',
  ['start', 'end'],
  (segment, doubles) => {
    appendPointField(segment, 'start', doubles)
    appendPointField(segment, 'end', doubles)
    return false
  },
)

/** box: the server puts the corners in order. */
export const boxEncoder = geometryEncoder('a Box, { high, low } or text', ['high', 'low'], (box, doubles) => {
  appendPointField(box, 'high', doubles)
  appendPointField(box, 'low', doubles)
  return false
})

/** path; one that does not say so is open, as a Path is. */
export const pathEncoder = geometryEncoder(
  'a Path, { points, isClosed? } or text',
  ['points', 'isClosed'],
  (path, doubles) => {
    const { isClosed = false } = path
    if (typeof isClosed !== 'boolean') {
      throw new RefusedValue(isClosed, 'true or false').within('field "isClosed"')
    }
    appendPoints(path, doubles)
    return isClosed
  },
)

/** polygon */
export const polygonEncoder = geometryEncoder(
  'a Polygon, { points } or text',
  ['points'],
  (polygon, doubles) => {
    appendPoints(polygon, doubles)
    return true
  },
)

/** circle */
export const circleEncoder = geometryEncoder(
  'a Circle, { center, radius } or text',
  ['center', 'radius'],
  (circle, doubles) => {
    appendPointField(circle, 'center', doubles)
    appendNumber(circle, 'radius', doubles)
    return false
  },
)

function appendPoint(value: unknown, doubles: number[]): void {
  let x: unknown
  let y: unknown
  if (Array.isArray(value)) {
    if (value.length !== 2) throw new RefusedValue(value, POINT_EXPECTED)
    x = value[0]
    y = value[1]
  } else {
    const fields = POINT_NAMES.objectOf(value)
    x = fields?.x
    y = fields?.y
  }
  if (typeof x !== 'number' || typeof y !== 'number') throw new RefusedValue(value, POINT_EXPECTED)
  doubles.push(x, y)
}

function appendPoints(fields: NamedFields, doubles: number[]): void {
  const { points } = fields
  // The server takes no figure without points (`path_recv`, `poly_recv` in geo_ops.c).
  if (!Array.isArray(points) || points.length === 0) {
    throw new RefusedValue(points, 'an array of one point or more').within('field "points"')
  }
  if (points.length > MOST_POINTS) {
    throw new RefusedValue(points, `an array of at most ${MOST_POINTS} points`).within('field "points"')
  }
  for (let index = 0; index < points.length; index++) {
    appendPlaced(points[index], `point ${index + 1}`, doubles)
  }
}

function appendPointField(fields: NamedFields, name: string, doubles: number[]): void {
  appendPlaced(fields[name], `field "${name}"`, doubles)
}

function appendPlaced(point: unknown, place: string, doubles: number[]): void {
  try {
    appendPoint(point, doubles)
  } catch (error) {
    throw refusalAt(place, error, point)
  }
}

function appendNumber(fields: NamedFields, name: string, doubles: number[]): void {
  const value = fields[name]
  if (typeof value !== 'number') throw new RefusedValue(value, 'a number').within(`field "${name}"`)
  doubles.push(value)
}
