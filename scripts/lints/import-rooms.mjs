// Which TypeScript file may import which: public classes → native → decode, encode → record → types, errors; no
// cycles; tests, benchmarks and examples enter by the package's door. Type-only imports obey the directions too; cycles
// are those of values, since a type-only import is gone when the program runs.
import { readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, posix } from 'node:path'
import ts from 'typescript'
import { PEERS } from '../doors.mjs'
import { filesBelow } from '../files.mjs'
import { ROOT } from '../run.mjs'

/** A file's room is the first whose pattern matches its path. */
const ROOMS = [
  ['native', /^src\/native\//],
  ['decode', /^src\/decode\//],
  ['encode', /^src\/encode\//],
  ['record', /^src\/record\.ts$/],
  ['types', /^src\/types\//],
  ['errors', /^src\/errors\//],
  ['public', /^src\//],
  ['unit tests', /^__test__\/unit\//],
  ['adversity', /^__test__\/adversity\//],
  ['tests', /^__test__\//],
  ['bench', /^bench\//],
  ['examples', /^examples\//],
]

const SHIPPED = ['public', 'native', 'decode', 'encode', 'record', 'types', 'errors']

/** Rooms that a room may import besides itself. */
const MAY_IMPORT = {
  public: SHIPPED,
  native: ['decode', 'encode', 'record', 'types', 'errors'],
  decode: ['record', 'types', 'errors'],
  encode: ['record', 'types', 'errors'],
  record: ['types', 'errors'],
  errors: ['types'],
  types: [],
  'unit tests': ['tests', ...SHIPPED],
  // They may need servers of their own.
  adversity: ['tests', 'scripts'],
  tests: [],
  // bench/ is a package of its own (its peers are no dependencies of ours), so `oxpg` does not resolve there.
  bench: ['scripts', 'dist'],
  examples: ['scripts'],
}

const BUILTINS = new Set(builtinModules.map((name) => `node:${name}`))
const SOURCE = /\.(ts|mts|mjs|js)$/

const roomOf = (file) =>
  ROOMS.find(([, pattern]) => pattern.test(file))?.[0] ?? posix.dirname(file).split('/')[0]

/** The project's file that a relative import means, with or without an extension. */
function resolveImport(from, specifier, files) {
  const path = posix.join(posix.dirname(from), specifier)
  const bare = path.replace(/\.(js|ts)$/, '')
  return (
    [path, `${bare}.ts`, `${path}.ts`, `${path}/index.ts`].find((candidate) => files.has(candidate)) ?? path
  )
}

/** All that a file imports, and what of it is there at run time. */
function importsOf(file) {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const all = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
  const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.Latest)
  const values = statements
    .filter((statement) => statement.moduleSpecifier && !isTypeOnly(statement))
    .map((statement) => statement.moduleSpecifier.text)
  return { all, values: new Set(values) }
}

/** `import type …`, `export type …`, or braces with nothing but types in them. */
function isTypeOnly(statement) {
  if (ts.isExportDeclaration(statement)) {
    const { isTypeOnly: isMarked, exportClause } = statement
    if (isMarked || !exportClause || !ts.isNamedExports(exportClause)) return isMarked
    return exportClause.elements.length > 0 && exportClause.elements.every((element) => element.isTypeOnly)
  }
  const { importClause } = statement
  if (!importClause) return false
  if (importClause.isTypeOnly) return true
  const { name, namedBindings } = importClause
  if (name || !namedBindings || !ts.isNamedImports(namedBindings)) return false
  return namedBindings.elements.length > 0 && namedBindings.elements.every((element) => element.isTypeOnly)
}

/** The packages of the platforms, which are the package's own. */
const isOurAddon = (file, specifier) => file === 'src/native/load.ts' && specifier.startsWith('@oxpg/native-')

/** What users of the door install themselves. */
const isPeer = (file, specifier) => file.startsWith('src/otel/') && PEERS.includes(specifier)

function problemOf(file, specifier, target) {
  const room = roomOf(file)
  if (target === undefined) {
    if (
      SHIPPED.includes(room) &&
      !BUILTINS.has(specifier) &&
      !isOurAddon(file, specifier) &&
      !isPeer(file, specifier)
    ) {
      return `${file} imports ${specifier}: the package has no dependencies, and built-in modules start with node:`
    }
    return undefined
  }
  const other = roomOf(target)
  if (other === room || MAY_IMPORT[room]?.includes(other)) return undefined
  const door = SHIPPED.includes(room) ? 'see ARCHITECTURE.md' : "import from 'oxpg' instead"
  return `${file} (${room}) imports ${target} (${other}): ${door}`
}

/** Each cycle once, as the files along it. */
function cyclesIn(graph) {
  const cycles = []
  const state = new Map()
  const path = []
  const visit = (file) => {
    state.set(file, 'open')
    path.push(file)
    for (const next of graph.get(file) ?? []) {
      if (state.get(next) === 'open') cycles.push([...path.slice(path.indexOf(next)), next])
      else if (!state.has(next)) visit(next)
    }
    path.pop()
    state.set(file, 'done')
  }
  for (const file of graph.keys()) if (!state.has(file)) visit(file)
  return cycles
}

export function importRooms() {
  const files = new Set(
    ['src', '__test__', 'bench', 'examples'].flatMap((folder) => filesBelow(folder, SOURCE)),
  )
  const problems = []
  const graph = new Map()
  for (const file of files) {
    const targets = []
    const { all, values } = importsOf(file)
    for (const specifier of all) {
      const target = specifier.startsWith('.') ? resolveImport(file, specifier, files) : undefined
      const problem = problemOf(file, specifier, target)
      if (problem) problems.push(problem)
      if (target && files.has(target) && values.has(specifier)) targets.push(target)
    }
    graph.set(file, targets)
  }
  for (const cycle of cyclesIn(graph)) problems.push(`import cycle: ${cycle.join(' → ')}`)
  return problems
}
