// Throwaway clusters of any major of PostgreSQL, with TLS, a pg_hba.conf and a streaming standby as they are asked for:
// a function for scripts and tests in JavaScript, and a program for everything else (crates/testkit/src/cluster.rs).
//
//   node scripts/clusters.mjs '{"major":16,"certificate":"server","hasStandby":true}'
//
// The program writes one line, `{"primary":{"url":…,"host":…,"port":…,"pid":…,…},"standby":{…}}`, or `{"error":…}`, and
// stops the cluster at the end of its input.
import { fileURLToPath } from 'node:url'
import { start, startPair } from './embedded-postgres.mjs'
import { serverPackage } from './packages.mjs'
import { withTls } from './tls-servers.mjs'

const KNOWN = ['major', 'certificate', 'hasStandby', 'hostBasedAuthentication', 'settings', 'sql']

/**
 * Starts a cluster.
 *
 * @param {object} [options]
 * @param {number} [options.major] of PostgreSQL, 13 to 18; that of the package `embedded-postgres` where it is missing
 * @param {string} [options.certificate] of its TLS, a name of __test__/support/certificates such as `server`; it has the
 *   users of tls-servers.mjs then. No TLS where it is missing
 * @param {boolean} [options.hasStandby] whether a standby streams from it and confirms its commits
 * @param {string} [options.hostBasedAuthentication] what pg_hba.conf holds
 * @param {Record<string, string>} [options.settings] further server settings
 * @param {string} [options.sql] run before it starts
 * @returns {Promise<{ primary: Awaited<ReturnType<typeof start>>, standby?: Awaited<ReturnType<typeof start>>,
 *   stop(): Promise<void> }>}
 */
export async function startCluster(options = {}) {
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name))
  if (unknown !== undefined) throw new Error(`expected some of ${KNOWN.join(', ')}, got ${unknown}`)
  const { major, certificate, hasStandby = false, hostBasedAuthentication, settings, sql = '' } = options
  const base = certificate === undefined ? { settings: {}, sql: '' } : withTls(certificate)
  const all = {
    ...base,
    ...(major === undefined ? {} : { from: await serverPackage(major) }),
    ...(hostBasedAuthentication === undefined ? {} : { hostBasedAuthentication }),
    settings: { ...base.settings, ...settings },
    sql: base.sql + sql,
  }
  const servers = hasStandby ? await startPair(all) : { primary: await start(all) }
  return {
    ...servers,
    stop: async () => void (await Promise.all(Object.values(servers).map((server) => server.stop()))),
  }
}

async function main() {
  let cluster
  try {
    cluster = await startCluster(JSON.parse(process.argv[2] ?? '{}'))
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.message} ${error.output ?? ''}`.trim() }))
    process.exitCode = 1
    return
  }
  const { primary, standby } = cluster
  console.log(JSON.stringify({ primary, standby }))
  process.stdin.resume().once('end', () => cluster.stop())
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
