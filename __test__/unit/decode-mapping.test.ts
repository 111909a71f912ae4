import test from 'ava'
import { DEFAULT_PLAN, planFor } from '../../src/decode/mapping'
import { ClientConfigurationError } from '../../src/errors/index'

test('without options, or with those that change nothing, the plan is the same object', (t) => {
  t.is(planFor(DEFAULT_PLAN, undefined), DEFAULT_PLAN)
  t.is(planFor(DEFAULT_PLAN, {}), DEFAULT_PLAN)
  t.is(planFor(DEFAULT_PLAN, { rowMode: 'object', int8: 'number-or-bigint', json: undefined }), DEFAULT_PLAN)
  const options: object = { timeoutMs: 5 }
  t.is(planFor(DEFAULT_PLAN, options), DEFAULT_PLAN)
})

test('options lie over the base plan', (t) => {
  const base = planFor(DEFAULT_PLAN, { int8: 'string', rowMode: 'array' })
  const plan = planFor(base, { uuid: 'buffer' })
  t.deepEqual(
    [plan.rowMode, plan.mapping.int8, plan.mapping.uuid, plan.mapping.json],
    ['array', 'string', 'buffer', 'parse'],
  )
})

test('keys are equal exactly when the plans make the same rows, but for which function a parser is', (t) => {
  const parser = (text: string): string => text
  t.is(planFor(DEFAULT_PLAN, { json: parser }).key, planFor(DEFAULT_PLAN, { json: parser }).key)
  t.is(planFor(DEFAULT_PLAN, { json: parser }).key, planFor(DEFAULT_PLAN, { json: (text) => text }).key)
  t.not(planFor(DEFAULT_PLAN, { json: parser }).key, planFor(DEFAULT_PLAN, { json: 'string' }).key)
  t.not(planFor(DEFAULT_PLAN, { json: parser }).key, planFor(DEFAULT_PLAN, { numeric: parser }).key)
  t.not(planFor(DEFAULT_PLAN, { rowMode: 'record' }).key, DEFAULT_PLAN.key)
  t.not(
    planFor(DEFAULT_PLAN, { timestamp: 'string' }).key,
    planFor(DEFAULT_PLAN, { timestamptz: 'string' }).key,
  )
})

const bad: [options: object, message: RegExp][] = [
  [{ rowMode: 'map' }, /'rowMode' must be one of 'object', 'record', 'array', not 'map'/],
  [
    { int8: 'biginteger' },
    /'int8' must be one of 'number-or-bigint', 'bigint', 'number', 'string', not 'big/,
  ],
  [{ int8: () => 1 }, /'int8' must be .*, not a function/],
  [{ numeric: 5 }, /'numeric' must be one of 'string', 'number' or a function, not 5/],
  [{ json: null }, /'json' must be .* or a function, not null/],
  [{ timestamptz: 'local' }, /'timestamptz' must be/],
  [{ date: 'toString' }, /'date' must be/],
  [{ interval: 'iso' }, /'interval' must be one of 'interval', 'string', 'temporal', not 'iso'/],
  [{ bit: 'number' }, /'bit' must be one of 'bitstring', 'string', not 'number'/],
  [{ temporal: null }, /'temporal' must be a Temporal namespace, .*: it is null/],
  [{ temporal: true }, /'temporal' must be .*: it is true/],
  [
    { temporal: { PlainDate: class {}, Instant: class {}, Duration: {} } },
    /'temporal' must be .*: it has no PlainTime, PlainDateTime, Duration/,
  ],
]

for (const [options, message] of bad) {
  test(`refuses ${JSON.stringify(options, (_, value) => (typeof value === 'function' ? 'function' : value))}`, (t) => {
    t.throws(() => planFor(DEFAULT_PLAN, options), { instanceOf: ClientConfigurationError, message })
  })
}

const temporal = (): any =>
  Object.fromEntries(
    ['PlainDate', 'PlainTime', 'PlainDateTime', 'Instant', 'Duration'].map((name) => [name, class {}]),
  )

test("a Temporal of the application allows 'temporal', in the same options or later ones", (t) => {
  const mine = temporal()
  t.is(planFor(DEFAULT_PLAN, { date: 'temporal', temporal: mine }).mapping.date, 'temporal')
  const base = planFor(DEFAULT_PLAN, { temporal: mine })
  t.is(planFor(base, { interval: 'temporal' }).mapping.temporal, mine)
  t.is(planFor(base, { temporal: mine }), base)
  t.is(planFor(base, { temporal: undefined }), base)
})

test('plans with different Temporals have different keys', (t) => {
  const mine = temporal()
  const keyOf = (namespace: any): string => planFor(DEFAULT_PLAN, { temporal: namespace }).key
  t.is(keyOf(mine), keyOf(mine))
  t.not(keyOf(mine), keyOf(temporal()))
  t.not(keyOf(mine), DEFAULT_PLAN.key)
})

const withoutTemporal = (globalThis as { Temporal?: unknown }).Temporal === undefined ? test : test.skip

withoutTemporal("refuses 'temporal' where the runtime has none", (t) => {
  t.throws(() => planFor(DEFAULT_PLAN, { date: 'temporal' }), {
    instanceOf: ClientConfigurationError,
    message:
      /'date' is 'temporal', but this runtime has no global Temporal; use one of 'string', 'date', or give a polyfill's/,
  })
})
