// What a session has that its next user must not find.
import type { Connection, Pool, PoolConnection } from 'oxpg'
import type { Row } from '../network/report.js'

/** Everything that a session keeps for itself, apart from the driver's prepared statements, as text. */
const STATE = `
  select current_user, session_user,
    (select coalesce(string_agg(name || '=' || setting, ', ' order by name), '') from pg_settings
      where source = 'session' and name <> 'application_name') as settings,
    current_setting('application_name') as application,
    (select coalesce(string_agg(c, ', '), '') from pg_listening_channels() c) as channels,
    (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())::int as locks,
    (select coalesce(string_agg(name, ', '), '') from pg_cursors where name <> '') as cursors,
    (select coalesce(string_agg(relname, ', '), '') from pg_class where relnamespace = pg_my_temp_schema()) as temporary,
    current_setting('transaction_isolation') as isolation,
    current_setting('transaction_read_only') as reads_only,
    coalesce(current_setting('adversity.mark', true), '') as mark`

/** What it is of a session that nobody has used. */
export async function stateOf(target: Connection | Pool | PoolConnection): Promise<string> {
  return JSON.stringify(await target.fetchRow(STATE))
}

/** The next user of a pool's only session finds it as its first user did, inside no transaction. */
export async function isClean(pool: Pool, fresh: string, row: Row, what: string): Promise<void> {
  await pool.use(async (lease) => {
    row.check(!lease.isInTransaction, `${what}: a transaction is open`)
    const state = await stateOf(lease)
    row.check(state === fresh, `${what}: ${state} in place of ${fresh}`)
    // Nothing of the last user comes to light when a transaction begins either.
    const within = await lease.transaction((tx) => tx.fetchVal("select 'in one'"))
    row.check(within === 'in one', `${what}: ${within}`)
  })
}
