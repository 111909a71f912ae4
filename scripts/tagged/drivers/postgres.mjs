import { readFileSync } from 'node:fs'
import postgres from 'postgres'
import { inModules } from '../../run.mjs'
import { reserving } from './reserving.mjs'

// The package does not export its package.json.
const { version } = JSON.parse(readFileSync(inModules('postgres', 'package.json'), 'utf8'))

export async function open({ url, connections }) {
  const sql = postgres(url, { max: connections })
  const asker = (target) => ({
    prepared: (text, parameters) => target.unsafe(text, parameters, { prepare: true }),
    fresh: (text, parameters) => target.unsafe(text, parameters),
  })
  return {
    version,
    ...reserving(sql, asker),
    cancellable: (text, parameters, signal) => {
      const query = sql.unsafe(text, parameters, { prepare: true })
      // That it could not be cancelled is said by what comes of the query.
      signal.addEventListener('abort', () => void Promise.resolve(query.cancel()).catch(() => {}))
      return query
    },
    isCancelled: (error, signal) => signal.aborted && error.code === '57014',
    sqlstate: (error) => (error instanceof postgres.PostgresError ? error.code : undefined),
    close: () => sql.end({ timeout: 5 }),
  }
}
