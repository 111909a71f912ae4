/** What do documents cost that most drivers parse? */
export const workload = {
  name: 'jsonb1k',
  question: '10 000 rows of a jsonb document of about 1 KB',
  sql: 'SELECT document FROM bench_documents WHERE id > $1::int4',
  parameters: [{ fixed: 0 }],
  rows: 10_000,
  settings: [{ callers: 1, connections: 1, targets: { pg: 2, postgres: 2 } }],
  returns: {
    oxpg: 'parsed',
    pg: 'parsed',
    postgres: 'parsed',
    bun: 'parsed',
    asyncpg: 'str, the text unparsed',
  },
}
