// The workloads, in the order of the report's table. One question a file.

import * as catalog from './catalog.mjs'
import * as hundredRows from './hundred-rows.mjs'
import * as oneRow from './one-row.mjs'
import * as pointQuery from './point-query.mjs'
import * as series from './series.mjs'
import * as tenThousandRows from './ten-thousand-rows.mjs'

/**
 * @typedef {object} Parameter `{ fixed }` always the same int4, `{ from, to }` a random one of that range.
 * @property {number} [fixed]
 * @property {number} [from]
 * @property {number} [to]
 *
 * @typedef {object} Setting how many callers ask at once over how many connections, and the ratios (ours to
 * theirs, throughput) that we mean to reach
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
 */

/** @type {readonly Workload[]} */
export const workloads = [pointQuery, oneRow, hundredRows, catalog, series, tenThousandRows].map(
  (module) => module.workload,
)
