// Row 34 of docs/reliability.md: names and values that are hostile, in every place that takes some, by every way to ask. The
// row is compiled TypeScript (inputs/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/inputs.mjs [--full] [--json] [--node path/to/node] [--rows columns,texts,values,names]
//     [--over TCP,TLS]
import { Playing, playOptions, playOver } from '../../scripts/adversity-play.mjs'

const values = playOptions({ over: { type: 'string', default: 'TCP' } })
const playing = new Playing('inputs/main', values)
await playOver(playing, values.over)
playing.end('inputs')
