// Bundles the face: one file for each door, dist/<door>.js, with its source map. See doors.mjs.
//   node scripts/bundle.mjs
// What tsc made of src (ES modules in .cache/face) goes in. Names of classes and functions are kept: they are seen in
// errors, stacks and inspected values.
import { readFileSync, rmSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { rollup } from 'rollup'
import { DOORS, PEERS } from './doors.mjs'
import { ROOT } from './run.mjs'

const COMPILED = join(ROOT, '.cache', 'face')
const INDEX = join(COMPILED, 'index.js')
const BUILTINS = new Set(builtinModules.map((name) => `node:${name}`))

/** Finds what tsc has written: imports in src have no endings. Gives each file with its map from TypeScript. */
const compiled = {
  name: 'compiled',
  resolveId(source, importer) {
    if (BUILTINS.has(source)) return { id: source, external: true }
    if (PEERS.includes(source)) return { id: source, external: true }
    if (importer === undefined) return source
    if (!source.startsWith('.')) return null
    const file = `${join(dirname(importer), source)}.js`
    // One set of classes in a process, whichever doors are used.
    return file === INDEX ? { id: './index.js', external: true } : file
  },
  load(id) {
    const code = readFileSync(id, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n')
    return { code, map: JSON.parse(readFileSync(`${id}.map`, 'utf8')) }
  },
}

/**
 * Nothing but ASCII: one character beyond Latin-1 makes V8 keep the whole file at two bytes a character. They stand in
 * strings and templates only; lines stay as they are, and so does the map.
 */
const ascii = {
  name: 'ascii',
  renderChunk(code) {
    const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
    return { code: code.replace(/[^\0-\x7f]/g, escaped), map: null }
  },
}

rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
const bundle = await rollup({
  input: Object.fromEntries(
    Object.entries(DOORS).map(([door, module]) => [door, join(COMPILED, `${module}.js`)]),
  ),
  plugins: [compiled, ascii],
  onwarn(warning) {
    throw new Error(`the bundle: ${warning.message}`)
  },
})
const { output } = await bundle.write({
  dir: join(ROOT, 'dist'),
  format: 'cjs',
  exports: 'named',
  esModule: true,
  // `import oxpg from 'oxpg'` of code that a compiler makes CommonJS of reads it.
  outro: 'exports.default = exports;',
  externalLiveBindings: false,
  generatedCode: { preset: 'es2015', symbols: false },
  sourcemap: true,
  // The package has no src: a map of names and lines alone is of use with a checkout, at a tenth of the size.
  sourcemapExcludeSources: true,
  sourcemapPathTransform: (path) =>
    relative(join(ROOT, 'dist'), join(ROOT, 'src', path.split('/src/').at(-1))),
})
await bundle.close()
const shared = output.filter(({ type, isEntry }) => type === 'chunk' && !isEntry)
if (shared.length > 0)
  throw new Error(`the bundle: doors share ${shared[0].moduleIds.join(', ')}: take it from index`)
