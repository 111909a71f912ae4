// Plays row 34 of docs/reliability.md against the server in OXPG_TEST_URL, and writes a line of JSON for each of its parts.
//   --full   all of it; without it a part that takes seconds
//   --rows columns,texts,values,names   some of them
import { Row } from '../network/report.js'
import { isFull, playRows } from '../play.js'
import { columns } from './columns.js'
import { names } from './names.js'
import { texts } from './texts.js'
import { values } from './values.js'

playRows(
  {
    columns: () => columns(isFull),
    texts: () => texts(isFull),
    values: () => values(isFull),
    names: () => names(isFull),
  },
  new Row(
    '35',
    'the password of the sessions of row 34, in what a program can show',
    'each error, connection and pool of that row, as String, stack, JSON and util.inspect show it, hidden properties and getters included',
  ),
)
