// Rows 6 and 7: a server that stalls in each phase of connecting, and several addresses of which some are dead: there is one
// budget for everything.
import { ConnectionFailureError, connect, createPool, type PostgresError, TimeoutError } from 'oxpg'
import { url } from '../../support/server.js'
import { FaultProxy, openDeaf } from '../../support/testkit.js'
import { nameOf, places, Row, spread } from './report.js'
import { isTls } from './where.js'

// They wait more than they do.
const LANES = 40
const TIMEOUT_MS = 400
/** Of connecting to one of several: a share for each, and enough of it on a busy machine. */
const BUDGET_MS = 4_000

interface Stall {
  direction: 'toServer' | 'toClient'
  after: number
  effect: 'stall' | 'blackHole'
  isPool: boolean
}

/** How many bytes it takes to connect. */
async function startupLengths(): Promise<{ toServer: number; toClient: number }> {
  const proxy = await FaultProxy.open()
  const c = await connect(proxy.url)
  const { toServer, toClient } = await proxy.counts()
  c.terminate()
  await proxy.close()
  return { toServer, toClient }
}

export async function stalls(stride: number): Promise<Row[]> {
  const row = new Row('6', 'a stall in each phase of connecting')
  const ends = await startupLengths()
  const cases: Stall[] = []
  for (const direction of ['toServer', 'toClient'] as const) {
    // Without the last byte: with it, it is connected.
    for (const after of places(ends[direction] - 1, stride)) {
      for (const effect of ['stall', 'blackHole'] as const) {
        for (const isPool of [false, true]) cases.push({ direction, after, effect, isPool })
      }
    }
  }
  const proxies = await Promise.all(Array.from({ length: LANES }, () => FaultProxy.open()))
  await spread(cases, LANES, async ({ direction, after, effect, isPool }, lane) => {
    const what = `${effect} ${direction} after ${after}${isPool ? ', pool' : ''}`
    const proxy = proxies[lane]!
    row.cases += 1
    await proxy.plan({ [direction]: { fault: { at: { after }, effect } } }, 1)
    const options = { connectTimeoutMs: TIMEOUT_MS }
    const opening = isPool ? createPool(proxy.url, { ...options, minSize: 1 }) : connect(proxy.url, options)
    const result = await row.settled<{ terminate(): void }>(opening, TIMEOUT_MS, what)
    if (result.status === 'fulfilled') {
      row.fail(`${what}: connected`)
      result.value.terminate()
    } else {
      row.count(nameOf(result.reason))
      const isLate =
        result.reason instanceof TimeoutError && result.reason.isTransient && result.reason.safeToRetry
      row.check(isLate, `${what}: ${nameOf(result.reason)}: ${result.reason.message}`)
    }
    const next = await row.settled(
      connect(proxy.url, { connectTimeoutMs: 10_000 }),
      10_000,
      `${what}: the next`,
    )
    row.check(next.status === 'fulfilled', `${what}: the next does not connect`)
    if (next.status === 'fulfilled') next.value.terminate()
  })
  await Promise.all(proxies.map((proxy) => proxy.close()))
  row.detail = `${stride === 1 ? 'after every' : `after every ${stride}th`} byte of the startup with ${isTls ? 'TLS and ' : ''}SCRAM (${ends.toServer} bytes to the server, ${ends.toClient} to the client), bytes swallowed or not even read, connect and createPool`
  return [row]
}

/** Addresses where nobody can be reached, each in a way of its own. */
async function deadAddresses() {
  const refusing = await FaultProxy.open()
  await refusing.refuse()
  const deaf = await openDeaf()
  const silent = await FaultProxy.open({ isBlackHole: true })
  const stalled = await FaultProxy.open({ toClient: { fault: { at: { after: 20 }, effect: 'stall' } } })
  const resetting = await FaultProxy.open({ toClient: { fault: { at: { after: 20 }, effect: 'rst' } } })
  const all = { refusing, deaf, silent, stalled, resetting }
  return {
    ports: Object.fromEntries(Object.entries(all).map(([name, { port }]) => [name, port])),
    close: () => Promise.all(Object.values(all).map((one) => one.close())),
  }
}

export async function addresses(isFull: boolean): Promise<Row[]> {
  const row = new Row('7', 'several addresses of which some are dead')
  const good = await FaultProxy.open()
  const dead = await deadAddresses()
  const names = Object.keys(dead.ports)
  const lists: string[][] = []
  for (const first of names) {
    lists.push([first, 'good'], [first])
    for (const second of isFull ? names : [names[lists.length % names.length]!]) {
      lists.push([first, second, 'good'], ['good', first, second], [first, second])
      if (isFull)
        for (const third of names) lists.push([first, second, third, 'good'], [first, 'good', second, third])
    }
  }
  await spread(lists, LANES, async (list) => {
    const what = list.join(', ')
    row.cases += 1
    const isReachable = list.includes('good')
    const options = {
      host: list.map(() => '127.0.0.1'),
      port: list.map((name) => dead.ports[name] ?? good.port),
      connectTimeoutMs: isReachable ? BUDGET_MS : TIMEOUT_MS,
    }
    const result = await row.settled(connect(url, options), options.connectTimeoutMs, what)
    if (result.status === 'fulfilled') {
      row.count('connected')
      row.check(isReachable, `${what}: connected`)
      row.check((await result.value.fetchVal('select 42')) === 42, `${what}: another answer`)
      await result.value.close()
      return
    }
    const error = result.reason as PostgresError
    row.count(nameOf(error))
    row.check(!isReachable, `${what}: ${nameOf(error)}: ${error.message}`)
    row.check(
      error instanceof TimeoutError || error instanceof ConnectionFailureError,
      `${what}: ${nameOf(error)}: ${error.message}`,
    )
  })
  await good.close()
  await dead.close()
  row.detail = `one to four addresses: refusing, deaf to SYN, taking connections and silent, stalled in the startup, resetting in the startup; with a good one in each place, and without`
  return [row]
}
