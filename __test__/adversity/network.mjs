// Rows 1 to 7, 9, 29, 31, 32 and 35 of docs/reliability.md: connections that are cut, cut into pieces, swallowed, stalled,
// addresses that are dead, servers that stop reading or lie, and passwords that must not show; without TLS and with it. The rows are
// compiled TypeScript (network/), which `npm test` and `npm run test:adversity` see to.
//
//   node __test__/adversity/network.mjs [--full] [--rows cuts,pieces,silence,stalls,addresses,unread,hostile,endless,scram,
//     capture] [--over TCP,TLS] [--json] [--node path/to/node]
//
// OXPG_TEST_TLS_PORT is that of a server of scripts/tls-servers.mjs; one is started where it is missing.
import { Playing, playOptions, playOver } from '../../scripts/adversity-play.mjs'

const values = playOptions()
const playing = new Playing('network/main', values)
await playOver(playing, values.over)
playing.end('network')
