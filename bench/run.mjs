// `npm run bench`: the drivers side by side, taking turns.
//
// One process per driver, all alive at once. Each round gives each driver one slice; what counts is the median of the
// per-round ratios (ours to theirs), because machines are noisy and rounds share their noise, of each of two bouts that
// start the processes in opposite orders. CPU per query stands beside throughput: hand-over between threads hides in
// wall time and costs a server's capacity.
//
//   node bench/run.mjs [--rounds 7] [--slice-ms 400] [--workloads point,row] [--peers oxpg,pg] [--save]
//
// DATABASE_URL makes it use that server (tables named `bench_…` are made there); otherwise an embedded one is started.
import { parseArgs } from 'node:util'
import { connect } from '../dist/index.mjs'
import { start as startEmbeddedPostgres } from '../scripts/embedded-postgres.mjs'
import { installPeers } from './install-peers.mjs'
import { measureLoading } from './loading.mjs'
import { obstacle, Peer, peerNames } from './peers/index.mjs'
import { printLoading, printSetting, saveResults } from './report.mjs'
import { createSchema } from './schema.mjs'
import { geometricMean, median } from './statistics.mjs'
import { workloads } from './workloads/index.mjs'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    'slice-ms': { type: 'string', default: '400' },
    workloads: { type: 'string' },
    peers: { type: 'string' },
    save: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const sliceMs = Number(options['slice-ms'])
const chosenWorkloads = options.workloads?.split(',')
const chosenPeers = options.peers?.split(',') ?? peerNames
/** Drivers that Node loads. */
const LOADABLE = new Set(['oxpg', 'before', 'pg', 'postgres'])

installPeers(chosenPeers)
const server = process.env.DATABASE_URL === undefined ? await startEmbeddedPostgres() : undefined
const url = server?.url ?? process.env.DATABASE_URL
try {
  const serverVersion = await createSchema(url, connect)
  const results = []
  for (const workload of workloads) {
    if (chosenWorkloads !== undefined && !chosenWorkloads.includes(workload.name)) continue
    for (const setting of workload.settings) {
      const result = await measure(workload, setting)
      printSetting(result)
      results.push(result)
    }
  }
  const wantsLoading = chosenWorkloads === undefined || chosenWorkloads.includes('loading')
  const loading = wantsLoading ? measureLoading(chosenPeers.filter((name) => LOADABLE.has(name))) : undefined
  if (loading !== undefined) printLoading(loading)
  if (options.save) saveResults({ results, loading, rounds, sliceMs, serverVersion })
} finally {
  await server?.stop()
}

/**
 * Runs one workload in one setting: all peers, in turn, `rounds` times after a warm-up.
 *
 * Half of the rounds (a bout) have the processes started in the one order, half in the other: of two processes of the
 * very same build the one that was started first was up to 10 % behind for as long as both lived.
 */
async function measure(workload, setting) {
  const absent = {}
  const versions = {}
  const present = chosenPeers.filter((name) => {
    const reason = obstacle(name, setting)
    if (reason !== undefined) absent[name] = reason
    return reason === undefined
  })
  const { sql, parameters, rows } = workload
  const request = { sql, parameters, rows, callers: setting.callers, durationMs: sliceMs }
  const inOneOrder = Math.ceil(rounds / 2)
  const bouts = [
    await bout(present, setting, request, inOneOrder, versions),
    await bout(present.toReversed(), setting, request, rounds - inOneOrder, versions),
  ]
  return {
    workload: workload.name,
    question: workload.question,
    returns: workload.returns,
    ...setting,
    versions,
    absent,
    ...summary(present, bouts),
  }
}

/** Starts the peers, warms them up, and gives each a slice a round; the slices, by the peer's name. */
async function bout(names, setting, request, roundCount, versions) {
  const slices = Object.fromEntries(names.map((name) => [name, []]))
  if (roundCount === 0) return slices
  const peers = names.map((name) => new Peer(name, url, setting.connections))
  try {
    for (const peer of peers) versions[peer.name] = await peer.ready()
    for (const peer of peers) await peer.slice({ ...request, durationMs: Math.max(sliceMs, 1000) })
    for (let round = 0; round < roundCount; round += 1) {
      for (const peer of peers) slices[peer.name].push(await peer.slice(request))
    }
    return slices
  } finally {
    for (const peer of peers) peer.close()
  }
}

function summary(names, bouts) {
  const rate = ({ queries, elapsedMs }) => (queries / elapsedMs) * 1000
  const cpu = ({ queries, cpuMicroseconds }) => cpuMicroseconds / queries
  /** Ours to theirs, round by round: above 1 oxpg is faster, or needs more CPU. */
  const ratio = (of, name) =>
    geometricMean(
      bouts
        .filter((slices) => slices[name].length > 0)
        .map((slices) => median(slices.oxpg.map((ours, round) => of(ours) / of(slices[name][round])))),
    )
  const peers = {}
  for (const name of names) {
    const own = bouts.flatMap((slices) => slices[name])
    peers[name] = {
      queriesPerSecond: median(own.map(rate)),
      cpuMicrosecondsPerQuery: median(own.map(cpu)),
      peakRssMebibytes: Math.max(...own.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20,
      ratio: names.includes('oxpg') ? ratio(rate, name) : undefined,
      cpuRatio: names.includes('oxpg') ? ratio(cpu, name) : undefined,
    }
  }
  return { peers }
}
