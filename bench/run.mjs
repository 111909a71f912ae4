// `npm run bench`: the drivers side by side, taking turns.
//
// One process per driver, all alive at once. Each round gives each driver one slice; what counts is the median of the
// per-round ratios (ours to theirs), because machines are noisy and rounds share their noise, of each of two bouts that
// start the processes in opposite orders. CPU per query stands beside throughput: hand-over between threads hides in
// wall time and costs a server's capacity.
//
//   node bench/run.mjs [--rounds 7] [--slice-ms 400] [--workloads point,row] [--peers oxpg,pg] [--save [--label tls]]
//
// DATABASE_URL makes it use that server (tables named `bench_…` are made there), over TLS where PGSSLROOTCERT is the file
// of its authority's certificate; otherwise an embedded one is started.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connect } from '../dist/index.mjs'
import { CERTIFICATES, startWithTls } from '../scripts/tls-servers.mjs'
import { openDistance } from './distance.mjs'
import { installPeers } from './install-peers.mjs'
import { measureLoading } from './loading.mjs'
import { isInNode, obstacle, Peer, peerNames } from './peers/index.mjs'
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
    label: { type: 'string' },
  },
})
const rounds = Number(options.rounds)
const sliceMs = Number(options['slice-ms'])
const chosenWorkloads = options.workloads?.split(',')
const chosenPeers = options.peers?.split(',') ?? peerNames
const QUANTILES = ['p50', 'p99', 'p999', 'max']
/** One cipher for all peers: of two clients, each may prefer another. */
const CIPHERS = { ssl_tls13_ciphers: 'TLS_AES_256_GCM_SHA384' }

installPeers(chosenPeers)
const server = process.env.DATABASE_URL === undefined ? await startWithTls('server', CIPHERS) : undefined
/** The server in the clear (or as DATABASE_URL says), and over TLS. */
const clear = { url: server === undefined ? process.env.DATABASE_URL : `${server.url}?sslmode=disable` }
const encrypted =
  server === undefined
    ? { url: withoutMode(process.env.DATABASE_URL), caFile: process.env.PGSSLROOTCERT }
    : { url: server.url, caFile: join(CERTIFICATES, 'ca.crt') }
try {
  const serverVersion = await createSchema(clear.url, connect)
  const results = []
  for (const workload of workloads) {
    if (chosenWorkloads !== undefined && !chosenWorkloads.includes(workload.name)) continue
    for (const setting of workload.settings) {
      if (setting.isEncrypted && encrypted.caFile === undefined) {
        console.log(
          `\nskipped: ${workload.name} over TLS: PGSSLROOTCERT names no file to verify the server by`,
        )
        continue
      }
      const distance = await distanceOf(workload, setting)
      if (setting.distanceMs !== undefined && distance === undefined) continue
      try {
        const result = await measure(workload, setting, distance)
        printSetting(result)
        results.push(result)
      } finally {
        await distance?.close()
      }
    }
  }
  const wantsLoading = chosenWorkloads === undefined || chosenWorkloads.includes('loading')
  const loading = wantsLoading ? measureLoading(chosenPeers.filter(isInNode)) : undefined
  if (loading !== undefined) printLoading(loading)
  if (options.save) saveResults({ results, loading, rounds, sliceMs, serverVersion, label: options.label })
} finally {
  await server?.stop()
}

/** What makes the server so far away, if the setting has it so and it can be had. */
async function distanceOf({ name }, { distanceMs }) {
  if (distanceMs === undefined) return undefined
  try {
    return await openDistance(clear.url, distanceMs)
  } catch (error) {
    console.log(`\nskipped: ${name}: ${error.message}\n${error.output ?? ''}`.trimEnd())
    return undefined
  }
}

/**
 * Runs one workload in one setting: all peers, in turn, `rounds` times after a warm-up.
 *
 * Half of the rounds (a bout) have the processes started in the one order, half in the other: of two processes of the
 * very same build the one that was started first was up to 10 % behind for as long as both lived.
 */
async function measure(workload, setting, distance) {
  const absent = {}
  const [versions, ciphers] = [{}, {}]
  const present = chosenPeers.filter((name) => {
    const reason = obstacle(name, workload, setting)
    if (reason !== undefined) absent[name] = reason
    return reason === undefined
  })
  const { task = 'repeat', sql, parameters, rows, texts, slow, isWatched, note } = workload
  const durationMs = Math.max(sliceMs, workload.sliceMs ?? 0)
  const { callers } = setting
  const request = { task, sql, parameters, rows, texts, slow, isWatched, callers, durationMs }
  const inOneOrder = Math.ceil(rounds / 2)
  const run = { setting, request, distance, versions, ciphers }
  const bouts = [
    await bout(present, 0, inOneOrder, run),
    await bout(present.toReversed(), inOneOrder, rounds, run),
  ]
  return {
    workload: workload.name,
    question: workload.question,
    returns: workload.returns,
    note,
    task,
    isWatched,
    ...setting,
    versions,
    ciphers,
    absent,
    ...summary(present, bouts),
  }
}

/** Starts the peers, warms them up, and gives each a slice a round; the slices, by the peer's name. */
async function bout(names, from, to, { setting, request, distance, versions, ciphers }) {
  const slices = Object.fromEntries(names.map((name) => [name, []]))
  if (from === to) return slices
  const server = setting.isEncrypted ? encrypted : (distance ?? clear)
  const peers = names.map((name) => new Peer(name, server, setting.connections))
  try {
    for (const peer of peers) {
      const { version, tls } = await peer.ready()
      if (setting.isEncrypted && !tls) throw new Error(`the session of ${peer.name} is not encrypted`)
      versions[peer.name] = version
      ciphers[peer.name] = tls ?? undefined
    }
    const warmUp = { ...request, durationMs: Math.max(request.durationMs, 1000), seed: rounds }
    for (const peer of peers) await peer.slice(warmUp)
    for (let round = from; round < to; round += 1) {
      for (const peer of peers) {
        slices[peer.name].push(await besideProxy(distance, () => peer.slice({ ...request, seed: round })))
      }
    }
    return slices
  } finally {
    for (const peer of peers) peer.close()
  }
}

/** A slice, with how much of a processor the proxy took during it, where there is one and the system tells. */
async function besideProxy(distance, work) {
  const [started, startedCpu] = [performance.now(), distance?.cpuMicroseconds()]
  const slice = await work()
  if (startedCpu === undefined) return slice
  const cpu = distance.cpuMicroseconds() - startedCpu
  return { ...slice, proxyLoad: cpu / 1000 / (performance.now() - started) }
}

function summary(names, bouts) {
  const rate = ({ queries, elapsedMs }) => (queries / elapsedMs) * 1000
  const cpu = ({ queries, cpuMicroseconds }) => cpuMicroseconds / queries
  const mainThread = ({ queries, mainThreadMicroseconds }) => mainThreadMicroseconds / queries
  const latency = (quantile) => (slice) => slice.latencyMs[quantile]
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
    const middle = (of) => median(own.map(of))
    const ratioOf = (of) => (names.includes('oxpg') ? ratio(of, name) : undefined)
    const forEachQuantile = (figure) =>
      Object.fromEntries(QUANTILES.map((quantile) => [quantile, figure(quantile)]))
    const { loopDelayMs, mainThreadMicroseconds, proxyLoad } = own[0]
    peers[name] = {
      queriesPerSecond: middle(rate),
      latencyMs: forEachQuantile((quantile) => middle(latency(quantile))),
      latencyRatios: forEachQuantile((quantile) => ratioOf(latency(quantile))),
      cpuMicrosecondsPerQuery: middle(cpu),
      peakRssMebibytes: Math.max(...own.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20,
      ratio: ratioOf(rate),
      cpuRatio: ratioOf(cpu),
      ...(proxyLoad === undefined ? {} : { proxyLoad: middle((slice) => slice.proxyLoad) }),
      ...(mainThreadMicroseconds === undefined
        ? {}
        : { mainThreadMicrosecondsPerQuery: middle(mainThread), mainThreadRatio: ratioOf(mainThread) }),
      ...(loopDelayMs === undefined
        ? {}
        : {
            loopDelayMs: {
              p50: middle((slice) => slice.loopDelayMs.p50),
              p99: middle((slice) => slice.loopDelayMs.p99),
              max: Math.max(...own.map((slice) => slice.loopDelayMs.max)),
            },
          }),
    }
  }
  return { peers }
}

/** How a session is encrypted is said to each driver in its own way; some take the URL's word over it. */
function withoutMode(text) {
  const url = new URL(text)
  for (const key of ['sslmode', 'sslrootcert']) url.searchParams.delete(key)
  return url.href
}
