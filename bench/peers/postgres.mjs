import { createRequire } from 'node:module'
import postgres from 'postgres'
import { serveSlices } from './slices.mjs'

const require = createRequire(import.meta.url)
const { readFileSync } = require('node:fs')
const version = JSON.parse(
  readFileSync(
    require.resolve('postgres').replace(/node_modules\/postgres\/.*$/, 'node_modules/postgres/package.json'),
    'utf8',
  ),
).version

await serveSlices(async ({ url, connections }) => {
  const sql = postgres(url, { max: connections })
  return {
    version,
    fetch: (text, parameters) => sql.unsafe(text, parameters, { prepare: true }),
    close: () => sql.end(),
  }
})
