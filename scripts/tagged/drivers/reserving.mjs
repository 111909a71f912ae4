// What postgres.js and Bun.SQL have in common: their clients take the same calls.

/**
 * @param {object} sql a client with `begin` and `reserve`
 * @param {(target: object) => import('./index.mjs').Asker} asker of the client, a transaction or a reserved connection
 */
export const reserving = (sql, asker) => ({
  pool: asker(sql),
  transaction: (work) => sql.begin((tx) => work(asker(tx))),
  leased: async (work) => {
    const reserved = await sql.reserve()
    try {
      return await work(asker(reserved))
    } finally {
      reserved.release()
    }
  },
  missing: {
    batch: 'has no atomic batch of statements',
    context: 'has no settings of a call',
    stream: 'has no streams of this kind',
    timeout: 'has no limits of calls',
    many: 'has no executeMany',
    handle: 'has no prepared statements to hold',
  },
})
