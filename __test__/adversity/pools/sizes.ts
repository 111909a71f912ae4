// Row 30: what is larger than PostgreSQL takes in one message is refused, and not a byte of it is sent.
import { type Connection, connect, InterfaceError, type Pool, PostgresError } from 'oxpg'
import { url } from '../../support/server.js'
import { FaultProxy } from '../../support/testkit.js'
import { Row } from '../network/report.js'
import { ALL_THE_TIME_MS, openPool, said } from './sessions.js'

const GIB = 2 ** 30
const MOST_PARAMETERS = 65_535
/** Bytes that have nothing to do with what is refused. */
const LITTLE = 400

type Target = Connection | Pool

interface Case {
  what: string
  /** What the statements are that it needs, so that they are known. */
  prepare?: string
  params?: readonly unknown[]
  call: (target: Target) => Promise<unknown>
}

const NOTHING = Buffer.alloc(0)

/** Memory that nobody writes to is no memory yet. */
const zeros = (bytes: number): Buffer => Buffer.alloc(bytes)

/** Of five views of one gibibyte. */
function cases(isFull: boolean): Case[] {
  const gibibyte = zeros(GIB)
  const half = zeros(GIB / 2)
  const bytea = 'select octet_length($1::bytea)'
  const two = 'select octet_length($1::bytea), octet_length($2::bytea)'
  const list = 'select cardinality($1::bytea[])'
  const five =
    'select octet_length($1::bytea), octet_length($2::bytea), octet_length($3::bytea), octet_length($4::bytea), octet_length($5::bytea)'
  const all: Case[] = [
    {
      what: 'a parameter of 1 GiB',
      prepare: bytea,
      params: [NOTHING],
      call: (target) => target.fetchVal(bytea, [gibibyte]),
    },
    {
      what: 'two parameters of 1 GiB together',
      prepare: two,
      params: [NOTHING, NOTHING],
      call: (target) => target.fetch(two, [half, half]),
    },
    {
      what: 'five parameters of 5 GiB together',
      prepare: five,
      params: Array(5).fill(NOTHING),
      call: (target) => target.fetch(five, Array(5).fill(gibibyte)),
    },
    {
      what: 'one parameter of 5 GiB, an array',
      prepare: list,
      params: [[]],
      call: (target) => target.fetchVal(list, [Array(5).fill(gibibyte)]),
    },
    {
      what: 'a row of executeMany of 1 GiB',
      prepare: bytea,
      params: [NOTHING],
      call: (target) => target.executeMany(bytea, [[gibibyte]]),
    },
    {
      what: 'a row of executeMany of 5 GiB',
      prepare: five,
      params: Array(5).fill(NOTHING),
      call: (target) => target.executeMany(five, [Array(5).fill(gibibyte)]),
    },
    {
      what: '65 536 parameters',
      call: (target) => target.fetch('select $65536::int', Array(MOST_PARAMETERS + 1).fill(1)),
    },
    {
      what: '65 536 parameters of executeMany',
      call: (target) => target.executeMany('select $65536::int', [Array(MOST_PARAMETERS + 1).fill(1)]),
    },
    {
      what: '1 000 000 parameters',
      call: (target) => target.fetch('select 1', Array(1_000_000).fill(1)),
    },
  ]
  if (isFull) {
    // More is not to be had of every version of Node.
    const large = zeros(4 * GIB - 1)
    all.push({
      what: 'a parameter of 4 GiB',
      prepare: bytea,
      params: [NOTHING],
      call: (target) => target.fetchVal(bytea, [large]),
    })
  }
  return all
}

/** A text of so many bytes in UTF-8, of three bytes a character: V8 has no strings of 1 GiB in a byte each. */
const comment = (bytes: number): string => `select 1 /*${'€'.repeat(Math.ceil(bytes / 3))}*/`

export async function sizes(isFull: boolean): Promise<Row[]> {
  const row = new Row('30', 'what is larger than PostgreSQL takes')
  const proxy = await FaultProxy.open({}, url)
  const idleKiB = process.resourceUsage().maxRSS
  for (const kind of ['connection', 'pool'] as const) {
    const target: Target =
      kind === 'pool'
        ? (await openPool({ minSize: 1, maxSize: 1 }, proxy.url)).pool
        : await connect(proxy.url)
    const refuse = async ({ what, prepare, params, call }: Case): Promise<void> => {
      row.cases += 1
      if (prepare !== undefined) await target.fetch(prepare, params as unknown[])
      const before = (await proxy.counts()).toServer
      const outcome = await row.settled(call(target), ALL_THE_TIME_MS, `${what} on a ${kind}`)
      const error = outcome.status === 'rejected' ? outcome.reason : undefined
      const isTold =
        error instanceof InterfaceError || (error instanceof PostgresError && error.sqlstate === '22000')
      row.check(isTold, `${what} on a ${kind}: ${said(outcome)}`)
      if (isTold)
        row.check(error.safeToRetry !== false || error instanceof InterfaceError, `${what}: safeToRetry`)
      const sent = (await proxy.counts()).toServer - before
      // A statement that is made known again, the reset of a session that was leased for it: nothing of it.
      row.check(sent < LITTLE, `${what} on a ${kind}: ${sent} bytes were sent`)
      row.measure('peak RSS + {} MiB over all cases', (process.resourceUsage().maxRSS - idleKiB) / 1024)
      const next = await row.next(target.fetchVal('select 42'), `${what} on a ${kind}: the next query`)
      row.check(
        next.status === 'fulfilled' && next.value === 42,
        `${what} on a ${kind}: the next query: ${said(next)}`,
      )
    }
    // Each is gone before the next comes.
    for (const one of cases(isFull)) await refuse(one)
    if (isFull) {
      const text = comment(GIB)
      const what = 'SQL of 1 GiB'
      await refuse({ what, call: (asked) => asked.fetch(text) })
      await refuse({ what: `${what}, a script`, call: (asked) => asked.execute(`${text}; select 2`) })
      await refuse({ what: `${what}, prepare`, call: (asked) => asked.prepare(text) })
      await refuse({
        what: 'a text of 1 GiB',
        prepare: 'select length($1::text)',
        params: [''],
        call: (asked) => asked.fetchVal('select length($1::text)', [text]),
      })
    }
    // As many as there may be are served.
    row.cases += 1
    const sum = await row.settled(
      target.fetchVal(
        `select cardinality(array[${Array.from({ length: MOST_PARAMETERS }, (_, n) => `$${n + 1}::int`).join()}])`,
        Array(MOST_PARAMETERS).fill(1),
      ),
      ALL_THE_TIME_MS,
      '65 535 parameters',
    )
    row.check(sum.status === 'fulfilled' && sum.value === MOST_PARAMETERS, `65 535 parameters: ${said(sum)}`)
    target.terminate()
  }
  await proxy.close()
  row.detail = `parameters of 1, ${isFull ? '4 and ' : 'and '}5 GiB, alone, together, in an array and in rows of executeMany, ${isFull ? 'SQL and text of 1 GiB (V8 has no longer ones), ' : ''}65 536 and 1 000 000 parameters, on a connection and through a pool whose statements are known: an error, and no byte of it is sent (a proxy counts: at most ${LITTLE} bytes, of the statement or a pool's reset); 65 535 parameters are served. COPY is not there yet`
  return [row]
}
