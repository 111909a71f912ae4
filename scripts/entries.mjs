// Writes what users enter by, both from src:
//   node scripts/entries.mjs esm                    the ESM entry of each door, which gives the CommonJS build's names again
//   node scripts/entries.mjs types .                the declarations of each door, rolled up into one file
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import ts from 'typescript'
import { DOORS, PEERS } from './doors.mjs'
import { ROOT } from './run.mjs'

const TYPES = join(ROOT, '.cache', 'types')

const esmText = (door, module, names) => `\
// Generated from src/${module}.ts. One implementation: import and require share every class.
import oxpg from './${door}.bridge.js'

export const {
  ${names.join(',\n  ')},
} = oxpg

export default oxpg
`

/**
 * What ESM imports of CommonJS, Node searches for names first, all of it; and follows `module.exports = require(…)`, but
 * not this. The search took longer than all else that loading does.
 */
const bridgeText = (door) => `\
// Keeps Node from searching ${door}.js for the names of its exports, which ${door}.mjs knows.
const oxpg = require('./${door}.js')
module.exports = oxpg
`

const TYPES_BANNER = `\
// The public surface of oxpg. Generated from src by \`npm run build\`: edit there, not here.
`

/** What `module.exports.default` is, see bundle.mjs. */
const typesFooter = (door) => `
export * as default from './${door}.js'
`

/** Names of the values that a module of src exports; types have no place at run time. */
function exportedValues(moduleName) {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
  const program = ts.createProgram(fileNames, options)
  const checker = program.getTypeChecker()
  const entry = program.getSourceFile(join(ROOT, 'src', `${moduleName}.ts`))
  const module = checker.getSymbolAtLocation(entry)
  const isValue = (symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
    return (target.flags & ts.SymbolFlags.Value) !== 0 && !isTypeOnly(symbol)
  }
  return checker
    .getExportsOfModule(module)
    .filter(isValue)
    .map((symbol) => symbol.name)
    .sort()
}

/** `export type { Connection }` names a class that is not there at run time. */
function isTypeOnly(symbol) {
  return (symbol.declarations ?? []).some((declaration) =>
    ts.isTypeOnlyImportOrExportDeclaration(declaration),
  )
}

function writeEsmEntries() {
  for (const [door, module] of Object.entries(DOORS)) {
    const write = (ending, text) => writeFileSync(join(ROOT, 'dist', `${door}.${ending}`), text)
    write('mjs', esmText(door, module, exportedValues(module)))
    write('bridge.js', bridgeText(door))
  }
}

/** Declarations of other doors take what is index's from there. */
const fromIndex = {
  name: 'from index',
  resolveId(source, importer) {
    if (importer === undefined || !source.startsWith('.')) return null
    return join(dirname(importer), source) === join(TYPES, 'index')
      ? { id: './index.js', external: true }
      : null
  },
}

async function writeTypes(folder) {
  for (const [door, module] of Object.entries(DOORS)) {
    const bundle = await rollup({
      input: join(TYPES, `${module}.d.ts`),
      external: [/^node:/, ...PEERS],
      plugins: [fromIndex, dts()],
      onwarn(warning) {
        throw new Error(`declarations: ${warning.message}`)
      },
    })
    const file = join(ROOT, folder, `${door}.d.ts`)
    await bundle.write({ file, format: 'es', banner: TYPES_BANNER, footer: typesFooter(door) })
    await bundle.close()
  }
}

const [what, output] = process.argv.slice(2)
if (what === 'esm') writeEsmEntries()
else if (what === 'types') await writeTypes(output)
else throw new Error(`entries.mjs: expected "esm" or "types", got ${JSON.stringify(what)}`)
