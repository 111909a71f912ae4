import test from 'ava'
import type { Connection } from 'oxpg'
import { connection } from '../support/server.js'

/** Calls `log` at each level of a recursion that has overflowed the stack, from the deepest one up. */
function overflow(log: () => void): void {
  try {
    overflow(log)
  } catch (error) {
    log()
    throw error
  }
}

/** Begins the recursion at another distance from the stack's end. */
function shifted(frames: number, run: () => void): void {
  if (frames === 0) run()
  else shifted(frames - 1, run)
}

type Outcome = { sent: string; got: unknown } | { sent: string; error: unknown }

/** What became of calls that were made where the stack ends, 100 at each of many distances from it. */
async function outcomes(make: (text: string) => Promise<unknown>): Promise<Outcome[]> {
  const all: Promise<Outcome>[] = []
  for (let shift = 0; shift < 20; shift++) {
    let calls = 0
    try {
      shifted(shift, () =>
        overflow(() => {
          if (calls++ > 100) return
          const sent = `${shift} ${calls}`
          const call = make(sent)
          all.push(
            call.then(
              (got) => ({ sent, got }),
              (error: unknown) => ({ sent, error }),
            ),
          )
        }),
      )
    } catch {}
    await Promise.all(all)
  }
  return Promise.all(all)
}

const CALLS: [what: string, make: (c: Connection, text: string) => Promise<unknown>][] = [
  ['text', (c, text) => c.fetchVal('select $1::text', [text])],
  [
    'bytes',
    async (c, text) => String(await c.fetchVal('select $1::bytea', [Buffer.from(text.padEnd(5_000))])).trim(),
  ],
  ['JSON', (c, text) => c.fetchVal('select $1::jsonb', [{ toJSON: () => [text] }]).then(([it]: any) => it)],
  ['a new text each time', (c, text) => c.fetchVal(`select $1 || '' /* ${text} */`, [text])],
  ['a script', (c, text) => c.execute(`select '${text}'`).then(() => text)],
  ['executeMany', (c, text) => c.executeMany('select $1::text', [[text]]).then(() => text)],
]

for (const [what, make] of CALLS) {
  test(`a call where the stack ends answers, or rejects with RangeError: ${what}`, async (t) => {
    const c = await connection(t)
    await make(c, 'warm')
    const all = await outcomes((text) => make(c, text))
    const odd = all.filter((one) =>
      'error' in one ? !(one.error instanceof RangeError) : one.got !== one.sent,
    )
    t.deepEqual(odd.slice(0, 3), [])
    t.true(all.some((one) => 'got' in one))
    t.true(all.some((one) => 'error' in one))
    t.is(await make(c, 'after'), 'after')
  })
}
