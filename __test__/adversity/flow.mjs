// Rows 8 and 40 of docs/reliability.md: readers that pause, large results, and what both take of memory and of the loop. The
// rows are compiled TypeScript (flow/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/flow.mjs [--full] [--json] [--node path/to/node] [--rows paused,long,large] [--over TCP,TLS]
import { Playing, playOptions, playOver } from '../../scripts/adversity-play.mjs'

const values = playOptions({ over: { type: 'string', default: 'TCP' } })
const playing = new Playing('flow/main', values)
await playOver(playing, values.over)
playing.end('flow')
