// A server between oxpg and PostgreSQL that counts how often the client has waited for an answer.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { url } from './server.js'

/** Counts turns: bytes of the client's that came after some of the server's. */
export class RoundTrips {
  /** The tests' server, by way of the count. */
  readonly url: string
  private readonly turns: { count: number }

  constructor(counted: string, turns: { count: number }) {
    this.url = counted
    this.turns = turns
  }

  /** How many there are while `work` runs. */
  async of(work: () => Promise<unknown>): Promise<number> {
    const before = this.turns.count
    await work()
    return this.turns.count - before
  }
}

/** Starts one, which closes with the test. */
export async function roundTrips(t: { teardown(close: () => Promise<void>): void }): Promise<RoundTrips> {
  const target = new URL(url)
  const turns = { count: 0 }
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((front) => {
    const back = connect(Number(target.port), target.hostname)
    for (const socket of [front, back]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
    }
    let isClientsTurn = true
    front.on('data', (bytes: Buffer) => {
      if (isClientsTurn) turns.count++
      isClientsTurn = false
      back.write(bytes)
    })
    back.on('data', (bytes: Buffer) => {
      isClientsTurn = true
      front.write(bytes)
    })
    front.on('close', () => back.destroy())
    back.on('close', () => front.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return new RoundTrips(Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href, turns)
}
