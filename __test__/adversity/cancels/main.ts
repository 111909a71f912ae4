// Plays rows 20 and 21 of docs/reliability.md against the server in OXPG_TEST_URL, and writes a line of JSON for each.
//   --full   100 000 races, and a minute of aborts; without it a part that takes seconds
//   --rows races,poolers,storm   some of them
import { Row } from '../network/report.js'
import { isFull, playRows } from '../play.js'
import { racesOnConnections, racesThroughPool, racesThroughPoolers } from './races.js'
import { storm } from './storm.js'

const count = isFull ? 100_000 : 1_500

playRows(
  {
    races: async () => [await racesOnConnections(count), await racesThroughPool(count)],
    poolers: () => racesThroughPoolers(count, process.env.OXPG_TEST_POOLER_URL),
    storm: async () => [await storm(isFull ? 60 : 2)],
  },
  new Row(
    '35',
    'the password of the sessions of rows 20 and 21, in what a program can show',
    'each error, connection and pool of those rows, as String, stack, JSON and util.inspect show it, hidden properties and getters included',
  ),
)
