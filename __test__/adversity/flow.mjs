// Rows 8 and 40 of docs/reliability.md: readers that pause, large results, and what both take of memory and of the loop. The
// rows are compiled TypeScript (flow/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/flow.mjs [--full] [--json] [--node path/to/node] [--rows paused,long,large]
import { marked, Playing, playOptions } from '../../scripts/adversity-play.mjs'

const { OXPG_TEST_URL: url, OXPG_TEST_SERVER_LOG: logFile } = process.env
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const playing = new Playing('flow/main', playOptions())
const server = await marked(url)
server.searchParams.set('sslmode', 'disable')
await playing.play(server, logFile)
playing.end('flow')
