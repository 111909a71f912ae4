import { Box, Circle, Line, LineSegment, Path, Polygon } from '../../types/geometry'
import { Point } from '../../types/point'
import { type ColumnReader, calledReader } from './column-reader'

type Doubles = Float64Array

function pointAt(doubles: Doubles, cell: number): Point {
  return new Point(doubles[cell]!, doubles[cell + 1]!)
}

function pointsAt(doubles: Doubles, first: number, doubleCount: number): Point[] {
  const points: Point[] = []
  for (let cell = first; cell < first + doubleCount; cell += 2) points.push(pointAt(doubles, cell))
  return points
}

/** A reader of a value with a fixed number of doubles, the first of which is in the cell that `make` gets. */
function fixedReader(make: (doubles: Doubles, first: number) => unknown): ColumnReader {
  return calledReader((views, cell) => make(views.f, views.u[2 * cell]! + 1))
}

/** point */
export const pointReader = fixedReader(pointAt)

/** line */
export const lineReader = fixedReader((f, first) => new Line(f[first]!, f[first + 1]!, f[first + 2]!))

/** lseg */
export const segmentReader = fixedReader(
  (f, first) => new LineSegment(pointAt(f, first), pointAt(f, first + 2)),
)

/** box: the upper right corner comes first (`box_send` in geo_ops.c). */
export const boxReader = fixedReader((f, first) => new Box(pointAt(f, first), pointAt(f, first + 2)))

/** circle */
export const circleReader = fixedReader((f, first) => new Circle(pointAt(f, first), f[first + 2]!))

/** path */
export const pathReader = calledReader(({ f, u }, cell) => {
  const block = u[2 * cell]!
  return new Path(pointsAt(f, block + 1, u[2 * block]!), u[2 * block + 1] !== 0)
})

/** polygon */
export const polygonReader = calledReader(({ f, u }, cell) => {
  const block = u[2 * cell]!
  return new Polygon(pointsAt(f, block + 1, u[2 * block]!))
})
