// Types and codecs for the tests of codecs.
import type { ExecutionContext } from 'ava'
import { type Connection, connect, type TypeCodecOptions } from 'oxpg'
import { connection, uniqueName, url } from './server.js'

/** A schema with types, gone with the test. */
export async function schemaOfTypes(t: ExecutionContext): Promise<string> {
  const schema = uniqueName('codecs')
  const c = await connect(url)
  await c.execute(`
    create schema ${schema};
    create type ${schema}.mood as enum ('sad', 'happy');
    create domain ${schema}.mood_domain as ${schema}.mood;
    create domain ${schema}.domain_of_domain as ${schema}.mood_domain;
    create domain ${schema}.amount as numeric;
    create type ${schema}.pair as (amount numeric, mood ${schema}.mood);
    create type ${schema}.nested as (pair ${schema}.pair, amounts numeric[]);
    create type ${schema}.amount_range as range (subtype = numeric);
    create table ${schema}.item (id int, amount numeric, mood ${schema}.mood)`)
  t.teardown(async () => {
    await c.execute(`set client_min_messages = error; drop schema ${schema} cascade`)
    await c.close()
  })
  return schema
}

/** A decimal as an application may have it. */
export class Decimal {
  constructor(readonly text: string) {}
}

/** For numeric. */
export const decimalCodec: TypeCodecOptions<Decimal> = {
  schema: 'pg_catalog',
  encode: (value) => value.text,
  decode: (text) => new Decimal(text),
}

/** Text of the server in upper case. */
export const upperCase = (schema: string): TypeCodecOptions<string> => ({
  schema,
  encode: (value) => value.toLowerCase(),
  decode: (text) => text.toUpperCase(),
})

/** A connection whose rows, and composite values, are plain objects. */
export const open = (t: ExecutionContext): Promise<Connection> => connection(t, { rowMode: 'object' })
