// Plays rows 8 and 40 of docs/reliability.md against the server in OXPG_TEST_URL, and writes a line of JSON for each.
//   --full   all of it; without it a part that takes seconds
//   --rows paused,long,large   some of them
import { Row } from '../network/report.js'
import { isFull, playRows } from '../play.js'
import { large } from './large.js'
import { long, paused } from './streams.js'

playRows(
  {
    paused: () => paused(isFull ? 2_048 : 64, isFull ? 60_000 : 500),
    long: () => long(isFull ? 5_000_000 : 200_000),
    large: () => large(isFull ? 100 : 20),
  },
  new Row(
    '35',
    'the password of the sessions of rows 8 and 40, in what a program can show',
    'each error and connection of those rows, as String, stack, JSON and util.inspect show it, hidden properties and getters included',
  ),
)
