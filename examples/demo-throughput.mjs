// oxpg beside pg and postgres.js: the same work, prepared by each, in turns, so that a noisy machine is noisy for all.
import { createPool } from 'oxpg'
import pg from 'pg'
import postgres from 'postgres'

const SLICE_MS = 250
const ROUNDS = 5
const POINT = 'select id, sensor, celsius from reading where id = $1'
const RANGE = 'select * from reading where id between $1 and $1 + 99'

const WORKLOADS = [
  { name: 'one row, 1 caller', text: POINT, callers: 1, connections: 1 },
  { name: 'one row, 100 callers', text: POINT, callers: 100, connections: 10 },
  { name: '100 rows, 1 caller', text: RANGE, callers: 1, connections: 1 },
]

/** Each gives `query(text, id)` and `end()`. */
const DRIVERS = {
  async oxpg(url, schema, connections) {
    const pool = await createPool(url, {
      minSize: connections,
      maxSize: connections,
      serverSettings: { search_path: schema },
    })
    return { query: (text, id) => pool.fetch(text, [id]), end: () => pool.close() }
  },
  async pg(url, schema, connections) {
    const pool = new pg.Pool({
      connectionString: url,
      max: connections,
      options: `-c search_path=${schema}`,
    })
    const query = (text, id) => pool.query({ name: text, text, values: [id] }).then(({ rows }) => rows)
    return { query, end: () => pool.end() }
  },
  async postgres(url, schema, connections) {
    const sql = postgres(url, { max: connections, connection: { search_path: schema } })
    return { query: (text, id) => sql.unsafe(text, [id], { prepare: true }), end: () => sql.end() }
  },
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

/** Queries per second of one driver within one slice of time. */
async function slice(driver, { text, callers }, rowCount, signal) {
  const started = performance.now()
  const end = started + SLICE_MS
  let done = 0
  let id = 0
  const caller = async () => {
    while (performance.now() < end) {
      id = (id % (rowCount - 100)) + 1
      await driver.query(text, id)
      done++
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  signal.throwIfAborted()
  return (done * 1000) / (performance.now() - started)
}

/** Prints the medians over all rounds, and how many times faster oxpg was, as the median of the rounds' ratios. */
export async function compareThroughput(url, schema, rowCount, signal) {
  const names = Object.keys(DRIVERS)
  const line = (cells) => cells.map((cell, index) => (index ? cell.padStart(16) : cell.padEnd(22))).join('')
  console.log(line(['queries per second', ...names]))
  for (const workload of WORKLOADS) {
    const drivers = []
    try {
      for (const open of Object.values(DRIVERS)) drivers.push(await open(url, schema, workload.connections))
      for (const driver of drivers) await slice(driver, workload, rowCount, signal)
      const rounds = []
      for (let round = 0; round < ROUNDS; round++) {
        const rates = []
        for (const driver of drivers) rates.push(await slice(driver, workload, rowCount, signal))
        rounds.push(rates)
      }
      const cells = names.map((_, index) => {
        const rate = Math.round(median(rounds.map((rates) => rates[index]))).toLocaleString('en')
        const ratio = median(rounds.map((rates) => rates[0] / rates[index]))
        return index === 0 ? rate : `${rate} (${ratio.toFixed(1)}×)`
      })
      console.log(line([workload.name, ...cells]))
    } finally {
      await Promise.all(drivers.map((driver) => driver.end()))
    }
  }
  console.log('In brackets: how many times as many oxpg did.')
}
