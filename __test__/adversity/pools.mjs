// Rows 10 to 13, 18, 19, 22 to 27 and 30 of docs/reliability.md: backends that are terminated, servers that are restarted,
// sessions that are left in disorder, waiters, releases, lifetimes, drains, and what is larger than PostgreSQL takes. The
// rows are compiled TypeScript (pools/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/pools.mjs [--full] [--json] [--node path/to/node] [--rows terminated,restarts,herd,leftovers,
//     aborts,nesting,fairness,handover,misuse,lifetimes,drain,sizes,contexts]
import { marked, Playing, playOptions } from '../../scripts/adversity-play.mjs'

const { OXPG_TEST_URL: url, OXPG_TEST_SERVER_LOG: logFile } = process.env
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const playing = new Playing('pools/main', playOptions())
const server = await marked(url)
server.searchParams.set('sslmode', 'disable')
await playing.play(server, logFile)
playing.end('pools')
