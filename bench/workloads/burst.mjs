import { workload as pointQuery } from './point-query.mjs'

const { sql, parameters, rows } = pointQuery

/** Five slow queries are sent: how long does each of 200 quick ones directly behind them take? */
export const workload = {
  name: 'burst',
  question: '200 point queries at once, directly behind 5 queries of 500 ms',
  task: 'burst',
  sql,
  parameters,
  rows,
  slow: { count: 5, sql: `${sql} FROM pg_sleep(0.5)`, parameters, rows },
  // Two bursts.
  sliceMs: 1000,
  note: 'What is counted are the quick queries, and their time is that until the last of them has its answer.',
  settings: [{ callers: 200, connections: 10, targets: {}, latencyTargets: { max: { pg: 1.1 } } }],
}
