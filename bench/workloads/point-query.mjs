/** What does one round trip cost, and what does it cost when many callers ask at once? */
export const workload = {
  name: 'point',
  question: 'point query: one int4 in, one out',
  sql: 'SELECT $1::int4 + 1 AS x',
  parameters: [{ fixed: 41 }],
  rows: 1,
  settings: [
    { callers: 1, connections: 1, targets: { pg: 1.6, postgres: 1.6, bun: 1.15, asyncpg: 1.4, floor: 0.85 } },
    { callers: 100, connections: 10, targets: { pg: 4, postgres: 4, bun: 1.2, asyncpg: 5 } },
  ],
}
