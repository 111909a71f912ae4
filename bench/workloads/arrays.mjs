/** What do arrays cost? (asyncpg's own benchmark has this query as `arrays`.) */
export const workload = {
  name: 'arrays100',
  question: '10 000 rows of an int4[] of 100',
  sql: 'SELECT numbers FROM bench_arrays WHERE id > $1::int4',
  parameters: [{ fixed: 0 }],
  rows: 10_000,
  settings: [{ callers: 1, connections: 1, targets: { pg: 2, postgres: 2 } }],
  returns: { oxpg: 'Array', pg: 'Array', postgres: 'Array', bun: 'Int32Array', asyncpg: 'list' },
}
