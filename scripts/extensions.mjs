// npm run test:extensions: the types of extensions, on servers that have them. Those that come with PostgreSQL are
// tested on the embedded server, PostGIS and pgvector on a server of Debian's packages, in a data folder of its own,
// where there is one. What cannot run here is skipped with its reason.
import { start } from './embedded-postgres.mjs'
import { debianServers, embeddedServer } from './extension-servers.mjs'
import { duration, PROGRAMS, runNode } from './run.mjs'
import { setup } from './setup.mjs'
import { failuresInTap, tallyTap } from './tally.mjs'

const total = { passed: 0, failed: 0, skipped: 0 }

/** Tests that need a server of Debian's: the file, the extension, and the package that has it. */
const OF_DEBIAN = [
  { label: 'PostGIS', file: 'postgis', extension: 'postgis', package: 'postgis-3' },
  { label: 'pgvector', file: 'pgvector', extension: 'vector', package: 'pgvector' },
]

/** Runs test files on a server, which is started for them. */
async function testOn({ name, native, extensions }, files) {
  const server = await start({ native })
  try {
    for (const file of files) {
      const started = performance.now()
      const { code, output, stdout } = await runNode(
        PROGRAMS.ava,
        ['--tap', `.cache/test/__test__/extensions/${file}.test.js`],
        {
          env: { OXPG_TEST_URL: server.url, OXPG_TEST_EXTENSIONS: extensions.join(','), FORCE_COLOR: '0' },
          mayFail: true,
        },
      )
      const tally = tallyTap(stdout)
      if (code !== 0) process.stdout.write(`${failuresInTap(stdout) || output}\n`)
      if (code !== 0 && tally.failed === 0) tally.failed = 1
      for (const key of Object.keys(total)) total[key] += tally[key]
      const counts = `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`
      const took = duration(performance.now() - started)
      console.log(`${tally.failed ? '✗' : '✓'} ${file} on ${name}: ${counts} (${took})`)
    }
  } finally {
    await server.stop()
  }
}

/** The tests that each of Debian's servers gets: each test the newest server that has its extension. */
function planForDebian() {
  const servers = debianServers()
  const plan = new Map()
  for (const { label, file, extension, package: wanted } of OF_DEBIAN) {
    const server = servers.find(({ extensions }) => extensions.includes(extension))
    if (server) plan.set(server, [...(plan.get(server) ?? []), file])
    else console.log(`skipped: ${label}: no Debian server with postgresql-${majorOf(servers)}-${wanted}`)
  }
  return plan
}

/** The major version whose packages a reader would install: the newest there is, or Debian 12's. */
const majorOf = (servers) => servers[0]?.native.split('/').at(-1) ?? '15'

try {
  await setup()
  await runNode(PROGRAMS.tsc, ['-p', '__test__/tsconfig.json'])
  await testOn(embeddedServer(), ['contrib'])
  for (const [server, files] of planForDebian()) await testOn(server, files)
} catch (error) {
  total.failed++
  console.error(error.output ?? error)
}
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
