// Row 37 of docs/reliability.md: the addon in many workers, in series and in parallel, and from two files in each of them.
// (reloads.mjs loads it again and again in one thread.)
//
//   node __test__/adversity/workers.mjs [--full] [--json] [--node path/to/node]
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { asRow, playOptions } from '../../scripts/adversity-play.mjs'

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

function play({ series, parallel }) {
  return new Promise((resolve) => {
    const child = spawn(values.node, [program, `${series}`, `${parallel}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const what = `${series} times ${parallel} workers`
      row.cases += series * parallel
      const fail = (text) => row.failures.push(`row 37: ${what}: ${text}`)
      if (code !== 0) fail(`ended with ${signal ?? code}\n${stderr.slice(-2_000)}`)
      else {
        const { before, after } = JSON.parse(stdout)
        const figures = `${JSON.stringify(before)} became ${JSON.stringify(after)}`
        if (after.threads > before.threads) fail(`threads: ${figures}`)
        if (after.descriptors > before.descriptors) fail(`descriptors: ${figures}`)
        const each = (after.rssMiB - before.rssMiB) / ((series * parallel) / 2)
        // A few say nothing of it.
        if (values.full && each > MOST_MIB) fail(`${each.toFixed(3)} MiB a worker: ${figures}`)
      }
      resolve()
    })
  })
}

for (const course of COURSES) await play(course)
const courses = COURSES.map(({ series, parallel }) => `${series} times ${parallel}`).join(', ')
row.detail = `${courses} workers, each with the module loaded from two files of the addon, a connection and a pool of each; ended by themselves, by process.exit, a throw, terminate() in the middle of a query, and with all left open; the main thread's own pool goes on beside them, and threads, descriptors and memory do not grow`
asRow(row, values, 'workers')
