// Which module of the session engine may name which: imports form no cycle, except among the engine's files (all are
// parts of one `Session`) and within the folder of one kind of requests; and a kind names neither the engine nor
// another kind.
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { filesBelow } from '../files.mjs'
import { ROOT } from '../run.mjs'

const SESSION = 'crates/client/src/session'

/** A file's path of modules below `session`; that of `kinds/query/mod.rs` is `kinds::query`. */
const moduleOf = (file) =>
  posix
    .relative(SESSION, file)
    .replace(/\.rs$/, '')
    .replace(/(^|\/)mod$/, '')
    .replaceAll('/', '::')

/** Modules that may form a cycle with each other. */
function unitOf(module) {
  if (module === '' || /^engine(::|$)/.test(module)) return 'the engine'
  return /^kinds::\w+/.exec(module)?.[0] ?? module
}

const isKind = (unit) => unit.startsWith('kinds::') && unit !== 'kinds::request_kind'

const withoutComments = (source) => source.replace(/\/\/.*/g, '')
/** Unit tests may name what they like. */
const withoutTests = (source) => source.replace(/#\[cfg\(test\)\]\nmod tests \{[\s\S]*\n\}\n/, '')

/** The modules below `session` that a module's text names by `super::…` or `crate::session::…`. */
function namedIn(module, source, modules) {
  const found = new Set()
  const code = withoutTests(withoutComments(source))
  for (const [, path] of code.matchAll(/\b((?:super::)+\w+|crate::session::\w+(?:::\w+)*)/g)) {
    let parts = path.split('::')
    if (parts[0] === 'crate') parts = parts.slice(2)
    else {
      const base = module === '' ? [] : module.split('::')
      while (parts[0] === 'super') {
        parts.shift()
        base.pop()
      }
      parts = [...base, ...parts]
    }
    // The longest prefix that is a module: the rest is an item of it.
    while (parts.length > 0 && !modules.has(parts.join('::'))) parts.pop()
    found.add(parts.join('::'))
  }
  found.delete(module)
  return found
}

/** Strongly connected components with more than one member (Tarjan). */
function cyclesOf(graph) {
  const index = new Map()
  const low = new Map()
  const stack = []
  const cycles = []
  const visit = (node) => {
    index.set(node, index.size)
    low.set(node, index.get(node))
    stack.push(node)
    for (const next of graph.get(node)) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)))
    }
    if (low.get(node) !== index.get(node)) return
    const cycle = stack.splice(stack.indexOf(node))
    if (cycle.length > 1) cycles.push(cycle)
  }
  for (const node of graph.keys()) if (!index.has(node)) visit(node)
  return cycles
}

export function sessionModules() {
  const files = filesBelow(SESSION, /\.rs$/)
  const modules = new Set(files.map(moduleOf))
  const problems = []
  const graph = new Map()
  for (const file of files) {
    const module = moduleOf(file)
    const named = namedIn(module, readFileSync(join(ROOT, file), 'utf8'), modules)
    graph.set(module, named)
    const unit = unitOf(module)
    for (const other of named) {
      const otherUnit = unitOf(other)
      if (isKind(unit) && otherUnit !== unit && (isKind(otherUnit) || otherUnit === 'the engine')) {
        problems.push(
          `${file} names ${other || 'the session'}: a kind knows neither the engine nor another kind`,
        )
      }
    }
  }
  for (const cycle of cyclesOf(graph)) {
    if (new Set(cycle.map(unitOf)).size > 1) {
      const names = cycle.map((module) => module || 'session').sort()
      problems.push(`${SESSION}: modules name each other in a circle: ${names.join(', ')}`)
    }
  }
  return problems
}
