// Rows 20 and 21 of docs/reliability.md: cancels that race with the end of what they are for, on connections, through a pool
// and through transaction poolers, and aborts by the thousand; without TLS, and over it but for the poolers. The rows are
// compiled TypeScript (cancels/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/cancels.mjs [--full] [--rows races,poolers,storm] [--over TCP,TLS] [--json]
//     [--node path/to/node]
import { Playing, playOptions, playOver, rowsAmong } from '../../scripts/adversity-play.mjs'
import { installedPgbouncer, startPgbouncer } from '../../scripts/pgbouncer.mjs'

const values = playOptions()
const url = process.env.OXPG_TEST_URL
if (url === undefined) throw new Error('OXPG_TEST_URL is not set')
const isPooled = values.full && rowsAmong(['poolers'], values.rows) !== '' && values.over.includes('TCP')
const installed = isPooled ? await installedPgbouncer() : undefined
if (isPooled && installed === undefined) console.log('skipped: PgBouncer is not installed')
const pgbouncer =
  installed && (await startPgbouncer(installed.program, url, { mode: 'transaction', settings: [] }))
if (pgbouncer !== undefined) process.env.OXPG_TEST_POOLER_URL = pgbouncer.url
const playing = new Playing('cancels/main', values)
try {
  await playOver(playing, values.over, rowsAmong(['races', 'storm'], values.rows))
} finally {
  await pgbouncer?.stop()
}
playing.end('cancels')
