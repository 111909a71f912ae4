import test from 'ava'
import { DataError } from 'oxpg'
import { connection, pool } from '../support/server.js'

class Unreadable extends Error {
  override get message(): string {
    throw new TypeError('message getter')
  }
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** What can be thrown, and must not be asked anything. */
const THROWN: [what: string, make: () => unknown][] = [
  ['an error whose message throws', () => new Unreadable()],
  ['a revoked proxy', revoked],
  ['an object whose prototype is a revoked proxy', () => Object.create(revoked())],
  ['a frozen error', () => Object.freeze(new DataError('frozen'))],
  ['nothing', () => undefined],
  ['a symbol', () => Symbol('thrown')],
]

/** What a promise is rejected with; undefined is an answer too. */
const reasonOf = (promise: Promise<unknown>) =>
  promise.then(
    (value) => ({ value }),
    (reason: unknown) => ({ reason }),
  )

for (const [what, make] of THROWN) {
  test(`a parser that throws ${what}: the call rejects with it, and no row vanishes`, async (t) => {
    const c = await connection(t)
    const thrown = make()
    const numeric = (text: string) => {
      if (text === '2') throw thrown
      return text
    }
    const many = 'select i::numeric as v from generate_series($1::int, 3) i'
    for (let turn = 0; turn < 3; turn++) {
      const outcomes = await Promise.all([
        reasonOf(c.fetchVal('select 2::numeric', [], { numeric })),
        reasonOf(c.fetchRow('select 2::numeric as v', [], { numeric })),
        reasonOf(c.fetch(many, [1], { numeric })),
        reasonOf(c.fetchMany(many, [[1], [2]], { numeric })),
      ])
      for (const outcome of outcomes) t.true('reason' in outcome && outcome.reason === thrown)
    }
    t.is(await c.fetchVal('select 1'), 1)
  })

  test(`an encoder that throws ${what}: the call rejects and names the parameter`, async (t) => {
    const c = await connection(t)
    const value = {
      toJSON() {
        throw make()
      },
    }
    const sends = () => [
      c.fetchVal('select $1::jsonb', [value]),
      c.fetchVal('select $1::numeric', [{ toString: value.toJSON }]),
      c.executeMany('select $1::jsonb', [[value]]),
    ]
    for (let turn = 0; turn < 2; turn++) {
      for (const call of sends()) {
        await t.throwsAsync(call, { instanceOf: DataError, message: /parameter \$1: invalid input/ })
      }
    }
    t.is(await c.fetchVal('select 1'), 1)
  })

  test(`a codec that throws ${what}: both ways the call rejects`, async (t) => {
    const c = await connection(t)
    const fail = () => {
      throw make()
    }
    await c.setTypeCodec('money', { schema: 'pg_catalog', encode: fail, decode: fail })
    for (let turn = 0; turn < 2; turn++) {
      await t.throwsAsync(c.fetchVal('select $1::money', ['1']), { instanceOf: DataError, message: /money/ })
      await t.throwsAsync(c.fetch('select 1::money'), { instanceOf: DataError, message: /money/ })
    }
    t.is(await c.fetchVal('select 1'), 1)
  })

  test(`a signal that is aborted with ${what}, and a transaction that throws it`, async (t) => {
    const p = await pool(t, { maxSize: 1 })
    const thrown = make()
    const controller = new AbortController()
    const call = reasonOf(p.fetchVal('select pg_sleep(60)', [], { signal: controller.signal }))
    setImmediate(() => controller.abort(thrown))
    const aborted = await call
    // AbortController makes an AbortError of undefined.
    t.true('reason' in aborted && (thrown === undefined || aborted.reason === thrown))
    const transaction = await reasonOf(
      p.transaction(
        async () => {
          throw thrown
        },
        { retry: 2 },
      ),
    )
    t.true('reason' in transaction && transaction.reason === thrown)
    t.is(await p.fetchVal('select 1'), 1)
  })
}
