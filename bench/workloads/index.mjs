// The workloads, in the order of the report's table. One question a file.

import * as arrays from './arrays.mjs'
import * as catalog from './catalog.mjs'
import * as composites from './composites.mjs'
import * as hundredRows from './hundred-rows.mjs'
import * as jsonb from './jsonb.mjs'
import * as numerics from './numerics.mjs'
import * as oneRow from './one-row.mjs'
import * as pointQuery from './point-query.mjs'
import * as series from './series.mjs'
import * as tenThousandRows from './ten-thousand-rows.mjs'
import * as timestamps from './timestamps.mjs'

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
 * @property {Readonly<Record<string, number>>} targets
 *
 * @typedef {object} Workload
 * @property {string} name
 * @property {string} question
 * @property {string} sql
 * @property {readonly Parameter[]} parameters
 * @property {number} rows that each answer must have
 * @property {readonly Setting[]} settings
 * @property {Readonly<Record<string, string>>} [returns] what each driver makes of a value by default, where they
 * differ or may be thought to; printed below the table
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
].map((module) => module.workload)
