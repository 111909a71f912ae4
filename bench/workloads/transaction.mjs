import { workload as pointQuery } from './point-query.mjs'

/** What does a transaction around one query cost, beside the server and where it is in another building? */
export const workload = {
  ...pointQuery,
  name: 'transaction',
  question: 'A transaction of one query',
  task: 'transaction',
  settings: [0, 1].map((distanceMs) => ({
    callers: 10,
    connections: 10,
    ...(distanceMs === 0 ? {} : { distanceMs }),
    targets: { pg: 1.4, postgres: 1.4 },
  })),
  note: 'each in its own way: transaction of oxpg, BEGIN and COMMIT by hand with pg, begin of postgres',
}
