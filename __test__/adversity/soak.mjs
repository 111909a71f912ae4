// Row 39 of docs/reliability.md, sized down: some seconds of tagged questions under random faults. `npm run soak` is an hour,
// and looks at the memory as well.
//
//   node __test__/adversity/soak.mjs [--minutes 0.25]
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '0.25' }, node: { type: 'string' } },
})
const script = fileURLToPath(new URL('../../scripts/soak.mjs', import.meta.url))
const { status } = spawnSync(
  values.node ?? process.execPath,
  [script, '--minutes', values.minutes, '--no-write'],
  { stdio: 'inherit' },
)
process.exitCode = status ?? 1
