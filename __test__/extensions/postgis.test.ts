// Types of PostGIS.
import { testTypes, testWith, useExtensions } from '../support/extensions.js'

useExtensions('postgis')

/** EWKB of a point: byte order, type (with a flag for the SRID), SRID, x, y. */
const POINT = Buffer.from('0101000020e6100000000000000000f03f0000000000000040', 'hex')
/** The same without an SRID. */
const PLAIN_POINT = Buffer.from('0101000000000000000000f03f0000000000000040', 'hex')
/** LINESTRING Z (0 0 1, 2 2 3) */
const LINE = Buffer.from(
  '01020000800200000000000000000000000000000000000000000000000000f03f000000000000004000000000000000400000000000000840',
  'hex',
)

testTypes('postgis', [
  {
    type: 'geometry',
    literal: "'SRID=4326;POINT(1 2)'",
    value: POINT,
    alsoTaken: ['SRID=4326;POINT(1 2)', POINT.toString('hex'), new Uint8Array(POINT)],
  },
  { type: 'geometry', literal: "'POINT(1 2)'", value: PLAIN_POINT, alsoTaken: ['POINT(1 2)'] },
  { type: 'geometry', literal: "'LINESTRING Z (0 0 1, 2 2 3)'", value: LINE },
  {
    type: 'geography',
    literal: "'SRID=4326;POINT(1 2)'",
    value: POINT,
    alsoTaken: ['POINT(1 2)', 'SRID=4326;POINT(1 2)'],
  },
  { type: 'box2d', literal: "'BOX(1 2,3 4)'", value: 'BOX(1 2,3 4)', hasNoEquality: true },
  { type: 'box3d', literal: "'BOX3D(1 2 3,4 5 6)'", value: 'BOX3D(1 2 3,4 5 6)', hasNoEquality: true },
])

testWith('postgis', 'columns are written, and searched by distance', async (t, c) => {
  await c.execute('create temp table place (name text, at geography(point, 4326))')
  await c.executeMany('insert into place values ($1, $2)', [
    ['here', POINT],
    ['there', 'POINT(10 20)'],
    ['nowhere', null],
  ])
  const rows = await c.fetch('select name, at from place where st_dwithin(at, $1, 1000)', ['POINT(1 2.001)'])
  t.deepEqual(
    rows.map(({ name, at }) => [name, at]),
    [['here', POINT]],
  )
  t.is(await c.fetchVal('select st_astext($1::geometry)', [POINT]), 'POINT(1 2)')
  t.is(await c.fetchVal('select st_distance($1::geometry, $2)', ['POINT(0 0)', 'POINT(3 4)']), 5)
})

testWith('postgis', 'geometry_dump, a composite with an array and a geometry', async (t, c) => {
  const dumps = await c.fetch<{ d: { path: number[]; geom: Buffer } }>(
    "select st_dump('MULTIPOINT(1 2, 3 4)'::geometry) as d",
  )
  t.deepEqual(
    dumps.map(({ d }) => d.path),
    [[1], [2]],
  )
  t.deepEqual(dumps[0]?.d.geom, PLAIN_POINT)
})

testWith('postgis', 'geometries longer than 16 KiB', async (t, c) => {
  const line = await c.fetchVal<Buffer>(
    'select st_makeline(array_agg(st_point(i, i))) from generate_series(1, 5000) i',
  )
  t.is(line?.length, 9 + 5000 * 16)
  t.is(await c.fetchVal('select st_npoints($1::geometry)', [line]), 5000)
})
