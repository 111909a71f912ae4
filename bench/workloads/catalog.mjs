/** What does a wide result of short texts and integers cost? (asyncpg's own benchmark uses this query's like.) */
export const workload = {
  name: 'pg_type',
  question: 'pg_type, about 600 rows × 12 columns',
  sql: `SELECT typname::text, typnamespace::int4, typowner::int4, typlen, typbyval, typcategory::text, typispreferred,
    typisdefined, typdelim::text, typrelid::int4, typelem::int4, typarray::int4
    FROM pg_type WHERE typtypmod = $1::int4 AND typisdefined = ($2::int4 = 1)`,
  parameters: [{ fixed: -1 }, { fixed: 1 }],
  rows: 0,
  settings: [
    { callers: 1, connections: 1, targets: { pg: 2.3, postgres: 2.3, bun: 1.05, asyncpg: 1.1, floor: 0.9 } },
  ],
}
