// Runs under Bun: its SQL client is a part of the runtime.
import { serveSlices } from './slices.mjs'

await serveSlices(async ({ url, connections }) => {
  const sql = new Bun.SQL({ url, max: connections })
  await sql.connect()
  return {
    version: Bun.version,
    fetch: (text, parameters) => sql.unsafe(text, parameters),
    close: () => sql.close(),
  }
})
