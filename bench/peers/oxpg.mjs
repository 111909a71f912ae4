import { readFileSync } from 'node:fs'
import { connect, createPool } from '../../dist/index.mjs'
import { serveSlices } from './slices.mjs'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

await serveSlices(async ({ url, connections }) => {
  const target =
    connections === 1
      ? await connect(url)
      : await createPool(url, { minSize: connections, maxSize: connections })
  return {
    version,
    fetch: (sql, parameters) => target.fetch(sql, parameters),
    close: () => target.close(),
  }
})
