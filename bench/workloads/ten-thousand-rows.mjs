/** What does a large result cost, when V8's garbage collector joins in? */
export const workload = {
  name: 'rows10k',
  question: '10 000 rows × 9 columns',
  sql: 'SELECT * FROM bench_rows WHERE id > $1::int4',
  parameters: [{ fixed: 0 }],
  rows: 10_000,
  settings: [
    { callers: 1, connections: 1, targets: { pg: 3, postgres: 3, bun: 1, asyncpg: 1.6, floor: 0.75 } },
  ],
}
