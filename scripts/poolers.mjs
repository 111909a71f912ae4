// npm run test:poolers: what a pooler does to its clients, on the PgBouncer that is installed and on a younger one that is
// built from source, in front of an embedded server. What is missing is skipped with its reason.
import { start } from './embedded-postgres.mjs'
import { installedPgbouncer, startPgbouncer, versionOf } from './pgbouncer.mjs'
import { buildPgbouncer } from './pgbouncer-source.mjs'
import { duration, PROGRAMS, runNode } from './run.mjs'
import { setup } from './setup.mjs'
import { failuresInTap, tallyTap } from './tally.mjs'

/** The PgBouncers that there are: `{ program, version }`. */
async function poolers() {
  const installed = await installedPgbouncer()
  const found = installed === undefined ? [] : [installed]
  if (found.length === 0) console.log('skipped: PgBouncer is not installed')
  if (found.some(({ version }) => keepsStatements(version))) return found
  const { program, reason } = await buildPgbouncer()
  if (program === undefined) console.log(`skipped: PgBouncer from source: ${reason}`)
  else found.push({ program, version: await versionOf(program) })
  return found
}

/** From 1.21 on it can keep its clients' prepared statements itself; older ones do not know the setting. */
const keepsStatements = ([major, minor]) => major > 1 || minor >= 21

/** What it is tested as: settings by what they are called. */
function variants(version) {
  const none = keepsStatements(version) ? ['max_prepared_statements = 0'] : []
  const always = ['server_reset_query_always = 1']
  const all = [
    { name: 'transaction mode', mode: 'transaction', settings: none },
    { name: 'transaction mode with DISCARD ALL', mode: 'transaction', settings: [...none, ...always] },
    { name: 'statement mode', mode: 'statement', settings: none },
    { name: 'statement mode with DISCARD ALL', mode: 'statement', settings: [...none, ...always] },
    { name: 'session mode', mode: 'session', settings: none },
  ]
  if (!keepsStatements(version)) return all
  const kept = ['max_prepared_statements = 200']
  return [
    ...all,
    { name: 'transaction mode with prepared statements', mode: 'transaction', settings: kept, keeps: true },
    { name: 'statement mode with prepared statements', mode: 'statement', settings: kept, keeps: true },
  ]
}

const total = { passed: 0, failed: 0, skipped: 0 }

async function testOn(name, program, url, variant) {
  const started = performance.now()
  const pgbouncer = await startPgbouncer(program, url, variant)
  try {
    const env = {
      OXPG_TEST_URL: url,
      OXPG_TEST_POOLER_URL: pgbouncer.url,
      OXPG_TEST_POOLER_MODE: variant.mode,
      OXPG_TEST_POOLER_KEEPS: variant.keeps ? '1' : '',
      FORCE_COLOR: '0',
    }
    const { code, output, stdout } = await runNode(
      PROGRAMS.ava,
      ['--tap', '.cache/test/__test__/poolers/**'],
      { env, mayFail: true },
    )
    const tally = tallyTap(stdout)
    if (code !== 0) process.stdout.write(`${failuresInTap(stdout) || output}\n`)
    if (code !== 0 && tally.failed === 0) tally.failed = 1
    for (const key of Object.keys(total)) total[key] += tally[key]
    const took = duration(performance.now() - started)
    console.log(
      `${tally.failed ? '✗' : '✓'} ${name}: ${tally.passed} passed, ${tally.failed} failed (${took})`,
    )
  } finally {
    await pgbouncer.stop()
  }
}

try {
  const found = await poolers()
  if (found.length > 0) {
    await setup()
    await runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
    const server = await start()
    try {
      for (const { program, version } of found) {
        for (const variant of variants(version)) {
          const name = `PgBouncer ${version.join('.')}, ${variant.name}`
          await testOn(name, program, server.url, variant)
        }
      }
    } finally {
      await server.stop()
    }
  }
} catch (error) {
  total.failed++
  console.error(error.output ?? error)
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
