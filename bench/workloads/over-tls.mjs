// What does encryption cost? Workloads of their own files, over TLS.
import { workload as hundredRows } from './hundred-rows.mjs'
import { workload as pointQuery } from './point-query.mjs'
import { workload as tenThousandRows } from './ten-thousand-rows.mjs'

const overTls = (workload, ...settings) => ({
  ...workload,
  name: `tls-${workload.name}`,
  settings: settings.map((setting) => ({ ...setting, isEncrypted: true })),
})

export const workloads = [
  overTls(
    pointQuery,
    { callers: 1, connections: 1, targets: { pg: 1.5, postgres: 1.5, bun: 1 } },
    { callers: 100, connections: 10, targets: { pg: 4, postgres: 4, bun: 1 } },
  ),
  overTls(hundredRows, { callers: 1, connections: 1, targets: { pg: 2.5, postgres: 2.5, bun: 1 } }),
  overTls(tenThousandRows, { callers: 1, connections: 1, targets: { pg: 3, postgres: 3, bun: 1 } }),
]
