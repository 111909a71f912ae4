// Printing and keeping results.
import { writeFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

const BEFORE_TARGETS = [
  'peer',
  'queries/s',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'CPU µs/query',
  'peak MiB',
  'oxpg is',
  'oxpg needs',
]
/** Of the main thread, which only some workloads have measured: its CPU, and how late its loop is. */
const WATCHED = ['main µs/query', 'oxpg needs of it', 'loop p50 ms', 'loop p99 ms', 'loop max ms']

/** Of the speed of `before`, the build that ours is compared to: no change may cost more than the noise of a run. */
const LEAST_OF_BEFORE = 0.98

const QUANTILES = { p50: 'Half', p99: '99 of 100', p999: '999 of 1 000', max: 'The slowest' }

const headerOf = ({ isWatched }) => [...BEFORE_TARGETS, ...(isWatched ? WATCHED : []), 'target', '']

/** Three digits of a number below 100. */
const short = (value) =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3)

const times = (ratio) => `${ratio.toFixed(2)}×`

function rowsOf(result) {
  const { peers, absent, targets, isWatched } = result
  const rows = Object.entries(peers).map(([name, figures]) => {
    const target = name === 'before' ? LEAST_OF_BEFORE : targets[name]
    const { ratio, cpuRatio } = figures
    const isOther = ratio !== undefined && name !== 'oxpg'
    return [
      name,
      short(figures.queriesPerSecond),
      short(figures.latencyMs.p50),
      short(figures.latencyMs.p99),
      short(figures.latencyMs.p999),
      figures.cpuMicrosecondsPerQuery.toFixed(1),
      figures.peakRssMebibytes.toFixed(0),
      isOther ? times(ratio) : '',
      isOther ? times(cpuRatio) : '',
      ...(isWatched ? watchedCells(figures, isOther) : []),
      target === undefined ? '' : `${target}×`,
      target === undefined || ratio === undefined ? '' : ratio >= target ? 'reached' : 'missed',
    ]
  })
  for (const [name, reason] of Object.entries(absent)) {
    rows.push([
      name,
      reason,
      ...headerOf(result)
        .slice(2)
        .map(() => ''),
    ])
  }
  return rows
}

function watchedCells({ mainThreadMicrosecondsPerQuery, mainThreadRatio, loopDelayMs }, isOther) {
  const isTold = mainThreadMicrosecondsPerQuery !== undefined
  return [
    isTold ? mainThreadMicrosecondsPerQuery.toFixed(1) : '',
    isTold && isOther ? times(mainThreadRatio) : '',
    short(loopDelayMs.p50),
    short(loopDelayMs.p99),
    short(loopDelayMs.max),
  ]
}

const title = ({ question, callers, connections, isEncrypted, distanceMs, task }) => {
  const of = (count, one) => `${count} ${one}${count === 1 ? '' : 's'}`
  const setting =
    task === 'connect' ? `${callers} at once` : `${of(callers, 'caller')}, ${of(connections, 'connection')}`
  const away = distanceMs === undefined ? '' : `, ${distanceMs} ms away`
  return `${question}; ${setting}${away}${isEncrypted ? ', over TLS' : ''}`
}

/** What is to be known below a table. */
function footnotes(result) {
  const { note } = result
  return [
    ...targetsOfLatencies(result),
    ...targetsOfMainThread(result),
    note,
    values(result),
    ciphers(result),
    proxy(result),
  ].filter((line) => line !== undefined)
}

const verdict = (isReached) => (isReached ? 'reached' : 'missed')

function targetsOfLatencies({ peers, latencyTargets = {} }) {
  return Object.entries(latencyTargets).flatMap(([quantile, targets]) =>
    Object.entries(targets).map(([name, target]) => {
      const ratio = peers[name]?.latencyRatios[quantile]
      if (ratio === undefined) return undefined
      const [ours, theirs] = ['oxpg', name].map((peer) => short(peers[peer].latencyMs[quantile]))
      const is = `${times(ratio)} (${ours} and ${theirs} ms), ${verdict(ratio <= target)}`
      return `${QUANTILES[quantile]} of oxpg's latencies: at most ${target}× that of ${name}: ${is}.`
    }),
  )
}

function targetsOfMainThread({ peers, mainThreadTargets = {}, loopDelayTargetMs }) {
  const notes = Object.entries(mainThreadTargets).map(([name, target]) => {
    const ratio = peers[name]?.mainThreadRatio
    if (ratio === undefined) return undefined
    return `Of the CPU of ${name}'s main thread oxpg needs at most ${target}×: ${times(ratio)}, ${verdict(ratio <= target)}.`
  })
  const delay = peers.oxpg?.loopDelayMs?.p99
  if (loopDelayTargetMs !== undefined && delay !== undefined) {
    const is = `${short(delay)} ms, ${verdict(delay <= loopDelayTargetMs)}`
    notes.push(`99 of 100 delays of the loop with oxpg are at most ${loopDelayTargetMs} ms: ${is}.`)
  }
  return notes
}

/** What the drivers of this run give for a value. */
function values({ returns = {}, peers }) {
  const groups = groupedBy(Object.keys(peers), (name) => returns[name])
  return groups === '' ? undefined : `A value is: ${groups}.`
}

/** How busy the proxy was: near 1 it was the proxy that was measured. */
function proxy({ peers }) {
  const loads = Object.entries(peers).flatMap(([name, { proxyLoad }]) =>
    proxyLoad === undefined ? [] : [`${proxyLoad.toFixed(2)} (${name})`],
  )
  return loads.length === 0 ? undefined : `Of a processor the proxy took ${loads.join(', ')}.`
}

/** What encrypted the drivers' sessions, by the server's word. */
function ciphers({ ciphers: ofPeers, peers }) {
  const groups = groupedBy(Object.keys(peers), (name) => ofPeers[name])
  return groups === '' ? undefined : `Encrypted by ${groups}.`
}

/** `value (names that have it); …`; names without a value are left out. */
function groupedBy(names, valueFor) {
  const groups = new Map()
  for (const name of names) {
    const value = valueFor(name)
    if (value !== undefined) groups.set(value, [...(groups.get(value) ?? []), name])
  }
  return [...groups].map(([value, members]) => `${value} (${members.join(', ')})`).join('; ')
}

const LOADING_TITLE = 'Loading the driver, in a fresh process; above what an empty one takes'
const LOADING_HEADER = ['peer', 'by', 'ms', 'RSS MiB', 'heap MiB', 'oxpg takes', 'target']
/** Of the time that pg takes. */
const LOADING_TARGET = 0.5

function loadingRows(loading) {
  const oursBy = Object.fromEntries(
    loading.filter(({ peer }) => peer === 'oxpg').map((row) => [row.way, row]),
  )
  return loading.map(({ peer, way, ms, rssMebibytes, heapMebibytes }) => {
    const ratio = peer === 'oxpg' || oursBy[way] === undefined ? undefined : oursBy[way].ms / ms
    const target = peer === 'pg' && ratio !== undefined
    return [
      peer,
      way,
      ms.toFixed(1),
      rssMebibytes.toFixed(1),
      heapMebibytes.toFixed(2),
      ratio === undefined ? '' : `${ratio.toFixed(2)}×`,
      target ? `≤ ${LOADING_TARGET}× ${ratio <= LOADING_TARGET ? 'reached' : 'missed'}` : '',
    ]
  })
}

/** Prints what loading takes. */
export function printLoading(loading) {
  printTable(LOADING_TITLE, [LOADING_HEADER, ...loadingRows(loading)])
}

/** Prints one workload's table. */
export function printSetting(result) {
  printTable(title(result), [headerOf(result), ...rowsOf(result)])
  for (const note of footnotes(result)) console.log(`  ${note}`)
}

function printTable(heading, rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  console.log(`\n${heading}`)
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]),
    )
    console.log(`  ${cells.join('  ').trimEnd()}`)
  }
}

/** Writes `results/<date>.json` and `results/<date>.md`, or `<date>-<label>`. */
export function saveResults({ results, loading, rounds, sliceMs, serverVersion, label }) {
  const date = new Date().toISOString().slice(0, 10)
  const name = label === undefined ? date : `${date}-${label}`
  const versions = Object.assign({}, ...results.map((result) => result.versions))
  const machine = {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memoryGibibytes: Math.round(totalmem() / 2 ** 30),
    // The rest of a kernel's release is its packager's.
    system: `${platform()} ${release().split('.').slice(0, 2).join('.')} ${arch()}`,
    node: process.version,
    postgresql: serverVersion,
  }
  const file = (extension) => fileURLToPath(new URL(`results/${name}.${extension}`, import.meta.url))
  writeFileSync(
    file('json'),
    `${JSON.stringify({ date, machine, versions, rounds, sliceMs, results, loading }, null, 2)}\n`,
  )
  const lines = [
    `# Results of ${date}${label === undefined ? '' : `: ${label}`}`,
    '',
    `${Object.entries(machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}. ${rounds} rounds of ${sliceMs} ms`,
    `per driver, in turn. ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    '"oxpg is" is the median of the per-round ratios of throughput, ours to theirs, "oxpg needs" that of CPU per query;',
    'both the middle of two bouts, whose processes were started in opposite orders. p50, p99 and p99.9 are those of a slice,',
    'in the middle of all slices.',
  ]
  for (const result of results) {
    const header = headerOf(result)
    lines.push('', `## ${title(result)}`, '', `| ${header.join(' | ')} |`, `|${'---|'.repeat(header.length)}`)
    for (const row of rowsOf(result)) lines.push(`| ${row.join(' | ')} |`)
    for (const note of footnotes(result)) lines.push('', note)
  }
  if (loading !== undefined) {
    const rows = [LOADING_HEADER, LOADING_HEADER.map(() => '---'), ...loadingRows(loading)]
    lines.push('', `## ${LOADING_TITLE}`, '', ...rows.map((row) => `| ${row.join(' | ')} |`))
  }
  writeFileSync(file('md'), `${lines.join('\n')}\n`)
  console.log(`\nresults/${name}.md and .json are written`)
}
