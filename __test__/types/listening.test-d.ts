// What listen takes and gives.
import { expectTypeOf } from 'expect-type'
import type { Connection, Notification, NotificationGap, Pool, Subscription, Transaction } from 'oxpg'

declare const connection: Connection<'array'>
declare const pool: Pool

expectTypeOf(connection.listen('jobs')).toEqualTypeOf<Promise<Subscription>>()
expectTypeOf(
  connection.listen('jobs', (payload, notification, from) => {
    expectTypeOf(payload).toEqualTypeOf<string>()
    expectTypeOf(notification).toEqualTypeOf<Notification>()
    expectTypeOf(from).toEqualTypeOf<Connection<'array'>>()
  }),
).toEqualTypeOf<Promise<Subscription>>()
expectTypeOf(pool.listen('jobs')).toEqualTypeOf<Promise<Subscription<Notification | NotificationGap>>>()
// @ts-expect-error maxQueued is for iterations
connection.listen('jobs', () => {}, { maxQueued: 5 })
// @ts-expect-error onGap is a pool's
connection.listen('jobs', () => {}, { onGap: () => {} })
pool.listen('jobs', async (_payload, { pid }) => void pid, { onGap: async ({ error }) => void error.message })

export async function iterations(): Promise<void> {
  for await (const { payload, pid } of await connection.listen('jobs', { maxQueued: 5 })) {
    expectTypeOf(payload).toEqualTypeOf<string>()
    expectTypeOf(pid).toEqualTypeOf<number>()
  }
  for await (const item of await pool.listen('jobs')) {
    expectTypeOf(item.payload).toEqualTypeOf<string | undefined>()
    if (!item.isGap) expectTypeOf(item.payload).toEqualTypeOf<string>()
  }
  await using subscription = await pool.listen('jobs')
  expectTypeOf(subscription.unref()).toEqualTypeOf<typeof subscription>()
}

expectTypeOf<Transaction['notify']>().toEqualTypeOf<Pool['notify']>()
expectTypeOf<Transaction>().not.toHaveProperty('listen')
