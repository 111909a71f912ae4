import { readFileSync } from 'node:fs'

/** Makes the tables that the workloads read; gives the server's version. */
export async function createSchema(url, connect) {
  const connection = await connect(url)
  const statements = readFileSync(new URL('schema.sql', import.meta.url), 'utf8').split(/;\s*$/m)
  // One at a time: VACUUM runs in no implicit transaction.
  for (const statement of statements) {
    if (statement.trim() !== '') await connection.execute(statement)
  }
  const version = await connection.fetchVal('SHOW server_version')
  await connection.close()
  return version
}
