/** What does a record by its key cost, with the usual mix of types? */
export const workload = {
  name: 'row',
  question: 'one row of 9 columns by key',
  sql: 'SELECT * FROM bench_rows WHERE id = $1::int4',
  parameters: [{ from: 1, to: 9999 }],
  rows: 1,
  settings: [
    { callers: 1, connections: 1, targets: { pg: 1.5, postgres: 1.5, bun: 1.1, asyncpg: 1.4, floor: 0.8 } },
  ],
}
