/** What does it cost to open a session (SCRAM over TLS, the server verified), to ask once, and to close it? */
export const workload = {
  name: 'connect',
  question: 'connect, first query, close',
  task: 'connect',
  sql: 'SELECT $1::int4 + 1 AS x',
  parameters: [{ fixed: 41 }],
  rows: 1,
  isWatched: true,
  sliceMs: 1000,
  settings: [
    { callers: 1, connections: 1, isEncrypted: true, targets: {}, mainThreadTargets: { pg: 0.5 } },
    {
      callers: 50,
      connections: 1,
      isEncrypted: true,
      targets: {},
      mainThreadTargets: { pg: 0.5 },
      loopDelayTargetMs: 10,
    },
  ],
}
