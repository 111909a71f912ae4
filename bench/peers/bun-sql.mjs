// Runs under Bun: its SQL client is a part of the runtime.
import { serveSlices } from './slices.mjs'

await serveSlices(async ({ url, connections, ca }) => {
  const sql = new Bun.SQL({ url, max: connections, ...(ca === undefined ? {} : { tls: { ca } }) })
  await sql.connect()
  return {
    version: Bun.version,
    fetch: (text, parameters) => sql.unsafe(text, parameters),
    close: () => sql.close(),
  }
})
