// Types of pgvector, whose extension is named vector.
import { schemaOf, testTypes, testWith, useExtensions } from '../support/extensions.js'

useExtensions('vector')

testTypes('vector', [
  {
    type: 'vector',
    literal: "'[1,-2.5,3e-10,0]'",
    value: Float32Array.of(1, -2.5, 3e-10, 0),
    alsoTaken: [[1, -2.5, 3e-10, 0], Float64Array.of(1, -2.5, 3e-10, 0), '[1,-2.5,3e-10,0]'],
  },
  { type: 'vector', literal: "'[3.4028235e38]'", value: Float32Array.of(3.4028235e38) },
  {
    type: 'halfvec',
    literal: "'[1,-0.5,65504,0.00006103515625]'",
    value: Float32Array.of(1, -0.5, 65504, 0.00006103515625),
    alsoTaken: [[1, -0.5, 65504, 0.00006103515625], '[1,-0.5,65504,0.00006103515625]'],
  },
  // The smallest number that a half has.
  { type: 'halfvec', literal: "'[5.9604645e-8,0]'", value: Float32Array.of(2 ** -24, 0) },
  { type: 'sparsevec', literal: "'{1:1.5,3:-2}/5'", value: '{1:1.5,3:-2}/5' },
  { type: 'sparsevec', literal: "'{}/16'", value: '{}/16' },
])

testWith('vector', 'a vector keeps its memory to itself', async (t, c) => {
  const rows = await c.fetch<{ v: Float32Array }>("select '[1,2]'::vector as v from generate_series(1, 100)")
  const [first, second] = rows.map(({ v }) => v)
  first?.fill(9)
  t.deepEqual(second, Float32Array.of(1, 2))
  await c.fetch("select '[7,7]'::vector from generate_series(1, 100)")
  t.deepEqual(second, Float32Array.of(1, 2))
})

testWith('vector', 'vectors of the longest kind', async (t, c) => {
  const vector = Float32Array.from({ length: 16_000 }, (_, index) => index / 7)
  const read = await c.fetchVal<Float32Array>('select $1::vector', [vector])
  t.true(read?.length === vector.length && vector.every((number, index) => number === read[index]))
  t.is(await c.fetchVal('select vector_dims($1::vector)', [vector]), 16_000)
})

testWith('vector', 'columns are written, and searched by distance', async (t, c) => {
  await c.execute('create temp table item (id int primary key, v vector(3), h halfvec(3))')
  await c.executeMany('insert into item values ($1, $2, $3)', [
    [1, Float32Array.of(1, 0, 0), [1, 0, 0]],
    [2, [0, 1, 0], Float32Array.of(0, 1, 0)],
    [3, null, null],
  ])
  const nearest = await c.fetch(
    'select id, v <-> $1 as distance from item where v is not null order by v <-> $1',
    [[0, 1, 0.5]],
  )
  t.deepEqual(
    nearest.map(({ id, distance }) => [id, distance]),
    [
      [2, 0.5],
      [1, 1.5],
    ],
  )
  const mean = await c.fetchVal(`select ${schemaOf('vector')}.avg(v) from item`)
  t.deepEqual(mean, Float32Array.of(0.5, 0.5, 0))
})

testWith(
  'vector',
  'a vector of another length is refused by the server, and the connection goes on',
  async (t, c) => {
    await c.execute('create temp table item (v vector(3))')
    await t.throwsAsync(c.execute('insert into item values ($1)', [[1, 2]]), {
      message: /expected 3 dimensions/,
    })
    t.is(await c.fetchVal('select 1'), 1)
  },
)
