import { readFileSync } from 'node:fs'
import postgres from 'postgres'
import { serveSlices } from './slices.mjs'

// The package does not export its package.json.
const { version } = JSON.parse(
  readFileSync(new URL('../node_modules/postgres/package.json', import.meta.url), 'utf8'),
)

await serveSlices(async ({ url, connections, ca }) => {
  const sql = postgres(url, { max: connections, ...(ca === undefined ? {} : { ssl: { ca } }) })
  return {
    version,
    fetch: (text, parameters) => sql.unsafe(text, parameters, { prepare: true }),
    transaction: (text, parameters) => sql.begin((tx) => tx.unsafe(text, parameters, { prepare: true })),
    batch: (statements) =>
      sql.begin((tx) => statements.map(([text, values]) => tx.unsafe(text, values, { prepare: true }))),
    close: () => sql.end(),
  }
})
