// The main job, on real data. `npm run demo` brings a server and calls demo(); see scripts/demo.mjs.
import progress from 'cli-progress'
import { connect, createPool, UniqueViolationError } from 'oxpg'
import { compareThroughput } from './demo-throughput.mjs'

const ROWS = 100_000
const CONCURRENT_QUERIES = 10_000
const SENSORS = ['boiler', 'cellar', 'garden', 'roof']

const seconds = (started) => (performance.now() - started) / 1000
const perSecond = (count, started) => `${Math.round(count / seconds(started)).toLocaleString('en')}/s`
const heading = (text) => console.log(`\n\x1b[1m${text}\x1b[0m`)

/**
 * Runs every part in a schema of its own, which is dropped at the end.
 *
 * @param {string} url
 * @param {AbortSignal} signal stops it early; the schema is dropped all the same
 */
export async function demo(url, signal) {
  const schema = `oxpg_demo_${process.pid}_${Date.now().toString(36)}`
  const serverSettings = { search_path: schema, application_name: 'oxpg-demo' }
  const connection = await connect(url, { serverSettings, signal })
  try {
    console.log(
      `Connected to PostgreSQL ${connection.settings.server_version}; everything happens in the schema ${schema}.`,
    )
    await createSchema(connection, schema)
    await insertRows(connection, signal)
    await readRows(connection, signal)
    const pool = await createPool(url, { maxSize: 10, serverSettings, signal })
    try {
      await queryConcurrently(pool, signal)
      await rollBack(pool)
    } finally {
      await pool.close()
    }
    await abortQuery(connection)
    heading('Throughput beside pg and postgres, in turns on the same work')
    await compareThroughput(url, schema, ROWS, signal)
  } finally {
    // Not bound to the signal: this has to happen in any case.
    await connection.execute(`drop schema if exists ${schema} cascade`)
    await connection.close()
  }
}

async function createSchema(connection, schema) {
  heading('A schema')
  await connection.execute(`
    create schema ${schema};
    create table reading (
      id int primary key,
      sensor text not null,
      taken_at timestamptz not null,
      celsius float8 not null,
      tags text[] not null,
      details jsonb not null
    );
    create table account (email text primary key, balance numeric(12, 2) not null);
  `)
  const tables = await connection.fetch(
    'select table_name, count(*) as columns from information_schema.columns where table_schema = $1 group by 1 order by 1',
    [schema],
  )
  for (const { table_name, columns } of tables) console.log(`${table_name}: ${columns} columns`)
}

function* readings(bar) {
  const start = Date.UTC(2026, 0, 1)
  for (let id = 1; id <= ROWS; id++) {
    const sensor = SENSORS[id % SENSORS.length]
    const celsius = Math.round((20 + 8 * Math.sin(id / 500)) * 100) / 100
    const tags = id % 10 === 0 ? ['checked', 'night'] : []
    yield [id, sensor, new Date(start + id * 60_000), celsius, tags, { batch: id % 7, ok: true }]
    if (id % 500 === 0) bar.update(id)
  }
}

async function insertRows(connection, signal) {
  heading(`${ROWS.toLocaleString('en')} rows by executeMany: one pipeline, all or nothing`)
  const format = '{bar} {percentage} % | {value} rows | {duration_formatted}'
  const bar = new progress.SingleBar(
    { format, hideCursor: true, noTTYOutput: true, notTTYSchedule: 1000 },
    progress.Presets.shades_classic,
  )
  const started = performance.now()
  bar.start(ROWS, 0)
  try {
    await connection.executeMany('insert into reading values ($1, $2, $3, $4, $5, $6)', readings(bar), {
      signal,
    })
    bar.update(ROWS)
  } finally {
    bar.stop()
  }
  console.log(`${perSecond(ROWS, started)} rows`)
}

async function readRows(connection, signal) {
  heading('Typed reads')
  const reading = await connection.fetchRow('select * from reading where id = $1', [40_010], { signal })
  console.log(reading)
  const summary = await connection.fetch(
    `select sensor, count(*) as readings, round(avg(celsius)::numeric, 2) as average, max(taken_at) as last
     from reading where sensor = any($1) group by sensor order by sensor`,
    [['cellar', 'roof']],
    { signal },
  )
  for (const { sensor, readings: count, average, last } of summary) {
    console.log(`${sensor}: ${count} readings, ${average} °C on average, the last at ${last.toISOString()}`)
  }
  const started = performance.now()
  const all = await connection.fetch('select id, sensor, celsius from reading', [], { signal })
  console.log(`all ${all.length.toLocaleString('en')} rows in ${(seconds(started) * 1000).toFixed(0)} ms`)
}

async function queryConcurrently(pool, signal) {
  heading(`${CONCURRENT_QUERIES.toLocaleString('en')} concurrent queries through a pool of 10`)
  const started = performance.now()
  const ids = Array.from({ length: CONCURRENT_QUERIES }, (_, index) => index + 1)
  const found = await Promise.all(
    ids.map((id) => pool.fetchVal('select id from reading where id = $1', [id])),
  )
  signal.throwIfAborted()
  const wrong = found.filter((id, index) => id !== index + 1).length
  console.log(`${perSecond(CONCURRENT_QUERIES, started)}, ${wrong} wrong answers`)
}

async function rollBack(pool) {
  heading('A transaction that rolls back')
  await pool.execute('insert into account values ($1, $2)', ['ada@example.org', '100.00'])
  try {
    await pool.transaction(async (tx) => {
      await tx.execute('update account set balance = balance - 30 where email = $1', ['ada@example.org'])
      await tx.execute('insert into account values ($1, $2)', ['ada@example.org', '30.00'])
    })
  } catch (error) {
    if (!(error instanceof UniqueViolationError)) throw error
    console.log(`${error.name}: ${error.detail}`)
  }
  const balance = await pool.fetchVal('select balance from account where email = $1', ['ada@example.org'])
  console.log(`the balance is still ${balance}`)
}

async function abortQuery(connection) {
  heading('An aborted query')
  const controller = new AbortController()
  const started = performance.now()
  const query = connection.fetch('select pg_sleep(60)', [], { signal: controller.signal })
  setTimeout(() => controller.abort(new Error('nobody waits for this any more')), 200)
  try {
    await query
  } catch (error) {
    if (error !== controller.signal.reason) throw error
    console.log(`after ${(seconds(started) * 1000).toFixed(0)} ms: ${error.message}`)
  }
  console.log(`the connection works: ${await connection.fetchVal("select 'still here'")}`)
}
