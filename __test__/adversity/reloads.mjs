// Test runners and hot reload load the module again and again in one process: a copy that has closed what it opened
// leaves nothing behind, and one that has not leaves its connection and no more.
//
//   node __test__/adversity/reloads.mjs [--node path/to/node]
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runLimited } from '../../scripts/limited-program.mjs'

const { values } = parseArgs({ options: { node: { type: 'string', default: process.execPath } } })
const url = process.env.OXPG_TEST_URL
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const program = fileURLToPath(new URL('programs/reload.cjs', import.meta.url))
const LIMIT_MS = 180_000

/** Rounds, and what one may leave in memory; an open session has its environment. */
const ENDINGS = {
  closed: { rounds: 200, mostMiB: 0.2 },
  failed: { rounds: 200, mostMiB: 0.2 },
  open: { rounds: 40, mostMiB: 4 },
}

const run = (way, ending) => {
  const programArguments = ['--expose-gc', program, url, way, ending, String(ENDINGS[ending].rounds)]
  return runLimited(values.node, programArguments, { limitMs: LIMIT_MS })
}

/** What is wrong with a run, if anything is. */
function problemOf({ end, stdout, stderr, ending }, { rounds, mostMiB }, isOpen) {
  if (end !== 0) return ending
  if (stderr !== '') return stderr
  const [before, after] = JSON.parse(stdout)
  const figures = `${JSON.stringify(before)} became ${JSON.stringify(after)}`
  if (after.listeners > 1) return `exit listeners: ${figures}`
  if (after.threads > before.threads) return `threads: ${figures}`
  const sockets = isOpen ? rounds / 2 : 0
  if (after.descriptors > before.descriptors + sockets) return `descriptors: ${figures}`
  const perRound = (after.rssMiB - before.rssMiB) / (rounds / 2)
  return perRound > mostMiB ? `${perRound.toFixed(3)} MiB a round: ${figures}` : undefined
}

let passed = 0
const failures = []
for (const way of ['require', 'vm']) {
  for (const [ending, limits] of Object.entries(ENDINGS)) {
    const problem = problemOf(await run(way, ending), limits, ending === 'open')
    if (problem === undefined) passed += 1
    else failures.push(`${way}, ${ending}: ${problem}`)
  }
}

for (const failure of failures) console.log(failure)
console.log(`reloads: ${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
