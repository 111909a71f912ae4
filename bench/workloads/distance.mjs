import { workload as pointQuery } from './point-query.mjs'

/** What does a point query cost where the server is in another building? */
export const workload = {
  ...pointQuery,
  name: 'distance',
  settings: [{ callers: 100, connections: 10, distanceMs: 1, targets: { pg: 4, postgres: 4, bun: 1.1 } }],
}
