// What does it take to load a driver? Fresh processes, taking turns; time and memory are those of loading alone, for a
// process that loads nothing is measured beside them.
import { spawnSync } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { median } from './statistics.mjs'

/** Fresh processes of each kind: a single one says little. */
const PROCESSES = 31

const BEFORE = process.env.OXPG_BEFORE

/** How each driver is loaded. */
const WAYS = [
  ['require', (path) => `require(${JSON.stringify(path)})`],
  ['import', (path) => `await import(${JSON.stringify(path)})`],
]

/** Where a driver is, by the way in which it is loaded; undefined where it is not there. */
function placeOf(peer, way) {
  const inDist = (root) => `${root}dist/index.${way === 'require' ? 'js' : 'mjs'}`
  if (peer === 'oxpg') return inDist(fileURLToPath(new URL('../', import.meta.url)))
  if (peer === 'before') return BEFORE === undefined ? undefined : inDist(`${BEFORE.replace(/\/$/, '')}/`)
  return peer
}

function sample(code) {
  const source = `(async () => {
    const started = process.hrtime.bigint()
    ${code}
    const ms = Number(process.hrtime.bigint() - started) / 1e6
    const { rss, heapUsed } = process.memoryUsage()
    process.stdout.write(JSON.stringify({ ms, rss, heapUsed }))
  })()`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', source], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`loading failed: ${stderr}`)
  return JSON.parse(stdout)
}

/** Milliseconds and MiB above those of an empty process, of each driver and way. */
export function measureLoading(peers) {
  const kinds = []
  for (const [way, codeOf] of WAYS) {
    for (const peer of peers) {
      const place = placeOf(peer, way)
      if (place === undefined) continue
      const specifier = way === 'import' && place.startsWith('/') ? pathToFileURL(place).href : place
      kinds.push({ peer, way, code: codeOf(specifier), samples: [] })
    }
  }
  const empty = { code: '', samples: [] }
  for (let round = 0; round < PROCESSES; round += 1) {
    for (const kind of [empty, ...kinds]) kind.samples.push(sample(kind.code))
  }
  const figure = ({ samples }, name) => median(samples.map((one) => one[name]))
  const above = (kind, name) => figure(kind, name) - figure(empty, name)
  return kinds.map((kind) => ({
    peer: kind.peer,
    way: kind.way,
    ms: above(kind, 'ms'),
    rssMebibytes: above(kind, 'rss') / 2 ** 20,
    heapMebibytes: above(kind, 'heapUsed') / 2 ** 20,
  }))
}
