// npm run build: the addon, dist/ and index.d.ts, whatever is there already.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildDeclarations } from './build-steps.mjs'
import { duration, ROOT } from './run.mjs'
import { setup } from './setup.mjs'

const started = performance.now()
try {
  await setup({ isForced: true })
  await buildDeclarations('index.d.ts')
  // ESM users get the same declarations: one set of classes, whichever way the package is loaded.
  writeFileSync(
    join(ROOT, 'index.d.mts'),
    "export * from './index.js'\nexport { default } from './index.js'\n",
  )
  console.log(`built in ${duration(performance.now() - started)}`)
} catch (error) {
  if (error.output) process.stderr.write(error.output)
  console.error(error.message)
  process.exitCode = 1
}
