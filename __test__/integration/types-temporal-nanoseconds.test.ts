import { Temporal } from '@js-temporal/polyfill'
import test from 'ava'
import { connection } from '../support/server.js'

/** What PostgreSQL keeps of values that are finer than a microsecond: what is finer is cut off. */
const CUT: [type: string, value: unknown, text: string][] = [
  ['timestamp', Temporal.PlainDateTime.from('2024-12-31T23:59:59.9999999'), '2024-12-31 23:59:59.999999'],
  ['timestamp', Temporal.PlainDateTime.from('1969-12-31T23:59:59.999999999'), '1969-12-31 23:59:59.999999'],
  ['timestamp', Temporal.Instant.from('2024-12-31T23:59:59.9999999Z'), '2024-12-31 23:59:59.999999'],
  ['timestamptz', Temporal.Instant.from('2024-12-31T23:59:59.9999999Z'), '2024-12-31 23:59:59.999999+00'],
  ['timestamptz', Temporal.Instant.from('1969-12-31T23:59:59.9999999Z'), '1969-12-31 23:59:59.999999+00'],
  [
    'timestamptz',
    Temporal.ZonedDateTime.from('2024-12-31T23:59:59.9999999+01:00[Europe/Paris]'),
    '2024-12-31 22:59:59.999999+00',
  ],
  ['time', Temporal.PlainTime.from('23:59:59.9999999'), '23:59:59.999999'],
  ['time', Temporal.PlainTime.from('00:00:00.000000999'), '00:00:00'],
  ['interval', Temporal.Duration.from({ nanoseconds: 2000 }), '00:00:00.000002'],
  ['interval', Temporal.Duration.from({ microseconds: 1, nanoseconds: 2999 }), '00:00:00.000003'],
  ['interval', Temporal.Duration.from({ seconds: -1, nanoseconds: -1999 }), '-00:00:01.000001'],
  ['interval', Temporal.Duration.from({ nanoseconds: 999 }), '00:00:00'],
]

test('Temporal values finer than a microsecond are cut off, all by one rule', async (t) => {
  const c = await connection(t)
  await c.execute("set timezone to 'UTC'")
  for (const [type, value, text] of CUT) {
    t.is(await c.fetchVal(`select $1::${type}::text`, [value]), text, `${type} ${value}`)
    t.is(await c.fetchVal(`select ($1::${type}[])[1]::text`, [[value]]), text, `${type}[] ${value}`)
  }
})
