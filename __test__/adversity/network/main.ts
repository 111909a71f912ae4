// Plays the rows of docs/reliability.md that are about the network and about servers, against the server in OXPG_TEST_URL,
// and writes a line of JSON for each.
//   --full   every byte; without it a part that takes seconds
//   --rows cuts,pieces,…   some of them
import { isFull, playRows } from '../play.js'
import { capture } from './capture.js'
import { addresses, stalls } from './connecting.js'
import { cuts } from './cuts.js'
import { hostile } from './hostile.js'
import { pieces } from './pieces.js'
import { Row } from './report.js'
import { silence } from './silence.js'
import { endless, scram } from './unproven.js'
import { unread } from './unread.js'
import { isTls } from './where.js'

/** Where a server stops reading: in front of what is large, and in its midst. */
const PLACES = [16 * 1024, 2 ** 20, 5 * 2 ** 20] as const

playRows(
  {
    // Odd, so that places of many kinds are met; over TLS there are twice as many bytes.
    cuts: () => cuts(isFull ? 1 : isTls ? 83 : 61, isTls),
    pieces: () => pieces(isFull ? 50 : isTls ? 1 : 5),
    silence: () => silence(isFull ? 5 : 1),
    stalls: () => stalls(isFull ? 1 : isTls ? 211 : 29),
    addresses: () => addresses(isFull),
    unread: () => unread(isFull ? PLACES : [PLACES[1]], isFull),
    hostile: () => hostile(isFull ? 1 : 13),
    endless: () => endless(isFull ? 5 : 1),
    scram: () => scram(isFull ? 5 : 1),
    // Of both kinds in itself.
    capture: async () => (isTls ? [] : capture()),
  },
  new Row(
    '35',
    'the password of all these sessions, in what a program can show',
    'each error, connection and pool of the rows above, as String, stack, JSON and util.inspect show it, hidden properties and getters included',
  ),
)
