// `npm run bench`: the drivers side by side, taking turns.
//
// One process per driver, all alive at once. Each round gives each driver one slice; what counts is the median of the
// per-round ratios (ours to theirs), because machines are noisy and rounds share their noise. CPU per query stands
// beside throughput: hand-over between threads hides in wall time and costs a server's capacity.
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
import { median } from './statistics.mjs'
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

/** Runs one workload in one setting: all peers, in turn, `rounds` times after a warm-up. */
async function measure(workload, setting) {
  const peers = []
  const absent = {}
  const versions = {}
  try {
    for (const name of chosenPeers) {
      const reason = obstacle(name, setting)
      if (reason === undefined) peers.push(new Peer(name, url, setting.connections))
      else absent[name] = reason
    }
    for (const peer of peers) versions[peer.name] = await peer.ready()
    const { sql, parameters, rows } = workload
    const request = { sql, parameters, rows, callers: setting.callers, durationMs: sliceMs }
    const slices = Object.fromEntries(peers.map(({ name }) => [name, []]))
    for (const peer of peers) await peer.slice({ ...request, durationMs: Math.max(sliceMs, 1000) })
    for (let round = 0; round < rounds; round += 1) {
      for (const peer of peers) slices[peer.name].push(await peer.slice(request))
    }
    return {
      workload: workload.name,
      question: workload.question,
      returns: workload.returns,
      ...setting,
      versions,
      absent,
      ...summary(slices),
    }
  } finally {
    for (const peer of peers) peer.close()
  }
}

function summary(slices) {
  const rate = ({ queries, elapsedMs }) => (queries / elapsedMs) * 1000
  const cpu = ({ queries, cpuMicroseconds }) => cpuMicroseconds / queries
  const peers = {}
  for (const [name, own] of Object.entries(slices)) {
    peers[name] = {
      queriesPerSecond: median(own.map(rate)),
      cpuMicrosecondsPerQuery: median(own.map(cpu)),
      peakRssMebibytes: Math.max(...own.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20,
      // Ours to theirs, round by round: above 1 oxpg is faster, or needs less CPU.
      ratio: slices.oxpg && median(slices.oxpg.map((ours, round) => rate(ours) / rate(own[round]))),
      cpuRatio: slices.oxpg && median(slices.oxpg.map((ours, round) => cpu(ours) / cpu(own[round]))),
    }
  }
  return { peers }
}
