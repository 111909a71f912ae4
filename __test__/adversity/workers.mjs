// Row 37 of docs/reliability.md: the addon in many workers, in series and in parallel, and from two files in each of them.
// (reloads.mjs loads it again and again in one thread.)
//
//   node __test__/adversity/workers.mjs [--full] [--json] [--node path/to/node]
import { fileURLToPath } from 'node:url'
import { asRow, playOptions } from '../../scripts/adversity-play.mjs'
import { runLimited } from '../../scripts/limited-program.mjs'

const values = playOptions()
const url = process.env.OXPG_TEST_URL
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const program = fileURLToPath(new URL('programs/many-workers.cjs', import.meta.url))
const LIMIT_MS = values.full ? 1_800_000 : 180_000

/** So many rounds of so many workers. */
const COURSES = values.full
  ? [
      { series: 500, parallel: 1 },
      { series: 50, parallel: 10 },
      { series: 20, parallel: 32 },
    ]
  : [
      { series: 10, parallel: 1 },
      { series: 4, parallel: 5 },
    ]
/** What a worker may leave behind, over the second half of them. */
const MOST_MIB = 0.5

const row = {
  number: '37',
  title: 'the addon in many workers, twice in each',
  over: 'TCP',
  cases: 0,
  failures: [],
}

async function play({ series, parallel }) {
  const programArguments = [program, `${series}`, `${parallel}`]
  const { end, stdout, ending } = await runLimited(values.node, programArguments, { limitMs: LIMIT_MS })
  row.cases += series * parallel
  const fail = (text) => row.failures.push(`row 37: ${series} times ${parallel} workers: ${text}`)
  if (end !== 0) return fail(ending)
  const { before, after } = JSON.parse(stdout)
  const figures = `${JSON.stringify(before)} became ${JSON.stringify(after)}`
  if (after.threads > before.threads) fail(`threads: ${figures}`)
  if (after.descriptors > before.descriptors) fail(`descriptors: ${figures}`)
  const each = (after.rssMiB - before.rssMiB) / ((series * parallel) / 2)
  // A few say nothing of it.
  if (values.full && each > MOST_MIB) fail(`${each.toFixed(3)} MiB a worker: ${figures}`)
}

for (const course of COURSES) await play(course)
const courses = COURSES.map(({ series, parallel }) => `${series} times ${parallel}`).join(', ')
row.detail = `${courses} workers, each with the module loaded from two files of the addon, a connection and a pool of each; ended by themselves, by process.exit, a throw, terminate() in the middle of a query, and with all left open; the main thread's own pool goes on beside them, and threads, descriptors and memory do not grow`
asRow(row, values, 'workers')
