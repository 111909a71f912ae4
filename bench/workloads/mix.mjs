// How long do quick queries wait behind slow ones? 50 callers on 10 connections, and 2 % of what they ask takes 200 ms.
import { workload as pointQuery } from './point-query.mjs'

const { sql, parameters, rows } = pointQuery
const SLEEP = 'FROM pg_sleep(0.2)'
const EITHER = 'SELECT $1::int4 + 1 AS x FROM pg_sleep($2::int4 / 1000.0)'
/** Of texts that a driver meets seldom enough to know little of each. */
const TEXTS = 300

const common = {
  task: 'mix',
  rows,
  // As many slow ones as it takes for all to have waited.
  sliceMs: 2000,
  note: 'What is counted are the quick queries.',
}
const setting = { callers: 50, connections: 10, targets: {} }

export const workloads = [
  {
    ...common,
    name: 'mix',
    question: 'point queries, while 2 % of the queries take 200 ms',
    sql,
    parameters,
    slow: { share: 0.02, sql: `${sql} ${SLEEP}`, parameters, rows },
    settings: [{ ...setting, targets: { pg: 1 }, latencyTargets: { p99: { pg: 1, bun: 1 } } }],
  },
  {
    ...common,
    name: 'mix-one-text',
    question: 'the same, and the slow ones have the text of the quick ones',
    sql: EITHER,
    parameters: [...parameters, { fixed: 0 }],
    slow: { share: 0.02, sql: EITHER, parameters: [...parameters, { fixed: 200 }], rows },
    settings: [setting],
  },
  {
    ...common,
    name: 'mix-many-texts',
    question: `the same, and both have ${TEXTS} texts that differ by a number`,
    sql: 'SELECT $1::int4 + {n} AS x',
    parameters,
    texts: TEXTS,
    slow: { share: 0.02, sql: `SELECT $1::int4 + {n} AS x ${SLEEP}`, parameters, rows, texts: TEXTS },
    settings: [setting],
  },
]
