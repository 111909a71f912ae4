// Row 3: a network that cuts messages anywhere, or glues them together, changes no answer.
import { isDeepStrictEqual } from 'node:util'
import { connect, type PostgresError } from 'oxpg'
import { uniqueName } from '../../support/server.js'
import { FaultProxy, type Flow, type Plan } from '../../support/testkit.js'
import { nameOf, Row, spread } from './report.js'
import { COMMAND_TIMEOUT_MS } from './session.js'

const LANES = 3
/** Piece by piece, a byte takes a turn of two programs. */
const TIMEOUT_MS = 20 * COMMAND_TIMEOUT_MS

const VALUES = `
  select n, n::text as t, repeat('ä€', n % 40) as long, n / 7::numeric as ratio, array[n, null, -n] as list,
    json_build_object('n', n) as json, row(n, 'x')::text as tuple, decode(repeat('00ff', n), 'hex') as bytes,
    timestamptz '2026-01-01 00:00:00+00' + n * interval '1 day 1 microsecond' as at, nullif(n % 3, 0) as maybe
  from generate_series(1, $1::int) n`

/** A session's answers, whatever they are, in the order in which they were asked for. */
async function transcript(target: string): Promise<unknown[]> {
  const c = await connect(target, { commandTimeoutMs: TIMEOUT_MS, connectTimeoutMs: TIMEOUT_MS })
  const answers: unknown[] = []
  c.onNotice(({ message }) => answers.push(message))
  const told = (error: unknown): string => `${nameOf(error)}: ${(error as PostgresError).message}`
  const ask = async (call: Promise<unknown>): Promise<void> => {
    answers.push(await call.catch(told))
  }
  const table = uniqueName('pieces')
  try {
    await ask(c.fetch(VALUES, [60]))
    await ask(c.execute(`create temp table ${table} (id int primary key, t text)`).then((tag) => tag))
    const rows = Array.from({ length: 50 }, (_, n) => [n, 'é'.repeat(n)])
    await ask(c.executeMany(`insert into ${table} values ($1, $2)`, rows))
    await ask(c.executeMany(`insert into ${table} values ($1, $2)`, rows).then(String, ({ code }) => code))
    await ask(c.execute("select 1; do $$ begin raise notice 'one'; raise notice 'two'; end $$; select 2"))
    await ask(c.fetchVal('select 1 / $1::int', [0]))
    await ask(
      c.transaction(async (tx) => {
        await tx.execute(`update ${table} set t = upper(t)`)
        await ask(tx.fetch(`select * from ${table} order by id limit $1`, [20]))
        throw new Error('never mind')
      }),
    )
    const pipelined = Array.from({ length: 30 }, (_, n) =>
      c.fetchRow('select $1::int as n, $2::text as t', [n, `${n}`]),
    )
    answers.push(...(await Promise.all(pipelined.map((call) => call.catch(told)))))
    await ask(c.fetchVal('select octet_length($1::text)', ['ß'.repeat(5_000)]))
    await ask(c.fetch(`select id, t from ${table} order by id`))
  } finally {
    await c.close()
  }
  // The table's name is part of some messages.
  return JSON.parse(
    JSON.stringify(answers, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)).replaceAll(
      table,
      'table',
    ),
  )
}

export async function pieces(seeds: number): Promise<Row[]> {
  const row = new Row('3', 'answers and questions in 1-byte pieces, or glued and cut anew at random')
  const plain = await FaultProxy.open()
  const expected = await transcript(plain.url)
  await plain.close()
  const flows: [name: string, flow: Flow][] = [['1-byte pieces', { pieces: 'dribble' }]]
  for (let seed = 1; seed <= seeds; seed += 1) {
    const longest = [3, 7, 64, 1_000, 9_000][seed % 5]!
    flows.push([`glue, seed ${seed}`, { pieces: { glue: { seed, longest } } }])
  }
  const plans = flows.flatMap(([name, flow]): [string, Plan][] => [
    [`${name} to the client`, { toClient: flow }],
    [`${name} to the server`, { toServer: flow }],
    [`${name} both ways`, { toClient: flow, toServer: flow }],
  ])
  await spread(plans, LANES, async ([name, plan]) => {
    row.cases += 1
    const proxy = await FaultProxy.open(plan)
    const result = await row.settled(transcript(proxy.url), TIMEOUT_MS, name)
    if (result.status === 'rejected') row.fail(`${name}: ${result.reason}`)
    else {
      const at = expected.findIndex((answer, index) => !isDeepStrictEqual(answer, result.value[index]))
      row.check(
        isDeepStrictEqual(expected, result.value),
        `${name}: answer ${at} differs: ${JSON.stringify(result.value[at])}`,
      )
    }
    await proxy.close()
  })
  row.detail = `${expected.length} answers of one session (values of many types, notices, errors, executeMany, scripts, a transaction, 30 pipelined queries): 1-byte pieces, and ${seeds} seeds of pieces of up to 3 to 9000 bytes, each way and both`
  return [row]
}
