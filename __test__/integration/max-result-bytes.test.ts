import test from 'ava'
import { InterfaceError } from 'oxpg'
import { connection, pool, uniqueName } from '../support/server.js'

const WIDE = "select i, repeat('x', 1000) as x from generate_series(1, $1::int) i"
/** In FROM they would be made before the first is given. */
const ENDLESS = "select generate_series(1, 1000000000) as i, repeat('x', 1000) as x"
const LIMIT = 100_000
const tooLarge = {
  instanceOf: InterfaceError,
  message: /more than 100000 bytes \(maxResultBytes\).*stream\(\)/,
}

test('a result that is larger is refused, what is left of it cancelled, and the connection usable', async (t) => {
  const c = await connection(t)
  const options = { maxResultBytes: LIMIT }
  t.is((await c.fetch(WIDE, [90], options)).length, 90)
  await t.throwsAsync(c.fetch(WIDE, [110], options), tooLarge)
  await t.throwsAsync(c.fetch(ENDLESS, [], options), tooLarge)
  await t.throwsAsync(c.run(ENDLESS, [], options), tooLarge)
  await t.throwsAsync(c.fetchRow("select repeat('x', 200000) as x", [], options), tooLarge)
  await t.throwsAsync(c.fetchVal("select repeat('x', 200000) as x", [], options), tooLarge)
  await t.throwsAsync(c.fetchMany(WIDE, [[60], [60]], options), tooLarge)
  t.is((await c.fetchMany(WIDE, [[40], [40]], options)).length, 80)
  t.is(await c.execute(WIDE, [1_000]), 'SELECT 1000')
  t.is((await c.fetch(WIDE, [1_000])).length, 1_000)
})

test('rows that wait for their types count', async (t) => {
  const other = await connection(t)
  const name = uniqueName('mood')
  await other.execute(`create type ${name} as enum ('fine')`)
  try {
    const c = await connection(t)
    // Only the rows say what an anonymous record holds.
    const query = `select generate_series(1, 1000000000) as i, row('fine'::${name}, repeat('x', 1000)) as x`
    await t.throwsAsync(c.fetch(query, [], { maxResultBytes: LIMIT }), tooLarge)
    const row = await c.fetchRow<{ x: object }>(query, [], { maxResultBytes: LIMIT })
    t.is(Object.values(row!.x)[0], 'fine')
  } finally {
    await other.execute(`drop type ${name}`)
  }
})

test('others behind it get their answers', async (t) => {
  const c = await connection(t)
  const results = await Promise.allSettled([
    c.fetchVal('select 1'),
    c.fetch(ENDLESS, [], { maxResultBytes: LIMIT }),
    c.fetchVal('select 2'),
    c.fetchVal('select 3'),
  ])
  t.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? result.value : 'refused')),
    [1, 'refused', 2, 3],
  )
})

test('connections and pools have a default, which a call may lift', async (t) => {
  for (const target of [
    await connection(t, { maxResultBytes: LIMIT }),
    await pool(t, { maxResultBytes: LIMIT }),
  ]) {
    await t.throwsAsync(target.fetch(ENDLESS), tooLarge)
    await t.throwsAsync(target.fetch(WIDE, [110]), tooLarge)
    t.is((await target.fetch(WIDE, [90])).length, 90)
    t.is((await target.fetch(WIDE, [110], { maxResultBytes: 0 })).length, 110)
    await target.transaction(async (tx) => t.is((await tx.fetch(WIDE, [90])).length, 90))
    await t.throwsAsync(
      target.transaction((tx) => tx.fetch(ENDLESS)),
      tooLarge,
    )
    let rows = 0
    for await (const _ of target.stream(WIDE, [1_000])) rows++
    t.is(rows, 1_000)
    t.is(await target.fetchVal('select 1'), 1)
  }
})

test('the rows of a batch count together', async (t) => {
  const p = await pool(t, { maxSize: 1 })
  const half = "select repeat('x', 600) as half"
  const whole = await p.batch([half, half], { maxResultBytes: 2_000 })
  t.deepEqual(whole[1], [{ half: 'x'.repeat(600) }])
  await t.throwsAsync(p.batch([half, half], { maxResultBytes: 1_000 }), {
    instanceOf: InterfaceError,
    message: /1000/,
  })
  const context = p.withContext({ settings: { 'app.tenant': 'a' } })
  await t.throwsAsync(context.fetch(half, [], { maxResultBytes: 100 }), { instanceOf: InterfaceError })
  t.is(await p.fetchVal('select 1'), 1)
})

test('what is no number of bytes is refused', async (t) => {
  const c = await connection(t)
  for (const maxResultBytes of [-1, 1.5, '1', Number.NaN]) {
    await t.throwsAsync(c.fetch('select 1', [], { maxResultBytes: maxResultBytes as number }), {
      instanceOf: InterfaceError,
      message: /maxResultBytes/,
    })
  }
})
