// Row 18 again: what a call in a context leaves behind, and what of it another one finds.
import { connect } from 'oxpg'

import { url } from '../../support/server.js'
import { Row } from '../network/report.js'
import { ALL_THE_TIME_MS, openPool, said, wellAfterwards } from './sessions.js'

const TENANTS = 100
const SIZE = 10
/** Calls that are under way at a time. */
const LANES = 200

/** So many interleaved calls of as many tenants, and calls without a context among them: each sees its own tenant's rows alone. */
export async function contexts(calls: number): Promise<Row[]> {
  const row = new Row('18', 'what a call in a context leaves behind')
  const admin = await connect(url)
  await admin.execute(`
    drop table if exists adversity_tenants;
    create table adversity_tenants as select 't' || n as tenant from generate_series(0, ${TENANTS - 1}) n;
    alter table adversity_tenants enable row level security;
    create policy own on adversity_tenants using (tenant = current_setting('adversity.tenant', true));
    drop role if exists adversity_tenant;
    create role adversity_tenant;
    grant select on adversity_tenants to adversity_tenant`)
  const open = await openPool({ minSize: SIZE, maxSize: SIZE })
  const { pool } = open
  const ROWS = 'select tenant from adversity_tenants'
  let begun = 0
  const lane = async (): Promise<void> => {
    while (begun < calls) {
      const number = begun
      begun += 1
      row.cases += 1
      const tenant = `t${(number * 7) % TENANTS}`
      const context = pool.withContext({ settings: { 'adversity.tenant': tenant }, role: 'adversity_tenant' })
      const way = number % 25
      const look = (rows: readonly Record<string, unknown>[]): void =>
        row.check(
          rows.length === 1 && rows[0]?.tenant === tenant,
          `${number}: ${JSON.stringify(rows)} of ${tenant}`,
        )
      if (way === 0) {
        const left = await pool.fetchVal("select current_setting('adversity.tenant', true)")
        const who = await pool.fetchVal('select current_user = session_user')
        row.check((left === null || left === '') && who === true, `${number}: ${left} was left behind`)
      } else if (way === 1) await context.fetch('select 1 / 0').catch(() => {})
      else if (way === 2)
        await context.fetch(ROWS, [], { signal: AbortSignal.timeout(1) }).then(look, () => {})
      else if (way === 3) look((await context.batch([ROWS, 'select 1']))[0])
      else if (way === 4) look(await context.transaction((tx) => tx.fetch(ROWS)))
      else if (way === 5) await context.batch([ROWS, 'select 1 / 0']).catch(() => {})
      else look(await context.fetch(ROWS))
    }
  }
  const lanes = Promise.all(Array.from({ length: LANES }, lane))
  const outcome = await row.settled(lanes, 60 * ALL_THE_TIME_MS, 'the calls')
  row.check(outcome.status === 'fulfilled', `the calls: ${said(outcome)}`)
  await wellAfterwards(open, admin, row, 'afterwards')
  pool.terminate()
  await admin.execute('drop table adversity_tenants; drop role adversity_tenant')
  await admin.close()
  row.detail = `${calls} interleaved calls of ${TENANTS} tenants with a role on ${SIZE} connections, with errors, calls that are given up, batches, transactions and calls without a context among them: each sees its own tenant's row, and nothing is left for the others`
  return [row]
}
