// Plays the rows of docs/reliability.md that are about pools and their sessions, against the server in OXPG_TEST_URL and
// servers of their own, and writes a line of JSON for each.
//   --full   all of it; without it a part that takes seconds
//   --rows terminated,restarts,…   some of them
import { Row } from '../network/report.js'
import { isFull, playRows } from '../play.js'
import { aborts } from './aborts.js'
import { contexts } from './contexts.js'
import { drain } from './drain.js'
import { failover } from './failover.js'
import { herd } from './herd.js'
import { leftovers } from './leftovers.js'
import { lifetimes } from './lifetimes.js'
import { listening } from './listening.js'
import { misuse } from './misuse.js'
import { restarts } from './restarts.js'
import { sizes } from './sizes.js'
import { terminated } from './terminated.js'
import { besides, commits, deaths } from './transactions.js'
import { fairness, handover, nesting } from './waiting.js'

playRows(
  {
    terminated: () => terminated(isFull ? 20 : 1),
    restarts: () => restarts(isFull ? 10 : 1, isFull ? 3_000 : 200),
    failover: () => (isFull ? failover(12, 1_000) : failover(1, 100)),
    herd: () => (isFull ? herd(10_000, 10_000) : herd(800, 1_000)),
    commits: () => commits(isFull ? 20 : 1),
    deaths: () => deaths(isFull ? 20 : 1),
    besides: () => besides(isFull ? 50 : 1),
    listening: () => listening(isFull ? 20 : 1),
    leftovers: () => leftovers(isFull ? 20 : 1),
    aborts: () => aborts(isFull ? 20 : 1),
    nesting,
    fairness: () => (isFull ? fairness(1_000, 40) : fairness(300, 3)),
    handover: () => handover(isFull ? 1_000_000 : 10_000),
    misuse: () => misuse(isFull ? 20 : 1),
    lifetimes: () =>
      isFull
        ? lifetimes({ lifetimeMs: 4_000, replaced: 500, isSpreadJudged: true })
        : lifetimes({ lifetimeMs: 400, replaced: 40, isSpreadJudged: false }),
    drain: () => drain(isFull ? 20 : 1),
    sizes: () => sizes(isFull),
    contexts: () => contexts(isFull ? 1_000_000 : 5_000),
  },
  new Row(
    '35',
    'the password of the sessions of rows 10 to 30, in what a program can show',
    'each error, connection and pool of those rows, as String, stack, JSON and util.inspect show it, hidden properties and getters included',
  ),
)
