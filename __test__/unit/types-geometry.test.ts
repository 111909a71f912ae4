import { inspect } from 'node:util'
import test from 'ava'
import { Box, Circle, Line, LineSegment, Path, Point, type PointLike, Polygon } from '../../src/types/index'

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number

test('every class: text, JSON and how it prints', (t) => {
  const cases: [object, string, string, string][] = [
    [new Point(1, -2.5), '(1,-2.5)', '{"x":1,"y":-2.5}', 'Point (1,-2.5)'],
    [new Line(1, 2, 3), '{1,2,3}', '{"a":1,"b":2,"c":3}', 'Line {1,2,3}'],
    [
      new LineSegment([1, 2], [3, 4]),
      '[(1,2),(3,4)]',
      '{"start":{"x":1,"y":2},"end":{"x":3,"y":4}}',
      'LineSegment [(1,2),(3,4)]',
    ],
    [new Box([3, 4], [1, 2]), '(3,4),(1,2)', '{"high":{"x":3,"y":4},"low":{"x":1,"y":2}}', 'Box (3,4),(1,2)'],
    [
      new Path([
        [1, 2],
        [3, 4],
      ]),
      '[(1,2),(3,4)]',
      '{"points":[{"x":1,"y":2},{"x":3,"y":4}],"isClosed":false}',
      'Path [(1,2),(3,4)]',
    ],
    [new Path([[1, 2]], true), '((1,2))', '{"points":[{"x":1,"y":2}],"isClosed":true}', 'Path ((1,2))'],
    [
      new Polygon([
        [1, 2],
        [3, 4],
      ]),
      '((1,2),(3,4))',
      '{"points":[{"x":1,"y":2},{"x":3,"y":4}]}',
      'Polygon ((1,2),(3,4))',
    ],
    [new Circle([1, 2], 3), '<(1,2),3>', '{"center":{"x":1,"y":2},"radius":3}', 'Circle <(1,2),3>'],
  ]
  for (const [shape, text, json, printed] of cases) {
    t.is(String(shape), text)
    t.is(JSON.stringify(shape), json)
    t.is(inspect(shape), printed)
    t.is(inspect([shape]), `[ ${printed} ]`)
    t.true(inspect(shape, { colors: true }).includes('\u001b[33m'), printed)
  }
})

test('numbers that are not finite are written as PostgreSQL reads them', (t) => {
  t.is(String(new Point(infinity, -infinity)), '(Infinity,-Infinity)')
  t.is(String(new Circle([nan, 1e21], infinity)), '<(NaN,1e+21),Infinity>')
})

test('points may be given as a Point, a pair or an object', (t) => {
  const point = new Point(1, 2)
  t.is(new Circle(point, 1).center, point)
  t.true(new Circle([1, 2], 1).center.equals(point))
  t.true(new Circle({ x: 1, y: 2 }, 1).center.equals(point))
  t.true(new Polygon([point, [1, 2], { x: 1, y: 2 }]).points.every((each) => each.equals(point)))
})

test('a box keeps its upper right and its lower left corner, whichever it is given', (t) => {
  const box = new Box([3, 4], [1, 2])
  for (const [one, other] of [
    [
      [1, 2],
      [3, 4],
    ],
    [
      [1, 4],
      [3, 2],
    ],
    [
      [3, 2],
      [1, 4],
    ],
  ] as [PointLike, PointLike][]) {
    t.true(new Box(one, other).equals(box))
  }
  // PostgreSQL has NaN above all numbers.
  t.is(String(new Box([1, nan], [nan, 2])), '(NaN,NaN),(1,2)')
  const [high, low] = [new Point(5, 5), new Point(5, 4)]
  const kept = new Box(high, low)
  t.true(kept.high === high && kept.low === low)
})

test('the points of paths and polygons cannot be changed', (t) => {
  const given: PointLike[] = [[1, 2]]
  for (const shape of [new Path(given), new Polygon(given)]) {
    t.true(Object.isFrozen(shape.points))
    given.push([3, 4])
    t.is(shape.points.length, 1)
    given.pop()
  }
})

test('arguments that do not fit are refused by name', (t) => {
  const refused: [() => unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    [() => new Point('1' as never, 2), TypeError, /^x: expected a number, but got '1'$/],
    [() => new Point(1, undefined as never), TypeError, /^y: expected a number, but got undefined$/],
    [() => new Line(1, 2, 3n as never), TypeError, /^c: /],
    [() => new Line(0, -0, 3), RangeError, /^a, b: expected that one of them is not 0/],
    [
      () => new LineSegment([1, 2], [1] as never),
      TypeError,
      /^end: expected a Point, \[x, y\] or \{ x, y \}/,
    ],
    [() => new LineSegment(null as never, [1, 2]), TypeError, /^start: /],
    [() => new Box([1, '2'] as never, [1, 2]), TypeError, /^high\[1\]: expected a number, but got '2'$/],
    [() => new Box([1, 2], { x: 1 } as never), TypeError, /^low: /],
    [() => new Path([[1, 2], 3 as never]), TypeError, /^points\[1\]: /],
    [() => new Path([[1, 2], { x: 1, y: '2' } as never]), TypeError, /^points\[1\]\.y: /],
    [() => new Path([]), RangeError, /^points: expected at least one point/],
    [() => new Path([[1, 2]], 1 as never), TypeError, /^isClosed: /],
    [() => new Polygon('((1,2))' as never), TypeError, /^points: expected an array/],
    [() => new Polygon([]), RangeError, /^points: /],
    [() => new Polygon(new Array(1)), TypeError, /^points\[0\]: /],
    [
      () => new Circle([1, 2], -1),
      RangeError,
      /^radius: expected a number that is not negative, but got -1$/,
    ],
    [() => new Circle([1, 2], '1' as never), TypeError, /^radius: /],
  ]
  for (const [make, instanceOf, message] of refused) t.throws(make, { instanceOf, message })
})

test('equal are the same class and numbers; 0 is -0 and NaN is NaN', (t) => {
  const makers: (() => { equals(other: unknown): boolean })[] = [
    () => new Point(0, nan),
    () => new Line(1, nan, infinity),
    () => new LineSegment([0, 1], [2, 3]),
    () => new Box([2, 3], [0, 1]),
    () => new Path([[0, nan]]),
    () => new Path([[0, nan]], true),
    () => new Polygon([[0, nan]]),
    () => new Circle([0, 1], nan),
  ]
  for (const [index, make] of makers.entries()) {
    for (const [otherIndex, other] of makers.entries()) t.is(make().equals(other()), index === otherIndex)
    t.false(make().equals(String(make())))
    t.false(make().equals(null))
  }
  t.true(new Point(0, 1).equals(new Point(-0, 1)))
  t.false(new Point(0, 1).equals(new Point(1, 0)))
  t.false(new Line(1, 2, 3).equals(new Line(2, 4, 6)))
  t.false(new LineSegment([0, 1], [2, 3]).equals(new LineSegment([2, 3], [0, 1])))
  t.false(new Circle([0, 1], 1).equals(new Circle([0, 1], 2)))
  t.false(new Polygon([[0, 1]]).equals(new Polygon([[0, 1], new Point(0, 1)])))
  t.false(new Polygon([[0, 1]]).equals(new Polygon([[0, 2]])))
})

test('many points print as an array of them would', (t) => {
  const points = Array.from({ length: 5 }, (_, index): PointLike => [index, index])
  t.is(inspect(new Path(points), { maxArrayLength: 2 }), 'Path [(0,0),(1,1),... 3 more points]')
  t.is(
    inspect(new Polygon(points), { maxArrayLength: 4 }),
    'Polygon ((0,0),(1,1),(2,2),(3,3),... 1 more point)',
  )
  t.is(inspect(new Polygon([[1, 1]]), { maxArrayLength: null }), 'Polygon ((1,1))')
})
