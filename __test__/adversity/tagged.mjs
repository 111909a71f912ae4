// An answer belongs to its question: some ten thousand tagged questions over a pool, of every kind, of which each must
// come to its own end. scripts/tagged.mjs asks as many as one likes, also of other drivers.
//
//   node __test__/adversity/tagged.mjs [--count 20000] [--node path/to/node]
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isRight, reportOf } from '../../scripts/tagged/result.mjs'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    node: { type: 'string', default: process.execPath },
  },
})
const url = process.env.OXPG_TEST_URL
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')

/** All kinds of questions that there are: each must have been asked. */
const KINDS = ['prepared', 'new', 'insert', 'failing', 'transaction', 'handle', 'many', 'signal', 'timeout']

const script = fileURLToPath(new URL('../../scripts/tagged.mjs', import.meta.url))
const child = spawn(process.execPath, [script, '--json', '--count', values.count, '--node', values.node], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, DATABASE_URL: url },
})
let stdout = ''
child.stdout.setEncoding('utf8').on('data', (text) => {
  stdout += text
})
await new Promise((resolve) => child.once('close', resolve))
const result = JSON.parse(stdout)
const isSound = (kind) => result.kinds[kind]?.asked > 0 && result.kinds[kind].failed === 0
const passed = KINDS.filter(isSound).length + (isRight(result) ? 1 : 0)
const failed = KINDS.length + 1 - passed

if (failed > 0) console.log(reportOf(result))
console.log(`tagged: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
