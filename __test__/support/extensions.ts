// Extensions, each in a schema of its own, in a database of this test file alone; and the tests that each of their
// types passes.
import test, { type ExecutionContext } from 'ava'
import { type Connection, connect } from 'oxpg'
import { uniqueName, url, urlWith } from './server.js'

/** What the server has, by name; everything when OXPG_TEST_EXTENSIONS does not say. */
const available = process.env.OXPG_TEST_EXTENSIONS?.split(',')

const database = uniqueName('extensions')

/** A test of this extension; skipped where the server does not have it. */
export function testWith(
  extension: string,
  title: string,
  run: (t: ExecutionContext, c: Connection) => Promise<void>,
): void {
  const register = available?.includes(extension) === false ? test.skip : test
  register(`${extension}: ${title}`, async (t) => {
    const c = await connect(urlWith({ pathname: database }))
    t.teardown(async () => c.terminate())
    await run(t, c)
  })
}

/** The schema of an extension. It is in the search path, since operators are found there only. */
export const schemaOf = (extension: string) => `of_${extension.replaceAll('-', '_')}`

/** Makes the file's database with those of the extensions that there are, and says which are not. */
export function useExtensions(...extensions: readonly string[]): void {
  test.before(async (t) => {
    const names = extensions.filter((name) => available?.includes(name) !== false)
    for (const name of extensions) if (!names.includes(name)) t.log(`the server does not have ${name}`)
    await inDatabase(url, async (c) => {
      await c.execute(`create database ${database}`)
      const path = ['public', ...names.map(schemaOf)].join(', ')
      await c.execute(`alter database ${database} set search_path = ${path}`)
    })
    await inDatabase(urlWith({ pathname: database }), async (c) => {
      for (const name of names) {
        await c.execute(`create schema ${schemaOf(name)}`)
        await c.execute(`create extension "${name}" with schema ${schemaOf(name)}`)
      }
    })
  })
  test.after.always(() =>
    inDatabase(url, (c) => c.execute(`drop database if exists ${database} with (force)`)),
  )
}

async function inDatabase(at: string, run: (c: Connection) => Promise<unknown>): Promise<void> {
  const c = await connect(at)
  try {
    await run(c)
  } finally {
    await c.close()
  }
}

/** A value of a type of an extension. */
export interface Sample {
  readonly type: string
  /** In SQL. */
  readonly literal: string
  /** In JavaScript. */
  readonly value: unknown
  /** The type has no operator `=`, so only the texts can be compared. */
  readonly hasNoEquality?: boolean
  /** What else may be given for it as a parameter. */
  readonly alsoTaken?: readonly unknown[]
}

/** Both ways: each value alone, NULL, in an array, in a composite, in a domain. */
export function testTypes(extension: string, samples: readonly Sample[]): void {
  for (const sample of samples) {
    const { literal, value } = sample
    const type = `${schemaOf(extension)}.${sample.type}`
    const title = `${sample.type} ${literal.slice(0, 40)}`

    testWith(extension, title, async (t, c) => {
      // The first execution reads with the loop, the third with the compiled class.
      for (let round = 0; round < 3; round += 1) {
        t.deepEqual(await c.fetchVal(`select (${literal})::${type}`), value)
      }
      for (const parameter of [value, ...(sample.alsoTaken ?? [])]) {
        if (!sample.hasNoEquality) {
          const isSame = `select $1::${type} is not distinct from (${literal})::${type}`
          t.true(await c.fetchVal(isSame, [parameter]))
        }
        await isTextOf(t, c, `(${literal})::${type}`, `$1::${type}`, parameter)
      }
      t.is(await c.fetchVal(`select null::${type}`), null)
      t.true(await c.fetchVal(`select $1::${type} is null`, [null]))
    })

    testWith(extension, `array of ${title}`, async (t, c) => {
      const array = `array[(${literal})::${type}, null]`
      for (let round = 0; round < 3; round += 1) {
        t.deepEqual(await c.fetchVal(`select ${array}`), [value, null])
      }
      await isTextOf(t, c, array, `$1::${type}[]`, [value, null])
      const nested = `array[array[null, (${literal})::${type}]]`
      t.deepEqual(await c.fetchVal(`select ${nested}`), [[null, value]])
      await isTextOf(t, c, nested, `$1::${type}[]`, [[null, value]])
      t.deepEqual(await c.fetchVal(`select '{}'::${type}[]`), [])
    })

    testWith(extension, `composite with ${title}`, async (t, c) => {
      const holder = uniqueName('holder')
      await c.execute(`create type ${holder} as (value ${type}, label text, several ${type}[])`)
      const row = `row((${literal})::${type}, 'a "b", c', array[null, (${literal})::${type}])::${holder}`
      for (let round = 0; round < 3; round += 1) {
        const held = await c.fetchVal<Record<string, unknown>>(`select ${row}`)
        t.deepEqual([held?.value, held?.label, held?.several], [value, 'a "b", c', [null, value]])
      }
      const parameter = { value, label: 'a "b", c', several: [null, value] }
      await isTextOf(t, c, row, `$1::${holder}`, parameter)
      const empty = await c.fetchVal<Record<string, unknown>>(`select row(null, null, null)::${holder}`)
      t.deepEqual([empty?.value, empty?.label, empty?.several], [null, null, null])
    })

    testWith(extension, `domain over ${title}`, async (t, c) => {
      const domain = uniqueName('domain')
      await c.execute(`create domain ${domain} as ${type}`)
      t.deepEqual(await c.fetchVal(`select (${literal})::${type}::${domain}`), value)
      await isTextOf(t, c, `(${literal})::${type}`, `$1::${domain}`, value)
    })
  }
}

/** The server prints the parameter as it prints the expression. */
async function isTextOf(
  t: ExecutionContext,
  c: Connection,
  expression: string,
  parameterExpression: string,
  parameter: unknown,
): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    t.is(
      await c.fetchVal(`select ${parameterExpression}::text`, [parameter]),
      await c.fetchVal(`select ${expression}::text`),
    )
  }
}
