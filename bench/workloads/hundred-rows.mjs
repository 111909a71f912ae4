/** What does a page of a list cost? */
export const workload = {
  name: 'rows100',
  question: '100 rows × 9 columns',
  sql: 'SELECT * FROM bench_rows WHERE id > $1::int4 LIMIT 100',
  parameters: [{ fixed: 5000 }],
  rows: 100,
  settings: [
    { callers: 1, connections: 1, targets: { pg: 2.2, postgres: 2.2, bun: 1.2, asyncpg: 1.5, floor: 0.72 } },
    { callers: 100, connections: 10, targets: { pg: 3.5, postgres: 3.5, bun: 1.1, asyncpg: 3.5 } },
  ],
}
