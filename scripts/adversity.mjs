// npm run test:adversity: the rows of docs/reliability.md, in full against the newest PostgreSQL and in part against the
// others that can be had here, and their results as that page's table.
//   --majors 18,13   some of them, the first in full
//   --in-part        the first in part as well
//   --rows cuts,…    some rows, see __test__/adversity/network.mjs, pools.mjs, flow.mjs, inputs.mjs and cancels.mjs;
//                    `policy` and `psql` are row 33, `exits` (or `exits:idle` and so on, a state at a time), `workers` and
//                    `panics` rows 36 to 38, `peers` what pg and postgres.js do. The others keep what the tables say of them
//   --no-write       does not touch the page
import { parseArgs } from 'node:util'
import { Results } from './adversity-results.mjs'
import { buildFailpoints, buildTestkit } from './build-steps.mjs'
import { startCluster } from './clusters.mjs'
import { SERVER_MAJORS } from './packages.mjs'
import { duration, PROGRAMS, run, runNode } from './run.mjs'
import { setup } from './setup.mjs'

const { values } = parseArgs({
  options: {
    majors: { type: 'string', default: SERVER_MAJORS.toReversed().join(',') },
    'in-part': { type: 'boolean', default: false },
    rows: { type: 'string' },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
})
/** Rows that only need servers which follow a script: one PostgreSQL beside them is enough. */
const SCRIPTED = ['hostile', 'endless', 'scram', 'capture']
const REAL = ['cuts', 'pieces', 'silence', 'stalls', 'addresses', 'unread']
const ELSEWHERE = ['policy', 'psql']
/** Of __test__/adversity/cancels.mjs. */
const CANCELS = ['races', 'poolers', 'storm']
/** Rows of pools.mjs. */
const POOLS = [
  ...[
    'terminated',
    'restarts',
    'failover',
    'herd',
    'commits',
    'deaths',
    'besides',
    'listening',
    'leftovers',
    'aborts',
  ],
  ...['nesting', 'fairness', 'handover', 'misuse', 'lifetimes', 'drain', 'sizes', 'contexts'],
]
/** Those of them that only need any PostgreSQL: the newest is enough. */
const ANY_SERVER = ['herd', 'nesting', 'fairness', 'handover', 'misuse', 'lifetimes', 'sizes', 'contexts']
/** Of __test__/adversity/flow.mjs; any PostgreSQL is enough. */
const FLOW = ['paused', 'long', 'large']
/** Parts of row 34, of __test__/adversity/inputs.mjs; any PostgreSQL is enough. */
const INPUTS = ['columns', 'texts', 'values', 'names']
/** Rows that run programs, and any PostgreSQL. */
const PROCESSES = ['exits', 'workers', 'panics']

const ALL = [
  ...[...REAL, ...SCRIPTED, ...POOLS, ...FLOW, ...INPUTS, ...PROCESSES, ...ELSEWHERE, ...CANCELS],
  'peers',
]
/** `exits:idle` is a row of that script's own, as it has them. */
const partsOf = (name, asked) =>
  asked.filter((known) => known.startsWith(`${name}:`)).map((known) => known.slice(name.length + 1))
const asked = values.rows?.split(',') ?? ALL
const unknown = asked.filter((name) => !ALL.includes(name.replace(/^exits:.+/, 'exits')))
if (unknown.length > 0) throw new Error(`--rows: there is no ${unknown.join(', ')}`)

const total = { passed: 0, failed: 0 }
const results = new Results(asked.length === ALL.length)

/** All rows that have to do with one server. */
async function play(major, tools, isFull) {
  const network = asked.filter((name) => REAL.includes(name) || (isFull && SCRIPTED.includes(name)))
  const pools = asked.filter((name) => POOLS.includes(name) && (isFull || !ANY_SERVER.includes(name)))
  const cancels = asked.filter((name) => CANCELS.includes(name))
  const flow = isFull ? asked.filter((name) => FLOW.includes(name)) : []
  const inputs = isFull ? asked.filter((name) => INPUTS.includes(name)) : []
  const isAsked = (name) => asked.includes(name) || partsOf(name, asked).length > 0
  const processes = isFull ? PROCESSES.filter(isAsked) : []
  const isPeersAsked = isFull && asked.includes('peers')
  const all = [network, pools, flow, inputs, cancels, processes]
  if (all.every((rows) => rows.length === 0) && !isPeersAsked) return
  let cluster
  try {
    cluster = await startCluster({ major, certificate: 'server' })
  } catch (error) {
    const reason = `${error.message} ${error.output ?? ''}`.trim().split('\n')[0]
    console.log(`- PostgreSQL ${major} skipped: ${reason}`)
    results.skipped.push(major)
    return
  }
  const started = performance.now()
  const { url, port, logFile } = cluster.primary
  const env = {
    ...tools,
    OXPG_TEST_URL: url,
    OXPG_TEST_TLS_PORT: `${port}`,
    OXPG_TEST_SERVER_LOG: logFile,
    OXPG_TEST_MAJOR: `${major}`,
  }
  const script = async (name, more = []) => {
    const scriptArguments = [
      `__test__/adversity/${name}.mjs`,
      ...(isFull ? ['--full'] : []),
      '--json',
      ...more,
    ]
    const { stdout } = await run(process.execPath, scriptArguments, { env, mayFail: true, isLive: true })
    for (const line of stdout.split('\n')) {
      if (line.startsWith('{')) results.add(JSON.parse(line), major, isFull)
    }
    const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(stdout) ?? [0, 0, 1]
    total.passed += Number(passed)
    total.failed += Number(failed)
  }
  try {
    if (network.length > 0) await script('network', ['--rows', network.join(',')])
    if (pools.length > 0) await script('pools', ['--rows', pools.join(',')])
    if (flow.length > 0) await script('flow', ['--rows', flow.join(',')])
    if (inputs.length > 0) await script('inputs', ['--rows', inputs.join(',')])
    if (cancels.length > 0) await script('cancels', ['--rows', cancels.join(',')])
    for (const name of processes) {
      const parts = partsOf(name, asked)
      await script(name, parts.length > 0 ? ['--rows', parts.join(',')] : [])
    }
    if (isPeersAsked) await peers(env)
    console.log(`PostgreSQL ${major}: ${duration(performance.now() - started)}`)
  } finally {
    await cluster.stop()
  }
}

/** What the other drivers do where they can run the same: told, not judged. */
async function peers(env) {
  const { code, output, stdout } = await runNode('__test__/adversity/peers/run.mjs', [], {
    env,
    mayFail: true,
  })
  if (code !== 0) {
    total.failed += 1
    console.log(output)
    return
  }
  results.peers = JSON.parse(stdout)
}

/** Row 33: what comes of each combination of policies, and what is said, against a scripted server. */
async function policy() {
  const test = ['test', '-p', 'oxpg-client', '--test', 'open_tls', '--', '--nocapture']
  const { code, output } = await run('cargo', test, { env: { OXPG_ADVERSITY: '1' }, mayFail: true })
  const [told, count] = /(\d+) combinations: .*/.exec(output) ?? []
  const failures = code === 0 && told !== undefined ? [] : ['row 33: crates/client/tests/open_tls.rs fails']
  console.log(failures.length > 0 ? output : `row 33: ${told}`)
  total.passed += Number(count ?? 0)
  total.failed += failures.length
  results.add({
    number: '33',
    title: 'what policy forbids',
    detail: `sslmode × answer to the request for TLS × authentication × channel_binding × require_auth × roots, by what libpq documents: the outcome, each message, and the password in all bytes (${told?.split(': ')[1]})`,
    over: 'TCP, TLS',
    isScripted: true,
    cases: Number(count ?? 0),
    failures,
  })
}

/** Row 33 once more: the same DSN by psql, where it is installed. */
async function psql() {
  const { code, output, stdout } = await runNode('scripts/compare-with-psql.mjs', [], { mayFail: true })
  const row = { number: '33', title: 'the same DSN with psql and with oxpg', over: 'TCP, TLS, Unix socket' }
  const last = stdout.trim().split('\n').at(-1) ?? ''
  const [, count, differences, tally] = /(\d+) combinations, (\d+) differences; psql: (.*)/.exec(last) ?? []
  console.log(code === 0 ? `row 33: ${last}` : output)
  if (last.startsWith('skipped')) {
    results.add({ ...row, detail: last, isScripted: true, cases: 0, failures: [] })
    return
  }
  const failed = count === undefined ? 1 : Number(differences)
  total.passed += Number(count ?? 0) - Number(differences ?? 0)
  total.failed += failed
  results.add(
    {
      ...row,
      detail: `sslmode, user, password, host, roots, channel_binding, client certificate, versions, home folder, at random on servers with eleven certificates and one without TLS; psql: ${tally?.replaceAll(/[{}"]/g, '').replaceAll(':', ' ').replaceAll(',', ', ')}`,
      cases: Number(count ?? 0),
      failures: Array.from({ length: failed }, () => 'row 33: psql does otherwise'),
    },
    SERVER_MAJORS.at(-1),
    true,
  )
}

try {
  await setup()
  const tools = { OXPG_TESTKIT: await buildTestkit(), OXPG_FAILPOINTS: await buildFailpoints() }
  await runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
  if (asked.includes('policy')) await policy()
  if (asked.includes('psql')) await psql()
  for (const [index, major] of values.majors.split(',').entries())
    await play(Number(major), tools, index === 0 && !values['in-part'])
  if (values.write) results.write()
} catch (error) {
  total.failed++
  console.error(error.output ?? error)
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
