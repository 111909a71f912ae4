/** What does a row cost that holds next to nothing? */
export const workload = {
  name: 'series',
  question: '1 000 rows of one int4',
  sql: 'SELECT i FROM generate_series(1, 1000) i WHERE i > $1::int4',
  parameters: [{ fixed: 0 }],
  rows: 1000,
  settings: [
    { callers: 1, connections: 1, targets: { pg: 2, postgres: 2, bun: 1.2, asyncpg: 1.1, floor: 0.8 } },
  ],
}
