import test from 'ava'
import { Box, Circle, DataError, Line, LineSegment, Path, Point, Polygon } from 'oxpg'
import { schema, shared, testRefusals, testTypes } from '../support/type-table.js'

const triangle = [new Point(0, 0), new Point(1, 2.5), new Point(-1e-300, 0.1)]

testTypes([
  {
    type: 'point',
    // It has no `=`: `~=` is another one.
    lacks: ['equality', 'ranges'],
    rows: [
      ["'(1,2)'", new Point(1, 2)],
      ["'(-0,0.1)'", new Point(-0, 0.1)],
      ["'(1e300,5e-324)'", new Point(1e300, 5e-324)],
      ["'(NaN,-Infinity)'", new Point(Number.NaN, Number.NEGATIVE_INFINITY)],
      ["'(1,2)'", new Point(1, 2), { parameter: { x: 1, y: 2 } }],
      ["'(1,2)'", new Point(1, 2), { parameter: [1, 2] }],
      ["'(1,2)'", new Point(1, 2), { parameter: '1, 2' }],
    ],
  },
  {
    type: 'line',
    lacks: ['ranges'],
    rows: [
      ["'{1,-2,0.5}'", new Line(1, -2, 0.5)],
      ["'{0,1,1e-30}'", new Line(0, 1, 1e-30)],
      ["'{1,-1,2}'", new Line(1, -1, 2), { parameter: { a: 1, b: -1, c: 2 } }],
      ["'[(0,2),(1,3)]'", new Line(1, -1, 2), { parameter: '[(0,2),(1,3)]' }],
    ],
  },
  {
    type: 'lseg',
    lacks: ['ranges'],
    rows: [
      ["'[(1,2),(3,4)]'", new LineSegment([1, 2], [3, 4])],
      ["'[(0,-0.5),(0,0.1)]'", new LineSegment([0, -0.5], [0, 0.1])],
      [
        "'[(1,2),(3,4)]'",
        new LineSegment([1, 2], [3, 4]),
        { parameter: { start: [1, 2], end: { x: 3, y: 4 } } },
      ],
      ["'[(1,2),(3,4)]'", new LineSegment([1, 2], [3, 4]), { parameter: '1,2,3,4' }],
    ],
  },
  {
    type: 'box',
    lacks: ['ranges'],
    rows: [
      ["'(3,4),(1,2)'", new Box([3, 4], [1, 2])],
      ["'(1,4),(3,2)'", new Box([3, 4], [1, 2])],
      ["'(0.1,0.2),(-0.1,-1e10)'", new Box([0.1, 0.2], [-0.1, -1e10])],
      ["'(3,4),(1,2)'", new Box([3, 4], [1, 2]), { parameter: { high: [1, 4], low: [3, 2] } }],
      ["'(3,4),(1,2)'", new Box([3, 4], [1, 2]), { parameter: '((1,2),(3,4))' }],
    ],
  },
  {
    type: 'path',
    lacks: ['ranges'],
    rows: [
      ["'[(0,0),(1,2.5),(-1e-300,0.1)]'", new Path(triangle)],
      ["'((0,0),(1,2.5),(-1e-300,0.1))'", new Path(triangle, true)],
      ["'[(1,2)]'", new Path([[1, 2]])],
      ["'((1,2))'", new Path([[1, 2]], true)],
      [
        "'[(1,2),(3,4)]'",
        new Path([
          [1, 2],
          [3, 4],
        ]),
        {
          parameter: {
            points: [
              [1, 2],
              [3, 4],
            ],
            isClosed: false,
          },
        },
      ],
      [
        "'((1,2),(3,4))'",
        new Path(
          [
            [1, 2],
            [3, 4],
          ],
          true,
        ),
        { parameter: '1,2,3,4' },
      ],
    ],
  },
  {
    type: 'polygon',
    lacks: ['equality', 'ranges'],
    rows: [
      ["'((0,0),(1,2.5),(-1e-300,0.1))'", new Polygon(triangle)],
      ["'((1,2))'", new Polygon([[1, 2]])],
      [
        "'((1,2),(3,4))'",
        new Polygon([
          [1, 2],
          [3, 4],
        ]),
        {
          parameter: {
            points: [
              [1, 2],
              [3, 4],
            ],
          },
        },
      ],
      [
        "'((1,2),(3,4))'",
        new Polygon([
          [1, 2],
          [3, 4],
        ]),
        { parameter: '1,2,3,4' },
      ],
    ],
  },
  {
    type: 'circle',
    // Its `=` compares areas, of which infinite ones are not equal before version 14.
    lacks: ['equality', 'ranges'],
    rows: [
      ["'<(1,2),3>'", new Circle([1, 2], 3)],
      ["'<(0.1,-0.5),0>'", new Circle([0.1, -0.5], 0)],
      ["'<(0,0),Infinity>'", new Circle([0, 0], Number.POSITIVE_INFINITY)],
      ["'<(1,2),3>'", new Circle([1, 2], 3), { parameter: { center: [1, 2], radius: 3 } }],
      ["'<(1,2),3>'", new Circle([1, 2], 3), { parameter: '((1,2),3)' }],
    ],
  },
])

test('a polygon of many points', async (t) => {
  const c = shared()
  const polygon = new Polygon(Array.from({ length: 3000 }, (_, index) => new Point(index, index / 3)))
  for (let round = 0; round < 3; round += 1) {
    const [points, back] = (await c.fetchRow<[number, Polygon]>(
      'select npoints($1::polygon), $1::polygon',
      [polygon],
      { rowMode: 'array' },
    ))!
    t.is(points, 3000)
    t.true(polygon.equals(back))
  }
})

test('points in columns are searched by distance', async (t) => {
  const c = shared()
  await c.execute(`create table ${schema}.places (name text, at point)`)
  await c.executeMany(`insert into ${schema}.places values ($1, $2)`, [
    ['near', new Point(1, 1)],
    ['far', { x: 100, y: 100 }],
  ])
  t.is(
    await c.fetchVal(`select name from ${schema}.places order by at <-> $1 limit 1`, [new Point(0, 0)]),
    'near',
  )
})

testRefusals([
  ['point', 5, /: 5 /],
  ['point', [1], /\[1\]/],
  ['point', { x: 1 }],
  ['point', { x: '1', y: 2 }],
  ['point[]', [new Point(1, 2), 'x'.length], /element 2/],
  ['line', { a: 1, b: 2 }],
  ['line', new Point(1, 2)],
  ['lseg', { start: [1, 2] }],
  ['box', [1, 2, 3, 4]],
  ['path', { points: [[1, 2]], isClosed: 'no' }],
  ['path', { points: [], isClosed: true }],
  ['polygon', { points: [] }],
  ['polygon', new Path([[1, 2]])],
  ['circle', { center: [1, 2], radius: '3' }],
])

test('text that is no figure is refused by the server', async (t) => {
  const c = shared()
  for (const type of ['point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle']) {
    for (let round = 0; round < 2; round += 1) {
      await t.throwsAsync(c.fetch(`select $1::${type}`, ['(1,']), { code: '22P02' }, type)
      await t.throwsAsync(c.fetch(`select $1::${type}[]`, [['(1,']]), { instanceOf: DataError }, type)
    }
  }
  await t.throwsAsync(c.fetch('select $1::line', [{ a: 0, b: 0, c: 1 }]), { instanceOf: DataError })
  await t.throwsAsync(c.fetch('select $1::circle', [{ center: [0, 0], radius: -1 }]), {
    instanceOf: DataError,
  })
  t.is(await c.fetchVal('select 1'), 1)
})
