import { readFileSync } from 'node:fs'
import { serveSlices } from './slices.mjs'

// As the peer `before`: another checkout of oxpg, built.
const root = new URL(process.env.OXPG_ROOT ?? '../../', import.meta.url)
const { connect, createPool } = await import(new URL('dist/index.mjs', root))
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

await serveSlices(async ({ url, connections, ca }) => {
  const options = ca === undefined ? {} : { ssl: { ca } }
  const target =
    connections === 1
      ? await connect(url, options)
      : await createPool(url, { ...options, minSize: connections, maxSize: connections })
  return {
    version,
    fetch: (sql, parameters) => target.fetch(sql, parameters),
    transaction: (sql, parameters) => target.transaction((tx) => tx.fetch(sql, parameters)),
    batch: (statements) => target.batch(statements),
    close: () => target.close(),
  }
})
