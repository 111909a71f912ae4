// Types that the driver does not know, and connections whose look-ups are seen.
import type { ExecutionContext } from 'ava'
import { type Connection, type ConnectOptions, connect } from 'oxpg'
import { uniqueName, url } from './server.js'
import { type WireTap, wireTap } from './wire-tap.js'

/** A connection, and what it sends. */
export interface Watched {
  readonly c: Connection
  readonly tap: WireTap
}

/** A connection whose statements are seen. */
export async function watched(t: ExecutionContext, options: ConnectOptions = {}): Promise<Watched> {
  const tap = await wireTap(t)
  const c = await connect(tap.url, { rowMode: 'object', ...options })
  t.teardown(async () => c.terminate())
  return { c, tap }
}

/** A schema with types of every kind, gone with the test; its name is a schema's that no other test uses. */
export async function schemaOfTypes(t: ExecutionContext): Promise<string> {
  const schema = uniqueName('types')
  const c = await connect(url)
  await c.execute(`
    create schema ${schema};
    create type ${schema}.mood as enum ('sad', 'ok', 'happy');
    create domain ${schema}.positive as int check (value > 0);
    create domain ${schema}.moods as ${schema}.mood[];
    create type ${schema}.inner_type as (mood ${schema}.mood, at timestamptz);
    create type ${schema}.outer_type as (id ${schema}.positive, inner_value ${schema}.inner_type, all_moods ${schema}.moods);
    create type ${schema}.span as range (subtype = ${schema}.positive);
    create type ${schema}.mood_range as range (subtype = ${schema}.mood);
    create table ${schema}.person (id int, mood ${schema}.mood, outer_value ${schema}.outer_type)`)
  t.teardown(async () => {
    await c.execute(`set client_min_messages = error; drop schema ${schema} cascade`)
    await c.close()
  })
  return schema
}

/** An outer_type's value in SQL. */
export const OUTER = "row(7, row('ok', '2024-01-02 03:04:05+00'), '{sad,happy}')"
/** The same in JavaScript. */
export const OUTER_VALUE = {
  id: 7,
  inner_value: { mood: 'ok', at: new Date('2024-01-02T03:04:05Z') },
  all_moods: ['sad', 'happy'],
}
