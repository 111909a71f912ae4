import { workload as pointQuery } from './point-query.mjs'

/** What do ten queries cost that belong together? */
export const workload = {
  ...pointQuery,
  name: 'batch',
  question: 'Ten queries, all or nothing',
  task: 'batch',
  settings: [0, 1].map((distanceMs) => ({
    callers: 10,
    connections: 10,
    ...(distanceMs === 0 ? {} : { distanceMs }),
    targets: { pg: 4, postgres: 1.4 },
  })),
  note: 'batch of oxpg; a transaction with pg, which sends one query after the other, and with postgres, which pipelines them',
}
