// Servers that do not speak as they should: whoever connects to one gets an error, and nothing else suffers.
import test from 'ava'
import { connect, createPool, PostgresError, ProtocolError } from 'oxpg'
import { ScriptedServer, type Step } from '../support/testkit.js'

const TEXT = 25
const GREETING: Step[] = [{ expect: 'startup' }, { send: ['welcome'] }]
const HONEST: Step = { answer: { columns: [{ name: 'v', oid: TEXT }], rows: [['honest']] } }

test('a scripted server that is honest is a server', async (t) => {
  const server = await ScriptedServer.for(t, [...GREETING, HONEST])
  const c = await connect(server.url)
  t.is(await c.fetchVal('select v'), 'honest')
  t.is(c.serverPid, 4711)
  await c.close()
  await server.event({ event: 'ended', connection: 1 })
})

for (const length of [-1, 0, 3, 2 ** 31 - 1]) {
  test(`a message that says it is ${length} long ends its session`, async (t) => {
    const lie: Step[] = [
      ...GREETING,
      { expect: 'any' },
      { send: [{ message: { tag: 'T', length } }] },
      'drain',
    ]
    const server = await ScriptedServer.for(t, lie, lie, [...GREETING, HONEST])
    const c = await connect(server.url)
    const before = process.memoryUsage.rss()
    await t.throwsAsync(c.fetchVal('select v'), { instanceOf: ProtocolError })
    t.true(process.memoryUsage.rss() - before < 64 << 20, 'nothing is allocated for what is only said')
    t.true(c.isClosed)
    // Nothing was executed yet: a pool asks another session.
    const p = await createPool(server.url, { minSize: 1, maxSize: 1 })
    t.teardown(async () => p.terminate())
    t.is(await p.fetchVal('select v'), 'honest')
  })
}

test('a message in place of another ends its session', async (t) => {
  for (const tag of ['D', 'Z', '3', '?']) {
    const part = tag === 'Z' ? { ready: '?' } : { message: { tag } }
    const server = await ScriptedServer.for(t, [...GREETING, { expect: 'any' }, { send: [part] }, 'drain'])
    const c = await connect(server.url)
    const error: unknown = await t.throwsAsync(c.fetchVal('select v'), undefined, tag)
    t.true(error instanceof PostgresError || error instanceof ProtocolError, `${tag}: ${error}`)
    t.true(c.isClosed, tag)
  }
})

test('a server that talks without end before it asks for a password is not listened to for ever', async (t) => {
  for (const part of [
    { notice: { M: 'x'.repeat(1_000) } },
    { parameter: ['name', 'x'.repeat(1_000)] as [string, string] },
  ]) {
    const endless: Step = { repeat: { steps: [{ send: [part] }] } }
    const server = await ScriptedServer.for(t, [{ expect: 'startup' }, endless])
    await t.throwsAsync(connect(server.url, { connectTimeoutMs: 60_000 }), { instanceOf: ProtocolError })
    await server.event({ event: 'ended', connection: 1 })
  }
})

test('a server that cannot prove that it knows the password is refused', async (t) => {
  const scram: Step = { scram: { password: 'p', isSigned: false } }
  const server = await ScriptedServer.for(t, [{ expect: 'startup' }, scram, { send: ['welcome'] }, 'drain'])
  const error = await t.throwsAsync(connect(server.url))
  t.regex(error!.message, /SCRAM/)
})
