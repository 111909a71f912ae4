// npm run build: the addon, dist/ and index.d.ts, whatever is there already.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildDeclarations } from './build-steps.mjs'
import { DOORS } from './doors.mjs'
import { duration, ROOT } from './run.mjs'
import { setup } from './setup.mjs'

const started = performance.now()
try {
  await setup({ isForced: true })
  await buildDeclarations('.')
  // ESM users get the same declarations: one set of classes, whichever way the package is loaded.
  for (const door of Object.keys(DOORS)) {
    writeFileSync(
      join(ROOT, `${door}.d.mts`),
      `export * from './${door}.js'\nexport { default } from './${door}.js'\n`,
    )
  }
  console.log(`built in ${duration(performance.now() - started)}`)
} catch (error) {
  if (error.output) process.stderr.write(error.output)
  console.error(error.message)
  process.exitCode = 1
}
