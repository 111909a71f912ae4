// Servers that speak PostgreSQL's protocol, announce themselves as something else, and lack some of PostgreSQL.
import test from 'ava'
import { connect, createPool } from 'oxpg'
import { ScriptedServer, type Step } from '../support/testkit.js'

const TEXT = 25
/** Of no built-in type. */
const ITS_OWN = 4000

/** A server with one answer, which reports a setting of its own. */
function announced(setting: [name: string, value: string], oid: number): Step[] {
  return [
    { expect: 'startup' },
    {
      send: [
        { authentication: { code: 0 } },
        { parameter: ['client_encoding', 'UTF8'] },
        { parameter: ['server_version', '8.0.2'] },
        { parameter: setting },
        { keyData: { pid: 4711, key: 'AQIDBA==' } },
        { ready: 'I' },
      ],
    },
    { answer: { columns: [{ name: 'v', oid }], rows: [['it']] } },
  ]
}

/** The texts that the server was sent, in Parse and Query. */
function textsOf(server: ScriptedServer): string[] {
  return server.events.flatMap((event) => {
    if (event.event !== 'received' || !['P', 'Q'].includes(event.tag)) return []
    const parts = Buffer.from(event.body, 'base64').toString().split('\0')
    return [event.tag === 'P' ? parts[1]! : parts[0]!]
  })
}

/** What they get for a reset. */
const RESETS: { [setting: string]: [value: string, reset: string] } = {
  padb_revision: ['1.0.12103', 'SET SESSION AUTHORIZATION DEFAULT; RESET ALL'],
  crdb_version: ['CockroachDB CCL v23.1.11', ''],
  crate_version: ['5.4.2', ''],
}

for (const [setting, [value, reset]] of Object.entries(RESETS)) {
  test(`${setting}: a session is reset by what the server has`, async (t) => {
    const server = await ScriptedServer.for(t, announced([setting, value], TEXT))
    const p = await createPool(server.url, { minSize: 1, maxSize: 1 })
    t.is(await p.use((c) => c.fetchVal('select v')), 'it')
    const c = await p.acquire()
    await c.reset()
    t.is(await c.fetchVal('select v'), 'it')
    await c.release()
    t.is(p.stats.opened, 1, 'the same connection serves again')
    await p.close()
    await server.event({ event: 'ended', connection: 1 })
    const texts = textsOf(server)
    t.deepEqual(
      [...new Set(texts)].sort(),
      [reset, 'select v'].sort(),
      'nothing else is asked, at the start either',
    )
    t.is(texts.filter((text) => text === reset).length, 3)
  })

  test(`${setting}: a type that nobody knows is text`, async (t) => {
    const server = await ScriptedServer.for(t, announced([setting, value], ITS_OWN))
    const c = await connect(server.url)
    t.teardown(async () => c.terminate())
    if (setting === 'crdb_version') {
      // It has PostgreSQL's catalogs; this one answers with something else.
      await t.throwsAsync(c.fetchVal('select v'))
      c.terminate()
      await server.event({ event: 'ended', connection: 1 })
      t.true(textsOf(server).every((text) => !/jit|savepoint|rngmultitypid/i.test(text)))
    } else {
      t.is(await c.fetchVal('select v'), 'it')
      await c.close()
      await server.event({ event: 'ended', connection: 1 })
      t.deepEqual([...new Set(textsOf(server))], ['select v'])
    }
  })
}
