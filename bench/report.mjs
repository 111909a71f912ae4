// Printing and keeping results.
import { writeFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

const HEADER = ['peer', 'queries/s', 'CPU µs/query', 'peak MiB', 'oxpg is', 'oxpg needs', 'target', '']

function rowsOf({ peers, absent, targets }) {
  const rows = Object.entries(peers).map(([name, figures]) => {
    const target = targets[name]
    const { ratio, cpuRatio } = figures
    const isOther = ratio !== undefined && name !== 'oxpg'
    return [
      name,
      Math.round(figures.queriesPerSecond).toLocaleString('en'),
      figures.cpuMicrosecondsPerQuery.toFixed(1),
      figures.peakRssMebibytes.toFixed(0),
      isOther ? `${ratio.toFixed(2)}×` : '',
      isOther ? `${cpuRatio.toFixed(2)}×` : '',
      target === undefined ? '' : `${target}×`,
      target === undefined || ratio === undefined ? '' : ratio >= target ? 'reached' : 'missed',
    ]
  })
  for (const [name, reason] of Object.entries(absent))
    rows.push([name, reason, ...HEADER.slice(2).map(() => '')])
  return rows
}

const title = ({ question, callers, connections }) =>
  `${question}; ${callers} ${callers === 1 ? 'caller' : 'callers'}, ${connections} ${connections === 1 ? 'connection' : 'connections'}`

/** What the drivers of this run give for a value, or undefined. */
function footnote({ returns, peers }) {
  if (returns === undefined) return undefined
  const drivers = new Map()
  for (const name of Object.keys(peers)) {
    const value = returns[name]
    if (value !== undefined) drivers.set(value, [...(drivers.get(value) ?? []), name])
  }
  return `A value is: ${[...drivers].map(([value, names]) => `${value} (${names.join(', ')})`).join('; ')}.`
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
  printTable(title(result), [HEADER, ...rowsOf(result)])
  const note = footnote(result)
  if (note !== undefined) console.log(`  ${note}`)
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

/** Writes `results/<date>.json` and `results/<date>.md`. */
export function saveResults({ results, loading, rounds, sliceMs, serverVersion }) {
  const date = new Date().toISOString().slice(0, 10)
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
  const file = (extension) => fileURLToPath(new URL(`results/${date}.${extension}`, import.meta.url))
  writeFileSync(
    file('json'),
    `${JSON.stringify({ date, machine, versions, rounds, sliceMs, results, loading }, null, 2)}\n`,
  )
  const lines = [
    `# Results of ${date}`,
    '',
    `${Object.entries(machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}. ${rounds} rounds of ${sliceMs} ms`,
    `per driver, in turn. ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    '"oxpg is" is the median of the per-round ratios of throughput, ours to theirs, "oxpg needs" that of CPU per query;',
    'both the middle of two bouts, whose processes were started in opposite orders.',
  ]
  for (const result of results) {
    lines.push('', `## ${title(result)}`, '', `| ${HEADER.join(' | ')} |`, `|${'---|'.repeat(HEADER.length)}`)
    for (const row of rowsOf(result)) lines.push(`| ${row.join(' | ')} |`)
    const note = footnote(result)
    if (note !== undefined) lines.push('', note)
  }
  if (loading !== undefined) {
    const rows = [LOADING_HEADER, LOADING_HEADER.map(() => '---'), ...loadingRows(loading)]
    lines.push('', `## ${LOADING_TITLE}`, '', ...rows.map((row) => `| ${row.join(' | ')} |`))
  }
  writeFileSync(file('md'), `${lines.join('\n')}\n`)
  console.log(`\nresults/${date}.md and .json are written`)
}
