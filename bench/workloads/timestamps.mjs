/** What do points in time cost? */
export const workload = {
  name: 'timestamps',
  question: '10 000 timestamptz',
  sql: 'SELECT happened_at FROM bench_timestamps WHERE id > $1::int4',
  parameters: [{ fixed: 0 }],
  rows: 10_000,
  settings: [{ callers: 1, connections: 1, targets: { pg: 2, postgres: 2 } }],
  returns: { oxpg: 'Date', pg: 'Date', postgres: 'Date', bun: 'Date', asyncpg: 'datetime' },
}
