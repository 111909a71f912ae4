// Rows 10 to 19, 22 to 27, 30 and 41 of docs/reliability.md: backends that are terminated, servers that are restarted,
// transactions whose connections are cut or die, sessions that are left in disorder, waiters, releases, lifetimes, drains, and
// what is larger than PostgreSQL takes; without TLS, and over it where the rows have no servers of their own. The rows are
// compiled TypeScript (pools/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/pools.mjs [--full] [--json] [--node path/to/node] [--over TCP,TLS] [--rows terminated,restarts,
//     failover,herd,commits,deaths,besides,listening,leftovers,aborts,nesting,fairness,handover,misuse,lifetimes,drain,sizes,
//     contexts]
import { Playing, playOptions, playOver, rowsAmong } from '../../scripts/adversity-play.mjs'

/** Those that need nothing but the one server, and that are not about bytes alone. */
const TLS_ROWS = [
  'terminated',
  'deaths',
  'besides',
  'leftovers',
  'aborts',
  'nesting',
  'fairness',
  'handover',
  'misuse',
  'lifetimes',
]

const values = playOptions()
const playing = new Playing('pools/main', values)
await playOver(playing, values.over, rowsAmong(TLS_ROWS, values.rows))
playing.end('pools')
