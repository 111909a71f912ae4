// Random values with parts, in both formats, compared with what the server itself prints for them and reads from them.
import test from 'ava'
import fc from 'fast-check'
import { Range } from 'oxpg'
import { schema, shared, useSchema } from '../support/type-table.js'
import { plain } from '../support/values.js'

useSchema(async (c) => {
  await c.execute(`create type ${schema}.parts as (number numeric, label text, list text[]);
    create type ${schema}.whole as (part ${schema}.parts, parts ${schema}.parts[], spans int4range[]);
    create type ${schema}.whole_text as (part ${schema}.parts, parts ${schema}.parts[], spans int4range[], acl aclitem);
    create type ${schema}.text_span as range (subtype = text, collation = "C")`)
})

/** Text as PostgreSQL can hold it, rich in what its literals have to quote. */
const anyText = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'ab "\'\\{}()[],;\n\t', 'NULL', 'ü', '世', '😀'), maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replaceAll('\0', '')),
)

test('text in arrays of two dimensions with lower bounds, in both formats', async (t) => {
  const c = shared()
  const element = fc.option(anyText, { nil: null })
  const rectangle = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }))
    .chain(([rows, columns]) =>
      fc.array(fc.array(element, { minLength: columns, maxLength: columns }), {
        minLength: rows,
        maxLength: rows,
      }),
    )
  const property = fc.asyncProperty(rectangle, fc.integer({ min: -5, max: 5 }), async (list, lower) => {
    t.deepEqual(await c.fetchVal('select $1::text[]', [list]), list)
    const text = await c.fetchVal<string>('select $1::text[]::text', [list])
    const bounds = `[${lower}:${lower + list.length - 1}][1:${list[0]?.length}]`
    const moved = lower === 1 ? text : `${bounds}=${text}`
    const query = `select $1::text[] as alone, row(row(0, '', $1::text[]), null, null, null)::${schema}.whole_text as whole`
    const row = await c.fetchRow<{ alone: unknown; whole: { part: { list: unknown } } }>(query, [moved])
    t.deepEqual(row?.alone, list)
    t.deepEqual(row?.whole.part.list, list)
    for (const back of [row?.alone, row?.whole.part.list]) {
      t.is(await c.fetchVal('select $1::text[]::text', [back]), moved)
      t.is(
        await c.fetchVal(`select (($1::${schema}.whole_text).part).list::text`, [{ part: { list: back } }]),
        moved,
      )
    }
  })
  await fc.assert(property, { numRuns: 100 })
})

const anyParts = fc.record({
  number: fc.option(fc.constantFrom('1', '-2.50', 'NaN', '12345678901234567890'), { nil: null }),
  label: fc.option(anyText, { nil: null }),
  list: fc.option(fc.array(fc.option(anyText, { nil: null }), { maxLength: 4 }), { nil: null }),
})

const anySpan = fc
  .tuple(
    fc.option(fc.integer({ min: -1000, max: 0 }), { nil: null }),
    fc.option(fc.integer({ min: 1, max: 1000 }), { nil: null }),
  )
  .map(([lower, upper]) => new Range(lower, upper))

const anyWhole = fc.record({
  part: fc.option(anyParts, { nil: null }),
  parts: fc.option(fc.array(fc.option(anyParts, { nil: null }), { maxLength: 3 }), { nil: null }),
  spans: fc.option(
    fc.array(fc.oneof(anySpan, fc.constant(Range.empty()), fc.constant(null)), { maxLength: 3 }),
    { nil: null },
  ),
})

test('composites of composites, arrays and ranges, in both formats', async (t) => {
  const c = shared()
  const query = `select $1::${schema}.whole as binary, $2::${schema}.whole_text as textual,
    row(($2::${schema}.whole_text).part, ($2::${schema}.whole_text).parts, ($2::${schema}.whole_text).spans)::${schema}.whole::text = $1::${schema}.whole::text as same,
    row(row($1::${schema}.whole), array[row($2::${schema}.whole_text)]) is not null as is_there,
    row($1::${schema}.whole, array[$1::${schema}.whole, null]) as record`
  const property = fc.asyncProperty(anyWhole, async (whole) => {
    const row = await c.fetchRow(query, [whole, { ...whole, acl: null }], { rowMode: 'object' })
    t.deepEqual(plain(row?.binary), plain(whole))
    t.deepEqual(plain(row?.textual), plain({ ...whole, acl: null }))
    t.true(row?.same)
    t.deepEqual(plain(row?.record), plain({ f1: whole, f2: [whole, null] }))
  })
  await fc.assert(property, { numRuns: 150 })
})

test('ranges of text, in both formats', async (t) => {
  const c = shared()
  await c.execute(`create type ${schema}.spans as (spans ${schema}.text_span[], acl aclitem)`)
  const anyRange = fc
    .tuple(fc.option(anyText, { nil: null }), fc.option(anyText, { nil: null }), fc.boolean(), fc.boolean())
    .filter(([a, b]) => a === null || b === null || Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0)
    .map(
      ([lower, upper, lowerInclusive, upperInclusive]) =>
        new Range(lower, upper, { lowerInclusive, upperInclusive }),
    )
  const property = fc.asyncProperty(
    fc.array(fc.oneof(anyRange, fc.constant(null)), { maxLength: 10 }),
    async (spans) => {
      const query = `select $1::${schema}.text_span[] as spans, $2::${schema}.spans as textual, ($2::${schema}.spans).spans = $1 as same`
      const row = await c.fetchRow<{ textual: unknown }>(query, [spans, { spans, acl: null }])
      t.deepEqual(plain({ ...row }), plain({ spans, textual: { spans, acl: null }, same: true }))
    },
  )
  await fc.assert(property, { numRuns: 60 })
})
