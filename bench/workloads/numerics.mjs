/** What do exact decimals cost? */
export const workload = {
  name: 'numerics',
  question: '10 000 numerics such as 12345.6789',
  sql: 'SELECT amount FROM bench_numerics WHERE id > $1::int4',
  parameters: [{ fixed: 0 }],
  rows: 10_000,
  settings: [{ callers: 1, connections: 1, targets: { pg: 2, postgres: 2 } }],
  returns: { oxpg: 'string', pg: 'string', postgres: 'string', bun: 'string', asyncpg: 'Decimal' },
}
