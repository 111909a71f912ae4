// Writes what users enter by, both from src:
//   node scripts/entries.mjs esm dist/index.mjs     the ESM entry, which gives the CommonJS build's names again
//   node scripts/entries.mjs types index.d.ts       the declarations, rolled up into one file
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import ts from 'typescript'
import { ROOT } from './run.mjs'

const ESM_BANNER =
  '// Generated from src/index.ts. One implementation, two doors: import and require share every class.'
const TYPES_BANNER = `\
// The public surface of oxpg. Generated from src by \`npm run build\`: edit there, not here.
`

/** Names of the values that src/index.ts exports; types have no place at run time. */
function exportedValues() {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
  const program = ts.createProgram(fileNames, options)
  const checker = program.getTypeChecker()
  const entry = program.getSourceFile(join(ROOT, 'src', 'index.ts'))
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

function writeEsmEntry(output) {
  const names = exportedValues()
  const text = `${ESM_BANNER}\nimport oxpg from './index.js'\n\nexport const {\n  ${names.join(',\n  ')},\n} = oxpg\n`
  writeFileSync(join(ROOT, output), text)
}

async function writeTypes(output) {
  const bundle = await rollup({
    input: join(ROOT, '.cache', 'types', 'index.d.ts'),
    external: /^node:/,
    plugins: [dts()],
    onwarn(warning) {
      throw new Error(`declarations: ${warning.message}`)
    },
  })
  await bundle.write({ file: join(ROOT, output), format: 'es', banner: TYPES_BANNER })
  await bundle.close()
}

const [what, output] = process.argv.slice(2)
if (what === 'esm') writeEsmEntry(output)
else if (what === 'types') await writeTypes(output)
else throw new Error(`entries.mjs: expected "esm" or "types", got ${JSON.stringify(what)}`)
