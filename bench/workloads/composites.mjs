/** What do values with parts cost? */
export const workload = {
  name: 'composites',
  question: '10 000 rows of a composite of 5 attributes',
  sql: 'SELECT person FROM bench_composites WHERE id > $1::int4',
  parameters: [{ fixed: 0 }],
  rows: 10_000,
  settings: [{ callers: 1, connections: 1, targets: { pg: 2, postgres: 2 } }],
  returns: {
    oxpg: 'object',
    pg: 'string, the text unparsed',
    postgres: 'string, the text unparsed',
    bun: 'string, the text unparsed',
    asyncpg: 'Record',
  },
}
