// The PgBouncer that the tests of poolers/ run on, as `npm run test:poolers` says.

export const poolerUrl = (() => {
  const given = process.env.OXPG_TEST_POOLER_URL
  if (given === undefined) throw new Error('OXPG_TEST_POOLER_URL is not set: use `npm run test:poolers`')
  return given
})()

const mode = process.env.OXPG_TEST_POOLER_MODE
/** It keeps its clients' prepared statements (`max_prepared_statements`). */
export const keepsStatements = process.env.OXPG_TEST_POOLER_KEEPS === '1'
/** In statement mode it ends the connection of who begins a transaction. */
export const hasTransactions = mode !== 'statement'

export const STATEMENT_MODES = ['cache', 'unnamed', 'simple'] as const
