/** How long does a very large result hold up everything else in the process? */
export const workload = {
  name: 'rows100mb',
  question: '790 000 rows × 9 columns, 100 MB',
  sql: 'SELECT r.* FROM generate_series(1, 79) CROSS JOIN bench_rows r WHERE r.id > $1::int4',
  parameters: [{ fixed: 0 }],
  rows: 790_000,
  isWatched: true,
  settings: [
    { callers: 1, connections: 1, targets: {}, loopDelayTargetMs: 50 },
    { callers: 1, connections: 1, isEncrypted: true, targets: {}, loopDelayTargetMs: 50 },
  ],
}
