// A server between oxpg and PostgreSQL that reads along what the client sends, and can keep it waiting.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { url } from './server.js'

/** Only the driver's own look-ups of types have this in them. */
const LOOK_UP = 'RECURSIVE needed'
const STARTUP_HEADER = 8
const SSL_REQUEST = 80877103

/** What the clients of a tap have sent. */
export class WireTap {
  /** The tests' server, through the tap. */
  readonly url: string
  /** The texts of all Parse and Query messages so far, on all connections. */
  readonly statements: string[] = []
  /** @internal */
  held: { marker: string; arrived: () => void; released: Promise<void> } | undefined

  constructor(proxied: string) {
    this.url = proxied
  }

  /** How many look-ups of types there were. */
  get lookUps(): number {
    return this.statements.filter((text) => text.includes(LOOK_UP)).length
  }

  /** Keeps the next look-up of types from the server. */
  holdLookUp(): { arrived: Promise<void>; release: () => void } {
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const arrived = new Promise<void>((resolve) => {
      this.held = { marker: LOOK_UP, arrived: resolve, released }
    })
    return { arrived, release }
  }
}

/** Starts a tap, which closes with the test. */
export async function wireTap(t: { teardown(close: () => Promise<void>): void }): Promise<WireTap> {
  const target = new URL(url)
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((front) => {
    const back = connect(Number(target.port), target.hostname)
    const read = messageReader((text) => tap.statements.push(text))
    for (const socket of [front, back]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
    }
    let isWaiting: Promise<void> = Promise.resolve()
    front.on('data', (bytes: Buffer) => {
      read(bytes)
      const { held } = tap
      if (held !== undefined && bytes.includes(held.marker)) {
        tap.held = undefined
        held.arrived()
        isWaiting = isWaiting.then(() => held.released)
      }
      isWaiting = isWaiting.then(() => {
        back.write(bytes)
      })
    })
    back.pipe(front)
    front.on('close', () => void isWaiting.then(() => back.destroy()))
    back.on('close', () => front.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const tap: WireTap = new WireTap(Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href)
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return tap
}

/** Cuts a client's bytes into messages (manual, "Message Formats") and gives the texts of Parse and Query. */
function messageReader(take: (text: string) => void): (bytes: Buffer) => void {
  let rest = Buffer.alloc(0)
  let isStarted = false
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    for (;;) {
      const lengthAt = isStarted ? 1 : 0
      if (rest.length < lengthAt + 4) return
      const end = lengthAt + rest.readInt32BE(lengthAt)
      if (rest.length < end) return
      const body = rest.subarray(lengthAt + 4, end)
      if (!isStarted) isStarted = end < STARTUP_HEADER || body.readInt32BE(0) !== SSL_REQUEST
      else if (rest[0] === 0x51) take(body.toString('utf8', 0, body.length - 1))
      else if (rest[0] === 0x50) {
        const text = body.indexOf(0) + 1
        take(body.toString('utf8', text, body.indexOf(0, text)))
      }
      rest = rest.subarray(end)
    }
  }
}
