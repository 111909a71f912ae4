// The workloads, in the order of the report's table. One question a file.

import * as arrays from './arrays.mjs'
import * as batch from './batch.mjs'
import * as burst from './burst.mjs'
import * as catalog from './catalog.mjs'
import * as composites from './composites.mjs'
import * as connecting from './connecting.mjs'
import * as distance from './distance.mjs'
import * as hundredMegabytes from './hundred-megabytes.mjs'
import * as hundredRows from './hundred-rows.mjs'
import * as jsonb from './jsonb.mjs'
import * as mix from './mix.mjs'
import * as numerics from './numerics.mjs'
import * as oneRow from './one-row.mjs'
import * as overTls from './over-tls.mjs'
import * as pointQuery from './point-query.mjs'
import * as series from './series.mjs'
import * as tenThousandRows from './ten-thousand-rows.mjs'
import * as timestamps from './timestamps.mjs'
import * as transaction from './transaction.mjs'

/**
 * @typedef {object} Parameter `{ fixed }` always the same int4, `{ from, to }` a random one of that range.
 * @property {number} [fixed]
 * @property {number} [from]
 * @property {number} [to]
 *
 * @typedef {object} Setting how many callers ask at once over how many connections, and the ratios (ours to
 * theirs, throughput) that we mean to reach; a peer without a target is measured all the same
 * @property {number} callers
 * @property {number} connections
 * @property {boolean} [isEncrypted] over TLS, the server verified
 * @property {number} [distanceMs] so much longer is each round trip
 * @property {Readonly<Record<string, number>>} targets
 * @property {Readonly<Record<string, Readonly<Record<string, number>>>>} [latencyTargets] by the quantile (`p50`, `p99`,
 * `p999`, `max`): how much of each driver's ours is to be at most
 * @property {Readonly<Record<string, number>>} [mainThreadTargets] of a watched workload: how much of the main thread's
 * CPU (ours to theirs) we mean to need at most
 * @property {number} [loopDelayTargetMs] of a watched workload: the delay of the loop that 99 of 100 of ours are not to
 * exceed
 *
 * @typedef {object} Query
 * @property {string} sql
 * @property {readonly Parameter[]} parameters
 * @property {number} rows that each answer must have
 * @property {number} [texts] so many texts, each with another number below it in place of `{n}`
 *
 * @typedef {object} OfWorkload
 * @property {string} name
 * @property {string} question
 * @property {'repeat' | 'connect' | 'mix' | 'burst' | 'transaction' | 'batch'} [task] see peers/tasks.mjs. Default `'repeat'`: each caller asks again
 * as soon as it has its answer. `'transaction'`: as `'repeat'`, each query in a transaction of its own; `'batch'`: ten of them
 * in one. `'connect'`: a session is opened for each query, and closed after it; `callers` at once,
 * again and again. `'mix'`: as `'repeat'`, with slow queries among the others. `'burst'`: slow queries, and `callers`
 * others directly behind them
 * @property {Query & { share?: number, count?: number }} [slow] of `'mix'` and `'burst'`: slow queries, which do not
 * count; their share of all queries, or how many there are before each burst
 * @property {boolean} [isWatched] the main thread's CPU and the delays of its loop are measured as well, in Node only
 * @property {number} [sliceMs] at least so long is a slice
 * @property {readonly Setting[]} settings
 * @property {Readonly<Record<string, string>>} [returns] what each driver makes of a value by default, where they
 * differ or may be thought to; printed below the table
 * @property {string} [note] what else is to be known; printed below the table
 *
 * @typedef {Query & OfWorkload} Workload
 */

/** @type {readonly Workload[]} */
export const workloads = [
  pointQuery,
  oneRow,
  hundredRows,
  catalog,
  series,
  tenThousandRows,
  arrays,
  jsonb,
  numerics,
  timestamps,
  composites,
  mix,
  burst,
  distance,
  transaction,
  batch,
  hundredMegabytes,
  overTls,
  connecting,
].flatMap((module) => module.workloads ?? [module.workload])
